"""
Run one chain in one directory.

A transaction is checked, executed in a block of its own, written to the block log and only then
visible: whoever saw a receipt finds it again after any kind of end.
"""

import fcntl
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Self, cast

from eth_keys import keys
from eth_typing import Address

from devnet.blocklog import BlockLog, CorruptRecordError, read_records
from devnet.engine.blocks import Block, Header, Receipt
from devnet.engine.builder import build, state_in
from devnet.engine.calls import Outcome, estimate, output_of, run
from devnet.engine.encoding import keccak, rlp_decode, rlp_encode
from devnet.engine.rules import RefusedTransactionError, check_alone, check_on
from devnet.engine.state import FlatAccounts
from devnet.engine.transactions import Transaction, decode
from devnet.genesis import Genesis, pin
from devnet.index import ChainIndex, LogFilter, LogPlace, Place
from ledger.clock import Clock
from ledger.errors import ChainUnavailable, Integrity, NotFound, WrongState

LOG: Final = "blocks.log"
LOCK: Final = "lock"

_LOCK_PATIENCE_S: Final = 10
_LOCK_PAUSE_S: Final = 0.05
_PROGRESS_EVERY: Final = 100
_NATIVE_BACKEND: Final = "NativeECCBackend"

_logger: Final = logging.getLogger("devnet")


class DirectoryInUseError(WrongState):
    """Another node runs in the directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__("directory_in_use", f"another node runs in {directory}")
        self.directory: Final = directory


class UnlinkedRecordError(Integrity):
    """A record whose checksum is good does not continue the chain before it."""

    def __init__(self, path: Path, index: int, detail: str) -> None:
        super().__init__("unlinked_record", f"record {index} of {path}: {detail}")
        self.path: Final = path
        self.index: Final = index


class BlockNotFoundError(NotFound):
    """There is no such block."""

    def __init__(self) -> None:
        super().__init__("block_not_found", "header not found")


class Devnet:
    """
    One open chain. Every method may be called from any thread.

    ``genesis`` is what it began with; ``index`` finds blocks, transactions, receipts and logs.
    """

    def __init__(self, directory: Path, genesis: Genesis, clock: Clock, lock: int) -> None:
        self.genesis: Final = genesis
        self._directory: Final = directory
        self._clock: Final = clock
        self._lock_descriptor: Final = lock
        self._writing: Final = threading.RLock()
        self._nodes: Final[dict[bytes, bytes]] = {}
        self.index: Final = ChainIndex(genesis.block(self._nodes))
        self._closed = False

    @classmethod
    def open(
        cls,
        directory: Path,
        genesis: Genesis,
        clock: Clock,
        progress: Callable[[int], None] | None = None,
    ) -> Self:
        """
        Open the chain in ``directory``, or begin it there.

        Parameters
        ----------
        clock
            Says the domain time; a block's time is the greater of it and the parent's plus one.
        progress
            Told, now and then, how many blocks were read.

        Raises
        ------
        GenesisDiffersError
            If another chain is kept there.
        DirectoryInUseError
            If another node still runs there after ten seconds.
        CorruptRecordError
            If a record is damaged; the torn beginning of a last one is cut off instead.
        """
        directory.mkdir(parents=True, exist_ok=True)
        lock = _lock(directory)
        try:
            pin(directory, genesis)
            devnet = cls(directory, genesis, clock, lock)
            devnet._read(progress or (lambda _: None))
        except BaseException:
            os.close(lock)
            raise
        _logger.info(
            "chain %d is open at block %d; signatures by %s",
            genesis.chain_id,
            devnet.head.number,
            signature_backend(),
        )
        return devnet

    def _read(self, progress: Callable[[int], None]) -> None:
        """Read the log, and open it for what comes."""
        path = self._directory / LOG
        end = 0
        for record in read_records(path):
            block, nodes = unpack(record.payload)
            if block.header.parent_hash != self.head.hash or block.number != record.index:
                raise UnlinkedRecordError(path, record.index, "it does not follow the one before")
            self._nodes.update(nodes)
            if block.header.state_root not in self._nodes:
                raise UnlinkedRecordError(path, record.index, "it does not hold its state")
            self.index.add(block)
            end = record.end
            if record.index % _PROGRESS_EVERY == 0:
                progress(record.index)
        progress(self.head.number)
        self._accounts = FlatAccounts(self._nodes, self.head.header.state_root)
        self._log = BlockLog(path, self.head.number, end)

    def close(self) -> None:
        """Close the chain and free its directory; closing twice does nothing."""
        with self._writing:
            if not self._closed:
                self._closed = True
                self._log.close()
                os.close(self._lock_descriptor)

    @property
    def head(self) -> Block:
        """Return the newest block."""
        return self.index.head

    @property
    def head_hash(self) -> str:
        """Return the hash of the newest block, 0x-prefixed."""
        return "0x" + self.head.hash.hex()

    def send(self, raw: bytes) -> bytes:
        """
        Execute a signed transaction in a new block; return its hash once the disk has it.

        Raises
        ------
        UndecodableTransactionError, BadRlpError, UnrecoverableSenderError
            If ``raw`` is no signed transaction.
        RefusedTransactionError
            If a rule forbids it, or it is in the chain already.
        LogNotWrittenError
            If the disk does not take it; nothing has changed then.
        """
        transaction = decode(raw)
        check_alone(transaction, self.genesis.chain_id)
        with self._writing:
            if self._closed:
                raise ChainUnavailable("the node is closed")
            if self.index.place(transaction.hash) is not None:
                raise RefusedTransactionError("already known")
            try:
                check_on(transaction, self._accounts, self.head.header)
                self._mine(transaction)
            except BaseException:
                self._accounts.rollback()
                raise
        return transaction.hash

    def _mine(self, transaction: Transaction) -> None:
        parent = self.head
        header = Header(
            parent_hash=parent.hash,
            state_root=parent.header.state_root,
            number=parent.number + 1,
            gas_limit=parent.header.gas_limit,
            timestamp_s=max(parent.header.timestamp_s + 1, self._clock.now_s()),
        )
        ancestors = self.index.ancestors(header.number)
        built = build(self._accounts, header, self.genesis.chain_id, ancestors, transaction)
        self._log.append(pack(built.block, built.encoded, built.nodes))
        self._nodes.update(built.nodes)
        self._accounts.adopt(built.block.header.state_root)
        self.index.add(built.block)

    def state(self, block: Block) -> FlatAccounts:
        """Return a reader of the accounts as they were after ``block``."""
        return FlatAccounts(self._nodes, block.header.state_root)

    def call(self, call: Transaction, block: Block) -> bytes:
        """
        Return what ``call`` returns after ``block``; nothing of it stays.

        Raises
        ------
        CallRevertedError
            If the contract refuses.
        CallFailedError
            If it fails otherwise.
        """
        return output_of(self._attempt(call, block))

    def estimate(self, call: Transaction, block: Block) -> int:
        """
        Return a gas limit that is enough for ``call`` after ``block``; ``call.gas`` is the most.

        Raises
        ------
        CallRevertedError
            If the contract refuses.
        CallFailedError
            If it fails otherwise, or needs more.
        """
        return estimate(lambda attempt: self._attempt(attempt, block), call)

    def _attempt(self, call: Transaction, block: Block) -> Outcome:
        with self._at(block) as accounts:
            ancestors = self.index.ancestors(block.number)
            return run(state_in(accounts, block.header, self.genesis.chain_id, ancestors), call)

    @contextmanager
    def _at(self, block: Block) -> Iterator[FlatAccounts]:
        """Lend the accounts after ``block``; what is done to them is undone."""
        if block is not self.head:
            yield self.state(block)
            return
        with self._writing:
            if block is self.head:
                with self._accounts.scratch():
                    yield self._accounts
                return
        yield self.state(block)

    def place(self, transaction_hash: bytes) -> Place | None:
        """Return where a transaction stands, or None."""
        return self.index.place(transaction_hash)

    def logs(self, wanted: LogFilter) -> Iterator[LogPlace]:
        """Yield the logs that are asked for, in the order of the chain."""
        return self.index.logs(wanted)


def pack(block: Block, encoded: bytes, nodes: dict[bytes, bytes]) -> bytes:
    """Return the payload of a block's record: block, receipts, senders, trie nodes and code."""
    return rlp_encode(
        (
            encoded,
            [receipt.encode() for receipt in block.receipts],
            [transaction.sender for transaction in block.transactions],
            list(nodes.values()),
        )
    )


def unpack(payload: bytes) -> tuple[Block, dict[bytes, bytes]]:
    """Return the block of a record, and the trie nodes and code that it added, by hash."""
    fields = cast("tuple[bytes, list[bytes], list[bytes], list[bytes]]", rlp_decode(payload))
    encoded, receipts, senders, nodes = fields
    header, transactions, _, _ = cast("list[Any]", rlp_decode(encoded))
    block = Block(
        hash=keccak(rlp_encode(header)),
        header=Header.decode(header),
        transactions=tuple(
            decode(raw if isinstance(raw, bytes) else rlp_encode(raw), sender)
            for raw, sender in zip(transactions, senders, strict=True)
        ),
        receipts=tuple(Receipt.decode(receipt) for receipt in receipts),
        size=len(encoded),
    )
    return block, {keccak(node): node for node in nodes}


def signature_backend() -> str:
    """
    Return which implementation recovers signatures inside py-evm.

    Without ``coincurve`` it is the one in Python, and slower by a factor of a hundred.
    """
    name = type(keys.PrivateKey(bytes(31) + b"\1").backend).__name__
    return f"{name} (slow)" if name == _NATIVE_BACKEND else name


def _lock(directory: Path) -> int:
    """Return the descriptor that holds the directory; a killed node may linger for a moment."""
    descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until_s = time.monotonic() + _LOCK_PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            if time.monotonic() > until_s:
                os.close(descriptor)
                raise DirectoryInUseError(directory) from fault
            time.sleep(_LOCK_PAUSE_S)
        else:
            return descriptor
