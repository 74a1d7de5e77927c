"""
Let one process alone write: a lock that dies with its holder.

For SQLite a lock on a file beside the database, for PostgreSQL an advisory lock of a session. Each
holder gets a number above every earlier one's, its epoch.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, select, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from ledger.errors import WrongState
from ledger.store.bulk import upsert_rows
from ledger.tables import lease

_KEY: Final = 0x566F6973696E  # "Voisin", as PostgreSQL's advisory locks are numbers


class SecondWriterError(WrongState):
    """Another process has the database open for writing."""

    def __init__(self, name: str) -> None:
        super().__init__("second_writer", f"another service writes to {name}; stop it first")


class Lease:
    """The right to write to a database, from ``take`` until ``release`` or the process's end."""

    def __init__(self, engine: Engine, handle: int | Connection) -> None:
        self._engine: Final = engine
        self._handle: Final = handle

    @classmethod
    def take(cls, engine: Engine) -> Self:
        """
        Take the lease, at once or not at all.

        Raises
        ------
        SecondWriterError
            If another process holds it.
        """
        name = engine.url.render_as_string(hide_password=True)
        if engine.dialect.name == "postgresql":
            # A connection beside the one that writes: a transaction's end must not end the lock.
            session = create_engine(engine.url, poolclass=NullPool).connect()
            held = session.execute(text(f"SELECT pg_try_advisory_lock({_KEY})")).scalar_one()
            session.commit()
            if not held:
                session.close()
                raise SecondWriterError(name)
            return cls(engine, session)
        handle = os.open(Path(f"{engine.url.database}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(handle)
            raise SecondWriterError(name) from fault
        return cls(engine, handle)

    def begin_epoch(self) -> int:
        """
        Write down that a new holder has begun, and return its number, from 1.

        On PostgreSQL every transaction of the engine then checks first that no newer holder has
        begun: an advisory lock ends with its session, which can break off alone.
        """
        with self._engine.begin() as connection:
            epoch = int(connection.execute(select(lease.c.epoch)).scalar() or 0) + 1
            upsert_rows(connection, lease, [(0, epoch)])
        if self._engine.dialect.name == "postgresql":
            event.listen(self._engine, "begin", _fence(epoch))
        return epoch

    def release(self) -> None:
        """Give it back."""
        if isinstance(self._handle, int):
            os.close(self._handle)
        else:
            # Closing alone gives it back only when the server sees it; a session that has broken
            # off holds nothing.
            with suppress(OperationalError):
                self._handle.execute(text(f"SELECT pg_advisory_unlock({_KEY})"))
            self._handle.close()
            self._handle.engine.dispose()


def _fence(epoch: int) -> Callable[[Connection], None]:
    """Return what refuses a transaction once another holder has begun."""
    newest = select(lease.c.epoch).with_for_update(read=True)

    def check(connection: Connection) -> None:
        if connection.execute(newest).scalar_one() != epoch:
            raise SecondWriterError(connection.engine.url.render_as_string(hide_password=True))

    return check
