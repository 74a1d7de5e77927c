"""
Derive the ledger again from its entries, and name the first thing that differs.

Three things are checked over everything stored. The entries: each hashes to what is stored, follows
the one before, and the tree over them is the one the log names. The tables: every transfer and
refusal says what its entry says. The money: balances, holds and limits are added up once more, by
code that shares nothing with the book's, and compared with what is stored.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from multiprocessing import get_context
from operator import itemgetter
from typing import Final, cast

from sqlalchemy import Connection, create_engine, select

from ledger.journal import GENESIS, link
from ledger.proofs import Frontier
from ledger.proofs.tiles import TILE_HEIGHT
from ledger.store.log import Log, grow
from ledger.store.replay.additions import Additions
from ledger.store.replay.comparisons import first_difference
from ledger.tables import entry, node
from ledger.units import UnixSeconds

_PAGE: Final = 1_024
_AT_S: Final = itemgetter(1)

_Entry = tuple[int, int, str, str, bytes, bytes]
"""Position, instant in Unix seconds, name, trace id, body and hash."""


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What replaying found; None where a law holds."""

    entries: int
    """Entries replayed."""
    balances: str | None
    """First violation of L4: debits = credits, limits, stored balances."""
    holds: str | None
    """First violation of L5: a hold resolves at most once."""
    log: str | None
    """First violation of L7: links, leaves, root."""


def replay(connection: Connection, *, processes: int = 1) -> ReplayReport:
    """Check entries, tables and money, in one process or in two; see the module."""
    log = Log.load(connection)
    if processes == 1:
        log_fault = check_log(connection, log)
        additions, table_fault = _check_tables(connection, log)
    else:
        url = connection.engine.url.render_as_string(hide_password=False)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as beside:
            waiting = beside.submit(_check_log_at, url, log)
            additions, table_fault = _check_tables(connection, log)
            log_fault = waiting.result()
    log_fault = log_fault or table_fault
    if log_fault is not None:
        return ReplayReport(log.size, f"not checked: {log_fault}", None, log_fault)
    return ReplayReport(
        entries=log.size,
        balances=additions.fault or additions.compare(connection),
        holds=additions.hold_fault,
        log=None,
    )


def _check_tables(connection: Connection, log: Log) -> tuple[Additions, str | None]:
    """Add up the transfers, and return the first row that says other than its entry."""
    return Additions.over(connection, log.size), first_difference(connection, log.size)


def check_log(connection: Connection, log: Log) -> str | None:
    """Return the first fault among the entries up to the end of ``log``, or None."""
    frontier, previous, newest_s = Frontier(), GENESIS, 0
    nodes: list[tuple[int, int, bytes]] = []
    wanted = (entry.c.seq, entry.c.at_s, entry.c.name, entry.c.trace_id, entry.c.body, entry.c.hash)
    statement = select(*wanted).where(entry.c.seq < log.size).order_by(entry.c.seq)
    with connection.execute(statement.execution_options(yield_per=_PAGE)) as found:
        for page in cast("Iterable[Sequence[_Entry]]", found.partitions()):
            fault = check_links(page, (previous, frontier.size), log.seed)
            if fault is not None:
                return fault
            hashes = [row[5] for row in page]
            nodes += grow(frontier, hashes)
            previous = hashes[-1]
            newest_s = max(newest_s, *[row[1] for row in page])
    if (frontier.size, frontier.root(), previous) != (log.size, log.root(), log.last_hash):
        return f"the log says {log.size} entries, there are {frontier.size}, or another root"
    if newest_s != log.newest_s:
        return f"the log says that its newest entry is of {log.newest_s}, it is of {newest_s}"
    return _check_nodes(connection, nodes, log.size)


def check_links(page: Sequence[_Entry], end: tuple[bytes, int], seed: bytes) -> str | None:
    """Return the first fault in positions, links and hashes of entries in a row, or None."""
    previous, position = end
    # Entries of one instant are hashed in one go; most of them come many at an instant.
    for at_s, together in groupby(page, key=_AT_S):
        entries = list(together)
        records = [(name, trace_id, body) for _, _, name, trace_id, body, _ in entries]
        hashes = link((previous, position), seed, UnixSeconds(at_s), records)
        for (seq, *_, stored), hashed in zip(entries, hashes, strict=True):
            if seq != position:
                return f"entry {position} is missing"
            if stored != hashed:
                return f"entry {position} was changed"
            position += 1
            previous = hashed
    return None


def _check_nodes(
    connection: Connection, derived: list[tuple[int, int, bytes]], size: int
) -> str | None:
    stored = {
        (row.level, row.position): row.hash
        for row in connection.execute(select(node))
        if row.position << TILE_HEIGHT * row.level < size
    }
    for level, position, hashed in derived:
        if stored.pop((level, position), None) != hashed:
            return f"node {position} of level {level} was changed"
    if stored:
        level, position = min(stored)
        return f"node {position} of level {level} is over no full tile"
    return None


def _check_log_at(url: str, log: Log) -> str | None:
    """Check the log in a process of its own, by a connection of its own."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return check_log(connection, log)
    finally:
        engine.dispose()
