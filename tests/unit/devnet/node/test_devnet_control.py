import contextlib
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from eth_account import Account as Key
from eth_typing import Address

from devnet.admission import TransactionRefusedError
from devnet.engine.signing import unsigned
from devnet.engine.transactions import Transaction
from devnet.engine.world import EMPTY_CODE, Account
from devnet.genesis import ClockProfile
from devnet.node.chain import Devnet
from devnet.node.listening import Happening, NewBlock, PendingTransaction, Removed
from devnet.node.pool import AccountState, Added
from devnet.node.submissions import DevnetClosedError, Submission
from devnet.node.timekeeping import MAX_LEAD_S
from devnet.store.engines import EngineKind
from devnet.store.history import Mined
from devnet.store.index import INDEX_FILE
from devnet.verify import ChangedByHandError, verify
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from tests.unit.devnet.support import CHAIN_ID, GENESIS, KEEPER, START_S, TELLER, Wallet

SOON_S = 10
SOMEBODY = Address(b"\x55" * 20)
ALICE, BOB = (Key.from_key(bytes((number,)) * 32) for number in (0x11, 0x22))
COIN = 10**18
FUNDED = replace(GENESIS, balances=((ALICE.address.lower(), COIN),))


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def by_hand(node: Devnet, balance: int, slots: dict[int, int] | None = None) -> None:
    """Set coins and slots of somebody by hand."""
    node.change(SOMEBODY, Account(0, balance, EMPTY_CODE), None, slots or {})


def coins(node: Devnet) -> int:
    return node.newest_account(SOMEBODY).balance


def slot(node: Devnet, address: bytes, number: int = 0) -> int:
    return node.scratch(node.head_number).get_storage(Address(address), number)


def impersonated(nonce: int = 0, gas: int = 100_000) -> Transaction:
    return unsigned(
        Transaction(
            sender=SOMEBODY, chain_id=CHAIN_ID, nonce=nonce, gas=gas, to=Address(b"\7" * 20)
        )
    )


def submitted(wallet: Wallet, *nonces: int, **fields: object) -> list[Submission]:
    return [wallet.node.submit(wallet.sign(nonce=nonce, **fields)) for nonce in nonces]


def wait(sent: Iterable[Submission]) -> None:
    for submission in sent:
        submission.mined.result(SOON_S)


def until(holds: Callable[[], bool]) -> None:
    give_up_s = time.monotonic() + SOON_S
    while not holds():
        assert time.monotonic() < give_up_s
        time.sleep(0.005)


def history(node: Devnet) -> list[list[bytes]]:
    """Return the transactions of each block."""
    return [
        [one.transaction.hash for one in node.outcomes(number)]
        for number in range(node.head_number + 1)
    ]


def hashes(node: Devnet) -> list[bytes]:
    found = [node.block(number) for number in range(node.head_number + 1)]
    return [block.hash for block in found if block is not None]


@contextlib.contextmanager
def reopened(node: Devnet, directory: Path, clock: ReplayClock, genesis=GENESIS):
    node.close()
    with contextlib.closing(Devnet.open(directory, genesis, clock)) as again:
        yield again


@pytest.fixture
def manual(wallet: Wallet) -> Wallet:
    """Give a wallet on a node that makes blocks only when it is told."""
    wallet.node.miner.set_automatic(automatic=False)
    return wallet


class TestRevert:
    @pytest.mark.parametrize("engine", EngineKind)
    def test_takes_blocks_and_changes_by_hand_back(
        self, tmp_path: Path, clock: ReplayClock, engine: EngineKind
    ) -> None:
        with contextlib.closing(Devnet.open(tmp_path / "chain", GENESIS, clock, engine)) as node:
            wallet = Wallet(node, ALICE)
            keeper = wallet.deploy(KEEPER)
            wallet.send(to=keeper, data=word(5))
            head, root = node.head_hash, node._storage.engine.root()
            snapshot = node.snapshot()
            by_hand(node, 7, {1: 2})
            wallet.send(to=keeper, data=word(6))
            by_hand(node, 8, {1: 3, 2: 4})
            wallet.deploy(TELLER)
            assert (coins(node), slot(node, SOMEBODY, 1), slot(node, keeper)) == (8, 3, 6)
            assert node.revert(snapshot)
            assert (node.head_hash, node._storage.engine.root()) == (head, root)
            assert (coins(node), slot(node, SOMEBODY, 1), slot(node, keeper)) == (0, 0, 5)
            assert wallet.send(to=keeper, data=word(9)).block.number == 3
            assert slot(node, keeper) == 9

    def test_keeps_what_was_set_by_hand_before(
        self, tmp_path: Path, wallet: Wallet, clock: ReplayClock
    ) -> None:
        node = wallet.node
        wallet.send()
        by_hand(node, 7)
        snapshot = node.snapshot()
        by_hand(node, 8)
        wallet.send()
        assert node.revert(snapshot)
        assert (coins(node), node.head_number) == (7, 1)
        with pytest.raises(ChangedByHandError, match="block 1: the state after it was set by hand"):
            verify(tmp_path)
        with reopened(node, tmp_path, clock) as again:
            assert (coins(again), again.head_number) == (7, 1)

    def test_leaves_a_chain_that_verifies_if_all_changes_by_hand_are_gone(
        self, tmp_path: Path, wallet: Wallet
    ) -> None:
        wallet.send()
        snapshot = wallet.node.snapshot()
        by_hand(wallet.node, 7)
        wallet.send()
        with pytest.raises(ChangedByHandError):
            verify(tmp_path)
        wallet.node.revert(snapshot)
        wallet.send()
        assert verify(tmp_path).head_hash == wallet.node.head_hash

    def test_uses_the_snapshot_up_and_later_ones(self, wallet: Wallet) -> None:
        node = wallet.node
        first, second, third = node.snapshot(), node.snapshot(), node.snapshot()
        assert node.revert(second)
        assert [node.revert(number) for number in (second, third, 99)] == [False] * 3
        assert node.revert(first)

    def test_empties_the_pool(self, manual: Wallet) -> None:
        snapshot = manual.node.snapshot()
        (sent,) = submitted(manual, 0)
        manual.node.revert(snapshot)
        with pytest.raises(TransactionRefusedError, match="dropped from the pool"):
            sent.mined.result(SOON_S)
        assert len(manual.node.pool) == 0

    def test_is_followed_by_the_index_also_when_the_chain_is_opened_again(
        self, tmp_path: Path, wallet: Wallet, clock: ReplayClock
    ) -> None:
        node = wallet.node
        keeper = wallet.deploy(KEEPER)
        kept = wallet.send(to=keeper, data=word(1))
        snapshot = node.snapshot()
        gone = [wallet.send(to=keeper, data=word(number)) for number in (2, 3)]
        node.revert(snapshot)
        new = wallet.send(to=keeper, data=word(4))

        def check(node: Devnet) -> None:
            assert node.head_hash == "0x" + new.block.hash.hex()
            assert [node.mined(one.transaction.hash) for one in gone] == [None, None]
            assert [node.number_of(one.block.hash) for one in gone] == [None, None]
            assert node.mined(new.transaction.hash) == new
            words = [int.from_bytes(entry.data, "big") for entry in node.logs(0, 99)]
            assert words == [1, 4]
            assert node.mined(kept.transaction.hash) == kept

        check(node)
        with reopened(node, tmp_path, clock) as again:
            check(again)
        (tmp_path / INDEX_FILE).unlink()
        with reopened(node, tmp_path, clock) as again:
            check(again)
        assert verify(tmp_path).blocks == 3

    def test_is_followed_by_an_index_that_was_not_told(
        self, tmp_path: Path, wallet: Wallet, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # As after a kill between the record of going back and the index.
        snapshot = wallet.node.snapshot()
        gone = wallet.send()
        monkeypatch.setattr(wallet.node._storage._index, "rewind", lambda _number: None)
        wallet.node.revert(snapshot)
        with reopened(wallet.node, tmp_path, clock) as again:
            assert again.head_number == 0
            assert again.mined(gone.transaction.hash) is None


class TestReorganize:
    def test_keeps_every_transaction_and_no_hash(self, tmp_path: Path, wallet: Wallet) -> None:
        node = wallet.node
        keeper = wallet.deploy(KEEPER)
        for number in (5, 6, 7):
            wallet.send(to=keeper, data=word(number))
        before, was = hashes(node), history(node)
        node.reorganize(2)
        after = hashes(node)
        assert history(node) == was
        assert after[:3] == before[:3]
        assert set(after[3:]).isdisjoint(before)
        assert slot(node, keeper) == 7
        assert verify(tmp_path).head_hash == node.head_hash

    def test_keeps_what_one_block_paid_for_the_next(
        self, tmp_path: Path, clock: ReplayClock
    ) -> None:
        with contextlib.closing(Devnet.open(tmp_path / "chain", FUNDED, clock)) as node:
            alice, bob = Wallet(node, ALICE), Wallet(node, BOB)
            alice.send(to=bob.address, value=100)
            bob.send(to=SOMEBODY, value=60)
            was = history(node)
            node.reorganize(2)
            assert history(node) == was
            assert coins(node) == 60

    def test_leaves_what_waits_in_the_pool(self, wallet: Wallet) -> None:
        wallet.send()
        (queued,) = submitted(wallet, 2)
        wallet.node.reorganize(1)
        (filler,) = submitted(wallet, 1)
        wait([queued, filler])
        assert [len(block) for block in history(wallet.node)][:2] == [0, 1]

    def test_goes_back_to_block_0_at_most(self, wallet: Wallet) -> None:
        wallet.send()
        before = hashes(wallet.node)
        wallet.node.reorganize(99)
        assert hashes(wallet.node)[0] == before[0]
        assert hashes(wallet.node)[1] != before[1]

    def test_of_nothing_changes_nothing(self, wallet: Wallet) -> None:
        wallet.send()
        before = hashes(wallet.node)
        wallet.node.reorganize(0)
        assert hashes(wallet.node) == before

    def test_takes_the_snapshots_of_blocks_that_are_gone(self, wallet: Wallet) -> None:
        node = wallet.node
        wallet.send()
        first = node.snapshot()
        wallet.send()
        second = node.snapshot()
        node.reorganize(1)
        assert not node.revert(second)
        assert node.revert(first)

    def test_can_be_opened_again_with_what_nobody_signed(
        self, tmp_path: Path, node: Devnet, clock: ReplayClock
    ) -> None:
        wait([node.submit_unsigned(impersonated())])
        node.reorganize(1)
        head = node.head_hash
        with reopened(node, tmp_path, clock) as again:
            assert again.head_hash == head
            assert again.outcomes(1)[0].transaction.sender == SOMEBODY


class TestListeners:
    def heard(self, node: Devnet) -> list[Happening]:
        happenings: list[Happening] = []
        node.listeners.add(happenings.append)
        return happenings

    def test_hear_of_a_transaction_and_then_of_its_block(self, wallet: Wallet) -> None:
        heard = self.heard(wallet.node)
        mined = wallet.send()
        until(lambda: len(heard) == 2)
        pending, block = heard
        assert pending == PendingTransaction(mined.transaction.hash)
        assert isinstance(block, NewBlock)
        assert block.past.block == mined.block
        assert block.past.outcomes == (mined,)

    def test_hear_of_blocks_taken_back_from_the_newest_on(self, wallet: Wallet) -> None:
        snapshot = wallet.node.snapshot()
        blocks = [wallet.send().block for _ in range(3)]
        heard = self.heard(wallet.node)
        wallet.node.revert(snapshot)
        assert [type(one) for one in heard] == [Removed] * 3
        assert [self.number(one) for one in heard] == [3, 2, 1]
        assert [one.past.block for one in heard if isinstance(one, Removed)] == blocks[::-1]

    def test_hear_a_reorganization_as_blocks_gone_and_blocks_new(self, wallet: Wallet) -> None:
        for _ in range(3):
            wallet.send()
        heard = self.heard(wallet.node)
        wallet.node.reorganize(2)
        kinds = [(type(one), self.number(one)) for one in heard]
        assert kinds == [(Removed, 3), (Removed, 2), (NewBlock, 2), (NewBlock, 3)]

    def test_hear_of_a_block_when_it_can_be_read(self, wallet: Wallet) -> None:
        node = wallet.node
        seen: list[bool] = []

        def look(happening: Happening) -> None:
            if isinstance(happening, NewBlock):
                number = happening.past.block.number
                seen.append(node.block(number) == happening.past.block == node.head)

        node.listeners.add(look)
        wallet.send()
        node.mine(2)
        assert seen == [True] * 3

    def test_hear_nothing_after_they_left(self, wallet: Wallet) -> None:
        happenings: list[Happening] = []
        leave = wallet.node.listeners.add(happenings.append)
        leave()
        leave()
        wallet.send()
        assert happenings == []
        assert not wallet.node.listeners

    @staticmethod
    def number(happening: Happening) -> int:
        assert isinstance(happening, NewBlock | Removed)
        return happening.past.block.number


class TestMining:
    def test_by_hand_puts_all_that_waits_into_the_first_block(self, manual: Wallet) -> None:
        sent = submitted(manual, 0, 1, 2)
        assert [one.at_once for one in sent] == [False] * 3
        assert manual.node.head_number == 0
        manual.node.mine(3)
        wait(sent)
        assert [len(block) for block in history(manual.node)] == [0, 3, 0, 0]

    def test_keeps_the_blocks_as_far_apart_as_asked(self, node: Devnet) -> None:
        node.mine(3, spacing_s=60)
        times = [block.header.timestamp for number in (1, 2, 3) if (block := node.block(number))]
        assert times == [START_S + 100, START_S + 160, START_S + 220]

    def test_begins_again_with_what_waited(self, manual: Wallet) -> None:
        sent = submitted(manual, 0, 1)
        manual.node.miner.set_automatic(automatic=True)
        wait(sent)
        (after,) = submitted(manual, 2)
        assert after.at_once

    def test_at_intervals_makes_empty_blocks_too_until_it_ends(self, wallet: Wallet) -> None:
        node = wallet.node
        node.miner.set_interval(0.02)
        until(lambda: node.head_number >= 2)
        (sent,) = submitted(wallet, 0)
        assert not sent.at_once
        wait([sent])
        node.miner.set_interval(0)
        wait(submitted(wallet, 1))
        number = node.head_number
        time.sleep(0.1)
        assert node.head_number == number

    def test_at_intervals_is_not_put_off_by_those_who_send(self, wallet: Wallet) -> None:
        node = wallet.node
        raws = [wallet.sign(nonce=nonce) for nonce in range(200)]
        node.miner.set_interval(0.1)
        for raw in raws:
            node.submit(raw)
            if node.head_number:
                break
            time.sleep(0.01)
        assert node.head_number

    def test_a_wall_chain_makes_a_few_blocks_at_once_and_lets_the_rest_gather(
        self, tmp_path: Path
    ) -> None:
        clock = ReplayClock(UnixSeconds(START_S + 100))
        genesis = replace(GENESIS, clock=ClockProfile.WALL)
        with contextlib.closing(Devnet.open(tmp_path / "wall", genesis, clock)) as node:
            wallet = Wallet(node, ALICE)
            for _ in range(MAX_LEAD_S + 1):
                wallet.send()
            sent = submitted(wallet, *range(MAX_LEAD_S + 1, MAX_LEAD_S + 5))
            assert [one.at_once for one in sent] == [False] * 4
            assert node.head_number == MAX_LEAD_S + 1
            assert node.head.header.timestamp == clock.now_s() + MAX_LEAD_S
            clock.set(UnixSeconds(START_S + 103))
            wait(sent)
            assert [len(block) for block in history(node)] == [0] + [1] * 6 + [4]
            assert node.head.header.timestamp == START_S + 106
        assert verify(tmp_path / "wall").transactions == 10


class TestPool:
    def test_a_transaction_after_a_gap_is_mined_when_the_gap_is_filled(
        self, wallet: Wallet
    ) -> None:
        (ahead,) = submitted(wallet, 1)
        assert not ahead.at_once
        assert wallet.node.pool.status() == (0, 1)
        (filler,) = submitted(wallet, 0)
        wait([ahead, filler])
        assert wallet.nonce() == 2

    def test_a_replacement_is_mined_and_the_other_s_sender_told(
        self, tmp_path: Path, clock: ReplayClock
    ) -> None:
        with contextlib.closing(Devnet.open(tmp_path / "chain", FUNDED, clock)) as node:
            node.miner.set_automatic(automatic=False)
            wallet = Wallet(node, ALICE)
            (old,) = submitted(wallet, 0, maxFeePerGas=100, maxPriorityFeePerGas=100)
            with pytest.raises(TransactionRefusedError, match="underpriced"):
                submitted(wallet, 0, maxFeePerGas=109, maxPriorityFeePerGas=109)
            (new,) = submitted(wallet, 0, maxFeePerGas=110, maxPriorityFeePerGas=110)
            with pytest.raises(TransactionRefusedError, match="dropped from the pool"):
                old.mined.result(SOON_S)
            node.mine()
            wait([new])
            assert history(node) == [[], [new.hash]]

    def test_what_is_dropped_is_told_to_whoever_waits(self, manual: Wallet) -> None:
        node, raw = manual.node, manual.sign()
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(node.send_raw, raw)
            until(lambda: len(node.pool) == 1)
            (hash_,) = (one.hash for one in node.pool.content()[0][manual.address].values())
            assert node.drop(hash_)
            with pytest.raises(TransactionRefusedError, match="dropped from the pool"):
                waiting.result(SOON_S)
        assert not node.drop(hash_)
        assert node.submit(raw).hash == hash_

    def test_dropping_all_is_told_to_all(self, manual: Wallet) -> None:
        sent = submitted(manual, 0, 1, 5)
        manual.node.drop_all()
        for submission in sent:
            with pytest.raises(TransactionRefusedError, match="dropped from the pool"):
                submission.mined.result(SOON_S)
        manual.node.mine()
        assert history(manual.node) == [[], []]

    def test_whoever_waits_when_the_node_is_closed_is_told_that(self, wallet: Wallet) -> None:
        (sent,) = submitted(wallet, 7)
        wallet.node.close()
        with pytest.raises(DevnetClosedError):
            sent.mined.result(SOON_S)

    def test_the_same_transaction_is_not_taken_twice(self, manual: Wallet) -> None:
        raw = manual.sign()
        manual.node.submit(raw)
        with pytest.raises(TransactionRefusedError, match="already known"):
            manual.node.submit(raw)
        manual.node.mine()
        with pytest.raises(TransactionRefusedError, match="already known"):
            manual.node.submit(raw)

    def test_a_block_that_is_made_during_a_submission_does_not_refuse_what_it_holds(
        self, wallet: Wallet, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pool = wallet.node.pool
        add, remove_mined = pool.add, pool.remove_mined
        is_committed, goes_on = threading.Event(), threading.Event()

        def add_slowly(one: Transaction, state: AccountState) -> Added:
            added = add(one, state)
            wallet.node.miner.wake()
            assert is_committed.wait(SOON_S)
            threading.Timer(0.1, goes_on.set).start()
            return added

        def remove_slowly(mined: tuple[Transaction, ...], nonces: dict[bytes, int]):
            is_committed.set()
            assert goes_on.wait(SOON_S)
            return remove_mined(mined, nonces)

        monkeypatch.setattr(pool, "add", add_slowly)
        monkeypatch.setattr(pool, "remove_mined", remove_slowly)
        assert wallet.send().block.number == 1


class TestChange:
    def test_is_there_when_the_chain_is_opened_again_and_cannot_be_verified(
        self, tmp_path: Path, wallet: Wallet, clock: ReplayClock
    ) -> None:
        node = wallet.node
        wallet.send()
        node.change(SOMEBODY, Account(3, 9, EMPTY_CODE), TELLER, {0: 42})
        wallet.send()
        with reopened(node, tmp_path, clock) as again:
            assert again.head_hash == node.head_hash
            account = again.newest_account(SOMEBODY)
            assert (account.nonce, account.balance, slot(again, SOMEBODY)) == (3, 9, 42)
            assert again.scratch(2).get_code(SOMEBODY) == TELLER
            assert again._storage.engine.root() == again.head.header.state_root
            assert Wallet(again, wallet.account).send().succeeded
        with pytest.raises(ChangedByHandError) as caught:
            verify(tmp_path)
        assert caught.value.number == 1
        assert caught.value.code == "changed_by_hand"

    def test_is_refused_by_verification_at_block_0_too(self, tmp_path: Path, node: Devnet) -> None:
        snapshot = node.snapshot()
        by_hand(node, 5)
        with pytest.raises(ChangedByHandError, match="block 0"):
            verify(tmp_path)
        node.revert(snapshot)
        assert verify(tmp_path).blocks == 0


class TestSubmitUnsigned:
    def test_is_mined_kept_and_refused_by_verification(
        self, tmp_path: Path, node: Devnet, clock: ReplayClock
    ) -> None:
        sent = [node.submit_unsigned(impersonated(nonce)) for nonce in range(2)]
        wait(sent)
        with reopened(node, tmp_path, clock) as again:
            assert again.head_hash == node.head_hash
            found = [again.mined(one.hash) for one in sent]
            assert [self.sender(one) for one in found] == [SOMEBODY] * 2
        with pytest.raises(ChangedByHandError, match="its sender did not sign"):
            verify(tmp_path)

    def test_is_refused_if_no_block_could_hold_it(self, node: Devnet) -> None:
        with pytest.raises(TransactionRefusedError, match="transaction gas limit too high"):
            node.submit_unsigned(impersonated(gas=GENESIS.gas_limit))
        assert len(node.pool) == 0

    @staticmethod
    def sender(mined: Mined | None) -> bytes:
        assert mined is not None
        return mined.transaction.sender
