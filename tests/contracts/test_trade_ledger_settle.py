"""Settling intervals: consecutive runs, a sum of zero, within each member's own cap and funds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from settlement.trading.tree import Leaf, merkle_proof, merkle_root, trade_leaf
from tests.contracts.support import INTERVAL_S, NOBODY, START_S, ZERO, law

INITIAL, CORRECTION = 0, 1
NOW_S = START_S + 3_600
OVER = NOW_S // INTERVAL_S - 1
ROOT = b"\x07" * 32
CAP, BALANCE = 1_000_000, 5_000_000


def settle(world, fork, deltas, *, sender=None, **changes):
    """Settle the last interval that is over, as run 1, changed by ``changes``."""
    fields = {"run": 1, "interval": OVER, "kind": INITIAL, "amends": 0, "root": ROOT} | changes
    pairs = sorted((account.address, micros) for account, micros in deltas)
    return fork.send(sender or world.owner, world.trade, "settle", *fields.values(), pairs)


def balances(world, source):
    """Return the balances of all members and the institution."""
    accounts = (*world.members, world.institution)
    return [source.get(world.trade, "balanceOf", one.address) for one in accounts]


class TestRun:
    def test_moves_money_between_members_in_a_mined_transaction(self, world):
        seller, buyer, third, *_ = world.members
        world.clock.set(max(world.clock.now_s(), NOW_S))
        run = world.get(world.trade, "lastRun") + 1
        deltas = sorted(
            [(seller.address, 300_000), (buyer.address, -310_000), (third.address, 10_000)]
        )
        before = balances(world, world)
        result = world.send(world.owner, world.trade, "settle", run, OVER, INITIAL, 0, ROOT, deltas)
        moved = {seller: 300_000, buyer: -310_000, third: 10_000}
        accounts = (*world.members, world.institution)
        assert balances(world, world) == [
            had + moved.get(one, 0) for one, had in zip(accounts, before, strict=True)
        ]
        settled = result.event("IntervalSettled")
        assert (settled["run"], settled["interval"], settled["kind"]) == (run, OVER, INITIAL)
        assert settled["root"] == "0x" + ROOT.hex()
        assert world.get(world.trade, "lastRun") == run
        assert world.get(world.trade, "runOf", OVER) == run
        assert world.get(world.trade, "rootOf", run) == "0x" + ROOT.hex()

    def test_commits_to_its_deltas_in_its_event(self, world, fork):
        seller, buyer = world.members[:2]
        result = settle(world, fork, [(seller, 5), (buyer, -5)])
        # abi.encode of one dynamic array of two pairs: its place, its length, the words.
        words = [32, 2]
        for one, micros in ((seller, 5), (buyer, -5)):
            words += [int.from_bytes(one.address), micros % 2**256]
        encoded = b"".join(word.to_bytes(32) for word in words)
        found = result.event("IntervalSettled")["deltasHash"]
        assert found == "0x" + keccak(encoded).hex()

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
        runs = [fork.get(world.trade, "runOf", OVER - n) for n in range(4)]
        assert runs == [1, 3, 0, 2]

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


class TestKind:
    def test_initial_happens_once_an_interval(self, world, fork):
        settle(world, fork, [])
        again = settle(world, fork, [], run=2)
        assert again.error == "TradeLedger_AlreadySettled"
        assert again.arguments == {"interval": OVER, "run": 1}

    def test_correction_amends_a_run_of_its_interval(self, world, fork):
        seller, buyer = world.members[:2]
        settle(world, fork, [(seller, 100), (buyer, -100)])
        corrected = settle(
            world, fork, [(seller, -30), (buyer, 30)], run=2, kind=CORRECTION, amends=1, root=ZERO
        )
        assert corrected.event("IntervalSettled")["kind"] == CORRECTION
        assert balances(world, fork)[:2] == [BALANCE + 70, BALANCE - 70]
        assert fork.get(world.trade, "runOf", OVER) == 1
        assert fork.get(world.trade, "rootOf", 1) == "0x" + ROOT.hex()
        twice = settle(world, fork, [], run=3, kind=CORRECTION, amends=2)
        assert twice.error is None

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


class TestDeltas:
    def raw(self, world, fork, pairs):
        arguments = (1, OVER, INITIAL, 0, ROOT, pairs)
        return fork.send(world.owner, world.trade, "settle", *arguments)

    def test_unsorted_or_repeated_are_refused(self, world, fork):
        low, high = world.members[0].address, world.members[1].address
        for pairs in ([(high, -1), (low, 1)], [(low, -1), (low, 1)], [(low, 1), (low, -1)]):
            result = self.raw(world, fork, pairs)
            assert result.error == "TradeLedger_Unsorted"
            assert result.arguments == {"account": "0x" + low.hex()}

    def test_of_the_zero_account_are_refused(self, world, fork):
        assert self.raw(world, fork, [(bytes(20), 0)]).error == "TradeLedger_Unsorted"

    @pytest.mark.parametrize("micros", [-1, 0, 1])
    def test_of_somebody_who_is_no_member_are_refused(self, world, fork, micros):
        result = self.raw(world, fork, [(NOBODY, micros)])
        assert result.error == "TradeLedger_NotAMember"
        assert result.arguments == {"account": "0x" + NOBODY.hex()}

    @pytest.mark.parametrize("excess", [-1, 1, 999_999])
    def test_that_do_not_sum_to_zero_are_refused(self, world, fork, excess):
        seller, buyer = world.members[:2]
        result = settle(world, fork, [(seller, 500 + excess), (buyer, -500)])
        assert (result.error, result.arguments) == ("TradeLedger_NotZeroSum", {"sum": excess})

    def test_above_a_members_own_cap_are_refused(self, world, fork):
        seller, buyer = world.members[:2]
        above = settle(world, fork, [(seller, CAP + 1), (buyer, -CAP - 1)])
        assert above.error == "TradeLedger_AboveCap"
        assert above.arguments == {"account": buyer.address_hex, "cap": CAP, "debit": CAP + 1}
        assert settle(world, fork, [(seller, CAP), (buyer, -CAP)]).error is None

    def test_beyond_a_members_funds_are_refused(self, world, fork):
        seller, buyer = world.members[:2]
        fork.ok(buyer, world.trade, "setCap", 2**64 - 1)
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
        fork.ok(seller, world.trade, "setCap", 0)
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
        account = world.members[0] if who == "member" else world.institution
        expected = "TradeLedger_AboveCap" if who == "member" else "TradeLedger_Underfunded"
        result = self.raw(world, fork, [(account.address, -(2**63))])
        assert result.error == expected
        assert result.arguments["debit"] == 2**63

    @law(60)
    @given(data=st.data())
    def test_keep_the_sum_of_balances_or_change_nothing(self, world, data):
        fork = world.fork(NOW_S)
        accounts = (*world.members, world.institution)
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


words32 = st.binary(min_size=32, max_size=32)
unsigned64 = st.integers(0, 2**64 - 1)
addresses = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
leaves = st.builds(
    Leaf,
    run=unsigned64,
    interval=unsigned64,
    account=addresses,
    net_micros=st.integers(-(2**63), 2**63 - 1),
    wh_in=unsigned64,
    wh_out=unsigned64,
    order_hash=words32,
    readings_hash=words32,
    trades_root=words32,
    salt=words32,
)


class TestRoots:
    @law(25)
    @given(found=st.lists(leaves, min_size=1, max_size=17), data=st.data())
    def test_prove_every_leaf_that_settlement_builds_and_no_other(self, world, found, data):
        hashes = [leaf.hash() for leaf in found]
        fork = world.fork(NOW_S)
        assert settle(world, fork, [], root=merkle_root(hashes)).error is None
        for index, leaf in enumerate(hashes):
            proof = merkle_proof(hashes, index)
            assert fork.get(world.trade, "verifyLeaf", 1, leaf, proof) is True
        index = data.draw(st.integers(0, len(hashes) - 1))
        proof = merkle_proof(hashes, index)
        foreign = data.draw(words32.filter(lambda word: word not in hashes))
        assert fork.get(world.trade, "verifyLeaf", 1, foreign, proof) is False
        assert fork.get(world.trade, "verifyLeaf", 2, hashes[index], proof) is False
        longer = (*proof, foreign)
        assert fork.get(world.trade, "verifyLeaf", 1, hashes[index], longer) is False

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("run", 2),
            ("interval", OVER + 1),
            ("account", "0x" + "02" * 20),
            ("net_micros", 2),
            ("net_micros", -1),
            ("wh_in", 4),
            ("wh_out", 5),
            ("order_hash", b"\x02" * 32),
            ("readings_hash", b"\x02" * 32),
            ("trades_root", b"\x02" * 32),
            ("salt", b"\x02" * 32),
        ],
    )
    def test_do_not_prove_a_leaf_with_one_field_changed(self, world, fork, field, value):
        one = b"\x01" * 32
        fields = {
            "run": 1,
            "interval": OVER,
            "account": "0x" + "01" * 20,
            "net_micros": 1,
            "wh_in": 3,
            "wh_out": 3,
            "order_hash": one,
            "readings_hash": one,
            "trades_root": one,
            "salt": one,
        }
        leaf, changed = Leaf(**fields), Leaf(**fields | {field: value})
        hashes = [leaf.hash(), b"\x09" * 32, b"\x08" * 32]
        settle(world, fork, [], root=merkle_root(hashes))
        proof = merkle_proof(hashes, 0)
        assert fork.get(world.trade, "verifyLeaf", 1, leaf.hash(), proof) is True
        assert fork.get(world.trade, "verifyLeaf", 1, changed.hash(), proof) is False

    def test_prove_a_trade_below_its_sellers_leaf(self, world, fork):
        one = "0x" + "01" * 20
        trades = [trade_leaf(one, "0x" + f"{n:040x}", n, -n, -n * n, ZERO) for n in range(1, 6)]
        settle(world, fork, [], root=merkle_root(trades))
        for index, leaf in enumerate(trades):
            proof = merkle_proof(trades, index)
            assert fork.get(world.trade, "verifyLeaf", 1, leaf, proof) is True
        cheaper = trade_leaf(one, "0x" + f"{1:040x}", 1, -2, -1, ZERO)
        proof = merkle_proof(trades, 0)
        assert fork.get(world.trade, "verifyLeaf", 1, cheaper, proof) is False

    def test_do_not_prove_an_inner_node_as_if_it_were_a_leaf_of_settlement(self, world, fork):
        hashes = [keccak(bytes([n])) for n in range(4)]
        settle(world, fork, [], root=merkle_root(hashes))
        node = merkle_root(hashes[:2])
        sibling = merkle_root(hashes[2:])
        # The tree itself cannot tell; a leaf of settlement is hashed twice, so it is no node.
        assert fork.get(world.trade, "verifyLeaf", 1, node, [sibling]) is True
        low, high = sorted(hashes[:2])
        assert node == keccak(low + high) != keccak(keccak(low + high))


class TestCheckpoints:
    def anchor(self, world, fork, size, root=ROOT, sender=None):
        who = sender or world.owner
        return fork.send(who, world.trade, "anchorCheckpoint", size, root, b"cosigned")

    def test_of_a_log_that_grew_are_anchored(self, world, fork):
        first = self.anchor(world, fork, 1)
        assert first.event("CheckpointAnchored") == {"size": 1, "root": "0x" + ROOT.hex()}
        self.anchor(world, fork, 100, root=b"\x08" * 32)
        assert fork.get(world.trade, "logSize") == 100
        assert fork.get(world.trade, "logRoot") == "0x" + "08" * 32

    @pytest.mark.parametrize("size", [0, 49, 50])
    def test_of_a_log_that_did_not_grow_are_refused(self, world, fork, size):
        self.anchor(world, fork, 50)
        result = self.anchor(world, fork, size, root=b"\x08" * 32)
        assert result.error == "TradeLedger_LogDidNotGrow"
        assert result.arguments == {"size": size, "last": 50}
        assert fork.get(world.trade, "logRoot") == "0x" + ROOT.hex()

    def test_are_the_settlers_alone(self, world, fork):
        result = self.anchor(world, fork, 1, sender=NOBODY)
        assert result.error == "AccessControlUnauthorizedAccount"
