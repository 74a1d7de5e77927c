"""Check, when a ledger is opened, its file and the entries that no checkpoint covers yet."""

from sqlalchemy import Connection, select, text

from ledger.errors import Integrity
from ledger.journal import GENESIS
from ledger.proofs.tiles import BadTileError
from ledger.store.faults import DatabaseDamagedError, explained
from ledger.store.log import Log, tree
from ledger.store.replay.entries import check_links
from ledger.tables import entry


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

    The tree is read tile by tile, so the work grows with the tail, not the log.

    Raises
    ------
    JournalDamagedError
        If an entry is missing or was changed, or the log says another end, root or size.
    """
    log = Log.load(connection)
    before = connection.execute(select(entry.c.hash).where(entry.c.seq == first - 1)).scalar()
    if first and before is None:
        raise JournalDamagedError(f"entry {first - 1} is missing")
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
    size, last_hash = first + len(rows), rows[-1].hash if rows else before or GENESIS
    if (log.size, log.last_hash) != (size, last_hash) or log.root() != _root(connection, size):
        raise JournalDamagedError(
            f"the log says {log.size} entries, there are {size}, or another root"
        )
    return len(rows)


def _root(connection: Connection, size: int) -> bytes:
    try:
        return tree(connection, size).root()
    except BadTileError as fault:
        raise JournalDamagedError(str(fault)) from fault
