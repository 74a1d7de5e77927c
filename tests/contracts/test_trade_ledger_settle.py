"""Settling intervals: consecutive runs, a sum of zero, within each member's own cap and funds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from settlement.chain.lanes import pack, unpack
from tests.contracts.support import INTERVAL_S, NOBODY, ZERO, law
from tests.contracts.trading import (
    BALANCE,
    BALANCE_MAX,
    CAP,
    CAP_MAX,
    CORRECTION,
    INITIAL,
    NOW_S,
    OVER,
    ROOT,
    balances,
    entry,
    everybody,
    lanes,
    settle,
)


class TestRun:
    def test_moves_money_between_members_in_a_mined_transaction(self, world):
        seller, buyer, third, *_ = world.members
        world.clock.set(max(world.clock.now_s(), NOW_S))
        run = world.get(world.trade, "lastRun") + 1
        moved = {seller: 300_000, buyer: -310_000, third: 10_000}
        before = balances(world, world)
        packed = pack(lanes(world, world, moved.items()))
        arguments = (run, OVER, OVER, INITIAL, 0, ROOT, packed)
        result = world.send(world.owner, world.trade, "settle", *arguments)
        assert balances(world, world) == [
            had + moved.get(one, 0) for one, had in zip(everybody(world), before, strict=True)
        ]
        settled = result.event("IntervalSettled")
        assert (settled["run"], settled["interval"], settled["kind"]) == (run, OVER, INITIAL)
        assert settled["root"] == "0x" + ROOT.hex()
        assert world.get(world.trade, "lastRun") == run
        assert world.get(world.trade, "settledThrough") == OVER
        assert world.get(world.trade, "isSettled", OVER) is True
        assert world.get(world.trade, "rootOf", run) == "0x" + ROOT.hex()

    def test_commits_to_its_packed_deltas_in_its_event(self, world, fork):
        seller, buyer = world.members[1], world.members[4]
        result = settle(world, fork, [(seller, 5), (buyer, -5)])
        packed = entry(0, 0, 5) + entry(1, -5)
        assert result.event("IntervalSettled")["deltasHash"] == "0x" + keccak(packed).hex()

    def test_that_moves_nothing_still_anchors_its_root(self, world, fork):
        assert settle(world, fork, []).error is None
        assert fork.get(world.trade, "rootOf", 1) == "0x" + ROOT.hex()

    @pytest.mark.parametrize("run", [0, 2, 3, 2**64 - 1])
    def test_is_the_one_after_the_last(self, world, fork, run):
        result = settle(world, fork, [], run=run)
        assert result.error == "TradeLedger_RunNotNext"
        assert result.arguments == {"run": run, "last": 0}

    def test_cannot_be_repeated(self, world, fork):
        assert settle(world, fork, []).error is None
        assert settle(world, fork, [], interval=OVER - 1).error == "TradeLedger_RunNotNext"

    def test_is_of_an_interval_that_is_over_to_the_second(self, world):
        end_s = (OVER + 2) * INTERVAL_S
        early = settle(world, world.fork(end_s - 1), [], interval=OVER + 1)
        assert early.error == "TradeLedger_IntervalNotOver"
        assert early.arguments == {"interval": OVER + 1}
        assert settle(world, world.fork(end_s), [], interval=OVER + 1).error is None

    def test_of_the_last_interval_of_all_is_never_over(self, world, fork):
        result = settle(world, fork, [], interval=2**64 - 1)
        assert result.error == "TradeLedger_IntervalNotOver"

    def test_takes_intervals_in_any_order(self, world, fork):
        assert settle(world, fork, [], run=1, interval=OVER).error is None
        assert settle(world, fork, [], run=2, interval=OVER - 3).error is None
        assert settle(world, fork, [], run=3, interval=OVER - 1).error is None
        settled = [fork.get(world.trade, "isSettled", OVER - n) for n in range(4)]
        assert settled == [True, True, False, True]

    def test_is_the_settlers_alone(self, world, fork):
        for stranger in (NOBODY, world.members[0].address, world.institution.address):
            result = settle(world, fork, [], sender=stranger)
            assert result.error == "AccessControlUnauthorizedAccount"
            role = "0x" + keccak(b"SETTLER_ROLE").hex()
            assert result.arguments == {"account": "0x" + stranger.hex(), "neededRole": role}

    def test_is_done_by_whom_the_administrator_names_until_the_role_is_taken_back(
        self, world, fork
    ):
        role = keccak(b"SETTLER_ROLE")
        fork.ok(world.owner, world.trade, "grantRole", role, NOBODY)
        assert settle(world, fork, [], sender=NOBODY).error is None
        fork.ok(world.owner, world.trade, "revokeRole", role, NOBODY)
        again = settle(world, fork, [], sender=NOBODY, run=2, interval=OVER - 1)
        assert again.error == "AccessControlUnauthorizedAccount"


class TestWatermark:
    def test_rises_or_stays(self, world, fork):
        for run, through in ((1, OVER - 5), (2, OVER - 5), (3, OVER)):
            result = settle(world, fork, [], run=run, interval=OVER - run, settled_through=through)
            assert result.error is None
            assert fork.get(world.trade, "settledThrough") == through

    def test_never_falls(self, world, fork):
        settle(world, fork, [], settled_through=OVER)
        result = settle(world, fork, [], run=2, interval=OVER - 1, settled_through=OVER - 1)
        assert result.error == "TradeLedger_WatermarkFell"
        assert result.arguments == {"settledThrough": OVER - 1, "last": OVER}

    @pytest.mark.parametrize("through", [OVER + 1, 2**48, 2**64 - 1])
    def test_is_never_of_an_interval_that_is_not_over(self, world, fork, through):
        result = settle(world, fork, [], settled_through=through)
        assert result.error == "TradeLedger_IntervalNotOver"
        assert result.arguments == {"interval": through}


class TestKind:
    def test_initial_happens_once_an_interval(self, world, fork):
        settle(world, fork, [])
        again = settle(world, fork, [], run=2)
        assert again.error == "TradeLedger_AlreadySettled"
        assert again.arguments == {"interval": OVER}

    def test_correction_amends_a_run_of_its_interval(self, world, fork):
        seller, buyer = world.members[:2]
        settle(world, fork, [(seller, 100), (buyer, -100)])
        corrected = settle(
            world, fork, [(seller, -30), (buyer, 30)], run=2, kind=CORRECTION, amends=1, root=ZERO
        )
        assert corrected.event("IntervalSettled")["kind"] == CORRECTION
        assert balances(world, fork)[:2] == [BALANCE + 70, BALANCE - 70]
        assert fork.get(world.trade, "rootOf", 1) == "0x" + ROOT.hex()
        twice = settle(world, fork, [], run=3, kind=CORRECTION, amends=2)
        assert twice.error is None

    def test_correction_alone_is_no_first_settlement(self, world, fork):
        settle(world, fork, [], interval=OVER - 1)
        settle(world, fork, [], run=2, interval=OVER - 1, kind=CORRECTION, amends=1)
        assert fork.get(world.trade, "isSettled", OVER) is False

    @pytest.mark.parametrize("amends", [0, 2, 3, 2**64 - 1])
    def test_correction_of_no_run_is_refused(self, world, fork, amends):
        settle(world, fork, [])
        result = settle(world, fork, [], run=2, kind=CORRECTION, amends=amends)
        assert result.error == "TradeLedger_AmendsNothing"
        assert result.arguments == {"interval": OVER, "amends": amends}

    def test_correction_of_another_intervals_run_is_refused(self, world, fork):
        settle(world, fork, [])
        result = settle(world, fork, [], run=2, interval=OVER - 1, kind=CORRECTION, amends=1)
        assert result.error == "TradeLedger_AmendsNothing"

    @pytest.mark.parametrize("kind", [2, 3, 255])
    def test_unknown_is_refused(self, world, fork, kind):
        result = settle(world, fork, [], kind=kind)
        assert (result.error, result.arguments) == ("TradeLedger_UnknownKind", {"kind": kind})


class TestEntries:
    @pytest.mark.parametrize("slots", [(1, 0), (0, 0), (1, 1)])
    def test_unsorted_or_repeated_are_refused(self, world, fork, slots):
        entries = entry(slots[0], -1) + entry(slots[1], 1)
        result = settle(world, fork, [], entries=entries)
        assert (result.error, result.arguments) == ("TradeLedger_Unsorted", {"slot": slots[1]})

    @pytest.mark.parametrize("slot", [0, 1, 2, 2**24 - 1])
    def test_that_move_nothing_are_refused(self, world, fork, slot):
        result = settle(world, fork, [], entries=entry(slot))
        assert (result.error, result.arguments) == ("TradeLedger_EmptyEntry", {"slot": slot})

    @pytest.mark.parametrize("length", [1, 22, 24, 45])
    def test_that_are_cut_are_refused(self, world, fork, length):
        entries = (entry(0, 1, -1) * 2)[:length]
        result = settle(world, fork, [], entries=entries)
        assert (result.error, result.arguments) == ("TradeLedger_BadLength", {"length": length})

    @pytest.mark.parametrize("micros", [-1, 1])
    @pytest.mark.parametrize(("slot", "index"), [(1, 3), (2, 0), (2, 3), (2**24 - 1, 3)])
    def test_of_a_lane_that_nobody_holds_are_refused(self, world, fork, micros, slot, index):
        entries = entry(0, -micros) + entry(slot, *(0,) * index, micros)
        result = settle(world, fork, [], entries=entries)
        assert result.error == "TradeLedger_NobodysLane"
        assert result.arguments == {"id": slot * 4 + index}

    @law(40)
    @given(
        micros=st.lists(st.integers(-CAP, CAP), min_size=6, max_size=6).filter(any),
    )
    def test_mean_to_the_contract_what_they_mean_to_the_service(self, world, micros):
        fork = world.fork(NOW_S)
        moved = dict(enumerate(micros)) | {6: -sum(micros)}
        packed = pack(moved)
        assert unpack(packed) == {number: one for number, one in moved.items() if one}
        result = settle(world, fork, [], entries=packed)
        if moved[6] < 0:
            assert result.error == "TradeLedger_Underfunded"
            return
        assert result.error is None
        expected = [BALANCE + one for one in micros] + [moved[6]]
        assert balances(world, fork) == expected


class TestDeltas:
    @pytest.mark.parametrize("excess", [-1, 1, 999_999])
    def test_that_do_not_sum_to_zero_are_refused(self, world, fork, excess):
        seller, buyer = world.members[:2]
        result = settle(world, fork, [(seller, 500 + excess), (buyer, -500)])
        assert (result.error, result.arguments) == ("TradeLedger_NotZeroSum", {"sum": excess})

    @pytest.mark.parametrize("far", [1, 4])
    def test_above_a_members_own_cap_are_refused(self, world, fork, far):
        seller, buyer = world.members[0], world.members[far]
        above = settle(world, fork, [(seller, CAP + 1), (buyer, -CAP - 1)])
        assert above.error == "TradeLedger_AboveCap"
        assert above.arguments == {"account": buyer.address_hex, "cap": CAP, "debit": CAP + 1}
        assert settle(world, fork, [(seller, CAP), (buyer, -CAP)]).error is None

    @pytest.mark.parametrize("far", [1, 4])
    def test_beyond_a_members_funds_are_refused(self, world, fork, far):
        seller, buyer = world.members[0], world.members[far]
        fork.ok(buyer, world.trade, "setCap", CAP_MAX)
        above = settle(world, fork, [(seller, BALANCE + 1), (buyer, -BALANCE - 1)])
        assert above.error == "TradeLedger_Underfunded"
        assert above.arguments == {
            "account": buyer.address_hex,
            "balance": BALANCE,
            "debit": BALANCE + 1,
        }
        assert settle(world, fork, [(seller, BALANCE), (buyer, -BALANCE)]).error is None

    def test_credit_a_member_without_regard_to_the_cap(self, world, fork):
        seller, *buyers = world.members
        deltas = [(seller, 3 * CAP)] + [(one, -CAP) for one in buyers[:3]]
        assert settle(world, fork, deltas).error is None
        assert balances(world, fork)[0] == BALANCE + 3 * CAP

    def test_of_an_institution_know_no_cap_but_its_funds(self, world, fork):
        member, *buyers = world.members
        settle(world, fork, [(world.institution, 3 * CAP)] + [(one, -CAP) for one in buyers[:3]])
        back = [(world.institution, -3 * CAP), (member, 3 * CAP)]
        more = [(world.institution, -3 * CAP - 1), (member, 3 * CAP + 1)]
        refused = settle(world, fork, more, run=2, interval=OVER - 1)
        assert refused.error == "TradeLedger_Underfunded"
        assert settle(world, fork, back, run=2, interval=OVER - 1).error is None

    @pytest.mark.parametrize("who", ["member", "institution"])
    def test_of_the_lowest_number_there_is_are_refused_by_name(self, world, fork, who):
        slot, index = (0, 0) if who == "member" else (1, 2)
        expected = "TradeLedger_AboveCap" if who == "member" else "TradeLedger_Underfunded"
        result = settle(world, fork, [], entries=entry(slot, *(0,) * index, -(2**39)))
        assert result.error == expected
        assert result.arguments["debit"] == 2**39

    def test_that_overflow_a_lane_are_refused_by_name(self, world, fork):
        full, buyer = world.drivers[0], world.members[0]
        room = 1_000
        fork.ok(world.owner, world.token, "mint", full.address, BALANCE_MAX)
        arguments = world.join_arguments(full, cap=0, amount=BALANCE_MAX - room)
        fork.ok(NOBODY, world.trade, "join", *arguments)
        above = settle(world, fork, [(full, room + 1), (buyer, -room - 1)])
        assert above.error == "TradeLedger_BalanceOverflow"
        assert above.arguments == {
            "account": full.address_hex,
            "balance": BALANCE_MAX - room,
            "credit": room + 1,
        }
        assert settle(world, fork, [(full, room), (buyer, -room)]).error is None
        assert fork.get(world.trade, "balanceOf", full.address) == BALANCE_MAX
        assert balances(world, fork)[4:] == [BALANCE, BALANCE, 0]

    def test_never_reach_into_the_next_lane(self, world, fork):
        caps = [fork.get(world.trade, "capOf", one.address) for one in everybody(world)]
        first, second, third, *_ = world.members
        for one in (first, second):
            fork.ok(one, world.trade, "setCap", CAP_MAX)
        emptied = [(first, -BALANCE), (second, -BALANCE), (third, 2 * BALANCE)]
        assert settle(world, fork, emptied).error is None
        assert balances(world, fork) == [0, 0, 3 * BALANCE, BALANCE, BALANCE, BALANCE, 0]
        after = [fork.get(world.trade, "capOf", one.address) for one in everybody(world)]
        assert after == [CAP_MAX, CAP_MAX, *caps[2:]]

    @law(60)
    @given(data=st.data())
    def test_keep_the_sum_of_balances_or_change_nothing(self, world, data):
        fork = world.fork(NOW_S)
        accounts = everybody(world)
        number = len(accounts)
        for run in (1, 2, 3):
            before = balances(world, fork)
            near = st.integers(-CAP - 5, CAP + 5)
            sizes = st.one_of(st.integers(-20, 20), near)
            micros = data.draw(st.lists(sizes, min_size=number - 1, max_size=number - 1))
            last = -sum(micros) + data.draw(st.sampled_from([0, 0, 0, 1, -1]))
            deltas = list(zip(accounts, [*micros, last], strict=True))
            result = settle(world, fork, deltas, run=run, interval=OVER - run)
            after = balances(world, fork)
            allowed = sum(delta for _, delta in deltas) == 0 and all(
                had + delta >= 0 and (-delta <= CAP or one == world.institution)
                for had, (one, delta) in zip(before, deltas, strict=True)
            )
            assert (result.error is None) == allowed, result.error
            assert sum(after) == sum(before) == fork.token(world.trade.address)
            if not allowed:
                assert after == before
                assert fork.get(world.trade, "lastRun") == run - 1
                return
            assert after == [had + delta for had, (_, delta) in zip(before, deltas, strict=True)]
