"""Append to the log: entries, their links, the tree's right edge and its finished nodes."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import InvalidRequest
from ledger.journal import GENESIS, SEED_BYTES, Record, link
from ledger.proofs import TILE_WIDTH, Frontier, TiledTree, node_hash
from ledger.proofs.tiles import TILE_HEIGHT
from ledger.store.bulk import insert_rows, upsert_rows
from ledger.tables import entry, log_state, node
from ledger.units import UnixSeconds

_HASH: Final = 32
_END: Final = select(log_state).where(log_state.c.id == 0)
BODY_MAX: Final = 1 << 20
"""Most bytes in the body of an entry."""


class BadRecordError(InvalidRequest):
    """A record whose name or trace id is not one line, or whose body is above a mebibyte."""

    def __init__(self, name: str) -> None:
        super().__init__("bad_record", f"{name[:80]!r} is no record that the journal can take")


@dataclass(slots=True)
class Log:
    """The end of the log."""

    frontier: Frontier
    """Right edge of the tree."""
    last_hash: bytes
    """Hash of the last entry."""
    newest_s: UnixSeconds
    """Latest instant of an entry, in Unix seconds."""
    seed: bytes
    """Secret that entries get their salts from, 32 bytes."""

    @staticmethod
    def load(connection: Connection) -> "Log":
        """Return the log as it stands; one that was never begun gets a seed by chance."""
        found = connection.execute(_END).first()
        if found is None:
            return Log(Frontier(), GENESIS, UnixSeconds(0), secrets.token_bytes(SEED_BYTES))
        peaks = [found.peaks[i : i + _HASH] for i in range(0, len(found.peaks), _HASH)]
        newest_s = UnixSeconds(found.newest_s)
        return Log(Frontier(found.size, peaks), found.last_hash, newest_s, found.seed)

    def save(self, connection: Connection) -> None:
        """Write down where the log ends."""
        peaks = b"".join(self.frontier.peaks)
        state = (0, self.size, self.last_hash, peaks, self.newest_s, self.seed)
        upsert_rows(connection, log_state, [state])

    @property
    def size(self) -> int:
        """Entries."""
        return self.frontier.size

    def root(self) -> bytes:
        """Return the root over all entries, 32 bytes."""
        return self.frontier.root()

    def append_all(
        self, connection: Connection, records: Sequence[Record], at_s: UnixSeconds
    ) -> None:
        """
        Append records, one entry each.

        Raises
        ------
        BadRecordError
            If a name or trace id is more than a line, or a body is too large.
        """
        if not records:
            return
        for name, trace_id, body in records:
            if "\n" in name or "\n" in trace_id or len(body) > BODY_MAX:
                raise BadRecordError(name)
        first = self.size
        hashes = list(link((self.last_hash, first), self.seed, at_s, records))
        rows = [
            (first + n, at_s, *record, hashed)
            for n, (record, hashed) in enumerate(zip(records, hashes, strict=True))
        ]
        insert_rows(connection, entry, rows)
        insert_rows(connection, node, grow(self.frontier, hashes))
        self.last_hash = hashes[-1]
        self.newest_s = max(self.newest_s, at_s)
        self.save(connection)


def grow(frontier: Frontier, leaves: Sequence[bytes]) -> list[tuple[int, int, bytes]]:
    """Append leaves' hashes; return (level, position, hash) of each node over a full tile made."""
    peaks, size, made = frontier.peaks, frontier.size, []
    for leaf in leaves:
        above, left, height = leaf, size, 0
        while left & 1:
            above = node_hash(peaks.pop(), above)
            left >>= 1
            height += 1
            if height % TILE_HEIGHT == 0:
                made.append((height // TILE_HEIGHT, left, above))
        peaks.append(above)
        size += 1
    frontier.size = size
    return made


def tree(connection: Connection, size: int) -> TiledTree:
    """Return the tree over the first ``size`` entries, to be read tile by tile."""
    return TiledTree(size, lambda level, index, width: read_tile(connection, level, index, width))


def read_tile(connection: Connection, level: int, index: int, width: int) -> bytes:
    """Return the first ``width`` hashes of a tile, joined; fewer if the log is shorter."""
    first = index * TILE_WIDTH
    if level == 0:
        hashes = select(entry.c.hash).where(entry.c.seq.between(first, first + width - 1))
        hashes = hashes.order_by(entry.c.seq)
    else:
        hashes = select(node.c.hash).where(
            node.c.level == level, node.c.position.between(first, first + width - 1)
        )
        hashes = hashes.order_by(node.c.position)
    return b"".join(connection.execute(hashes).scalars())
