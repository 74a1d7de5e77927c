"""
Find transactions and events of the past: an index in SQLite, which can always be made again.

It is written behind: what was added last lies in memory until somebody flushes it, and lookups see
both. It says which block it has on disk last, so that a node that was killed adds what is missing.
Words are kept as 64 bits of a hash, so an answer names blocks that may hold an event; whoever asks
looks at the events themselves.
"""

import json
import logging
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final

from ledger.errors import WrongState

INDEX_FILE: Final = "index.sqlite"

FLUSH_BLOCKS: Final = 512
"""So many blocks in memory are worth a flush."""

_log: Final = logging.getLogger(__name__)

_MEMORY_BLOCKS_MAX: Final = 4 * FLUSH_BLOCKS
_ADDRESS: Final = 0
_TOPICS_MAX: Final = 4
_ANY_LOG: Final = 5
_COUNT_MAX: Final = 4_096
_PROBES_MAX: Final = 200_000
_WINDOW_BLOCKS: Final = 65_536

_APPLICATION: Final = int.from_bytes(b"VSNI", "big")
_VERSION: Final = 2
_DAMAGE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_SCHEMA: Final = f"""
BEGIN;
CREATE TABLE block (number INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE transaction_place (
    hash BLOB PRIMARY KEY, number INTEGER NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE posting (key INTEGER, number INTEGER, PRIMARY KEY (key, number)) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {_VERSION};
COMMIT;
"""
_HEAD: Final = "SELECT number, hash FROM block ORDER BY number DESC LIMIT 1"
_PLACE: Final = "SELECT number, position FROM transaction_place WHERE hash = ?"
_COUNT: Final = """
SELECT count(*) FROM (
    SELECT 1 FROM posting
    WHERE key IN (SELECT value FROM json_each(?)) AND number BETWEEN ? AND ? LIMIT ?
)
"""
_SELECT: Final = """
SELECT number FROM posting
WHERE key IN (SELECT value FROM json_each(?)) AND number BETWEEN ? AND ?
"""
_PROBE: Final = """
SELECT number FROM posting
WHERE key IN (SELECT value FROM json_each(?)) AND number IN (SELECT value FROM json_each(?))
"""

Keys = tuple[int, ...]
"""What stands for the words that fit at one place; one of them is enough."""


class BlockOutOfOrderError(WrongState):
    """A block to be indexed is not above the newest one."""

    def __init__(self, number: int, newest: int) -> None:
        super().__init__("block_out_of_order", f"block {number} cannot follow block {newest}")


@dataclass(frozen=True, slots=True)
class _Block:
    """A block that is not on disk yet."""

    hash: bytes
    transactions: tuple[bytes, ...]
    keys: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Tail:
    """The blocks that are not on disk yet, oldest first, and what leads to them."""

    blocks: dict[int, _Block] = field(default_factory=dict)
    places: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    postings: dict[int, set[int]] = field(default_factory=dict)

    def put(self, number: int, block: _Block) -> None:
        self.blocks[number] = block
        for position, transaction in enumerate(block.transactions):
            self.places[transaction] = (number, position)
        for key in block.keys:
            self.postings.setdefault(key, set()).add(number)

    def remove(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            block = self.blocks.pop(number)
            for transaction in block.transactions:
                if self.places.get(transaction, (None,))[0] == number:
                    del self.places[transaction]
            for key in block.keys:
                posted = self.postings[key]
                posted.remove(number)
                if not posted:
                    del self.postings[key]

    def matching(self, wanted: Iterable[Keys], first: int, last: int) -> set[int]:
        each = [set().union(*(self.postings.get(key, ()) for key in keys)) for keys in wanted]
        return {number for number in set.intersection(*each) if first <= number <= last}


class ChainIndex:
    """Where transactions and events are; one thread adds and rewinds, any asks or flushes."""

    def __init__(self, directory: Path) -> None:
        """Open the index in ``directory``, making an empty one if there is none that fits."""
        path = directory / INDEX_FILE
        why = _unfit(path) if path.exists() else None
        if why is not None:
            _log.warning("%s is thrown away and made again: %s", path, why)
            for suffix in ("", "-wal", "-shm"):
                path.with_name(path.name + suffix).unlink(missing_ok=True)
        self._writer: Final = _connect(path)
        self._reader: Final = _connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._head: tuple[int, bytes] | None = self._writer.execute(_HEAD).fetchone()
        self._tail: Final = _Tail()
        # Taken in this order: one flush or rewind at a time; the memory; the second connection.
        self._writing: Final = Lock()
        self._memory: Final = Lock()
        self._reading: Final = Lock()

    def head(self) -> tuple[int, bytes] | None:
        """Return number and hash of the newest block that is on disk."""
        return self._head

    def add(
        self,
        number: int,
        block_hash: bytes,
        transactions: Sequence[bytes],
        logs: Iterable[tuple[bytes, Sequence[bytes]]],
    ) -> bool:
        """
        Take in a block above the newest one, in memory alone.

        Only if nobody flushes for long is it written here, so that the memory does not fill up.

        Parameters
        ----------
        transactions
            Their hashes, in order.
        logs
            Address and topics of each event.

        Returns
        -------
        bool
            Whether there is enough in memory for a flush to be worth while.

        Raises
        ------
        BlockOutOfOrderError
            If the block is not above the newest one.
        """
        keys = frozenset(key for address, topics in logs for key in _keys(address, topics))
        with self._memory:
            newest = self._newest()
            if number <= newest:
                raise BlockOutOfOrderError(number, newest)
            self._tail.put(number, _Block(block_hash, tuple(transactions), keys))
            waiting = len(self._tail.blocks)
        if waiting % _MEMORY_BLOCKS_MAX == 0:
            try:
                self.flush()
            except sqlite3.Error:
                # The block is on its way into the chain, which does not need the index.
                _log.exception("the index cannot be written; %d blocks stay in memory", waiting)
        return waiting >= FLUSH_BLOCKS

    def place(self, transaction: bytes) -> tuple[int, int] | None:
        """Return block number and position of the transaction with that hash, if it was mined."""
        # A flush moves from memory to disk, so that order of asking misses nothing.
        with self._memory:
            found = self._tail.places.get(transaction)
        if found is None:
            with self._reading:
                found = self._reader.execute(_PLACE, (transaction,)).fetchone()
        return found

    def log_blocks(
        self,
        first: int,
        last: int,
        addresses: Collection[bytes],
        topics: Sequence[Collection[bytes]],
    ) -> Iterator[int]:
        """
        Yield the blocks, in order, that may hold an event as asked for.

        Parameters
        ----------
        first, last
            Blocks, both included.
        addresses
            The contracts asked for; none means all.
        topics
            Per place the words that fit; none means any.
        """
        if len(topics) > _TOPICS_MAX:
            return
        choices = enumerate((addresses, *topics), start=_ADDRESS)
        wanted = [tuple(_key(role, word) for word in words) for role, words in choices if words]
        with self._memory:
            first, last = max(first, 0), min(last, self._newest())
        ranked = self._ranked(wanted or [(_key(_ANY_LOG, b""),)], first, last)
        for begin in range(first, last + 1, _WINDOW_BLOCKS):
            end = min(begin + _WINDOW_BLOCKS - 1, last)
            with self._memory:
                found = self._tail.matching(ranked, begin, end)
                is_on_disk = self._is_on_disk(begin)
            if is_on_disk:
                found.update(self._select(ranked, begin, end))
            yield from sorted(found)

    def flush(self) -> None:
        """
        Write what is in memory; others may add and ask meanwhile.

        Raises
        ------
        sqlite3.Error
            If it cannot be written; it stays in memory then.
        """
        with self._writing:
            with self._memory:
                blocks = dict(self._tail.blocks)
            if not blocks:
                return
            self._write(blocks)
            newest = next(reversed(blocks))
            with self._memory:
                self._head = (newest, blocks[newest].hash)
                self._tail.remove(blocks)

    def rewind(self, to_number: int) -> None:
        """
        Forget every block above ``to_number``.

        Raises
        ------
        sqlite3.Error
            If it cannot be written; nothing is forgotten then.
        """
        with self._writing:
            head = self._head
            if head is not None and head[0] > to_number:
                above = (to_number,)
                with self._writer:
                    self._writer.execute("DELETE FROM block WHERE number > ?", above)
                    self._writer.execute("DELETE FROM transaction_place WHERE number > ?", above)
                    self._writer.execute("DELETE FROM posting WHERE number > ?", above)
                head = self._writer.execute(_HEAD).fetchone()
            with self._memory:
                self._head = head
                self._tail.remove([number for number in self._tail.blocks if number > to_number])

    def clear(self) -> None:
        """Forget everything."""
        self.rewind(-1)

    def close(self) -> None:
        """Write what is in memory and close the file."""
        try:
            self.flush()
        finally:
            with self._writing, self._reading:
                self._reader.close()
                self._writer.close()

    def _newest(self) -> int:
        """Return the number of the newest block, with the memory held; -1 if there is none."""
        if self._tail.blocks:
            return next(reversed(self._tail.blocks))
        return -1 if self._head is None else self._head[0]

    def _is_on_disk(self, number: int) -> bool:
        return self._head is not None and number <= self._head[0]

    def _ranked(self, wanted: list[Keys], first: int, last: int) -> list[Keys]:
        """Return the alternatives of each place, those that name the fewest blocks first."""
        if len(wanted) == 1 or not self._is_on_disk(first):
            return wanted
        counts = {}
        with self._reading:
            for keys in wanted:
                limits = (json.dumps(keys), first, last, _COUNT_MAX)
                (counts[keys],) = self._reader.execute(_COUNT, limits).fetchone()
        return sorted(wanted, key=lambda keys: (counts[keys], len(keys)))

    def _select(self, ranked: list[Keys], first: int, last: int) -> set[int]:
        """Return the blocks on disk that all places name, as far as it is cheap to look."""
        narrowest, *others = ranked
        with self._reading:
            rows = self._reader.execute(_SELECT, (json.dumps(narrowest), first, last))
            numbers = {number for (number,) in rows}
            for keys in others:
                if 0 < len(numbers) * len(keys) <= _PROBES_MAX:
                    limits = (json.dumps(keys), json.dumps(sorted(numbers)))
                    numbers = {number for (number,) in self._reader.execute(_PROBE, limits)}
        return numbers

    def _write(self, blocks: Mapping[int, _Block]) -> None:
        heads = [(number, block.hash) for number, block in blocks.items()]
        places = {
            transaction: (number, position)
            for number, block in blocks.items()
            for position, transaction in enumerate(block.transactions)
        }
        # In the order of the tables, so that neighbors are written together.
        located = sorted((transaction, *place) for transaction, place in places.items())
        postings = sorted((key, number) for number, block in blocks.items() for key in block.keys)
        with self._writer:
            self._writer.executemany("INSERT INTO block VALUES (?, ?)", heads)
            # Some old chains and impersonated senders repeat a hash: the newest place counts.
            self._writer.executemany(
                "INSERT OR REPLACE INTO transaction_place VALUES (?, ?, ?)", located
            )
            self._writer.executemany("INSERT INTO posting VALUES (?, ?)", postings)


def _unfit(path: Path) -> str | None:
    """Say why the file cannot be used; None if it can."""
    with closing(sqlite3.connect(path)) as database:
        try:
            (application,) = database.execute("PRAGMA application_id").fetchone()
            (version,) = database.execute("PRAGMA user_version").fetchone()
            if application != _APPLICATION:
                return "it is not an index of a chain"
            if version != _VERSION:
                return f"it is of version {version}, not {_VERSION}"
            (found,) = database.execute("PRAGMA quick_check(1)").fetchone()
        except sqlite3.DatabaseError as error:
            # A lock or a full disk is no reason to throw a good file away.
            if error.sqlite_errorcode & 0xFF not in _DAMAGE:
                raise
            found = str(error)
    return None if found == "ok" else f"it is damaged: {found}"


def _connect(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, check_same_thread=False)
    database.execute("PRAGMA journal_mode = WAL")
    # A commit need not wait for the disk: what a power cut takes is made again from the block log.
    database.execute("PRAGMA synchronous = NORMAL")
    (version,) = database.execute("PRAGMA user_version").fetchone()
    if version != _VERSION:
        database.executescript(_SCHEMA)
    return database


def _keys(address: bytes, topics: Sequence[bytes]) -> Iterator[int]:
    yield _key(_ANY_LOG, b"")
    for role, word in enumerate((address, *topics), start=_ADDRESS):
        yield _key(role, word)


def _key(role: int, word: bytes) -> int:
    """Return what stands for a word in a role: the address, a topic by its place, any event."""
    digest = blake2b(bytes((role,)) + word, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)
