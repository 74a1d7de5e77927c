"""Fill the disk, hold the lock, start a second service: refused by name, and nothing is lost."""

import os
import resource
import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from sqlalchemy import text

from ledger.clock import ReplayClock
from ledger.errors import VoisinError
from ledger.store import LedgerStore, open_engine
from ledger.store.faults import DatabaseBusyError
from ledger.store.lease import Lease, SecondWriterError
from ledger.store.writer import Writer
from scripts.campaigns.books.databases import Databases, open_alone
from scripts.campaigns.books.kills import LedgerLostError
from scripts.campaigns.books.requests import AT_S, Requests

_GROUPS: Final = 300
_ROOM: Final = 1 << 17
_HOLDER: Final = textwrap.dedent("""
    import sys
    from scripts.campaigns.books.databases import open_alone
    engine, lease = open_alone(sys.argv[1])
    print("held", flush=True)
    sys.stdin.read()
""")

BOOK: Final = LedgerStore()


@dataclass(frozen=True, slots=True)
class Refusals:
    """What an obstacle came to."""

    taken: int
    """Requests that were acknowledged, all of which stand."""
    refused: int
    """Requests that were refused by name, of which nothing stands."""


def fill_disk(seed: int) -> Refusals:
    """
    Let the kernel refuse to make SQLite's files longer, then let go on.

    Raises
    ------
    LedgerLostError
        If something acknowledged is gone, or something refused stands.
    """
    with TemporaryDirectory() as name:
        address = f"sqlite:///{name}/full.sqlite"
        engine, lease = open_alone(address)
        lease.release()
        engine.dispose()
        received, sent = os.pipe()
        process = get_context("fork").Process(target=_write_until_full, args=(address, seed, sent))
        process.start()
        os.close(sent)
        with os.fdopen(received, encoding="ascii") as told:
            answers = told.read().split()
        process.join()
        engine, lease = open_alone(address)
        taken, refused = answers.count("taken"), answers.count("database_full")
        groups = list(islice(Requests(seed, "full"), len(answers)))
        with engine.begin() as connection:
            for group, answer in zip(groups, answers, strict=True):
                before = BOOK.root(connection)[0]
                BOOK.submit(connection, group, at_s=AT_S)
                stood = BOOK.root(connection)[0] == before
                if answer == "taken" and not stood:
                    raise LedgerLostError(f"{group[0].id} was {answer} before the disk was full")
            report = BOOK.replay(connection)
        lease.release()
        engine.dispose()
    if not refused or taken + refused != len(answers) or report.log or report.balances:
        raise LedgerLostError(f"a full disk gave {set(answers)} and {report}")
    return Refusals(taken, refused)


def _write_until_full(address: str, seed: int, answers: int) -> None:
    engine = open_engine(address)
    used = Path(str(engine.url.database)).stat().st_size
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (used + _ROOM, resource.RLIM_INFINITY))
    with Writer(engine, ReplayClock(AT_S), book=BOOK) as writer:
        for group in islice(Requests(seed, "full"), _GROUPS):
            try:
                writer.submit(group)
                answer = "taken"
            except VoisinError as fault:
                answer = fault.code
            os.write(answers, answer.encode() + b"\n")


def hold_lock(seed: int) -> Refusals:
    """
    Let another process hold SQLite's lock longer than we wait, then let go.

    Raises
    ------
    LedgerLostError
        If that is not said, or what was refused stands.
    """
    with TemporaryDirectory() as name:
        address = f"sqlite:///{name}/locked.sqlite"
        engine, lease = open_alone(address)
        with engine.connect() as connection:
            connection.execute(text("PRAGMA busy_timeout=50"))
        first, second = islice(Requests(seed, "locked"), 2)
        with Writer(engine, ReplayClock(AT_S), book=BOOK) as writer:
            with closing(sqlite3.connect(str(engine.url.database))) as other:
                other.execute("BEGIN IMMEDIATE")
                refused = _refused(writer, first)
            writer.submit(first)
            writer.submit(second)
        with engine.begin() as connection:
            report = BOOK.replay(connection)
        lease.release()
        engine.dispose()
    if not refused or report.log or report.balances:
        raise LedgerLostError("a lock that somebody else held was not told")
    return Refusals(2, 1)


def _refused(writer: Writer, group: object) -> bool:
    try:
        writer.submit(group)  # type: ignore[arg-type]  # a group
    except DatabaseBusyError:
        return True
    return False


def start_twice(databases: Databases) -> Refusals:
    """
    Start a second service on a database while a first one writes, then kill the first.

    Raises
    ------
    LedgerLostError
        If both may write, or the second may not once the first is dead.
    """
    address = databases.new()
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", _HOLDER, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        if holder.stdout is None or holder.stdout.readline() != "held\n":
            raise LedgerLostError("the first service could not start")
        engine = open_engine(address)
        try:
            Lease.take(engine)
        except SecondWriterError:
            refused = 1
        else:
            raise LedgerLostError("two services may write to one database")
        finally:
            engine.dispose()
            holder.kill()
    engine, lease = open_alone(address)
    lease.release()
    engine.dispose()
    return Refusals(1, refused)
