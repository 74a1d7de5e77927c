"""
Measure the ledger: postings, durable commits, and deriving everything again.

The database's ceiling is ``RawTwin``: the rows that we wrote, once more, by ``sqlite3`` alone.
"""

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, Self, cast

from sqlalchemy import ColumnElement, Connection, Engine, MetaData, Table, select
from sqlalchemy.dialects import sqlite

from ledger.accounts import trade_balance, world
from ledger.journal import Entry
from ledger.store import LedgerStore, create_tables, open_engine
from ledger.tables import entry, metadata, transfer
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.measuring import (
    NS_PER_MS,
    PAGE_BYTES,
    each,
    in_turn,
    medians_ns,
    per_second,
    stopwatch_ns,
    write_pages,
)
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

COMMAND: Final = "scripts/bench ledger"

_AT_S: Final = UnixSeconds(1_494_230_400)
_GROUP: Final = 100
_GROUPS: Final = 30
_COMMITS: Final = 50
_ROUNDS: Final = 5
_BOOK: Final = LedgerStore()

Rows = Sequence[tuple[Any, ...]]
Batch = Mapping[Table, Rows]
"""The rows of one transaction, by table."""


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


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of the ledger."""
    database = open_engine(trial.directory / "ledger.sqlite")
    create_tables(database)
    try:
        return (
            _postings(database, trial.directory),
            _durable(database, trial.directory),
            _replayed(database),
        )
    finally:
        database.dispose()


def _transfers(name: str) -> Iterator[Transfer]:
    """Yield payments into a hundred members' balances, for ever."""
    for number in count():
        yield Transfer(
            id=TransferId(f"bench/{name}/{number}"),
            kind=Kind.POSTED,
            debit=world(),
            credit=trade_balance(f"0x{number % _GROUP:040x}"),
            amount=1_000 + number,
            code="trade_deposit",
            trace_id=f"bench/{name}",
        )


def _submit(database: Engine, group: list[Transfer]) -> None:
    with database.begin() as connection:
        _BOOK.submit(connection, group, at_s=_AT_S).unwrap()


def _postings(database: Engine, directory: Path) -> Row:
    source = _transfers("group")
    with RawTwin(directory / "postings.sqlite", metadata) as twin:

        def one_round() -> tuple[int, int]:
            groups = [[next(source) for _ in range(_GROUP)] for _ in range(_GROUPS)]
            with database.begin() as connection:
                first, _ = _BOOK.root(connection)
            began_ns = perf_counter_ns()
            for group in groups:
                _submit(database, group)
            ours_ns = perf_counter_ns() - began_ns
            return ours_ns, twin.insert_ns(_written(database, first))

        ours_ns, raw_ns = medians_ns(one_round, _ROUNDS)
    postings = _GROUP * _GROUPS
    return Row(
        "postings_per_s",
        per_second(postings, ours_ns),
        "postings/s",
        Baseline(
            per_second(postings, raw_ns),
            f"sqlite3.executemany of the same entries and transfers, {_GROUP} in a durable "
            "transaction too, nothing checked or hashed",
            Sense.SHARE,
        ),
        COMMAND,
    )


def _written(database: Engine, first: int) -> list[Batch]:
    """Return what each group wrote since entry ``first``."""
    found: list[Batch] = []
    with database.begin() as connection:
        for begin in range(first, first + _GROUP * _GROUPS, _GROUP):
            last = begin + _GROUP - 1
            found.append(
                {
                    entry: rows_of(connection, entry, entry.c.seq.between(begin, last)),
                    transfer: rows_of(connection, transfer, transfer.c.seq.between(begin, last)),
                }
            )
    return found


def _durable(database: Engine, directory: Path) -> Row:
    source = _transfers("single")

    def submit_each() -> None:
        for _ in range(_COMMITS):
            _submit(database, [next(source)])

    one_round = in_turn(submit_each, lambda: write_pages(directory / "pages", _COMMITS))
    ours_ns, disk_ns = medians_ns(one_round, _ROUNDS)
    return Row(
        "durable_commit_ms",
        each(ours_ns, _COMMITS, NS_PER_MS),
        "ms",
        Baseline(
            each(disk_ns, _COMMITS, NS_PER_MS),
            f"{PAGE_BYTES} bytes appended to a file and fdatasync on the same disk",
            Sense.SHARE,
        ),
        COMMAND,
    )


def _replayed(database: Engine) -> Row:
    with database.begin() as connection:
        leaves = [
            Entry(
                row.seq, UnixSeconds(row.at_s), row.name, row.trace_id, row.body, row.previous
            ).leaf()
            for row in connection.execute(select(entry).order_by(entry.c.seq))
        ]

    def one_round() -> tuple[int, int]:
        with database.begin() as connection:
            began_ns = perf_counter_ns()
            report = _BOOK.replay(connection)
            ours_ns = perf_counter_ns() - began_ns
        if report.entries != len(leaves) or report.balances or report.holds or report.log:
            raise BenchmarkInvalidError(f"the replay found {report}")
        return ours_ns, stopwatch_ns(lambda: [hashlib.sha256(leaf).digest() for leaf in leaves])

    ours_ns, hash_ns = medians_ns(one_round, _ROUNDS)
    return Row(
        "audit_replay_per_s",
        per_second(len(leaves), ours_ns),
        "transfers/s",
        Baseline(
            per_second(len(leaves), hash_ns),
            "SHA-256 of the same entries' bytes, already in memory, once each",
            Sense.SHARE,
        ),
        COMMAND,
    )
