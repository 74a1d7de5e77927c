"""What stations say of their transactions: who may charge, what starts, goes on and ends."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, RowMapping

from ledger.units import Micros, UnixSeconds
from settlement.charging.reports import Admission, Answer, Phase, TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.reported import matching, waiting
from settlement.engine.charging.reported.ending import ended
from settlement.engine.charging.reported.going import went_on
from settlement.engine.charging.reported.sequence import completeness_of, note
from settlement.engine.charging.reported.starting import NoDepositError, started
from settlement.engine.charging.reported.unsigned import is_unsigned, take_note
from settlement.engine.charging.running import (
    by_tag,
    keep_refused,
    report_message,
    station_message,
)
from settlement.engine.intake import MessageDiffersError, emit, refuse
from settlement.engine.service import Service

_ADMITTED: Final = frozenset({"open", "charging"})

settle_waiting = waiting.settle_waiting
"""Judge what has waited long enough; the clockwork calls it."""


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


def connector_freed(service: Service, *, station_id: str, evse_id: int, at_s: UnixSeconds) -> None:
    """Hold what still runs on a connector that the station says is free (status Available)."""
    waiting.connector_freed(service, station_id=station_id, evse_id=evse_id, at_s=at_s)


def report(service: Service, told: TransactionReport, *, elapsed_ns: Callable[[], int]) -> Answer:
    """
    Judge what a station says of a transaction, and say what to answer.

    Idempotent by station and key, since a retry may carry a new message id. A numbered message that
    comes again with other content is kept as refused and answered like the first. ``elapsed_ns``
    says how long ago the frame was received.

    Raises
    ------
    NoDepositError
        If a transaction starts and no confirmed deposit stands behind its idTag.
    ConcurrentTransactionError
        If it starts and its idTag is in another transaction.
    UnknownTransactionError
        If the station runs no such transaction, and its start is not to be waited for.
    EnergyWithoutDepositError
        If energy was given, and signed for, behind which there is no deposit.
    UnverifiedReading
        If a record does not prove what it says; the deposit stays where it is.
    """
    if told.phase is Phase.STARTED:
        return _start(service, told, elapsed_ns)
    fitting = told.seq_no is None or _noted(service, told)
    if is_unsigned(told):
        return _answer_of(told, take_note(service, told))
    if fitting:
        _judge(service, told, elapsed_ns)
    return _answer(service, told)


def _start(service: Service, told: TransactionReport, elapsed_ns: Callable[[], int]) -> Answer:
    answer = started(service, told)
    if told.seq_no is not None and _noted(service, told) and told.transaction:
        waiting.catch_up(service, told.station_id, told.transaction, elapsed_ns=elapsed_ns)
    return answer


def _judge(service: Service, told: TransactionReport, elapsed_ns: Callable[[], int]) -> None:
    if _comes_early(service, told):
        waiting.wait_for_start(service, told)
    elif told.phase is Phase.UPDATED:
        went_on(service, told, elapsed_ns=elapsed_ns)
    else:
        ended(service, told, elapsed_ns=elapsed_ns)


def _noted(service: Service, told: TransactionReport) -> bool:
    """Note a numbered message; refuse it if another one had its number."""
    with service.writing() as connection:
        fitting = note(connection, told)
        if not fitting:
            at_s = service.clock.now_s()
            message = report_message(told, "")
            kept.keep(connection, told, at_s=at_s)
            refuse(connection, service.book, message, MessageDiffersError(message.key), at_s=at_s)
        elif told.phase is Phase.ENDED:
            _tell_gaps(service, connection, told)
    return fitting


def _tell_gaps(service: Service, connection: Connection, told: TransactionReport) -> None:
    """Tell the operator what is missing of a transaction that ended; it holds nothing."""
    known = completeness_of(connection, told)
    found = matching.find(connection, told)
    if known.gaps and found is not None and found["state"] == "charging":
        emit(
            connection,
            "transaction_incomplete",
            trace_id=found["session_id"],
            at_s=service.clock.now_s(),
            gaps=[list(gap) for gap in known.gaps],
        )


def _comes_early(service: Service, told: TransactionReport) -> bool:
    """Say whether the start of a numbered transaction may still come."""
    if told.seq_no is None or told.transaction is None:
        return False
    with service.reading() as connection:
        return matching.find(connection, told) is None


def _answer(service: Service, told: TransactionReport) -> Answer:
    """Return what a report is answered that is no start."""
    with service.reading() as connection:
        return _answer_of(told, matching.find(connection, told))


def _answer_of(told: TransactionReport, found: RowMapping | None) -> Answer:
    if found is None:
        return Answer(accepted=True, transaction=told.transaction or "")
    return Answer(
        accepted=True,
        transaction=found["station_transaction"],
        max_cost_micros=Micros(found["deposit_micros"]),
    )
