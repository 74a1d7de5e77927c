"""What stations say of their transactions: who may charge, what starts, goes on and ends."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, func, select, update

from ledger.errors import NotPermitted
from ledger.units import Micros
from settlement.charging.reports import Admission, Answer, Phase, TransactionReport
from settlement.engine.charging import closing, fiscal
from settlement.engine.charging.running import by_tag, keep_refused, report_message, station_message
from settlement.engine.intake import Outcome, emit, take
from settlement.engine.service import Service, unwrap
from settlement.tables import session

_ADMITTED: Final = frozenset({"open", "charging"})


class NoDepositError(NotPermitted):
    """No confirmed deposit stands behind the idTag at this station."""

    def __init__(self, station_id: str, id_tag: str) -> None:
        super().__init__("no_deposit", f"{station_id}: no open deposit for idTag {id_tag!r}")


def authorize(service: Service, *, station_id: str, id_tag: str) -> Admission:
    """Say whether a confirmed deposit stands behind ``id_tag`` here; record a refusal."""
    with service.reading() as connection:
        found = by_tag(connection, station_id, id_tag)
    if found is not None and found["state"] in _ADMITTED:
        return Admission(accepted=True, max_cost_micros=Micros(found["deposit_micros"]))
    keep_refused(
        service,
        station_message(f"authorize/{id_tag}", station_id, id_tag.encode(), ""),
        NoDepositError(station_id, id_tag),
    )
    return Admission(accepted=False, max_cost_micros=None)


def report(service: Service, told: TransactionReport, *, elapsed_ns: Callable[[], int]) -> Answer:
    """
    Judge what a station says of a transaction, and say what to answer.

    Idempotent by station and key, since a retry may carry a new message id. ``elapsed_ns`` says how
    long ago the frame was received.

    Raises
    ------
    NoDepositError
        If a transaction starts and no confirmed deposit stands behind its idTag.
    UnknownTransactionError
        If the station runs no such transaction.
    UnverifiedReading
        If a record does not prove what it says; the deposit stays where it is.
    """
    match told.phase:
        case Phase.STARTED:
            return _started(service, told)
        case Phase.UPDATED:
            fiscal.take_slices(service, told)
        case Phase.ENDED:
            closing.stop(service, told, elapsed_ns=elapsed_ns)
    return Answer(accepted=True, transaction=told.transaction or "")


def _started(service: Service, told: TransactionReport) -> Answer:
    tag = told.id_tag or ""
    with service.writing() as connection:
        found = by_tag(connection, told.station_id, tag)
        trace_id = found["session_id"] if found else ""
        taken = take(
            connection,
            service.book,
            report_message(told, trace_id),
            at_s=service.clock.now_s(),
            judge=lambda: _start(service, connection, told, tag),
        )
    return Answer(accepted=True, transaction=str(unwrap(taken).outcome["transaction_id"]))


def _start(service: Service, connection: Connection, told: TransactionReport, tag: str) -> Outcome:
    found = by_tag(connection, told.station_id, tag)
    if found is None or found["state"] != "open":
        raise NoDepositError(told.station_id, tag)
    newest = connection.execute(select(func.max(session.c.transaction_id))).scalar()
    number = (newest or 0) + 1
    connection.execute(
        update(session)
        .where(session.c.session_id == found["session_id"])
        .values(
            state="charging",
            transaction_id=number,
            station_transaction=told.transaction or str(number),
            started_s=told.at_s,
            begin_wh=told.register_wh,
        )
    )
    emit(
        connection,
        "session_started",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        transaction_id=number,
        meter_start_wh=told.register_wh,
    )
    return {"transaction_id": told.transaction or number}
