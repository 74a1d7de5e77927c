"""
Run one chain for any number of threads.

A transaction is checked, pooled, executed by the miner's thread in a block, and written to the
block log; only then is the block there for anybody.
"""

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import RLock
from typing import Final, Self

from devnet.admission import (
    Refusal,
    TransactionRefusedError,
    check_state,
    check_stateless,
    decode_transaction,
)
from devnet.engine.blocks import Header
from devnet.engine.builder import Built
from devnet.engine.signing import is_unsigned
from devnet.engine.transactions import Transaction
from devnet.engine.world import NOBODY, Account
from devnet.genesis import Genesis
from devnet.node.listening import Listeners, NewBlock, PendingTransaction, Removed
from devnet.node.miner import Miner
from devnet.node.pool import AccountState, Pool
from devnet.node.reading import AnyStorage, ChainReader
from devnet.node.signatures import fast_signatures
from devnet.node.submissions import DevnetClosedError, MinerEndedError, Snapshot, Submission
from devnet.node.timekeeping import Timekeeper
from devnet.store.engines import EngineKind
from devnet.store.faults import Faults
from devnet.store.history import Past
from devnet.store.storage import Storage
from ledger.clock import Clock
from ledger.errors import Integrity

_log: Final = logging.getLogger(__name__)

_SEND_TIMEOUT_S: Final = 60


class Devnet(ChainReader):
    """A chain in a directory, open for sending and reading from any thread."""

    def __init__(self, genesis: Genesis, storage: AnyStorage, clock: Clock, faults: Faults) -> None:
        """Run what ``storage`` holds; ``Devnet.open`` is the way in."""
        super().__init__(genesis, storage, Timekeeper(clock, genesis.clock))
        self.faults: Final = faults
        """What shall go wrong; only for tests."""
        self.lock: Final = RLock()
        """Held by whoever changes the chain."""
        self.pool: Final = Pool()
        """Transactions that wait for a block."""
        self.listeners: Final = Listeners()
        """Who is told what happens."""
        self.keys: Final[dict[bytes, bytes]] = {}
        """Private keys of accounts that the node signs for; only for trials."""
        self.impersonated: Final[set[bytes]] = set()
        """Accounts that may send without a signature; only for tests."""
        self._waiting: Final[dict[bytes, Future[None]]] = {}
        self._snapshots: Final[dict[int, Snapshot]] = {}
        self._next_snapshot = 1
        self._failure: Exception | None = None
        self._closed = False
        self.miner: Final = Miner(self._work, self._make_any, self._miner_ended)
        """Makes the blocks."""

    @classmethod
    def open(
        cls,
        directory: Path,
        genesis: Genesis,
        clock: Clock,
        engine: EngineKind = EngineKind.FLAT,
        *,
        breakable: bool = False,
    ) -> Self:
        """
        Open the chain in ``directory``, or start it there.

        Parameters
        ----------
        directory
            Where the blocks are kept; made if it is missing.
        clock
            The domain clock that block times follow.
        engine
            What executes.
        breakable
            Whether ``faults`` may kill the process; only for tests.

        Raises
        ------
        DirectoryInUseError
            If another node has the directory open for 10 s.
        GenesisDiffersError
            If the directory holds a chain with another start.
        BlockRecordDamagedError
            If a record on disk is damaged.
        BlockInvalidError
            If a block on disk does not follow from the one before.
        SlowSignaturesError
            If signatures would be checked in pure Python.
        """
        backend = fast_signatures()
        directory.mkdir(parents=True, exist_ok=True)
        faults = Faults(is_armed=breakable)
        storage = Storage.open(directory, genesis, engine, faults)
        devnet = cls(genesis, storage, clock, faults)
        _log.info(
            "chain %d open at block %d, signatures by %s",
            genesis.chain_id,
            devnet.head_number,
            backend,
        )
        return devnet

    def close(self) -> None:
        """Finish the block under way and give the directory back; closing twice does nothing."""
        with self.lock:
            if self._closed:
                return
            self._closed = True
        self.miner.stop()
        with self.lock:
            for future in self._waiting.values():
                future.set_exception(DevnetClosedError())
            self._waiting.clear()
            self._storage.close()

    # Sending.

    def submit(self, raw: bytes) -> Submission:
        """
        Take one signed transaction into the pool; the miner does the rest.

        Raises
        ------
        TransactionRefusedError
            If it may not enter a block; the chain is as before.
        DevnetClosedError
            If the node was closed.
        """
        return self._accept(decode_transaction(raw, with_blobs=self._storage.takes_blobs))

    def send_raw(self, raw: bytes) -> str:
        """
        Send one signed transaction and return its hash, as 0x hex, when its block is on disk.

        A transaction that the contract reverts is mined too. One that has to wait for a block to
        come, or for a transaction before it, is waited for up to a minute.

        Raises
        ------
        TransactionRefusedError
            If it may not enter a block; the chain is as before.
        LogUnusableError
            If an earlier write to disk failed.
        DevnetClosedError
            If the node was closed.
        """
        submission = self.submit(raw)
        submission.mined.result(_SEND_TIMEOUT_S)
        return "0x" + submission.hash.hex()

    def submit_unsigned(self, transaction: Transaction) -> Submission:
        """Take a transaction whose sender did not sign it; a chain that has one is for tests."""
        return self._accept(transaction)

    def _accept(self, transaction: Transaction) -> Submission:
        check_stateless(transaction, self.genesis.chain_id, self.genesis.gas_limit)
        self._check_open()
        if self.mined(transaction.hash) is not None:
            raise TransactionRefusedError(Refusal.KNOWN)
        sender = self.newest_account(transaction.sender)
        code = self._code_of(sender)
        check_state(transaction, sender, code, self.head.header.base_fee_per_gas or 0)
        future: Future[None] = Future()
        if self._waiting.setdefault(transaction.hash, future) is not future:
            raise TransactionRefusedError(Refusal.KNOWN)
        try:
            added = self.pool.add(transaction, AccountState(sender.nonce, sender.balance))
        except TransactionRefusedError:
            self._waiting.pop(transaction.hash, None)
            raise
        for dropped in filter(None, (added.replaced, *added.evicted)):
            self._give_up(dropped.hash, TransactionRefusedError(Refusal.DROPPED))
        if self.next_nonce(transaction.sender) > transaction.nonce:
            # A block came between the look at the account and the pool.
            self._drop_late(transaction)
        if self.listeners:
            self.listeners.tell(PendingTransaction(transaction.hash))
        self.miner.wake()
        return Submission(transaction.hash, future, self._comes_at_once(transaction))

    def _check_open(self) -> None:
        if self._closed:
            raise DevnetClosedError
        if self._failure is not None:
            raise self._failure

    def _comes_at_once(self, transaction: Transaction) -> bool:
        follows = self.pool.next_nonce(transaction.sender, self.next_nonce(transaction.sender))
        waits = self.time.wait_s(self.head.header.timestamp)
        return self.miner.is_automatic and not waits and transaction.nonce < follows

    def _drop_late(self, transaction: Transaction) -> None:
        with self.lock:
            # The block that made it late may also hold it, and be just about to say so.
            dropped = self.pool.drop(transaction.hash)
        if dropped:
            late = TransactionRefusedError(Refusal.NONCE_LOW)
            self._give_up(transaction.hash, late)
            raise late

    def _give_up(self, transaction: bytes, why: Exception) -> None:
        future = self._waiting.pop(transaction, None)
        if future is not None:
            future.set_exception(why)

    def drop(self, transaction: bytes) -> bool:
        """Take a transaction out of the pool; say whether it was there."""
        found = self.pool.drop(transaction)
        if found:
            self._give_up(transaction, TransactionRefusedError(Refusal.DROPPED))
        return found

    def drop_all(self) -> None:
        """Empty the pool."""
        self.pool.clear()
        for transaction in tuple(self._waiting):
            self._give_up(transaction, TransactionRefusedError(Refusal.DROPPED))

    # Making blocks.

    def mine(self, count: int = 1, spacing_s: int = 1) -> None:
        """Make ``count`` blocks now, whatever there is to put in, ``spacing_s`` seconds apart."""
        for made in range(count):
            with self.lock:
                self._check_open()
                self.time.check_lead(self.head.header.timestamp)
                if made and spacing_s > 1:
                    parent_s = self.head.header.timestamp
                    self.time.set_next(parent_s + spacing_s, parent_s)
                self._make_block()
                self._check_open()

    def _work(self) -> float | None:
        self.faults.wait()
        with self.lock:
            if not self._has_work():
                return None
            wait_s = self.time.wait_s(self.head.header.timestamp)
            if wait_s:
                return float(wait_s)
            self._make_block()
            return 0.0 if self._has_work() else None

    def _has_work(self) -> bool:
        stopped = self._closed or self._failure is not None
        return not stopped and self.pool.executable(self.next_nonce)

    def _make_any(self) -> bool:
        with self.lock:
            if self._closed or self._failure is not None:
                return False
            if not self.time.wait_s(self.head.header.timestamp):
                self._make_block()
            return True

    def _miner_ended(self) -> None:
        """Let nobody wait for blocks that will not come."""
        if not self._closed and self._failure is None:
            self._failure = MinerEndedError()
        for transaction in tuple(self._waiting):
            self._give_up(transaction, self._failure or DevnetClosedError())

    def _make_block(self, taken: list[Transaction] | None = None) -> None:
        header = self.next_header()
        if taken is None:
            target = header.gas_limit // 2
            taken = self.pool.take(header.base_fee_per_gas or 0, target, self.next_nonce)
        built = self._storage.engine.build(header, taken)
        for transaction, why in built.refused:
            self.pool.drop(transaction.hash)
            self._give_up(transaction.hash, TransactionRefusedError(Refusal.NOT_EXECUTABLE, why))
        past = self._take(built)
        if past is None:
            return
        self.faults.pass_point("published")
        self.time.mined()
        mined = built.block.transactions
        senders = {transaction.sender for transaction in mined}
        nonces = {bytes(sender): self.next_nonce(sender) for sender in senders}
        self._drop_mined(mined, nonces)
        for transaction in mined:
            future = self._waiting.pop(transaction.hash, None)
            if future is not None:
                future.set_result(None)
        if self.listeners:
            self.listeners.tell(NewBlock(past))

    def _drop_mined(self, mined: Sequence[Transaction], nonces: Mapping[bytes, int]) -> None:
        for late in self.pool.remove_mined(mined, nonces):
            self._give_up(late.hash, TransactionRefusedError(Refusal.NONCE_LOW))

    def _take(self, built: Built) -> Past | None:
        senders = {
            index: bytes(transaction.sender)
            for index, transaction in enumerate(built.block.transactions)
            if is_unsigned(transaction)
        }
        try:
            return self._storage.add(built, senders)
        except (OSError, Integrity) as error:
            # The tries hold a block that is not on disk: nothing more can be built on them.
            self._failure = error
            for transaction in tuple(self._waiting):
                self._give_up(transaction, error)
            _log.critical("no more blocks: %s", error)
            return None

    # Going back, and changing the state by hand.

    def snapshot(self) -> int:
        """Remember the chain as it is; return the number to ``revert`` to."""
        with self.lock:
            number = self._next_snapshot
            self._next_snapshot += 1
            head = self.head_number
            self._snapshots[number] = Snapshot(head, self._storage.engine.steps(head))
            return number

    def revert(self, snapshot: int) -> bool:
        """Go back to a snapshot, which is used up, as are later ones; say whether there is one."""
        with self.lock:
            target = self._snapshots.get(snapshot)
            if target is None:
                return False
            for later in [one for one in self._snapshots if one >= snapshot]:
                del self._snapshots[later]
            self._rewind(target.number, target.steps)
            self.drop_all()
            return True

    def reorganize(self, depth: int) -> None:
        """
        Replace the newest ``depth`` blocks by as many others with the same transactions.

        The new blocks come later by a second, so that no hash stays. What waits in the pool stays.
        """
        with self.lock:
            depth = min(depth, self.head_number)
            number = self.head_number - depth
            for later in [key for key, one in self._snapshots.items() if one.number > number]:
                del self._snapshots[later]
            for past in reversed(self._rewind(number, self._storage.engine.steps(number))):
                parent_s = self.head.header.timestamp
                wanted_s = max(past.block.header.timestamp, parent_s) + 1
                self.time.set_next(wanted_s, parent_s)
                self._make_block([outcome.transaction for outcome in past.outcomes])

    def _rewind(self, number: int, steps: int) -> tuple[Past, ...]:
        gone = self._storage.rewind(number, steps)
        for past in gone:
            self.listeners.tell(Removed(past))
        return gone

    def change(
        self, address: bytes, account: Account, code: bytes | None, slots: dict[int, int]
    ) -> None:
        """
        Set an account of the newest state by hand, as no block could.

        Parameters
        ----------
        account
            Nonce and coins; its code hash counts where ``code`` is None.
        code
            Its new code, if it shall have one.
        slots
            Slots to set; the others stay.
        """
        with self.lock:
            self._storage.change(address, account, code, slots)
            self._drop_mined((), {address: account.nonce})

    # Reading what is about to be.

    def next_header(self) -> Header:
        """Return the header of the block to be, as far as it is known before execution."""
        return self._storage.engine.next_header(self.time.next_s(self.head.header.timestamp))

    def _code_of(self, account: Account) -> bytes:
        return b"" if account is NOBODY else self._storage.engine.code(account.code_hash)
