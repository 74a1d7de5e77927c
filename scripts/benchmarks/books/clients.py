"""Let many clients post at once, each waiting until its own posting is durable."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import psycopg
import uvloop
from sqlalchemy import Engine, Table

from ledger.accounts import trade_balance, world
from ledger.clock import SystemClock
from ledger.store import LedgerStore, migrate, open_engine
from ledger.store.writer import Writer
from ledger.tables import entry, metadata, transfer
from ledger.transfers import Kind, Transfer, TransferId
from scripts.benchmarks.books.twin import Batch, RawTwin, rows_of
from scripts.benchmarks.rows import BenchmarkInvalidError

CLIENTS: Final = 64
_MEMBERS: Final = 1_000
_SPREAD: Final = 2_654_435_761
_P99: Final = 99
_HUNDRED: Final = 100

BOOK: Final = LedgerStore()


@dataclass(frozen=True, slots=True)
class Clients:
    """What the clients saw."""

    postings: int
    """Postings acknowledged."""
    elapsed_ns: int
    """How long all of them took, in ns."""
    p99_ns: int
    """The time from submission to answer that one in a hundred exceeded, in ns."""


def payments(name: str) -> Iterator[Transfer]:
    """Yield payments into a thousand members' balances for ever, two of each trace id."""
    for number in count():
        yield Transfer(
            id=TransferId(f"{name}/{number:012d}"),
            kind=Kind.POSTED,
            debit=world(),
            credit=trade_balance(f"0x{number * 7 % _MEMBERS:040x}"),
            amount=1_000 + number,
            code="trade_deposit",
            # Trace ids are hashes: they come in no order, as in service.
            trace_id=f"{number // 2 * _SPREAD % 2**64:016x}",
        )


def post(engine: Engine, source: Iterator[Transfer], postings: int) -> Clients:
    """Let 64 clients on an event loop submit, one posting each at a time."""
    taken: list[int] = []
    todo = iter(range(postings))

    async def client(writer: Writer) -> None:
        for _ in todo:
            one = next(source)
            began_ns = perf_counter_ns()
            outcome = await writer.submit_soon((one,))
            taken.append(perf_counter_ns() - began_ns)
            outcome.unwrap()

    async def all_of_them() -> int:
        with Writer(engine, SystemClock(), book=BOOK) as writer:
            began_ns = perf_counter_ns()
            await asyncio.gather(*(client(writer) for _ in range(CLIENTS)))
            return perf_counter_ns() - began_ns

    elapsed_ns = uvloop.run(all_of_them())
    taken.sort()
    return Clients(postings, elapsed_ns, taken[len(taken) * _P99 // _HUNDRED])


def opened(database: Path | str) -> Engine:
    """Return the engine of an empty ledger."""
    engine = open_engine(database)
    migrate(engine, "ledger", metadata)
    return engine


def written(engine: Engine, first: int, last: int, together: int = CLIENTS) -> list[Batch]:
    """Return what was written from entry ``first`` to before ``last``, some postings together."""
    batches: list[Batch] = []
    with engine.begin() as connection:
        for begin in range(first, last, together):
            end = min(begin + together, last) - 1
            batches.append(
                {
                    table: rows_of(connection, table, table.c.seq.between(begin, end))
                    for table in (entry, transfer)
                }
            )
    return batches


def raw_sqlite_ns(path: Path, batches: Sequence[Batch]) -> int:
    """Return how long sqlite3 takes to insert the same rows as durably, in ns."""
    with RawTwin(path, metadata) as twin:
        return twin.insert_ns(batches)


def raw_postgresql_ns(address: str, batches: Sequence[Batch]) -> int:
    """Return how long COPY takes to write the same rows as durably, in ns."""
    engine = opened(address)
    engine.dispose()
    with psycopg.connect(address) as connection:
        connection.execute("SET synchronous_commit = on")
        connection.commit()
        began_ns = perf_counter_ns()
        for batch in batches:
            for table, rows in batch.items():
                _copy(connection, table, rows)
            connection.commit()
        return perf_counter_ns() - began_ns


def check(found: Clients, engine: Engine) -> None:
    """
    Refuse to report postings that are not all in the ledger.

    Raises
    ------
    BenchmarkInvalidError
        If the log has another size.
    """
    with engine.begin() as connection:
        size, _ = BOOK.root(connection)
    if size < found.postings:
        raise BenchmarkInvalidError(f"{found.postings} acknowledged, {size} in the log")


def _copy(
    connection: psycopg.Connection[tuple[object, ...]], table: Table, rows: Sequence[object]
) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {table.name} FROM STDIN") as copying:
        for row in rows:
            copying.write_row(row)  # type: ignore[arg-type]  # a row of the table
