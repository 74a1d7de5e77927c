"""Check, when a ledger is opened, its file and the entries that no checkpoint covers yet."""

from typing import Final

from sqlalchemy import Connection, select, text

from ledger.errors import Integrity
from ledger.journal import GENESIS
from ledger.proofs import Frontier
from ledger.store.faults import DatabaseDamagedError, explained
from ledger.store.log import TILE_HEIGHT, Log, grow
from ledger.store.replay.entries import check_links
from ledger.tables import entry, node

_TILE: Final = 1 << TILE_HEIGHT


class JournalDamagedError(Integrity):
    """An entry since the last checkpoint, or what the log says of itself, was changed."""

    def __init__(self, detail: str) -> None:
        super().__init__("journal_damaged", detail)


def check_file(connection: Connection) -> None:
    """
    Let SQLite check the structure of its file; PostgreSQL checks its pages by itself.

    Raises
    ------
    DatabaseDamagedError
        If it finds a fault.
    """
    if connection.dialect.name != "sqlite":
        return
    with explained():
        found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise DatabaseDamagedError(f"the database says: {found}")


def check_tail(connection: Connection, first: int) -> int:
    """
    Check the entries from ``first`` on, and that the log ends with them; return how many.

    The tree is put together from the kept nodes, so the work grows with the tail, not the log.

    Raises
    ------
    JournalDamagedError
        If an entry is missing or was changed, or the log says another end, root or size.
    """
    log = Log.load(connection)
    # From the beginning of a tile, so that what stands before it is in kept nodes.
    first = min(first, log.size) // _TILE * _TILE
    before = connection.execute(select(entry.c.hash).where(entry.c.seq == first - 1)).scalar()
    if first and before is None:
        raise JournalDamagedError(f"entry {first - 1} is missing")
    frontier = _frontier(connection, first)
    rows = connection.execute(
        select(
            entry.c.seq, entry.c.at_s, entry.c.name, entry.c.trace_id, entry.c.body, entry.c.hash
        )
        .where(entry.c.seq >= first)
        .order_by(entry.c.seq)
    ).all()
    fault = check_links([tuple(row) for row in rows], (before or GENESIS, first), log.seed)
    if fault is not None:
        raise JournalDamagedError(fault)
    grow(frontier, [row.hash for row in rows])
    last_hash = rows[-1].hash if rows else before or GENESIS
    if (log.size, log.last_hash, log.root()) != (frontier.size, last_hash, frontier.root()):
        raise JournalDamagedError(
            f"the log says {log.size} entries, there are {frontier.size}, or another root"
        )
    return len(rows)


def _frontier(connection: Connection, size: int) -> Frontier:
    """Return the edge of the tree over ``size`` entries, whole tiles of them."""
    frontier, at = Frontier(), 0
    peaks: list[bytes] = []
    for height in reversed(range(TILE_HEIGHT, size.bit_length())):
        if not size >> height & 1:
            continue
        peaks.append(_subtree(connection, height, at >> height))
        at += 1 << height
    frontier.size, frontier.peaks = size, peaks
    return frontier


def _subtree(connection: Connection, height: int, position: int) -> bytes:
    """Return the root over ``2 ** height`` entries, from the nodes of the level below it."""
    level = height // TILE_HEIGHT
    width = 1 << height % TILE_HEIGHT
    first = position * width
    found = connection.execute(
        select(node.c.hash)
        .where(node.c.level == level, node.c.position.between(first, first + width - 1))
        .order_by(node.c.position)
    ).scalars()
    inner = Frontier()
    grow(inner, list(found))
    if inner.size != width:
        raise JournalDamagedError(f"a node of level {level} from {first} on is missing")
    return inner.root()
