"""What stays provable: roots of a week of runs, and checkpoints of the log."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from devnet.tracing.calls import Call, attempt
from settlement.chain.calls import creation
from settlement.trading.tree import Leaf, merkle_proof, merkle_root, trade_leaf
from tests.contracts.support import GAS, NOBODY, ZERO, law
from tests.contracts.trading import CORRECTION, KEPT, NOW_S, OVER, ROOT, WEEK_S, settle

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

    @pytest.mark.parametrize("run", [0, 1, 2, 2**64 - 1])
    def test_of_a_run_that_never_was_are_refused_by_name(self, world, fork, run):
        for call in (("rootOf", run), ("verifyLeaf", run, ROOT, [])):
            result = fork.send(NOBODY, world.trade, *call)
            assert result.error == "TradeLedger_RunNotSettled"
            assert result.arguments == {"run": run, "last": 0}


class Hours:
    """A TradeLedger of hours on a fork: its ring is full after 336 runs."""

    KEPT = 2 * WEEK_S // 3_600

    def __init__(self, world):
        self.world = world
        self.trade = world.create("TradeLedger", world.token.address, 3_600, 0, world.owner.address)
        self.fork = world.fork(NOW_S, world.node.head.header)
        self.over = NOW_S // 3_600 - 1

    def interval(self, run):
        """Return the interval of a run; two runs each."""
        return self.over - 400 + (run - 1) // 2

    def settle(self, run, **changes):
        first = run % 2 == 1
        fields = {
            "run": run,
            "interval": self.interval(run),
            "settled_through": 0,
            "kind": 0 if first else CORRECTION,
            "amends": 0 if first else run - 1,
            "root": keccak(b"root %d" % run),
            "deltas": b"",
        } | changes
        return self.fork.send(self.world.owner, self.trade, "settle", *fields.values())


@pytest.fixture(scope="module")
def full(world):
    """A ledger that has settled one run more than it keeps."""
    hours = Hours(world)
    for run in range(1, hours.KEPT + 2):
        assert hours.settle(run).error is None
    return hours


class TestRing:
    def test_holds_a_week_of_intervals_twice(self, world, full):
        assert full.KEPT == full.fork.get(full.trade, "RUNS_KEPT") == 336
        assert KEPT == world.get(world.trade, "RUNS_KEPT") == 1_344

    def test_proves_the_newest_runs_each_under_its_own_root(self, full):
        for run in (2, 3, full.KEPT // 2, full.KEPT, full.KEPT + 1):
            root = keccak(b"root %d" % run)
            assert full.fork.get(full.trade, "rootOf", run) == "0x" + root.hex()
            assert full.fork.get(full.trade, "verifyLeaf", run, root, []) is True
            other = keccak(b"root %d" % (run - 1))
            assert full.fork.get(full.trade, "verifyLeaf", run, other, []) is False

    def test_says_of_an_older_run_that_it_is_forgotten(self, full):
        for call in (("rootOf", 1), ("verifyLeaf", 1, ROOT, [])):
            result = full.fork.send(NOBODY, full.trade, *call)
            assert result.error == "TradeLedger_RunForgotten"
            assert result.arguments == {"run": 1, "oldest": 2}

    def test_says_of_a_younger_run_that_it_never_was(self, full):
        result = full.fork.send(NOBODY, full.trade, "rootOf", full.KEPT + 2)
        assert result.error == "TradeLedger_RunNotSettled"

    def test_lets_no_run_be_amended_that_it_has_forgotten(self, full):
        number, kind = full.KEPT + 2, CORRECTION
        result = full.settle(number, interval=full.interval(1), kind=kind, amends=1)
        assert result.error == "TradeLedger_AmendsNothing"

    def test_lets_the_oldest_run_be_amended_that_it_holds(self, world):
        hours = Hours(world)
        for run in range(1, hours.KEPT + 1):
            hours.settle(run, interval=hours.over - run, kind=0, amends=0)
        number = hours.KEPT + 1
        again = {"interval": hours.over - 1, "kind": CORRECTION, "amends": 1}
        assert hours.settle(number, **again).error is None
        # The correction stands where run 1 stood; it may be amended, and run 1 no longer.
        forgotten = hours.settle(number + 1, **again)
        assert forgotten.error == "TradeLedger_AmendsNothing"
        assert hours.settle(number + 1, **again | {"amends": number}).error is None

    def test_remembers_for_ever_which_intervals_are_settled(self, full):
        again = full.settle(full.KEPT + 2, interval=full.interval(1), kind=0, amends=0)
        assert again.error == "TradeLedger_AlreadySettled"
        assert full.fork.get(full.trade, "isSettled", full.interval(1)) is True
        assert full.fork.get(full.trade, "isSettled", full.interval(1) - 1) is False


class TestIntervalLength:
    @pytest.mark.parametrize(
        "length", [0, 7, 1_800 + 1, 3_601, 7_200, 86_399, 2 * 86_400, 2**64 - 1]
    )
    def test_that_does_not_divide_an_hour_and_is_no_day_is_refused(self, world, length):
        data = creation("TradeLedger", world.token.address, length, 0, world.owner.address)
        made = Call(sender=NOBODY, data=data, gas=GAS)
        done = attempt(world.node.scratch(world.node.head_number), made)
        refused = world.result([], done.error, done.output)
        assert refused.error == "TradeLedger_BadIntervalLength"
        assert refused.arguments == {"intervalLength": length}

    @pytest.mark.parametrize(
        ("length", "kept"), [(60, 20_160), (1_800, 672), (3_600, 336), (86_400, 336)]
    )
    def test_says_how_many_runs_are_kept(self, world, length, kept):
        trade = world.create("TradeLedger", world.token.address, length, 0, world.owner.address)
        assert world.get(trade, "RUNS_KEPT") == kept


class TestCheckpoints:
    def anchor(self, world, fork, size, root=ROOT, sender=None):
        who = sender or world.owner
        arguments = (size, root, NOW_S, (b"\x01" * 32, b"\x02" * 32))
        return fork.send(who, world.trade, "anchorCheckpoint", *arguments)

    def test_of_a_log_that_grew_are_anchored(self, world, fork):
        first = self.anchor(world, fork, 1)
        assert first.event("CheckpointAnchored") == {"size": 1, "root": "0x" + ROOT.hex()}
        second = self.anchor(world, fork, 100, root=b"\x08" * 32)
        assert second.event("CheckpointAnchored")["root"] == "0x" + "08" * 32
        assert fork.get(world.trade, "logSize") == 100

    def test_name_the_block_whose_event_says_the_root(self, world):
        size = world.get(world.trade, "logSize") + 1
        halves = (b"\x01" * 32, b"\x02" * 32)
        data = world.trade.encode("anchorCheckpoint", size, ROOT, NOW_S, halves)
        mined = world.mine(world.owner, world.trade.address, data)
        assert world.get(world.trade, "logBlock") == mined.block.header.block_number

    @pytest.mark.parametrize("size", [0, 49, 50])
    def test_of_a_log_that_did_not_grow_are_refused(self, world, fork, size):
        self.anchor(world, fork, 50)
        result = self.anchor(world, fork, size, root=b"\x08" * 32)
        assert result.error == "TradeLedger_LogDidNotGrow"
        assert result.arguments == {"size": size, "last": 50}

    def test_of_a_log_beyond_all_measure_are_refused(self, world, fork):
        assert self.anchor(world, fork, 2**48).error == "SafeCastOverflowedUintDowncast"
        assert self.anchor(world, fork, 2**48 - 1).error is None

    def test_are_the_settlers_alone(self, world, fork):
        self.anchor(world, fork, 1)
        result = self.anchor(world, fork, 2, sender=NOBODY)
        assert result.error == "AccessControlUnauthorizedAccount"

    @pytest.mark.parametrize("way", ["revokeRole", "renounceRole"])
    def test_are_not_anchored_by_who_anchored_the_last_one_and_lost_the_role(
        self, world, fork, way
    ):
        role = keccak(b"SETTLER_ROLE")
        fork.ok(world.owner, world.trade, "grantRole", role, NOBODY)
        for size in (1, 2):
            assert self.anchor(world, fork, size, sender=NOBODY).error is None
        who = NOBODY if way == "renounceRole" else world.owner
        fork.ok(who, world.trade, way, role, NOBODY)
        lost = self.anchor(world, fork, 3, sender=NOBODY)
        assert lost.error == "AccessControlUnauthorizedAccount"
        assert fork.get(world.trade, "logSize") == 2
        assert self.anchor(world, fork, 3).error is None

    def test_are_anchored_by_several_settlers_in_turn(self, world, fork):
        fork.ok(world.owner, world.trade, "grantRole", keccak(b"SETTLER_ROLE"), NOBODY)
        for size in range(1, 7):
            sender = NOBODY if size % 2 else world.owner
            assert self.anchor(world, fork, size, sender=sender).error is None
        fork.ok(world.owner, world.trade, "revokeRole", keccak(b"SETTLER_ROLE"), NOBODY)
        assert self.anchor(world, fork, 7).error is None
