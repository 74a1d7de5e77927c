"""Write the rows that we wrote once more, by the database's own driver alone: the ceiling."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, Self, cast

from sqlalchemy import ColumnElement, Connection, MetaData, Table, select
from sqlalchemy.dialects import sqlite

from ledger.store import open_engine

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
