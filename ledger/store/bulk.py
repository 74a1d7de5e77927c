"""
Write and look up many rows at once, as fast as each database takes them.

SQLite gets tuples by its driver's ``executemany``; PostgreSQL gets one statement with an array for
each column. Rows are tuples in the order of the table's columns.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from sqlalchemy import Column, Connection, Dialect, Row, Table
from sqlalchemy.dialects import postgresql, sqlite

_CHUNK: Final = 10_000
_KEEPING: Final = " ON CONFLICT DO NOTHING"
_REPLACING: Final = " ON CONFLICT DO UPDATE"
_POSTGRESQL: Final[Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]  # untyped

Rows = Sequence[tuple[Any, ...]]


def insert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, all columns of each, in the table's order."""
    _write(connection, _insertion(table, connection.dialect.name), rows)


def upsert_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, or replace what is there under the same primary key."""
    _write(connection, _insertion(table, connection.dialect.name, otherwise=_REPLACING), rows)


def keep_rows(connection: Connection, table: Table, rows: Rows) -> None:
    """Insert rows, but leave what is there under the same primary key as it is."""
    _write(connection, _insertion(table, connection.dialect.name, otherwise=_KEEPING), rows)


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insertion that can say what is to happen if the row is there (ON CONFLICT)."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def rows_in(
    connection: Connection, columns: Sequence[Column[Any]], key: Column[Any], keys: Iterable[str]
) -> Iterator[Row[Any]]:
    """Yield ``columns`` of every row whose text column ``key`` is one of ``keys``."""
    names = tuple(column.name for column in columns)
    left = iter(keys)
    while chunk := list(islice(left, _CHUNK)):
        if connection.dialect.name == "postgresql":
            statement = _selection(key.table, names, key.name, "= ANY(%s)")
            parameters: tuple[Any, ...] = (chunk,)
        else:
            marks = ", ".join("?" * len(chunk))
            statement = _selection(key.table, names, key.name, f"IN ({marks})")
            parameters = tuple(chunk)
        yield from connection.exec_driver_sql(statement, parameters)


def _write(connection: Connection, statement: str, rows: Rows) -> None:
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        columns = tuple([list(column) for column in zip(*rows, strict=True)])
        connection.exec_driver_sql(statement, columns)
    else:
        connection.exec_driver_sql(statement, list(rows))


@lru_cache
def _insertion(table: Table, dialect: str, *, otherwise: str = "") -> str:
    names = [column.name for column in table.columns]
    if dialect == "postgresql":
        arrays = ", ".join(f"%s::{_type(column)}[]" for column in table.columns)
        values = f"SELECT * FROM unnest({arrays})"  # noqa: S608 - our own names
    else:
        values = f"VALUES ({', '.join('?' * len(names))})"
    head = f'INSERT INTO "{table.name}" ({_quoted(names)}) {values}'
    if otherwise != _REPLACING:
        return head + otherwise
    keys = [column.name for column in table.primary_key.columns]
    news = ", ".join(f'"{name}" = excluded."{name}"' for name in names if name not in keys)
    return f"{head} ON CONFLICT ({_quoted(keys)}) DO UPDATE SET {news}"


def _selection(table: Any, names: tuple[str, ...], key: str, test: str) -> str:  # noqa: ANN401
    return f'SELECT {_quoted(names)} FROM "{table.name}" WHERE "{key}" {test}'  # noqa: S608


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _type(column: Column[Any]) -> str:
    return column.type.compile(_POSTGRESQL)
