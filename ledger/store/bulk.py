"""Insert many rows at once, without a dictionary for each."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Dialect, Table


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, whose values stand in the order of the columns of ``table``."""
    if not rows:
        return
    if connection.dialect.paramstyle == "qmark":
        connection.exec_driver_sql(_statement(table, connection.dialect), list(rows))
        return
    names = table.columns.keys()
    connection.execute(table.insert(), [dict(zip(names, row, strict=True)) for row in rows])


@cache
def _statement(table: Table, dialect: Dialect) -> str:
    return str(table.insert().compile(dialect=dialect))
