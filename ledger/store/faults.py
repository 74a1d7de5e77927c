"""Say what a database could not do in our own words: busy, full, gone, damaged."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

from ledger.errors import Integrity, Unavailable, VoisinError

_PRIMARY: Final = 0xFF


class DatabaseBusyError(Unavailable):
    """Another process holds the database's lock; nothing was written."""

    def __init__(self, detail: str) -> None:
        super().__init__("database_busy", detail, transient=True)


class DatabaseFullError(Unavailable):
    """The disk or the database has no room or cannot write; nothing was written."""

    def __init__(self, detail: str) -> None:
        super().__init__("database_full", detail, transient=True)


class DatabaseGoneError(Unavailable):
    """The database went away; asking again tells whether the last transaction stands."""

    def __init__(self, detail: str) -> None:
        super().__init__("database_gone", detail, transient=True)


class DatabaseDamagedError(Integrity):
    """The database's file is damaged; restore it from a backup."""

    def __init__(self, detail: str) -> None:
        super().__init__("database_damaged", detail)


_Known = Callable[[str], VoisinError]
_SQLITE: Final[Mapping[int, _Known]] = {
    sqlite3.SQLITE_BUSY: DatabaseBusyError,
    sqlite3.SQLITE_LOCKED: DatabaseBusyError,
    sqlite3.SQLITE_FULL: DatabaseFullError,
    sqlite3.SQLITE_IOERR: DatabaseFullError,
    sqlite3.SQLITE_CORRUPT: DatabaseDamagedError,
    sqlite3.SQLITE_NOTADB: DatabaseDamagedError,
}
"""By primary result code."""
_POSTGRESQL: Final[Sequence[tuple[tuple[type[psycopg.Error], ...], _Known]]] = (
    ((psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled), DatabaseBusyError),
    ((psycopg.errors.DiskFull, psycopg.errors.IoError), DatabaseFullError),
    ((psycopg.errors.DataCorrupted, psycopg.errors.IndexCorrupted), DatabaseDamagedError),
    ((psycopg.OperationalError, psycopg.InterfaceError), DatabaseGoneError),
)
"""By class; the first that fits, so the general ones stand last."""


@contextmanager
def explained() -> Iterator[None]:
    """
    Turn what a driver raises inside the block into our errors; what is none of these stays.

    Raises
    ------
    DatabaseBusyError
        If the lock did not come in time.
    DatabaseFullError
        If there was no room.
    DatabaseGoneError
        If the server went away.
    DatabaseDamagedError
        If the file is damaged.
    """
    try:
        yield
    except DBAPIError as fault:
        known = explanation(fault.orig)
        if known is None:
            raise
        raise known from fault


def explanation(fault: BaseException | None) -> VoisinError | None:
    """Return our error for a driver's, or None if it is of another kind."""
    if isinstance(fault, sqlite3.Error):
        known = _SQLITE.get(getattr(fault, "sqlite_errorcode", 0) & _PRIMARY)
        return known and known(str(fault))
    for kinds, error in _POSTGRESQL:
        if isinstance(fault, kinds):
            return error(str(fault))
    return None
