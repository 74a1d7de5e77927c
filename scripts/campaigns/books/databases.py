"""The two databases of the campaigns: SQLite's file, and a PostgreSQL server that can crash."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Protocol

from sqlalchemy import Engine

from ledger.store import migrate, open_engine
from ledger.store.faults import explained
from ledger.store.lease import Lease, SecondWriterError
from ledger.tables import metadata
from scripts.postgresql import Postgresql, running_postgresql

_LEASE_TIMEOUT_S: Final = 30
_POLL_S: Final = 0.01


class Databases(Protocol):
    """Whatever gives empty ledgers, one after the other."""

    name: str

    def new(self) -> str:
        """Return the address of a new database."""
        ...

    def crash(self) -> None:
        """Let what serves the databases crash and come back; nothing where nothing serves."""
        ...


class SqliteFiles:
    """Files in a directory."""

    name = "SQLite"

    def __init__(self, directory: Path) -> None:
        self._directory: Final = directory
        self._numbers: Final = count()

    def new(self) -> str:
        """Return the address of a new file."""
        return f"sqlite:///{self._directory}/ledger-{next(self._numbers)}.sqlite"

    def crash(self) -> None:
        """Do nothing: the process that writes is all there is."""


class PostgresqlServer:
    """Databases of one server."""

    name = "PostgreSQL"

    def __init__(self, server: Postgresql) -> None:
        self._server: Final = server
        self._numbers: Final = count()

    def new(self) -> str:
        """Return the address of a new database."""
        return self._server.create_database(f"ledger_{next(self._numbers)}")

    def crash(self) -> None:
        """Stop the server as a crash would, and start it again."""
        self._server.stop("immediate")
        self._server.start()


@contextmanager
def databases(name: str, directory: Path) -> Iterator[Databases]:
    """Give SQLite's files or a running PostgreSQL."""
    if name == SqliteFiles.name:
        yield SqliteFiles(directory)
        return
    with running_postgresql() as server:
        yield PostgresqlServer(server)


def open_alone(address: Path | str) -> tuple[Engine, Lease]:
    """Open a ledger for writing, once whoever wrote before is gone."""
    engine = open_engine(address)
    lease = _lease(engine)
    migrate(engine, "ledger", metadata)
    lease.begin_epoch()
    return engine, lease


def _lease(engine: Engine) -> Lease:
    give_up = monotonic() + _LEASE_TIMEOUT_S
    while True:
        try:
            with explained():
                return Lease.take(engine)
        except SecondWriterError:
            if monotonic() > give_up:
                raise
            sleep(_POLL_S)
