"""
Time two things in turn, so that whatever else the machine does disturbs both alike.

Times are nanoseconds of a monotonic clock; what is reported is the median of the rounds. The
database's ceiling is ``RawTwin``: the rows that we wrote, once more, by ``sqlite3`` alone.
"""

import gc
import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from statistics import median_low
from time import perf_counter_ns
from typing import Any, Final, Self, cast

from sqlalchemy import ColumnElement, Connection, MetaData, Table, select
from sqlalchemy.dialects import sqlite

from ledger.store import open_engine

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PAGE_BYTES: Final = 4_096
"""What the disk's own speed is measured with: one page, as databases write them."""

Rows = Sequence[tuple[Any, ...]]
Batch = Mapping[Table, Rows]
"""The rows of one transaction, by table."""

Round = Callable[[], tuple[int, int]]
"""Do both things once; return how long each took, in ns, set-up left out."""


def stopwatch_ns(work: Callable[[], object]) -> int:
    """Return how long ``work`` takes, in ns."""
    began_ns = perf_counter_ns()
    work()
    return perf_counter_ns() - began_ns


def in_turn(ours: Callable[[], object], rival: Callable[[], object]) -> Round:
    """Return a round of two things that need no set-up."""
    return lambda: (stopwatch_ns(ours), stopwatch_ns(rival))


def medians_ns(one_round: Round, rounds: int) -> tuple[int, int]:
    """Return the median time of each thing over ``rounds``, after a round that does not count."""
    # What earlier measurements left behind must not be collected on the time of this one.
    gc.collect()
    one_round()
    times = [one_round() for _ in range(rounds)]
    return median_low([ours for ours, _ in times]), median_low([rival for _, rival in times])


def each(total_ns: int, count: int, unit_ns: int) -> Decimal:
    """Return what one of ``count`` took, in units of ``unit_ns``."""
    return Decimal(total_ns) / (count * unit_ns)


def per_second(count: int, total_ns: int) -> Decimal:
    """Return how many there were in a second."""
    return Decimal(count * NS_PER_S) / total_ns


def write_pages(path: Path, count: int) -> None:
    """Append a page to ``path`` and wait until it is on disk, ``count`` times."""
    page = b"\x5a" * PAGE_BYTES
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            os.write(descriptor, page)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)


class RawTwin:
    """A second database with the same tables and the same durability, written without us."""

    def __init__(self, path: Path, *tables: MetaData) -> None:
        """Make the tables; ``open_engine`` sets WAL, ``synchronous=FULL`` and foreign keys."""
        self._engine: Final = open_engine(path)
        for group in tables:
            group.create_all(self._engine)
        self._pooled: Final = self._engine.raw_connection()
        self._driver: Final = cast("sqlite3.Connection", self._pooled.driver_connection)

    def __enter__(self) -> Self:
        """Return the twin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the database."""
        self._pooled.close()
        self._engine.dispose()

    def insert_ns(self, batches: Sequence[Batch]) -> int:
        """Insert each batch in a durable transaction of its own; return how long it took, in ns."""
        prepared = [
            [(_statement(table), rows) for table, rows in batch.items()] for batch in batches
        ]
        began_ns = perf_counter_ns()
        for batch in prepared:
            self._driver.execute("BEGIN IMMEDIATE")
            for statement, rows in batch:
                self._driver.executemany(statement, rows)
            self._driver.execute("COMMIT")
        return perf_counter_ns() - began_ns


def rows_of(connection: Connection, table: Table, where: ColumnElement[bool]) -> Rows:
    """Return the rows of a table that fit ``where``, as they were written."""
    return [tuple(row) for row in connection.execute(select(table).where(where))]


def _statement(table: Table) -> str:
    return str(table.insert().compile(dialect=sqlite.dialect()))
