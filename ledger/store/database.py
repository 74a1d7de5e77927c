"""
Open SQLite so that acknowledged means durable, and one connection alone writes.

WAL with ``synchronous=FULL``. SQLite 3.7.0 to 3.51.2 can corrupt a database when two connections
checkpoint at once; here one connection writes and checkpoints, every other one only reads.
"""

from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text

from ledger.tables import immutability_triggers, metadata

_BUSY_TIMEOUT_MS: Final = 5_000
_CONNECTION: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
)
_READER: Final = ("PRAGMA query_only=ON", "PRAGMA wal_autocheckpoint=0")


def open_engine(path: Path) -> Engine:
    """Return the engine of the one connection that writes."""
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0)
    _prepare(engine, _CONNECTION, "BEGIN IMMEDIATE")
    return engine


def open_readers(path: Path) -> Engine:
    """Return an engine whose connections can only read."""
    engine = create_engine(f"sqlite:///{path}", pool_size=4)
    _prepare(engine, (*_CONNECTION[2:], *_READER), "BEGIN")
    return engine


def create_tables(engine: Engine) -> None:
    """Create what is missing of the ledger's tables and triggers."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        for statement in immutability_triggers():
            connection.execute(text(statement))


def _prepare(engine: Engine, pragmas: tuple[str, ...], begin: str) -> None:
    """Let us say when a transaction begins: Python's driver would begin too late."""

    def on_connect(raw: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
        raw.isolation_level = None
        cursor = raw.cursor()
        for pragma in pragmas:
            cursor.execute(pragma)
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
