"""Take the signed fiscal records of running sessions: the energy of one interval each."""

from dataclasses import replace
from typing import Final

from sqlalchemy import Connection, func, select

from ledger.errors import UnverifiedReading, VoisinError, WrongState
from settlement.charging.reports import TransactionReport
from settlement.charging.slices import slice_of
from settlement.engine.charging import kept
from settlement.engine.charging.running import (
    by_transaction,
    keep_refused,
    keep_slice,
    narrowed,
    report_message,
    terms_of,
)
from settlement.engine.intake import Outcome, Verdict, emit, take
from settlement.engine.roll import meter_key
from settlement.engine.service import Service, unwrap
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import verify_record
from settlement.tables import run

_NEWEST: Final = select(func.max(run.c.interval))


class UnknownTransactionError(WrongState):
    """The station names a transaction that it never started, or that has ended."""

    def __init__(self, station_id: str, transaction: str | None) -> None:
        super().__init__(
            "unknown_transaction", f"{station_id} has no running transaction {transaction}"
        )


class SessionOverError(UnverifiedReading):
    """A fiscal record that comes after the record of its whole session was taken."""

    def __init__(self, session_id: str) -> None:
        super().__init__("session_over", f"the record of session {session_id} is taken already")


def take_slices(service: Service, told: TransactionReport) -> None:
    """
    Take the signed fiscal records of a running session: the energy of one interval each.

    Idempotent by station and page.

    Raises
    ------
    UnknownTransactionError
        If the station runs no such transaction.
    UnverifiedReading
        If a record does not prove what it says.
    """
    texts = fiscal_records(service, told)
    if not texts:
        return
    with service.writing() as connection:
        taken = [take_slice(service, connection, told, text) for text in texts]
    for one in taken:
        unwrap(one)


def take_slice(
    service: Service, connection: Connection, told: TransactionReport, text: str
) -> Verdict | VoisinError:
    """Judge one fiscal record and keep it, or keep it with the reason why not."""
    found = by_transaction(connection, told.station_id, told.transaction)
    trace_id = found["session_id"] if found else ""

    def judge() -> Outcome:
        if found is None:
            raise UnknownTransactionError(told.station_id, told.transaction)
        if found["record"] is not None:
            # Begin to end is signed and was the sum of the fiscal records; nothing can be added.
            raise SessionOverError(found["session_id"])
        record = parse_record(text)
        key = meter_key(connection, terms_of(found).meter_id, service.clock.now_s())
        verify_record(record, key)
        part = slice_of(record, interval_s=service.rules.interval_s, id_tag=found["id_tag"])
        interval = open_interval(connection, part.interval)
        keep_slice(connection, found["session_id"], replace(part, interval=interval), text)
        emit(
            connection,
            "slice_accepted",
            trace_id=found["session_id"],
            at_s=service.clock.now_s(),
            interval=interval,
            energy_wh=part.energy_wh,
        )
        return {"interval": interval, "energy_wh": part.energy_wh}

    one = narrowed(told, text, key=f"slice/{_page_of(text)}")
    at_s = service.clock.now_s()
    taken = take(connection, service.book, report_message(one, trace_id), at_s=at_s, judge=judge)
    if isinstance(taken, VoisinError):
        kept.keep(connection, one, at_s=at_s)
    return taken


def fiscal_records(service: Service, told: TransactionReport) -> tuple[str, ...]:
    """Return the fiscal records in a report; if one cannot be read, all of it is refused."""
    try:
        return records_of_kind(told, "F")
    except VoisinError as fault:
        keep_refused(service, report_message(told, ""), fault)
        raise


def records_of_kind(told: TransactionReport, kind: str) -> tuple[str, ...]:
    """Return the signed records of the pagination ``kind``: ``T`` or ``F``."""
    return tuple(text for text in told.records if parse_record(text).pagination_kind == kind)


def open_interval(connection: Connection, interval: int) -> int:
    """Return the interval, or the first one not settled: late energy is traded late, not lost."""
    newest = connection.execute(_NEWEST).scalar()
    return interval if newest is None else max(interval, newest + 1)


def _page_of(text: str) -> str:
    record = parse_record(text)
    return f"{record.pagination_kind}{record.pagination_number}"
