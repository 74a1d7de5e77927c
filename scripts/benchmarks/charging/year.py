"""Put all real sessions through rating and ledger: deposit, hold, charge, and the rest released."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from ledger.accounts import vault_driver, vault_earned, world
from ledger.store import LedgerStore, migrate, open_engine
from ledger.tables import metadata
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import UnixSeconds
from scripts.benchmarks.books.clients import raw_sqlite_ns, written
from scripts.benchmarks.charging.sessions import (
    RealSession,
    Settled,
    quirks,
    real_sessions,
    settled,
    totals,
    year_tariff,
)
from scripts.benchmarks.measuring import NS_PER_S, each, stopwatch_ns
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

BATCH: Final = 1_000
"""Events that become durable together."""

_DRIVERS: Final = 1_000
_OPERATOR: Final = vault_earned("0x" + "0e" * 20)
_BOOK: Final = LedgerStore()

Event = tuple[UnixSeconds, tuple[Transfer, ...]]
"""When something happens, and the transfers that are taken all or none."""


@dataclass(frozen=True, slots=True)
class Year:
    """What all sessions came to, and how long it took."""

    totals: dict[str, int]
    """Counts, Wh and micros by name."""
    quirks: dict[str, int]
    """How many sessions are odd in which way."""
    entries: int
    """Entries in the journal."""
    rating_ns: int
    """Time of reading and rating, in ns."""
    ledger_ns: int
    """Time of the ledger, durable, in ns."""


def run_year(sessions: Iterable[RealSession], file: Path) -> Year:
    """
    Rate sessions, book them in the order of their instants, and prove the books.

    Raises
    ------
    BenchmarkInvalidError
        If a hold stays open, or the accounts hold anything else than what was charged and what
        came back.
    """
    rated: list[Settled] = []
    rating_ns = stopwatch_ns(lambda: rated.extend(settled(sessions, year_tariff())))
    engine = open_engine(file)
    migrate(engine, "ledger", metadata)
    events = sorted(_events(rated), key=lambda event: event[0])
    try:
        ledger_ns = stopwatch_ns(lambda: _book(engine, events))
        entries = _proven(engine, rated)
    finally:
        engine.dispose()
    return Year(totals(rated), quirks(rated), entries, rating_ns, ledger_ns)


def year_row(directory: Path, command: str) -> Row:
    """Return the row: all 27,407 sessions, from file to proven books."""
    file = directory / "year.sqlite"
    found = run_year(real_sessions(), file)
    engine = open_engine(file)
    try:
        batches = written(engine, 0, found.entries, BATCH)
    finally:
        engine.dispose()
    raw_ns = raw_sqlite_ns(directory / "year-twin.sqlite", batches)
    return Row(
        "sessions_year_s",
        each(found.rating_ns + found.ledger_ns, 1, NS_PER_S),
        "s",
        Baseline(
            each(raw_ns, 1, NS_PER_S),
            "sqlite3.executemany of the same entries and transfers, a thousand in a durable "
            "transaction, nothing rated, checked or hashed",
            Sense.SHARE,
        ),
        command,
    )


def _events(year: Sequence[Settled]) -> Iterator[Event]:
    """Yield for each session its deposit with the hold, and what ends the hold."""
    for number, one in enumerate(year):
        if not one.deposit_micros:
            continue
        trace_id = f"session/{number:08d}"
        driver = vault_driver(f"0x{number % _DRIVERS:040x}")
        hold = TransferId(f"{trace_id}/hold")
        paid_in = Transfer(
            id=TransferId(f"{trace_id}/deposit"),
            kind=Kind.POSTED,
            debit=world(),
            credit=driver,
            amount=one.deposit_micros,
            code="deposit",
            trace_id=trace_id,
        )
        held = Transfer(
            id=hold,
            kind=Kind.PENDING,
            debit=driver,
            credit=_OPERATOR,
            amount=one.deposit_micros,
            code="hold",
            trace_id=trace_id,
        )
        ended = Transfer(
            id=TransferId(f"{trace_id}/charge"),
            kind=Kind.POST if one.charge_micros else Kind.VOID,
            debit=driver,
            credit=_OPERATOR,
            amount=one.charge_micros,
            code="charge",
            trace_id=trace_id,
            pending_id=hold,
        )
        yield one.session.arrival_s, (paid_in, held)
        yield UnixSeconds(one.session.arrival_s + one.session.stay_s), (ended,)


def _book(engine: Engine, events: Iterable[Event]) -> None:
    waiting = iter(events)
    while batch := list(islice(waiting, BATCH)):
        groups = [group for _, group in batch]
        with engine.begin() as connection:
            for outcome in _BOOK.submit_many(connection, groups, at_s=batch[-1][0]):
                outcome.unwrap()


def _proven(engine: Engine, year: Sequence[Settled]) -> int:
    """Return how many entries there are, once the accounts hold what the sessions came to."""
    with engine.begin() as connection:
        earned = _BOOK.balance(connection, _OPERATOR)
        drivers = _BOOK.balances(connection, vault_driver(""))
        entries, _ = _BOOK.root(connection)
    booked = (earned.posted, sum(one.posted for one in drivers))
    due = (sum(one.charge_micros for one in year), sum(one.refund_micros for one in year))
    if booked != due:
        raise BenchmarkInvalidError(f"charged and refunded {due}, in the books {booked}")
    if earned.credits_pending or any(one.debits_pending for one in drivers):
        raise BenchmarkInvalidError("a hold is open after the last session")
    return entries
