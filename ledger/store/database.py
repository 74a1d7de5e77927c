"""
Open SQLite or PostgreSQL so that acknowledged means durable, and one connection alone writes.

SQLite runs in WAL with ``synchronous=FULL``. Versions 3.7.0 to 3.51.2 can corrupt a database when
two connections checkpoint at once; here the one that writes also checkpoints, every other one can
only read. On PostgreSQL a commit waits for the disk (``synchronous_commit=on``), the database must
sort text by its bytes as SQLite does, and readers see one snapshot per transaction.
"""

from pathlib import Path
from typing import Any, Final

from psycopg.abc import Buffer
from psycopg.adapt import Loader
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.pool import QueuePool

from ledger.errors import InvalidRequest

_BUSY_TIMEOUT_MS: Final = 5_000
_CONNECTION: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA recursive_triggers=ON",
    f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}",
)
_READER: Final = ("PRAGMA query_only=ON", "PRAGMA wal_autocheckpoint=0")
_READERS: Final = 4
_DRIVERS: Final = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


class UnknownDatabaseError(InvalidRequest):
    """A database address that is neither SQLite's nor PostgreSQL's."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_database", f"{name!r} is no sqlite or postgresql address")


class DatabaseCollationError(InvalidRequest):
    """A PostgreSQL database that does not sort text by its bytes."""

    def __init__(self) -> None:
        super().__init__(
            "database_collation",
            "the database sorts text by a language; make it with LOCALE 'C' from template0",
        )


def open_engine(database: Path | str) -> Engine:
    """
    Return the engine of the one connection that writes.

    Parameters
    ----------
    database
        File of an SQLite database, or an address: ``postgresql://user@host/name``.

    Raises
    ------
    UnknownDatabaseError
        If it is the address of another kind of database.
    """
    url = address(database)
    # Named, because SQLAlchemy would give an SQLite database in memory another pool.
    engine = create_engine(url, poolclass=QueuePool, pool_size=1, max_overflow=0)
    if url.get_backend_name() == "sqlite":
        _prepare(engine, _CONNECTION, "BEGIN IMMEDIATE")
    else:
        event.listen(engine, "connect", _wait_for_the_disk)
        event.listen(engine, "connect", _count_in_integers)
    return engine


def open_readers(database: Path | str) -> Engine:
    """Return an engine whose connections can only read; see ``open_engine``."""
    url = address(database)
    if url.get_backend_name() == "sqlite":
        engine = create_engine(url, pool_size=_READERS)
        _prepare(engine, (*_CONNECTION[2:], *_READER), "BEGIN")
        return engine
    engine = create_engine(
        url,
        pool_size=_READERS,
        isolation_level="REPEATABLE READ",
        connect_args={"options": "-c default_transaction_read_only=on"},
    )
    event.listen(engine, "connect", _count_in_integers)
    return engine


def address(database: Path | str) -> URL:
    """
    Return the address of a database, its driver named.

    Raises
    ------
    UnknownDatabaseError
        If it is the address of another kind of database.
    """
    if isinstance(database, Path):
        return URL.create("sqlite+pysqlite", database=str(database))
    url = make_url(database)
    driver = _DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise UnknownDatabaseError(url.get_backend_name())
    return url.set(drivername=driver)


def check_collation(connection: Connection) -> None:
    """
    Check that text is sorted by its bytes.

    Raises
    ------
    DatabaseCollationError
        If PostgreSQL would sort it otherwise.
    """
    if connection.dialect.name != "postgresql":
        return
    # In bytes 'B' is before '_' and '_' before 'a'; no language has them so.
    if not connection.execute(text("SELECT 'B' < '_' AND '_' < 'a'")).scalar_one():
        raise DatabaseCollationError


class _IntegerLoader(Loader):
    """Reads what PostgreSQL makes of a sum of integers; a fraction would be a mistake."""

    def load(self, data: Buffer) -> int:
        """Return the number."""
        return int(bytes(data))


def _count_in_integers(raw: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    """Let sums of integers be integers on PostgreSQL too, which makes them ``numeric``."""
    raw.adapters.register_loader("numeric", _IntegerLoader)


def _wait_for_the_disk(raw: Any, _record: object) -> None:  # noqa: ANN401 - a DBAPI connection
    """Let no setting of the server turn acknowledged into probably."""
    raw.execute("SET synchronous_commit = on")
    raw.commit()


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
