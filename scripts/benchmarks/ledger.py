"""
Measure the ledger: many callers at once, a million transfers, proofs, deriving all again.

The ceilings are measured in the same run: the database's own driver writing the same rows as
durably (``books.twin``), the disk's ``fdatasync``, SHA-256 alone.
"""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from sqlalchemy import select

from ledger.journal import GENESIS, link
from ledger.store import open_engine, open_readers
from ledger.tables import entry
from scripts.benchmarks.books import clients, million, tree
from scripts.benchmarks.books.clients import BOOK, CLIENTS, Clients
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.measuring import (
    NS_PER_MS,
    NS_PER_S,
    PAGE_BYTES,
    each,
    in_turn,
    medians_ns,
    per_second,
    stopwatch_ns,
    write_pages,
)
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from scripts.postgresql import running_postgresql

COMMAND: Final = "scripts/bench ledger"

_POSTINGS: Final = 40_000
_POSTINGS_PG: Final = 20_000
_SESSIONS: Final = 500_000
_COMMITS: Final = 50
_ROUNDS: Final = 5
_REOPENED: Final = 3
_KIB_PER_MB: Final = 1_000
_BYTES_PER_KIB: Final = 1_024


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of the ledger."""
    return (
        *_sqlite(trial.directory),
        _postgresql(),
        _durable(trial.directory),
        *tree.rows(COMMAND),
        *_million(trial.directory),
    )


def _sqlite(directory: Path) -> tuple[Row, ...]:
    """Return the rate and the 99th percentile of 64 clients on SQLite."""
    source = clients.payments("bench")
    engine = clients.opened(directory / "clients.sqlite")
    try:
        found = _posted(lambda: clients.post(engine, source, _POSTINGS), _ROUNDS)
        clients.check(found, engine)
        batches = clients.written(engine, 0, _POSTINGS)
    finally:
        engine.dispose()
    raw_ns = clients.raw_sqlite_ns(directory / "clients-twin.sqlite", batches)
    page_ns = stopwatch_ns(lambda: write_pages(directory / "pages", _COMMITS))
    return (
        Row(
            "postings_64_clients_sqlite",
            per_second(found.postings, found.elapsed_ns),
            "postings/s",
            Baseline(
                per_second(_POSTINGS, raw_ns),
                f"sqlite3.executemany of the same entries and transfers, {CLIENTS} in a durable "
                "transaction, nothing checked or hashed",
                Sense.SHARE,
            ),
            COMMAND,
        ),
        Row(
            "postings_64_clients_sqlite_p99_ms",
            each(found.p99_ns, 1, NS_PER_MS),
            "ms",
            Baseline(
                each(page_ns, _COMMITS, NS_PER_MS),
                f"one fdatasync of {PAGE_BYTES} bytes appended to a file on the same disk",
                Sense.SHARE,
            ),
            COMMAND,
        ),
    )


def _posted(one_round: Callable[[], Clients], rounds: int) -> Clients:
    """Return the median round by its rate; the first does not count."""
    one_round()
    return sorted((one_round() for _ in range(rounds)), key=lambda one: one.elapsed_ns)[rounds // 2]


def _postgresql() -> Row:
    """Return the rate of 64 clients on PostgreSQL, which is started for it."""
    with running_postgresql() as server:
        source = clients.payments("bench")
        engine = clients.opened(server.create_database("clients"))
        try:
            found = _posted(lambda: clients.post(engine, source, _POSTINGS_PG), _ROUNDS)
            clients.check(found, engine)
            batches = clients.written(engine, 0, _POSTINGS_PG)
        finally:
            engine.dispose()
        raw_ns = clients.raw_postgresql_ns(server.create_database("twin"), batches)
    return Row(
        "postings_64_clients_postgresql",
        per_second(found.postings, found.elapsed_ns),
        "postings/s",
        Baseline(
            per_second(_POSTINGS_PG, raw_ns),
            f"COPY of the same entries and transfers, {CLIENTS} in a durable transaction, nothing "
            "checked or hashed",
            Sense.SHARE,
        ),
        COMMAND,
    )


def _durable(directory: Path) -> Row:
    """Return how long one caller alone waits for one posting."""
    engine = clients.opened(directory / "single.sqlite")
    payments = clients.payments("single")

    def submit_each() -> None:
        for _ in range(_COMMITS):
            with engine.begin() as connection:
                BOOK.submit(connection, (next(payments),), at_s=million.AT_S).unwrap()

    one_round = in_turn(submit_each, lambda: write_pages(directory / "pages", _COMMITS))
    ours_ns, disk_ns = medians_ns(one_round, _ROUNDS)
    engine.dispose()
    return Row(
        "durable_commit_ms",
        each(ours_ns, _COMMITS, NS_PER_MS),
        "ms",
        Baseline(
            each(disk_ns, _COMMITS, NS_PER_MS),
            f"{PAGE_BYTES} bytes appended to a file and fdatasync on the same disk",
            Sense.SHARE,
        ),
        COMMAND,
    )


@dataclass(frozen=True, slots=True)
class _Filled:
    """What filling the ledger with a million transfers took."""

    elapsed_ns: int
    """Time of all sessions, in ns."""
    memory_kib: int
    """Memory of the process afterwards, in KiB."""


def _million(directory: Path) -> tuple[Row, ...]:
    """Fill a ledger, kill its process in the middle of a write, open it again, replay it."""
    path = directory / "million.sqlite"
    filled, empty = _fill(path, _SESSIONS), _fill(directory / "empty.sqlite", 0)
    reopened_ns = sorted(_reopen_ns(path) for _ in range(_REOPENED))[_REOPENED // 2]
    started_ns = stopwatch_ns(lambda: _python("--help"))
    return (
        _sessions(path, directory, filled),
        _replayed(path),
        Row(
            "restart_1m_s",
            each(reopened_ns, 1, NS_PER_S),
            "s",
            Baseline(each(started_ns, 1, NS_PER_S), "Python importing the same code", Sense.SHARE),
            COMMAND,
        ),
        Row(
            "memory_1m_mb",
            Decimal(filled.memory_kib * _BYTES_PER_KIB) / 10**6,
            "MB",
            Baseline(
                Decimal(empty.memory_kib * _BYTES_PER_KIB) / 10**6,
                "the same process before the first session",
                Sense.COST,
            ),
            COMMAND,
        ),
    )


def _python(*arguments: str) -> subprocess.Popen[str] | None:
    command = [sys.executable, "-m", million.__name__, *arguments]
    if arguments == ("--help",):
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603 - our own module
        return None
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603


def _fill(path: Path, sessions: int) -> _Filled:
    """Fill a ledger in a process of its own, and kill it while it writes on."""
    with _writing(path, sessions) as line:
        return _Filled(**json.loads(line))


@contextmanager
def _writing(path: Path, sessions: int) -> Iterator[str]:
    process = _python(str(path), str(sessions))
    if process is None or process.stdout is None:
        raise BenchmarkInvalidError("the filling process has no output")
    with process:
        yield process.stdout.readline()
        process.kill()


def _reopen_ns(path: Path) -> int:
    """Return how long it takes from starting Python to a first durable write, in ns."""
    began_ns = perf_counter_ns()
    process = _python(str(path))
    if process is None or process.stdout is None:
        raise BenchmarkInvalidError("the reopening process has no output")
    with process:
        told = process.stdout.readline()
        elapsed_ns = perf_counter_ns() - began_ns
    if "first write" not in told:
        raise BenchmarkInvalidError("the ledger could not be opened again")
    return elapsed_ns


def _sessions(path: Path, directory: Path, filled: _Filled) -> Row:
    engine = open_engine(path)
    twice = 2 * million.BATCH
    begin = million.FUNDED
    batches = [
        batch
        for first in range(begin, begin + 10 * twice, million.BATCH)
        for batch in clients.written(engine, first, first + million.BATCH, million.BATCH)
    ]
    engine.dispose()
    raw_ns = clients.raw_sqlite_ns(directory / "sessions-twin.sqlite", batches)
    return Row(
        "ev_hold_capture_1000",
        per_second(_SESSIONS, filled.elapsed_ns),
        "sessions/s",
        Baseline(
            per_second(10 * million.BATCH, raw_ns),
            "sqlite3.executemany of the entries and transfers of the first ten thousand, a "
            "thousand in a durable transaction, nothing checked or hashed",
            Sense.SHARE,
        ),
        COMMAND,
    )


def _replayed(path: Path) -> Row:
    """Return how fast two processes derive everything again."""
    readers = open_readers(path)
    with readers.connect() as connection:
        began_ns = perf_counter_ns()
        report = BOOK.replay(connection, processes=2)
        ours_ns = perf_counter_ns() - began_ns
        if report.balances or report.holds or report.log:
            raise BenchmarkInvalidError(f"the replay found {report}")
        wanted = (entry.c.name, entry.c.trace_id, entry.c.body)
        rows = connection.execute(select(*wanted).where(entry.c.seq < _SESSIONS)).all()
    readers.dispose()
    records: Sequence[tuple[str, str, bytes]] = [(row[0], row[1], row[2]) for row in rows]
    hash_ns = stopwatch_ns(lambda: list(link((GENESIS, 0), GENESIS, million.AT_S, records)))
    return Row(
        "audit_replay",
        per_second(report.entries, ours_ns),
        "transfers/s",
        Baseline(
            per_second(len(records), hash_ns),
            "hashing the same entries, already in memory, by one process",
            Sense.SHARE,
        ),
        COMMAND,
    )
