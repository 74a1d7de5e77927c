"""End sessions: bill the meter's signed record, or give an overdue deposit back."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import UnverifiedReading, WrongState
from ledger.store.bulk import keep_rows
from settlement.chain.outbox import Call
from settlement.charging.records import SessionEnergy, judge_record
from settlement.charging.reports import TransactionReport
from settlement.charging.terms import contract_tuple
from settlement.engine.bills.billing import bill_session
from settlement.engine.bills.rows import write_session
from settlement.engine.charging.fiscal import (
    UnknownTransactionError,
    fiscal_records,
    records_of_kind,
    take_slice,
)
from settlement.engine.charging.money.cosigning import waits
from settlement.engine.charging.money.ending import closing_call, plan_closing
from settlement.engine.charging.running import (
    by_transaction,
    opening_of,
    record_context,
    report_message,
    terms_of,
)
from settlement.engine.intake import Outcome, emit, take
from settlement.engine.roll import meter_key
from settlement.engine.service import Service, unwrap
from settlement.engine.turns import deliver
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import verify_record
from settlement.tables import latency, session

_EXPIRE_GAS: Final = 300_000
_ENDABLE: Final = ("open", "charging", "held")


class ClosedOtherwiseError(WrongState):
    """The session was closed on the chain with another record of its meter."""

    def __init__(self, session_id: str, closed_wh: int, told_wh: int) -> None:
        super().__init__(
            "closed_otherwise", f"{session_id} was closed with {closed_wh} Wh, not {told_wh}"
        )


class NoSignedRecordError(UnverifiedReading):
    """A stop came without the meter's signed transaction record."""

    def __init__(self, transaction: str) -> None:
        super().__init__(
            "no_signed_record", f"transaction {transaction} ended without a signed record"
        )


def stop(service: Service, told: TransactionReport, *, elapsed_ns: Callable[[], int]) -> None:
    """
    Bill the session from its signed record; the contract charges and refunds in one transaction.

    Idempotent by station and transaction. ``elapsed_ns`` says how long ago the frame was received;
    it is read when the refund is final and kept for display only.

    Raises
    ------
    UnknownTransactionError
        If the station runs no such transaction.
    UnverifiedReading
        If the record does not prove what it says; the deposit stays where it is.
    """
    for text in fiscal_records(service, told):
        with service.writing() as connection:
            taken = take_slice(service, connection, told, text)
        unwrap(taken)
    with service.writing() as connection:
        found = by_transaction(connection, told.station_id, told.transaction)
        trace_id = found["session_id"] if found else ""
        verdict = take(
            connection,
            service.book,
            report_message(told, trace_id),
            at_s=service.clock.now_s(),
            judge=lambda: _plan_close(service, connection, found, told),
        )
    outcome = unwrap(verdict)

    def refunded() -> None:
        if not outcome.replayed and outcome.outcome["transaction"] is not None:
            _keep_latency(service, trace_id, elapsed_ns())

    deliver(service, refunded)


def _plan_close(
    service: Service, connection: Connection, found: RowMapping | None, told: TransactionReport
) -> Outcome:
    if found is None or found["state"] not in {*_ENDABLE, "closed"}:
        raise UnknownTransactionError(told.station_id, told.transaction)
    text = next(iter(records_of_kind(told, "T")), None)
    if text is None:
        raise NoSignedRecordError(found["station_transaction"])
    record = parse_record(text)
    key = meter_key(connection, terms_of(found).meter_id, service.clock.now_s())
    verify_record(record, key)
    energy = judge_record(
        record, record_context(connection, found, key.rated_power_w, service.clock.now_s())
    )
    if found["state"] == "closed":
        return _note_closed(connection, found, energy, text, told)
    billed = bill_session(service, connection, found, energy.energy_wh, text)
    charge = billed.charge_micros
    total = billed.statement(charge).total_micros
    write_session(
        connection,
        found["session_id"],
        state="closing",
        stopped_s=told.at_s,
        energy_wh=energy.energy_wh,
        charge_micros=charge,
        refund_micros=billed.deposit_micros - charge,
        overrun_micros=billed.owed_micros - charge,
        total_micros=total,
        record=text,
    )
    transaction = None
    is_awaited = waits(service, found, billed)
    if not is_awaited:
        call = closing_call(service, connection, found, text)
        transaction = plan_closing(service, connection, found, call)
    emit(
        connection,
        "session_stopped",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        energy_wh=energy.energy_wh,
        page=energy.page,
        charge_micros=charge,
        total_micros=total,
        waits_for_driver=is_awaited,
    )
    return {"session_id": found["session_id"], "transaction": transaction}


def _note_closed(
    connection: Connection,
    found: RowMapping,
    energy: SessionEnergy,
    text: str,
    told: TransactionReport,
) -> Outcome:
    """Keep the record of a session that somebody else has closed with it already."""
    if energy.energy_wh != found["energy_wh"]:
        raise ClosedOtherwiseError(found["session_id"], found["energy_wh"], energy.energy_wh)
    write_session(connection, found["session_id"], stopped_s=told.at_s, record=text)
    return {"session_id": found["session_id"], "transaction": None}


def expire_overdue(service: Service) -> int:
    """Give back the deposits of sessions whose deadline has passed; return how many."""
    now_s = service.clock.now_s()
    vault = service.contracts.vault
    with service.writing() as connection:
        overdue = (
            connection.execute(
                select(session).where(session.c.state.in_(_ENDABLE), session.c.deadline_s < now_s)
            )
            .mappings()
            .all()
        )
        for found in overdue:
            data = vault.encode(
                "expire", contract_tuple(terms_of(found)), opening_of(found).contract_tuple()
            )
            service.outbox.plan(
                connection,
                business_key=f"expire/{found['session_id']}",
                trace_id=found["session_id"],
                call=Call(vault.address, data, "ChargeVault.expire", _EXPIRE_GAS),
            )
    return len(overdue)


def _keep_latency(service: Service, session_id: str, elapsed_ns: int) -> None:
    with service.writing() as connection:
        keep_rows(connection, latency, [(session_id, elapsed_ns // 1_000)])
