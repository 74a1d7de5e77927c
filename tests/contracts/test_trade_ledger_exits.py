"""Leaving and lowering a cap: never ahead of intervals that are not settled, never never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.chain import lanes
from settlement.chain.lanes import EXIT_WAIT_S
from tests.contracts.support import FAR_S, INTERVAL_S, NOBODY, START_S, law
from tests.contracts.trading import BALANCE, CAP, CAP_MAX, CENT, NOW_S, OVER, WEEK_S, settle

ASKED = NOW_S // INTERVAL_S
"""The interval of a request at a fork's beginning."""
SHORTEST_S = 2 * INTERVAL_S
SOON_S = NOW_S + SHORTEST_S


def settled_through(world, fork, interval, *, run=1):
    """Settle ``interval`` as the last of all up to it."""
    result = settle(world, fork, [], run=run, interval=interval, settled_through=interval)
    assert result.error is None, result.error


def asked(world, member, amount=1_250_000):
    """Return a fork in which a member has asked for money back."""
    fork = world.fork(NOW_S)
    fork.ok(member, world.trade, "requestExit", amount)
    return fork


class TestRequest:
    def test_leaves_the_money_where_it_is_until_it_is_paid(self, world, fork):
        member = world.members[0]
        result = fork.ok(member, world.trade, "requestExit", 1_250_000)
        assert result.event("ExitRequested") == {
            "member": member.address_hex,
            "amountMicros": 1_250_000,
            "forcedAt": NOW_S + WEEK_S,
        }
        assert fork.get(world.trade, "exitOf", member.address) == 1_250_000
        assert fork.get(world.trade, "exitRequestedAt", member.address) == NOW_S
        assert fork.get(world.trade, "balanceOf", member.address) == BALANCE

    @pytest.mark.parametrize("amount", [0, BALANCE + 1, 2**64 - 1])
    def test_of_nothing_or_of_more_than_is_there_is_refused(self, world, fork, amount):
        member = world.members[0]
        result = fork.send(member, world.trade, "requestExit", amount)
        assert result.error == "TradeLedger_BadExit"
        assert result.arguments == {"member": member.address_hex, "amountMicros": amount}

    def test_waits_alone(self, world):
        fork = asked(world, world.members[0])
        again = fork.send(world.members[0], world.trade, "requestExit", 1)
        assert again.error == "TradeLedger_BadExit"

    def test_is_for_members_alone(self, world, fork):
        assert fork.send(NOBODY, world.trade, "requestExit", 1).error == "TradeLedger_NotAMember"

    def test_is_forgotten_when_its_member_says_so(self, world):
        member = world.members[0]
        fork = asked(world, member)
        result = fork.ok(member, world.trade, "cancelExit")
        assert result.event("ExitCancelled") == {
            "member": member.address_hex,
            "amountMicros": 1_250_000,
        }
        assert fork.get(world.trade, "exitOf", member.address) == 0
        assert fork.get(world.trade, "exitRequestedAt", member.address) == 0
        fork.move_to(FAR_S)
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_NoExit"
        fork.ok(member, world.trade, "requestExit", 1)

    @pytest.mark.parametrize("what", ["exit", "cancelExit"])
    def test_that_nobody_made_is_neither_paid_nor_forgotten(self, world, fork, what):
        for who in (world.members[0].address, NOBODY):
            result = fork.send(who, world.trade, what)
            assert result.error == "TradeLedger_NoExit"
            assert result.arguments == {"member": "0x" + who.hex()}


class TestExit:
    def test_waits_in_the_contract_as_long_as_the_service_counts_on(self, world, fork):
        assert fork.get(world.trade, "EXIT_WAIT") == EXIT_WAIT_S == WEEK_S
        assert fork.get(world.trade, "CENT") == lanes.CENT == CENT

    def test_is_paid_when_all_up_to_its_interval_is_settled(self, world):
        member = world.members[0]
        fork = asked(world, member).move_to(SOON_S)
        settled_through(world, fork, ASKED - 1)
        early = fork.send(member, world.trade, "exit")
        assert early.error == "TradeLedger_ExitNotReady"
        assert early.arguments == {"member": member.address_hex, "forcedAt": NOW_S + WEEK_S}
        settled_through(world, fork, ASKED, run=2)
        before = fork.token(member)
        paid = fork.ok(member, world.trade, "exit")
        assert paid.event("Exited") == {"member": member.address_hex, "amountMicros": 1_250_000}
        assert fork.token(member) == before + 1_250_000
        assert fork.get(world.trade, "balanceOf", member.address) == BALANCE - 1_250_000
        assert fork.get(world.trade, "exitOf", member.address) == 0

    def test_waits_for_two_intervals_however_fast_the_settler_is(self, world):
        member = world.members[0]
        fork = asked(world, member).move_to(SOON_S - 1)
        settled_through(world, fork, ASKED)
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_ExitNotReady"
        fork.move_to(SOON_S)
        assert fork.send(member, world.trade, "exit").error is None

    def test_is_paid_after_a_week_whatever_the_settler_does(self, world):
        member = world.members[0]
        fork = asked(world, member).move_to(NOW_S + WEEK_S - 1)
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_ExitNotReady"
        fork.move_to(NOW_S + WEEK_S)
        assert fork.ok(member, world.trade, "exit").event("Exited")["amountMicros"] == 1_250_000

    def test_is_not_hurried_by_a_run_that_says_nothing_of_the_past(self, world):
        member = world.members[0]
        fork = asked(world, member).move_to(SOON_S)
        assert settle(world, fork, [], interval=ASKED, settled_through=0).error is None
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_ExitNotReady"

    def test_pays_once(self, world):
        member = world.members[0]
        fork = asked(world, member).move_to(NOW_S + WEEK_S)
        fork.ok(member, world.trade, "exit")
        assert fork.send(member, world.trade, "exit").error == "TradeLedger_NoExit"
        fork.ok(member, world.trade, "requestExit", 1)

    def test_pays_no_more_than_settled_intervals_have_left(self, world):
        member, other = world.members[:2]
        fork = asked(world, member, BALANCE)
        debited = settle(world, fork, [(member, -600_000), (other, 600_000)])
        assert debited.error is None
        before = fork.token(member)
        fork.move_to(NOW_S + WEEK_S)
        paid = fork.ok(member, world.trade, "exit")
        assert paid.event("Exited")["amountMicros"] == BALANCE - 600_000
        assert fork.token(member) == before + BALANCE - 600_000
        assert fork.get(world.trade, "balanceOf", member.address) == 0

    def test_of_money_that_is_all_gone_pays_nothing_and_ends(self, world):
        member, other = world.members[:2]
        fork = asked(world, member, 1)
        fork.ok(member, world.trade, "setCap", CAP_MAX)
        settle(world, fork, [(member, -BALANCE), (other, BALANCE)])
        fork.move_to(NOW_S + WEEK_S)
        assert fork.ok(member, world.trade, "exit").event("Exited")["amountMicros"] == 0
        assert fork.get(world.trade, "exitOf", member.address) == 0

    def test_of_an_institution_is_paid_too(self, world):
        fork, institution = world.fork(NOW_S), world.institution
        settle(world, fork, [(world.members[0], -500), (institution, 500)])
        fork.ok(institution, world.trade, "requestExit", 500)
        fork.move_to(NOW_S + WEEK_S)
        fork.ok(institution, world.trade, "exit")
        assert fork.token(institution) == 500

    def test_of_everything_leaves_the_others_money_in_the_contract(self, world, fork):
        for member in world.members:
            fork.ok(member, world.trade, "requestExit", BALANCE)
        fork.move_to(FAR_S)
        for number, member in enumerate(world.members, start=1):
            fork.ok(member, world.trade, "exit")
            left = (len(world.members) - number) * BALANCE
            assert fork.token(world.trade.address) == left

    @law(40)
    @given(
        waited_s=st.integers(0, WEEK_S + INTERVAL_S),
        behind=st.integers(-3, 3),
        asked_s=st.integers(NOW_S, NOW_S + INTERVAL_S - 1),
    )
    def test_is_ready_by_one_rule(self, world, waited_s, behind, asked_s):
        member, fork = world.members[0], world.fork(asked_s)
        fork.ok(member, world.trade, "requestExit", 1)
        fork.move_to(asked_s + waited_s)
        through = asked_s // INTERVAL_S + behind
        over = fork.now_s // INTERVAL_S - 1
        if through <= over:
            settled_through(world, fork, through)
        reached = through <= over and behind >= 0
        ready = waited_s >= WEEK_S or (waited_s >= SHORTEST_S and reached)
        assert fork.get(world.trade, "isReady", asked_s) is ready
        assert (fork.send(member, world.trade, "exit").error is None) is ready


class TestRaisingACap:
    @pytest.mark.parametrize("cap", [CAP, CAP + CENT, CAP_MAX])
    def test_counts_at_once(self, world, fork, cap):
        member = world.members[1]
        result = fork.ok(member, world.trade, "setCap", cap)
        assert result.event("CapSet") == {"member": member.address_hex, "capMicros": cap}
        assert fork.get(world.trade, "capOf", member.address) == cap
        for other in world.members[0], world.members[2]:
            assert fork.get(world.trade, "capOf", other.address) == CAP

    def test_takes_back_a_lower_one_that_waits(self, world, fork):
        member = world.members[1]
        fork.ok(member, world.trade, "setCap", 0)
        fork.ok(member, world.trade, "setCap", CAP)
        assert tuple(fork.get(world.trade, "loweringOf", member.address)) == (0, 0)
        fork.move_to(FAR_S)
        refused = fork.send(NOBODY, world.trade, "applyCap", member.address)
        assert refused.error == "TradeLedger_NoCapLowering"
        assert refused.arguments == {"member": member.address_hex}

    @pytest.mark.parametrize(
        ("cap", "error"),
        [
            (CAP + 1, "TradeLedger_CapNotWholeCents"),
            (CAP - 1, "TradeLedger_CapNotWholeCents"),
            (CAP_MAX + CENT, "TradeLedger_CapTooHigh"),
        ],
    )
    def test_to_what_a_lane_cannot_say_is_refused(self, world, fork, cap, error):
        assert fork.send(world.members[1], world.trade, "setCap", cap).error == error

    def test_of_somebody_who_is_no_member_is_refused(self, world, fork):
        for stranger in (NOBODY, world.owner):
            assert fork.send(stranger, world.trade, "setCap", 0).error == "TradeLedger_NotAMember"


class TestLoweringACap:
    def lowered(self, world, member, cap=CENT):
        fork = world.fork(NOW_S)
        result = fork.ok(member, world.trade, "setCap", cap)
        assert result.event("CapLoweringRequested") == {
            "member": member.address_hex,
            "capMicros": cap,
            "forcedAt": NOW_S + WEEK_S,
        }
        return fork

    def test_waits_while_intervals_before_it_may_be_settled(self, world):
        member, seller = world.members[:2]
        fork = self.lowered(world, member)
        assert fork.get(world.trade, "capOf", member.address) == CAP
        assert tuple(fork.get(world.trade, "loweringOf", member.address)) == (CENT, NOW_S)
        assert settle(world, fork, [(member, -CAP), (seller, CAP)]).error is None

    @pytest.mark.parametrize("cap", [0, CENT, CAP - CENT])
    def test_counts_once_anybody_applies_it_in_time(self, world, cap):
        member, seller = world.members[:2]
        fork = self.lowered(world, member, cap).move_to(SOON_S)
        early = fork.send(NOBODY, world.trade, "applyCap", member.address)
        assert early.error == "TradeLedger_CapNotReady"
        assert early.arguments == {"member": member.address_hex, "forcedAt": NOW_S + WEEK_S}
        settled_through(world, fork, ASKED)
        applied = fork.ok(NOBODY, world.trade, "applyCap", member.address)
        assert applied.event("CapSet") == {"member": member.address_hex, "capMicros": cap}
        assert fork.get(world.trade, "capOf", member.address) == cap
        assert tuple(fork.get(world.trade, "loweringOf", member.address)) == (0, 0)
        deltas = [(member, -cap - 1), (seller, cap + 1)]
        above = settle(world, fork, deltas, run=2, interval=OVER, settled_through=ASKED)
        assert above.error == "TradeLedger_AboveCap"

    def test_counts_after_a_week_whatever_the_settler_does(self, world):
        member = world.members[0]
        fork = self.lowered(world, member).move_to(NOW_S + WEEK_S)
        fork.ok(member, world.trade, "applyCap", member.address)
        assert fork.get(world.trade, "capOf", member.address) == CENT

    def test_takes_the_place_of_another_and_waits_anew(self, world):
        member = world.members[0]
        fork = self.lowered(world, member).move_to(NOW_S + WEEK_S - 1)
        fork.ok(member, world.trade, "setCap", 2 * CENT)
        fork.move_to(NOW_S + WEEK_S)
        early = fork.send(member, world.trade, "applyCap", member.address)
        assert early.error == "TradeLedger_CapNotReady"
        fork.move_to(NOW_S + 2 * WEEK_S)
        fork.ok(member, world.trade, "applyCap", member.address)
        assert fork.get(world.trade, "capOf", member.address) == 2 * CENT

    def test_happens_once(self, world):
        member = world.members[0]
        fork = self.lowered(world, member).move_to(START_S + 2 * WEEK_S)
        fork.ok(member, world.trade, "applyCap", member.address)
        again = fork.send(member, world.trade, "applyCap", member.address)
        assert again.error == "TradeLedger_NoCapLowering"

    def test_leaves_balance_and_neighbours_as_they_are(self, world):
        member = world.members[1]
        fork = self.lowered(world, member, 0).move_to(NOW_S + WEEK_S)
        fork.ok(member, world.trade, "applyCap", member.address)
        assert fork.get(world.trade, "balanceOf", member.address) == BALANCE
        caps = [fork.get(world.trade, "capOf", one.address) for one in world.members]
        assert caps == [CAP, 0, CAP, CAP, CAP, CAP]
