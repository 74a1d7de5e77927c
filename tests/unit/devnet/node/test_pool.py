import sys
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from eth_typing import Address
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from devnet.admission import Refusal, TransactionRefusedError
from devnet.engine.transactions import Transaction
from devnet.node.pool import AccountState, Added, Pool, PoolLimits

ALICE, BOB, CAROL = (Address(bytes((number,)) * 20) for number in (1, 2, 3))
RICH = AccountState(nonce=0, balance=10**18)
BLOCK_GAS = 10**9
NUMBERS = count()


def transaction(
    sender: Address = ALICE,
    nonce: int = 0,
    tip: int = 0,
    cap: int | None = None,
    gas: int = 100,
    value: int = 0,
) -> Transaction:
    """Return one like no other."""
    return Transaction(
        hash=next(NUMBERS).to_bytes(32, "big"),
        sender=sender,
        nonce=nonce,
        max_priority_fee_per_gas=tip,
        max_fee_per_gas=tip if cap is None else cap,
        gas=gas,
        to=CAROL,
        value=value,
    )


def filled(*waiting: Transaction, limits: PoolLimits | None = None) -> Pool:
    pool = Pool(limits)
    for one in waiting:
        pool.add(one, RICH)
    return pool


def taken(pool: Pool, base_fee: int = 0, gas: int = BLOCK_GAS) -> list[Transaction]:
    return pool.take(base_fee, gas, lambda _: 0)


class TestAdd:
    def test_takes_a_transaction_in(self) -> None:
        one = transaction()
        pool = Pool()
        assert pool.add(one, RICH) == Added(None, ())
        assert (len(pool), pool.get(one.hash), pool.status()) == (1, one, (1, 0))

    def test_queues_what_comes_after_a_gap_until_it_is_filled(self) -> None:
        pool = filled(transaction(nonce=0), transaction(nonce=2), transaction(nonce=3))
        assert pool.status() == (1, 2)
        assert pool.next_nonce(ALICE, 0) == 1
        pool.add(transaction(nonce=1), RICH)
        assert pool.status() == (4, 0)
        assert pool.next_nonce(ALICE, 0) == 4

    def test_lets_a_better_one_take_the_place_of_another(self) -> None:
        old, new = transaction(tip=100), transaction(tip=110)
        pool = filled(old)
        assert pool.add(new, RICH) == Added(old, ())
        assert (len(pool), pool.get(old.hash), taken(pool)) == (1, None, [new])

    def test_knows_better_than_a_state_that_was_looked_at_before_the_last_block(self) -> None:
        limits = PoolLimits(queued=2)
        first = [transaction(nonce=nonce) for nonce in range(5)]
        pool = filled(*first, limits=limits)
        pool.remove_mined(first[:2], {ALICE: 2})
        pool.add(transaction(nonce=5), RICH)
        assert pool.status() == (4, 0)

    def test_follows_a_state_that_is_newer(self) -> None:
        pool = filled(transaction(nonce=3))
        pool.add(transaction(nonce=4), AccountState(3, 10**18))
        assert pool.status() == (2, 0)


class TestRefusals:
    def refused(self, pool: Pool, one: Transaction, state: AccountState = RICH) -> str:
        before = (len(pool), pool.content())
        with pytest.raises(TransactionRefusedError) as caught:
            pool.add(one, state)
        assert (len(pool), pool.content()) == before
        return str(caught.value)

    def test_one_that_is_there(self) -> None:
        one = transaction()
        assert self.refused(filled(one), one) == "already known"

    def test_one_that_comes_too_late(self) -> None:
        text = self.refused(Pool(), transaction(nonce=2), AccountState(3, 0))
        assert text == "nonce too low: next nonce 3, tx nonce 2"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ((100, 100), (109, 110)),
            ((100, 100), (110, 109)),
            ((100, 100), (100, 200)),
            # Ten percent of little is nothing, but the same is not more.
            ((5, 5), (5, 5)),
            ((0, 0), (0, 0)),
        ],
    )
    def test_one_that_pays_too_little_more(self, old: tuple[int, int], new: tuple[int, int]):
        pool = filled(transaction(tip=old[0], cap=old[1]))
        text = self.refused(pool, transaction(tip=new[0], cap=new[1]))
        assert text == "replacement transaction underpriced"

    @pytest.mark.parametrize(("old", "new"), [(100, 110), (5, 6), (0, 1), (15, 16)])
    def test_but_not_one_that_pays_a_tenth_more(self, old: int, new: int) -> None:
        pool = filled(transaction(tip=old))
        assert pool.add(transaction(tip=new), RICH).replaced is not None

    def test_one_whose_sender_cannot_pay_for_all_that_waits(self) -> None:
        pool = filled(transaction(tip=2, value=50), transaction(BOB, tip=9))
        text = self.refused(pool, transaction(nonce=7, tip=1, value=10), AccountState(0, 359))
        assert text == (
            "insufficient funds for gas * price + value: "
            "balance 359, queued cost 250, tx cost 110, overshot 1"
        )
        pool.add(transaction(nonce=7, tip=1, value=10), AccountState(0, 360))

    def test_but_not_for_what_it_replaces(self) -> None:
        pool = filled(transaction(tip=10))
        pool.add(transaction(tip=11), AccountState(0, 1_100))
        with pytest.raises(TransactionRefusedError, match=r"queued cost 0, .* overshot 200"):
            pool.add(transaction(tip=13), AccountState(0, 1_100))

    def test_one_that_is_too_dear_before_one_that_pays_too_little_more(self) -> None:
        pool = filled(transaction(tip=10))
        text = self.refused(pool, transaction(tip=10, value=1), AccountState(0, 1_000))
        assert text.startswith("insufficient funds for gas * price + value: balance 1000")

    def test_one_more_than_a_sender_may_have(self) -> None:
        pool = filled(*(transaction(nonce=nonce) for nonce in range(3)), limits=PoolLimits(9, 3))
        assert self.refused(pool, transaction(nonce=3)) == "account limit exceeded"
        pool.add(transaction(BOB), RICH)

    def test_one_more_than_may_wait_behind_a_gap(self) -> None:
        pool = filled(transaction(nonce=5), transaction(nonce=9), limits=PoolLimits(queued=2))
        assert self.refused(pool, transaction(nonce=7)) == "account limit exceeded"
        pool.add(transaction(nonce=0), RICH)
        pool.add(transaction(nonce=1), RICH)

    def test_one_that_tips_no_more_than_the_poorest_of_a_full_pool(self) -> None:
        pool = filled(transaction(tip=5), transaction(BOB, tip=9), limits=PoolLimits(2))
        assert self.refused(pool, transaction(CAROL, tip=5)) == "txpool is full"


class TestEviction:
    def test_lets_the_last_of_whoever_tips_least_go(self) -> None:
        kept, last, other = transaction(tip=1), transaction(nonce=1, tip=3), transaction(BOB, tip=4)
        pool = filled(kept, last, other, limits=PoolLimits(3))
        new = transaction(CAROL, tip=5)
        assert pool.add(new, RICH) == Added(None, (last,))
        assert set(taken(pool)) == {kept, other, new}

    def test_does_not_push_out_what_the_new_one_follows(self) -> None:
        pool = filled(transaction(tip=1), transaction(BOB, tip=9), limits=PoolLimits(2))
        with pytest.raises(TransactionRefusedError, match="txpool is full"):
            pool.add(transaction(nonce=1, tip=8), RICH)
        assert len(pool) == 2
        assert pool.add(transaction(CAROL, tip=2), RICH).evicted[0].sender == ALICE

    def test_may_push_out_what_follows_the_new_one(self) -> None:
        behind = transaction(nonce=1, tip=1)
        pool = filled(behind, limits=PoolLimits(1))
        assert pool.add(transaction(tip=2), RICH) == Added(None, (behind,))

    def test_lets_who_came_last_go_of_those_that_tip_the_same(self) -> None:
        first, second = transaction(tip=1), transaction(BOB, tip=1)
        pool = filled(first, second, limits=PoolLimits(2))
        assert pool.add(transaction(CAROL, tip=2), RICH) == Added(None, (second,))

    def test_goes_on_with_the_one_before_the_last(self) -> None:
        behind, first = transaction(nonce=1, tip=1), transaction(tip=1)
        pool = filled(behind, first, limits=PoolLimits(2))
        assert pool.add(transaction(BOB, tip=2), RICH).evicted == (behind,)
        assert pool.add(transaction(CAROL, tip=2), RICH).evicted == (first,)

    def test_remembers_none_of_those_that_left(self) -> None:
        poorest = transaction(BOB)
        pool = filled(poorest, limits=PoolLimits(2))
        tip = 0
        for _ in range(200):
            tip = tip * 11 // 10 + 1
            pool.add(transaction(tip=tip), RICH)
        assert len(pool) == 2
        assert len(pool._lasts) < 100
        assert pool.add(transaction(CAROL, tip=1), RICH).evicted == (poorest,)

    def test_is_not_needed_to_replace(self) -> None:
        old = transaction(tip=1)
        pool = filled(old, transaction(BOB), limits=PoolLimits(2))
        assert pool.add(transaction(tip=2), RICH) == Added(old, ())


class TestTake:
    def test_gives_the_best_tip_first_then_first_come(self) -> None:
        alice, bob, carol = transaction(tip=1), transaction(BOB, tip=2), transaction(CAROL, tip=1)
        assert taken(filled(alice, bob, carol)) == [bob, alice, carol]

    def test_counts_the_tip_that_the_base_fee_leaves(self) -> None:
        capped = transaction(ALICE, tip=9, cap=10)
        modest = transaction(BOB, tip=3, cap=90)
        assert taken(filled(capped, modest), base_fee=8) == [modest, capped]

    def test_keeps_a_sender_s_order_whatever_it_tips(self) -> None:
        first, second = transaction(tip=1), transaction(nonce=1, tip=50)
        other = transaction(BOB, tip=2)
        assert taken(filled(second, first, other)) == [other, first, second]

    def test_lets_a_sender_wait_whose_next_one_does_not_fit(self) -> None:
        large, small = transaction(gas=90, tip=9), transaction(nonce=1, gas=1, tip=9)
        other = transaction(BOB, gas=50)
        assert taken(filled(large, small, other), gas=60) == [other]

    def test_leaves_out_who_does_not_pay_the_base_fee_and_who_comes_after(self) -> None:
        poor, rich = transaction(tip=1, cap=4), transaction(nonce=1, tip=9, cap=99)
        assert taken(filled(poor, rich), base_fee=5) == []

    def test_lets_none_wait_whose_account_was_looked_at_before_the_last_block(self) -> None:
        first, second = transaction(), transaction(nonce=1)
        pool = filled(first)
        pool.remove_mined([first], {ALICE: 1})
        pool.add(second, RICH)
        assert pool.executable(lambda _: 1)
        assert pool.take(0, BLOCK_GAS, lambda _: 1) == [second]

    def test_removes_nothing(self) -> None:
        pool = filled(transaction())
        assert taken(pool) == taken(pool) != []


class TestRemoveMined:
    def test_takes_out_what_can_never_be_mined_any_more(self) -> None:
        mined, late = transaction(nonce=0), transaction(nonce=1, tip=3)
        pool = filled(mined, late, transaction(nonce=3))
        # Another transaction of nonce 1 came in the block from elsewhere.
        assert pool.remove_mined([mined, transaction(nonce=1)], {ALICE: 2}) == (late,)
        assert pool.status() == (0, 1)

    def test_follows_an_account_that_is_set_back(self) -> None:
        pool = Pool()
        pool.add(transaction(nonce=2), AccountState(2, 0))
        pool.add(transaction(nonce=0), AccountState(0, 0))
        pool.remove_mined([], {ALICE: 0})
        assert pool.status() == (1, 1)

    def test_minds_no_senders_that_have_nothing_here(self) -> None:
        pool = filled(transaction())
        assert pool.remove_mined([transaction(BOB)], {BOB: 1}) == ()
        assert len(pool) == 1


class TestDrop:
    def test_leaves_a_gap(self) -> None:
        first = transaction()
        pool = filled(first, transaction(nonce=1))
        assert pool.drop(first.hash)
        assert not pool.drop(first.hash)
        assert pool.status() == (0, 1)
        assert not pool.executable(lambda _: 0)

    def test_gives_the_sender_its_coins_back(self) -> None:
        gone = transaction(value=60)
        pool = filled(gone, transaction(nonce=1, value=30))
        pool.drop(gone.hash)
        pool.add(transaction(value=70), AccountState(0, 100))

    def test_clear_leaves_nothing(self) -> None:
        pool = filled(transaction(), transaction(BOB))
        pool.clear()
        assert (len(pool), pool.status(), taken(pool)) == (0, (0, 0), [])


@pytest.fixture
def often_switching() -> Iterator[None]:
    """Let threads take turns so often that what no lock guards goes wrong."""
    before_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before_s)


class TestThreads:
    @pytest.mark.usefixtures("often_switching")
    def test_have_each_transaction_taken_exactly_once(self) -> None:
        threads, each = 8, 500
        pool, nonces = Pool(), dict.fromkeys(map(sender_of, range(threads)), 0)
        blocks: list[Transaction] = []
        done = threading.Event()

        def send(number: int) -> None:
            sender = sender_of(number)
            for nonce in range(each):
                pool.add(transaction(sender, nonce), AccountState(nonces[sender], 0))

        def mine() -> None:
            while not (done.is_set() and not len(pool)):
                block = pool.take(0, 2_000, nonces.__getitem__)
                nonces.update({one.sender: one.nonce + 1 for one in block})
                blocks.extend(block)
                assert (
                    pool.remove_mined(block, {one.sender: nonces[one.sender] for one in block})
                    == ()
                )
                pending, queued = pool.content()
                # A state that was looked at before a block makes queued what is pending, no more.
                for sender in {*pending, *queued}:
                    waiting = pending.get(sender, {}) | queued.get(sender, {})
                    assert is_consecutive(waiting)

        with ThreadPoolExecutor(threads + 1) as workers:
            miner = workers.submit(mine)
            for _ in workers.map(send, range(threads)):
                pass
            done.set()
            miner.result()
        assert len(blocks) == threads * each
        assert set(Counter(one.hash for one in blocks).values()) == {1}
        assert set(nonces.values()) == {each}


def sender_of(number: int) -> Address:
    return Address(bytes((number + 1,)) * 20)


def is_consecutive(nonces: Iterable[int]) -> bool:
    numbers = list(nonces)
    return numbers == list(range(numbers[0], numbers[0] + len(numbers)))


LIMITS = PoolLimits(total=6, account=4, queued=2)
BALANCE = 1_500


class PoolMachine(RuleBasedStateMachine):
    """The pool against a list in the order of arrival."""

    @initialize()
    def begin(self) -> None:
        self.pool = Pool(LIMITS)
        self.there: list[Transaction] = []
        self.nonces = dict.fromkeys((ALICE, BOB, CAROL), 0)

    def of(self, sender: Address) -> dict[int, Transaction]:
        return {one.nonce: one for one in self.there if one.sender == sender}

    def pending(self, sender: Address) -> dict[int, Transaction]:
        mine, nonce = self.of(sender), self.nonces[sender]
        while nonce in mine:
            nonce += 1
        return {at: mine[at] for at in range(self.nonces[sender], nonce)}

    @rule(
        sender=st.sampled_from([ALICE, BOB, CAROL]),
        ahead=st.integers(-1, 6),
        tip=st.integers(0, 30),
        above=st.integers(0, 10),
        gas=st.integers(1, 20),
        value=st.sampled_from([0, 0, 0, 500]),
    )
    def add(
        self, *, sender: Address, ahead: int, tip: int, above: int, gas: int, value: int
    ) -> None:
        nonce = max(0, self.nonces[sender] + ahead)
        new = transaction(sender, nonce, tip, tip + above, gas, value)
        old = self.of(sender).get(nonce)
        refusal = self.refusal(new, old)
        leaving = self.leaving(new) if old is None and len(self.there) >= LIMITS.total else []
        if refusal is not None:
            self.check_refused(new, refusal)
            return
        added = self.pool.add(new, AccountState(self.nonces[sender], BALANCE))
        assert added.replaced == old
        assert list(added.evicted) == leaving
        gone = {old, *added.evicted}
        self.there = [*(one for one in self.there if one not in gone), new]

    def refusal(self, new: Transaction, old: Transaction | None) -> Refusal | None:
        checks = {
            Refusal.NONCE_LOW: new.nonce < self.nonces[new.sender],
            Refusal.FUNDS: self.cost_with(new) > BALANCE,
            Refusal.UNDERPRICED_REPLACEMENT: old is not None and not outbids(new, old),
            Refusal.ACCOUNT_LIMIT: old is None and self.is_too_many(new),
            Refusal.POOL_FULL: old is None
            and len(self.there) >= LIMITS.total
            and not self.leaving(new),
        }
        return next((refusal for refusal, applies in checks.items() if applies), None)

    def cost_with(self, new: Transaction) -> int:
        waiting = self.of(new.sender) | {new.nonce: new}
        return sum(one.gas * one.max_fee_per_gas + one.value for one in waiting.values())

    def is_too_many(self, new: Transaction) -> bool:
        mine, pending = self.of(new.sender), self.pending(new.sender)
        follows = new.nonce == self.nonces[new.sender] + len(pending)
        queued = len(mine) - len(pending)
        return len(mine) >= LIMITS.account or (not follows and queued >= LIMITS.queued)

    def leaving(self, new: Transaction) -> list[Transaction]:
        """Return who has to go: the poorest of everybody's last, if poorer than the new."""
        last = [max(mine.values(), key=nonce_of) for s in self.nonces if (mine := self.of(s))]
        others = [one for one in last if one.sender != new.sender or one.nonce > new.nonce]
        # Of equals the one that came last has to go.
        others.sort(key=lambda one: (one.max_priority_fee_per_gas, -self.there.index(one)))
        return [one for one in others[:1] if one.max_priority_fee_per_gas < tip_of(new)]

    def check_refused(self, new: Transaction, refusal: Refusal) -> None:
        with pytest.raises(TransactionRefusedError) as caught:
            self.pool.add(new, AccountState(self.nonces[new.sender], BALANCE))
        assert caught.value.refusal is refusal

    @precondition(lambda self: self.there)
    @rule(draw=st.data())
    def add_again(self, draw: st.DataObject) -> None:
        self.check_refused(draw.draw(st.sampled_from(self.there)), Refusal.KNOWN)

    @rule(base_fee=st.integers(0, 30), gas=st.integers(0, 60), some=st.integers(0, 8))
    def mine(self, base_fee: int, gas: int, some: int) -> None:
        block = self.pool.take(base_fee, gas, self.nonces.__getitem__)
        assert block == self.best(base_fee, gas)
        assert sum(one.gas for one in block) <= gas
        # The block may hold fewer, as when one cannot be executed.
        block = block[:some]
        for one in block:
            assert one.nonce == self.nonces[one.sender]
            self.nonces[one.sender] += 1
        moved = {one.sender: self.nonces[one.sender] for one in block}
        assert self.pool.remove_mined(block, moved) == ()
        self.there = [one for one in self.there if one not in block]

    def best(self, base_fee: int, gas: int) -> list[Transaction]:
        """Look through all of them again for each that goes into the block."""
        nonces, waits, block = dict(self.nonces), set[Address](), list[Transaction]()
        while True:
            heads = [
                (base_fee - min(one.max_priority_fee_per_gas + base_fee, one.max_fee_per_gas), at)
                for at, one in enumerate(self.there)
                if one.nonce == nonces[one.sender]
                and one.max_fee_per_gas >= base_fee
                and one.sender not in waits
            ]
            if not heads:
                return block
            chosen = self.there[min(heads)[1]]
            if chosen.gas > gas:
                waits.add(chosen.sender)
                continue
            block.append(chosen)
            gas -= chosen.gas
            nonces[chosen.sender] += 1

    @rule(sender=st.sampled_from([ALICE, BOB, CAROL]), by=st.integers(1, 3))
    def mine_others(self, sender: Address, by: int) -> None:
        """Let a block use up nonces by transactions that were never here."""
        self.nonces[sender] += by
        late = [
            one for one in self.there if one.sender == sender and one.nonce < self.nonces[sender]
        ]
        assert set(self.pool.remove_mined([], {sender: self.nonces[sender]})) == set(late)
        self.there = [one for one in self.there if one not in late]

    @rule(sender=st.sampled_from([ALICE, BOB, CAROL]), by=st.integers(1, 2))
    def go_back(self, sender: Address, by: int) -> None:
        """Let the chain lose blocks, and an account nonces that it had used up."""
        self.nonces[sender] = max(0, self.nonces[sender] - by)
        assert self.pool.remove_mined([], {sender: self.nonces[sender]}) == ()

    @precondition(lambda self: self.there)
    @rule(draw=st.data())
    def come_again(self, draw: st.DataObject) -> None:
        """Let one leave and come again, now as the last of all."""
        gone = draw.draw(st.sampled_from(self.there))
        assert self.pool.drop(gone.hash)
        self.there.remove(gone)
        if self.refusal(gone, None) is None:
            assert self.pool.add(gone, AccountState(self.nonces[gone.sender], BALANCE)) == Added(
                None, ()
            )
            self.there.append(gone)

    @precondition(lambda self: self.there)
    @rule(draw=st.data())
    def drop(self, draw: st.DataObject) -> None:
        gone = draw.draw(st.sampled_from(self.there))
        assert self.pool.drop(gone.hash)
        self.there.remove(gone)

    @rule(really=st.sampled_from([False] * 9 + [True]))
    def clear(self, *, really: bool) -> None:
        if really:
            self.pool.clear()
            self.there = []

    @invariant()
    def each_is_pending_or_queued_exactly_once(self) -> None:
        pending, queued = self.pool.content()
        for sender in self.nonces:
            mine, first = self.of(sender), self.pending(sender)
            behind = {nonce: one for nonce, one in mine.items() if nonce not in first}
            assert (pending.get(sender, {}), queued.get(sender, {})) == (first, behind)
            assert list(queued.get(sender, {})) == sorted(behind)
            next_nonce = self.nonces[sender] + len(first)
            assert self.pool.next_nonce(sender, self.nonces[sender]) == next_nonce
            # Another state than the pool has seen may be asked about as well.
            for nonce in range(12):
                gap = next(at for at in range(nonce, 99) if at not in mine)
                assert self.pool.next_nonce(sender, nonce) == gap
        assert self.pool.status() == tuple(
            sum(map(len, part.values())) for part in (pending, queued)
        )

    @invariant()
    def each_is_found_by_its_hash(self) -> None:
        assert len(self.pool) == len(self.there)
        assert [self.pool.get(one.hash) for one in self.there] == self.there

    @invariant()
    def the_caps_hold(self) -> None:
        assert len(self.there) <= LIMITS.total
        assert all(len(self.of(sender)) <= LIMITS.account for sender in self.nonces)

    @invariant()
    def it_says_whether_something_can_be_mined(self) -> None:
        executable = any(self.pending(sender) for sender in self.nonces)
        assert self.pool.executable(self.nonces.__getitem__) == executable


def outbids(new: Transaction, old: Transaction) -> bool:
    """Say whether both fees are more, and by a tenth, a part of a wei forgiven."""
    return all(
        fee > before and 100 * (fee + 1) > 110 * before
        for fee, before in (
            (new.max_fee_per_gas, old.max_fee_per_gas),
            (new.max_priority_fee_per_gas, old.max_priority_fee_per_gas),
        )
    )


def nonce_of(one: Transaction) -> int:
    return one.nonce


def tip_of(one: Transaction) -> int:
    return one.max_priority_fee_per_gas


TestAgainstAList = PoolMachine.TestCase
TestAgainstAList.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
