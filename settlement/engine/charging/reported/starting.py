"""Start the session of an idTag; end provisionally what still seems to run on the connector."""

from dataclasses import replace
from itertools import count

from sqlalchemy import Connection, RowMapping, func, select, update

from ledger.errors import NotPermitted, UnverifiedReading, VoisinError, WrongState
from ledger.units import Micros, UnixSeconds
from settlement.charging.plausibility import clock_fault, shown_register, trusted_start
from settlement.charging.reports import Answer, TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.reported import holding
from settlement.engine.charging.reported.matching import find, running_at, signed_tag
from settlement.engine.charging.reported.signed import keep_records, verified
from settlement.engine.charging.running import by_tag, by_transaction, report_message
from settlement.engine.intake import MessageDiffersError, Outcome, emit, first_outcome, take
from settlement.engine.roll import UnknownMeterError
from settlement.engine.service import Service
from settlement.tables import session


class NoDepositError(NotPermitted):
    """No confirmed deposit stands behind the idTag at this station."""

    def __init__(self, station_id: str, id_tag: str) -> None:
        super().__init__("no_deposit", f"{station_id}: no open deposit for idTag {id_tag!r}")


class ConcurrentTransactionError(NotPermitted):
    """The idTag, which counts for one transaction, is in another one."""

    def __init__(self, id_tag: str, transaction: str) -> None:
        super().__init__(
            "concurrent_transaction", f"idTag {id_tag!r} is in transaction {transaction}"
        )


class TransactionReusedError(WrongState):
    """The station gives a new transaction the id of an older one."""

    def __init__(self, station_id: str, transaction: str) -> None:
        super().__init__(
            "transaction_reused", f"{station_id} had a transaction {transaction} before"
        )


def started(service: Service, told: TransactionReport) -> Answer:
    """
    Start the session of a report's idTag, and answer with the transaction's id.

    A retry with other content gets the first answer and is kept as refused: the first one counts. A
    start of what runs already, after a power failure for one, keeps its id.

    Raises
    ------
    NoDepositError
        If no confirmed deposit stands behind the idTag.
    ConcurrentTransactionError
        If the idTag is in another transaction.
    """
    tag = told.id_tag or ""
    with service.writing() as connection:
        found = by_tag(connection, told.station_id, tag)
        message = report_message(told, found["session_id"] if found else "")
        now_s = service.clock.now_s()
        taken = take(
            connection,
            service.book,
            message,
            at_s=now_s,
            judge=lambda: start(service, connection, told, tag),
        )
        if isinstance(taken, MessageDiffersError):
            outcome: Outcome = first_outcome(connection, message.key)
        elif isinstance(taken, VoisinError):
            kept.keep(connection, told, at_s=now_s)
            outcome = {}
        else:
            outcome = taken.outcome
            if not taken.replayed and found is not None:
                _after_start(service, connection, told, found)
    if isinstance(taken, VoisinError) and not outcome:
        raise taken
    return Answer(
        accepted=True,
        transaction=str(outcome["transaction_id"]),
        max_cost_micros=None if found is None else Micros(found["deposit_micros"]),
    )


def start(service: Service, connection: Connection, told: TransactionReport, tag: str) -> Outcome:
    """
    Start the session of ``tag``, or let it go on.

    Raises
    ------
    NoDepositError
        If no confirmed deposit stands behind the idTag.
    ConcurrentTransactionError
        If the idTag is in another transaction.
    TransactionReusedError
        If the station had another transaction of that id.
    """
    found = by_tag(connection, told.station_id, tag)
    if found is not None and _runs(found):
        return _go_on(service, connection, told, found)
    if found is None or found["state"] != "open":
        raise NoDepositError(told.station_id, tag)
    if by_transaction(connection, told.station_id, told.transaction) is not None:
        raise TransactionReusedError(told.station_id, told.transaction or "")
    number = _free_number(connection, told.station_id)
    now_s, opened_s = service.clock.now_s(), UnixSeconds(found["opened_s"])
    connection.execute(
        update(session)
        .where(session.c.session_id == found["session_id"])
        .values(
            state="charging",
            transaction_id=number,
            station_transaction=told.transaction or str(number),
            evse_id=told.evse_id,
            started_s=trusted_start(told.at_s, opened_s=opened_s, now_s=now_s),
            begin_wh=shown_register(told.register_wh),
        )
    )
    emit(
        connection,
        "session_started",
        trace_id=found["session_id"],
        at_s=now_s,
        transaction_id=number,
        meter_start_wh=told.register_wh,
    )
    return {"transaction_id": told.transaction or number}


def _free_number(connection: Connection, station_id: str) -> int:
    """Return the next number of a transaction, which the station has not given one itself."""
    newest = connection.execute(select(func.max(session.c.transaction_id))).scalar() or 0
    return next(
        number
        for number in count(newest + 1)
        if by_transaction(connection, station_id, str(number)) is None
    )


def start_by_signature(
    service: Service, connection: Connection, told: TransactionReport
) -> RowMapping | None:
    """
    Start the session of a report whose start was lost, by the idTag that its meter signed.

    Return the session, if there is such an open one. Nothing is billed by that: the record that
    bears the idTag has still to prove the energy.
    """
    tag = signed_tag(told)
    if not tag or find(connection, told) is not None:
        return None
    found = by_tag(connection, told.station_id, tag)
    if found is None or found["state"] != "open":
        return None
    try:
        for text in told.records:
            verified(service, connection, found, text)
        start(service, connection, replace(told, register_wh=None), tag)
    except (UnverifiedReading, UnknownMeterError, TransactionReusedError):
        return None
    emit(
        connection,
        "start_was_lost",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        transaction=told.transaction,
    )
    return by_tag(connection, told.station_id, tag)


def note_clock(
    service: Service, connection: Connection, told: TransactionReport, found: RowMapping
) -> None:
    """Tell the operator of a clock that cannot be right; it holds nothing."""
    now_s = service.clock.now_s()
    code = clock_fault(told.at_s, opened_s=UnixSeconds(found["opened_s"]), now_s=now_s)
    if code is not None:
        emit(
            connection,
            "station_clock_off",
            trace_id=found["session_id"],
            at_s=now_s,
            code=code,
            told_s=told.at_s,
        )


def _runs(found: RowMapping) -> bool:
    silent: bool = found["state"] == "held" and found["held_code"] == holding.MISSING_STOP
    return silent or bool(found["state"] == "charging")


def _go_on(
    service: Service, connection: Connection, told: TransactionReport, found: RowMapping
) -> Outcome:
    if told.transaction not in {None, found["station_transaction"]}:
        raise ConcurrentTransactionError(found["id_tag"], found["station_transaction"])
    holding.resume(service, connection, found)
    return {"transaction_id": found["station_transaction"]}


def _after_start(
    service: Service, connection: Connection, told: TransactionReport, found: RowMapping
) -> None:
    """Do what a start that counts brings with it."""
    note_clock(service, connection, told, found)
    keep_records(service, connection, found, told)
    for other in running_at(connection, told.station_id, told.evse_id):
        if other["session_id"] != found["session_id"]:
            let_go(service, connection, other)


def let_go(service: Service, connection: Connection, found: RowMapping) -> None:
    """Hold a session whose connector is free again though nobody told its end."""
    if found["state"] == "charging" and not kept.of_session(connection, found["session_id"]):
        holding.hold(service, connection, found, holding.MISSING_STOP)
