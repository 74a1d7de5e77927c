"""
The chain as it is: the block log, and what follows from it in memory and in the index.

One thread at a time changes it; any thread reads. Numbers of blocks are handed out only after their
records are on disk.
"""

import logging
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

from eth.db.atomic import AtomicDB

from devnet.engine.builder import Built
from devnet.engine.encoding import BadRlpError, keccak
from devnet.engine.flat import FlatEngine
from devnet.engine.world import NOBODY, Account, Changes
from devnet.genesis import Genesis, new_chain, settle_genesis
from devnet.stock.engine import StockEngine
from devnet.stock.importing import BlockInvalidError
from devnet.store.beginning import begin
from devnet.store.engines import Engine, EngineKind
from devnet.store.faults import Faults
from devnet.store.history import LogEntry, Mined, Past, RecentBlocks, outcomes_of
from devnet.store.index import ChainIndex
from devnet.store.log import BlockLog, DirectoryLock, Kind, Place, Record
from devnet.store.records import BlockRecord, RewindRecord
from ledger.errors import Integrity

_log: Final = logging.getLogger(__name__)


class Storage:
    """Blocks, outcomes, events and the engine that holds their state."""

    takes_blobs: Final = False
    """Whether transactions with blobs may be sent: they need a consensus layer."""

    def __init__(
        self,
        directory: Path,
        genesis: Genesis,
        kind: EngineKind,
        pass_point: Callable[[str], None] | None,
    ) -> None:
        """Open what ``directory`` holds, whose lock the caller has."""
        self.directory: Final = directory
        """Where the chain is kept."""
        self._held: DirectoryLock | None = None
        world, first = begin(genesis)
        self._first = first
        self._hashes: Final = [first.hash]
        self._numbers: Final = {first.hash: 0}
        self._places: Final[list[Place | None]] = [None]
        self.engine: Final[Engine] = (
            FlatEngine(world, first.header, genesis.chain_id, self._ancestors)
            if kind is EngineKind.FLAT
            else StockEngine(new_chain(genesis, AtomicDB()))
        )
        """Holds the state and executes."""
        self._recent: Final = RecentBlocks(self._read)
        self._head = Past(first, ())
        self._file = BlockLog(directory, pass_point)
        try:
            for record in self._file.recover():
                self._replay(record)
            self._check_state()
            self._index = ChainIndex(directory)
        except Integrity:
            self._file.close()
            raise
        self._catch_up()

    @classmethod
    def open(cls, directory: Path, genesis: Genesis, kind: EngineKind, faults: Faults) -> Self:
        """
        Open the chain in ``directory``, or start it there.

        Parameters
        ----------
        kind
            What executes; both come to the same blocks.
        faults
            What shall go wrong, if it is armed; only for tests.

        Raises
        ------
        DirectoryInUseError
            If another node has the directory open for 10 s.
        GenesisDiffersError
            If the directory holds a chain with another start.
        BlockRecordDamagedError
            If a record on disk is damaged.
        BlockInvalidError
            If a block does not follow the one before, or the state is not the one it names.
        """
        held = DirectoryLock(directory)
        try:
            settle_genesis(directory, genesis)
            storage = cls(directory, genesis, kind, faults.pass_point if faults.is_armed else None)
        except Integrity:
            held.release()
            raise
        storage._held = held
        return storage

    def close(self) -> None:
        """Close log and index, and give the directory back."""
        self._index.close()
        self._file.close()
        if self._held is not None:
            self._held.release()

    # Reading.

    @property
    def head(self) -> Past:
        """The newest block."""
        return self._head

    def block_hash(self, number: int) -> bytes:
        """Return the hash of block ``number``, which must be there."""
        return self._hashes[number]

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with that hash, if there is one."""
        return self._numbers.get(block_hash)

    def past(self, number: int) -> Past | None:
        """Return block ``number`` with its outcomes, if there is one."""
        head = self._head
        if number == head.block.number:
            return head
        return self._recent.get(number) if 0 <= number < head.block.number else None

    def mined(self, transaction: bytes) -> Mined | None:
        """Return the transaction of that hash with its outcome, if it was mined."""
        place = self._index.place(transaction)
        past = None if place is None else self.past(place[0])
        return None if past is None or place is None else past.outcomes[place[1]]

    def logs(
        self,
        first: int,
        last: int,
        addresses: frozenset[bytes],
        topics: tuple[frozenset[bytes], ...],
    ) -> Iterator[LogEntry]:
        """
        Return the events of blocks ``first`` to ``last``, both included, in order.

        Parameters
        ----------
        addresses
            The contracts asked for; none means all.
        topics
            Per place the words that fit; none means any.
        """
        for number in self._index.log_blocks(first, last, addresses, topics):
            past = self.past(number)
            for outcome in past.outcomes if past else ():
                for entry in outcome.logs:
                    if fits(entry, addresses, topics):
                        yield entry

    # Changing.

    def add(self, built: Built, senders: dict[int, bytes]) -> Past:
        """
        Take a block that the engine built; it is on disk when this returns.

        Parameters
        ----------
        senders
            By place in the block: senders that did not sign.

        Raises
        ------
        LogUnusableError
            If an earlier write to disk failed.
        OSError
            If this one does.
        """
        record = BlockRecord(built.block.raw, built.raw_receipts, built.changes.encode(), senders)
        place = self._file.append(Kind.BLOCK, record.encode())
        past = Past(built.block, outcomes_of(built.block, built.receipts))
        self.engine.commit(built.block, built.changes)
        is_full = self._index_block(past)
        self._append(built.block.hash, place)
        self._recent.put(past)
        self._head = past
        if is_full:
            self._flush_index()
        return past

    def change(
        self, address: bytes, account: Account, code: bytes | None, slots: dict[int, int]
    ) -> None:
        """Set an account of the newest state by hand: nonce, coins, code if given, and slots."""
        code_hash = account.code_hash if code is None else keccak(code)
        after = Account(account.nonce, account.balance, code_hash)
        changes = Changes(
            {address: None if after == NOBODY else after},
            {address: slots} if slots else {},
            (code,) if code else (),
        )
        self._file.append(Kind.PATCH, changes.encode())
        self.engine.patch(changes)

    def rewind(self, number: int, steps: int) -> tuple[Past, ...]:
        """Go to block ``number`` after ``steps`` changes; return what is gone, newest first."""
        gone = [
            past
            for above in range(self._head.block.number, number, -1)
            if (past := self.past(above)) is not None
        ]
        self._file.append(Kind.REWIND, RewindRecord(number, steps).encode())
        target = self.past(number)
        if target is None:
            raise IndexError(number)
        self._head = target
        self._recent.clear()
        self._cut(number, steps)
        self._index.rewind(number)
        return tuple(gone)

    # Opening.

    def _replay(self, record: Record) -> None:
        if record.kind is Kind.BLOCK:
            try:
                block = BlockRecord.decode(record.payload)
                block_hash, header = block.header()
            except (BadRlpError, ValueError, TypeError) as error:
                raise BlockInvalidError(len(self._hashes), str(error)) from error
            if header.block_number != len(self._hashes) or header.parent_hash != self._hashes[-1]:
                raise BlockInvalidError(len(self._hashes), "it does not follow the block before")
            self.engine.adopt(header.block_number, block.raw, block.changes)
            self._append(block_hash, record.place)
        elif record.kind is Kind.PATCH:
            self.engine.patch(Changes.decode(record.payload))
        else:
            back = RewindRecord.decode(record.payload)
            self._cut(back.number, back.steps)

    def _check_state(self) -> None:
        """Compare the state that the records lead to with the one that the newest block names."""
        number = len(self._hashes) - 1
        self._head = self._recent.get(number) if number else self._head
        # Block 0 comes with no step, any other with one.
        changed_by_hand = self.engine.steps(number) > min(number, 1)
        if not changed_by_hand and self.engine.root() != self._head.block.header.state_root:
            raise BlockInvalidError(number, "the state is not the one that it names")

    def _catch_up(self) -> None:
        """Add to the index what it does not hold; throw it away if it is of another history."""
        there = self._index.head()
        if there is not None and there[1] != self._hash_or_none(there[0]):
            _log.warning("the index does not fit the chain and is made again")
            self._index.clear()
            there = None
        for number in range(0 if there is None else there[0] + 1, len(self._hashes)):
            past = self.past(number)
            if past is not None and self._index_block(past):
                self._flush_index()

    def _hash_or_none(self, number: int) -> bytes | None:
        return self._hashes[number] if number < len(self._hashes) else None

    # Parts.

    def _index_block(self, past: Past) -> bool:
        """Take a block into the index; say whether enough of it lies in memory to be written."""
        return self._index.add(
            past.block.number,
            past.block.hash,
            [outcome.transaction.hash for outcome in past.outcomes],
            [(log.address, log.topics) for outcome in past.outcomes for log in outcome.logs],
        )

    def _flush_index(self) -> None:
        try:
            self._index.flush()
        except sqlite3.Error:
            # It stays in memory, and can be made again from the log: blocks go on.
            _log.exception("the index cannot be written")

    def _append(self, block_hash: bytes, place: Place) -> None:
        self._places.append(place)
        self._hashes.append(block_hash)
        self._numbers[block_hash] = len(self._hashes) - 1

    def _cut(self, number: int, steps: int) -> None:
        self.engine.rewind(number, steps)
        for block_hash in self._hashes[number + 1 :]:
            del self._numbers[block_hash]
        del self._hashes[number + 1 :]
        del self._places[number + 1 :]

    def _read(self, number: int) -> Past:
        place = self._places[number]
        if place is None:
            return Past(self._first, ())
        record = BlockRecord.decode(self._file.read(place))
        block = record.block()
        return Past(block, outcomes_of(block, record.decoded_receipts()))

    def _ancestors(self, number: int) -> Iterator[bytes]:
        return (self._hashes[before] for before in range(number - 1, -1, -1))


def fits(entry: LogEntry, addresses: frozenset[bytes], topics: Sequence[frozenset[bytes]]) -> bool:
    """Say whether an event is one that is asked for."""
    if addresses and entry.address not in addresses:
        return False
    if len(entry.topics) < len(topics):
        return False
    return all(
        not choices or topic in choices
        for choices, topic in zip(topics, entry.topics, strict=False)
    )
