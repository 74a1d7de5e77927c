"""What stations say: idTags, starts, fiscal records, and the signed record that ends a session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from ledger.errors import NotPermitted, UnverifiedReading, VoisinError, WrongState
from ledger.units import Micros, UnixSeconds
from settlement.chain.outbox import Call
from settlement.charging.records import judge_record
from settlement.charging.slices import slice_of
from settlement.charging.terms import contract_tuple
from settlement.engine.charging import signed_values
from settlement.engine.charging.running import (
    by_tag,
    by_transaction,
    canonical,
    keep_slice,
    record_context,
    terms_of,
)
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Outcome, emit, refuse, take
from settlement.engine.roll import meter_key
from settlement.engine.service import Service, unwrap
from settlement.metering.ocmf import OcmfRecord, parse_record
from settlement.metering.ocmf_signatures import signature_for_chain, verify_record
from settlement.metering.signatures import MeterKey
from settlement.pricing.billing import bill
from settlement.tables import frame, latency, run, session, station

_CLOSE_GAS: Final = 900_000
_EXPIRE_GAS: Final = 300_000
_ENDABLE: Final = ("open", "charging", "held")


class NoDepositError(NotPermitted):
    """No confirmed deposit stands behind the idTag at this station."""

    def __init__(self, station_id: str, id_tag: str) -> None:
        super().__init__("no_deposit", f"{station_id}: no open deposit for idTag {id_tag!r}")


class UnknownTransactionError(WrongState):
    """The station names a transaction that it never started, or that has ended."""

    def __init__(self, station_id: str, transaction_id: int) -> None:
        super().__init__(
            "unknown_transaction", f"{station_id} has no running transaction {transaction_id}"
        )


class NoSignedRecordError(UnverifiedReading):
    """A stop came without the meter's signed transaction record."""

    def __init__(self, transaction_id: int) -> None:
        super().__init__(
            "no_signed_record", f"transaction {transaction_id} ended without a signed record"
        )


def rfc3339(instant_s: UnixSeconds) -> str:
    """Return an instant as OCPP wants it: RFC 3339, UTC, ``Z``."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def password_hash(service: Service, station_id: str) -> str | None:
    """Return the SHA-256 of the station's password as hex, or None if it is unknown."""
    with service.reading() as connection:
        return connection.execute(
            select(station.c.password_hash).where(station.c.station_id == station_id)
        ).scalar()


def keep_frame(service: Service, station_id: str, body: str) -> None:
    """Store a frame before anything is thought about it."""
    with service.writing() as connection:
        connection.execute(
            frame.insert().values(station_id=station_id, body=body, at_s=service.clock.now_s())
        )


def refuse_frame(service: Service, station_id: str, body: str, fault: VoisinError) -> None:
    """Keep a frame that is no OCPP message in quarantine, with the reason."""
    _refuse(service, _message("frame", station_id, "", body.encode(), ""), fault)


def authorize(service: Service, *, station_id: str, id_tag: str) -> bool:
    """Say whether a confirmed deposit stands behind ``id_tag`` here; record a refusal."""
    with service.reading() as connection:
        found = by_tag(connection, station_id, id_tag)
    if found is not None and found["state"] in {"open", "charging"}:
        return True
    _refuse(
        service,
        _message("authorize", station_id, id_tag, id_tag.encode(), ""),
        NoDepositError(station_id, id_tag),
    )
    return False


def start(service: Service, *, station_id: str, start: Mapping[str, Any]) -> int:
    """
    Start the session behind the idTag and return its OCPP transaction id.

    Idempotent by station, idTag and time, since a retry may carry a new message id.

    Raises
    ------
    NoDepositError
        If no confirmed deposit stands behind the idTag.
    """
    tag = str(start["id_tag"])
    key = f"{tag}/{start['timestamp']}"
    with service.writing() as connection:
        found = by_tag(connection, station_id, tag)
        trace_id = found["session_id"] if found else ""
        message = _message("start", station_id, key, canonical(start), trace_id)
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _start(service, connection, station_id, tag, start),
        )
    return int(unwrap(taken).outcome["transaction_id"])


def _start(
    service: Service, connection: Connection, station_id: str, tag: str, start: Mapping[str, Any]
) -> Outcome:
    found = by_tag(connection, station_id, tag)
    if found is None or found["state"] != "open":
        raise NoDepositError(station_id, tag)
    newest = connection.execute(select(func.max(session.c.transaction_id))).scalar()
    number = (newest or 0) + 1
    connection.execute(
        update(session)
        .where(session.c.session_id == found["session_id"])
        .values(
            state="charging",
            transaction_id=number,
            started_s=signed_values.instant_of(start["timestamp"]),
            begin_wh=int(start["meter_start"]),
        )
    )
    emit(
        connection,
        "session_started",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        transaction_id=number,
        meter_start_wh=int(start["meter_start"]),
    )
    return {"transaction_id": number}


def take_slices(service: Service, *, station_id: str, values: Mapping[str, Any]) -> None:
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
    number = int(values.get("transaction_id") or 0)
    for text in _opened(service, station_id, values, "meter_value"):
        with service.writing() as connection:
            taken = _take_slice(service, connection, station_id, number, text)
        unwrap(taken)


def _take_slice(
    service: Service, connection: Connection, station_id: str, number: int, text: str
) -> Any:  # noqa: ANN401 - what ``take`` returns
    found = by_transaction(connection, station_id, number)
    trace_id = found["session_id"] if found else ""

    def judge() -> Outcome:
        if found is None:
            raise UnknownTransactionError(station_id, number)
        record = parse_record(text)
        key = meter_key(connection, terms_of(found).meter_id, service.clock.now_s())
        verify_record(record, key)
        part = slice_of(record, interval_s=service.rules.interval_s, id_tag=found["id_tag"])
        interval = _open_interval(connection, part.interval)
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

    message = _message("slice", station_id, _page_of(text), text.encode(), trace_id)
    return take(connection, service.book, message, at_s=service.clock.now_s(), judge=judge)


def stop(
    service: Service,
    *,
    station_id: str,
    stop: Mapping[str, Any],
    elapsed_ns: Callable[[], int],
) -> None:
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
    number = int(stop["transaction_id"])
    for text in _opened(service, station_id, stop, "transaction_data"):
        with service.writing() as connection:
            taken = _take_slice(service, connection, station_id, number, text)
        unwrap(taken)
    with service.writing() as connection:
        found = by_transaction(connection, station_id, number)
        trace_id = found["session_id"] if found else ""
        verdict = take(
            connection,
            service.book,
            _message("stop", station_id, str(number), canonical(stop), trace_id),
            at_s=service.clock.now_s(),
            judge=lambda: _plan_close(service, connection, station_id, found, stop),
        )
    outcome = unwrap(verdict)
    advance(service)
    if not outcome.replayed:
        _keep_latency(service, trace_id, elapsed_ns())


def _plan_close(
    service: Service,
    connection: Connection,
    station_id: str,
    found: RowMapping | None,
    stop: Mapping[str, Any],
) -> Outcome:
    number = int(stop["transaction_id"])
    if found is None or found["state"] not in _ENDABLE:
        raise UnknownTransactionError(station_id, number)
    text = next(iter(_records(stop.get("transaction_data") or [], "T")), None)
    if text is None:
        raise NoSignedRecordError(number)
    record = parse_record(text)
    key = meter_key(connection, terms_of(found).meter_id, service.clock.now_s())
    verify_record(record, key)
    energy = judge_record(
        record, record_context(connection, found, key.rated_power_w, service.clock.now_s())
    )
    money = bill(energy.energy_wh, service.rules.tariff, Micros(found["deposit_micros"]))
    connection.execute(
        update(session)
        .where(session.c.session_id == found["session_id"])
        .values(
            state="closing",
            stopped_s=signed_values.instant_of(stop["timestamp"]),
            energy_wh=energy.energy_wh,
            charge_micros=money.charge_micros,
            refund_micros=money.refund_micros,
            overrun_micros=money.overrun_micros,
            record=text,
        )
    )
    transaction = _plan_record(service, connection, found, record, key)
    emit(
        connection,
        "session_stopped",
        trace_id=found["session_id"],
        at_s=service.clock.now_s(),
        energy_wh=energy.energy_wh,
        page=energy.page,
    )
    return {"session_id": found["session_id"], "transaction": transaction}


def _plan_record(
    service: Service,
    connection: Connection,
    found: RowMapping,
    record: OcmfRecord,
    key: MeterKey,
) -> str:
    vault = service.contracts.vault
    data = vault.encode(
        "closeWithOcmf",
        contract_tuple(terms_of(found)),
        record.payload,
        signature_for_chain(record, key),
    )
    return service.outbox.plan(
        connection,
        business_key=f"close/{found['session_id']}",
        trace_id=found["session_id"],
        call=Call(vault.address, data, "ChargeVault.closeWithOcmf", _CLOSE_GAS),
    )


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
            service.outbox.plan(
                connection,
                business_key=f"expire/{found['session_id']}",
                trace_id=found["session_id"],
                call=Call(
                    vault.address,
                    vault.encode("expire", contract_tuple(terms_of(found))),
                    "ChargeVault.expire",
                    _EXPIRE_GAS,
                ),
            )
    return len(overdue)


def _records(meter_values: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, ...]:
    """Return the signed records of the pagination ``kind``: ``T`` or ``F``."""
    return tuple(
        text
        for text in signed_values.signed_records(meter_values)
        if parse_record(text).pagination_kind == kind
    )


def _opened(
    service: Service, station_id: str, message: Mapping[str, Any], field: str
) -> tuple[str, ...]:
    """Return the fiscal records in a message; one that cannot be read is refused whole."""
    try:
        return _records(message.get(field) or [], "F")
    except VoisinError as fault:
        _refuse(service, _message(field, station_id, "", canonical(message), ""), fault)
        raise


def _open_interval(connection: Connection, interval: int) -> int:
    """Return the interval, or the first one not settled: late energy is traded late, not lost."""
    newest = connection.execute(select(func.max(run.c.interval))).scalar()
    return interval if newest is None else max(interval, newest + 1)


def _page_of(text: str) -> str:
    record = parse_record(text)
    return f"{record.pagination_kind}{record.pagination_number}"


def _message(kind: str, station_id: str, key: str, body: bytes, trace_id: str) -> Message:
    return Message(
        key=f"{kind}/{station_id}/{key}",
        kind="ocpp",
        source=station_id,
        body=body,
        trace_id=trace_id,
    )


def _refuse(service: Service, message: Message, fault: VoisinError) -> None:
    with service.writing() as connection:
        refuse(connection, service.book, message, fault, at_s=service.clock.now_s())


def _keep_latency(service: Service, session_id: str, elapsed_ns: int) -> None:
    with service.writing() as connection:
        connection.execute(
            upsert(latency)
            .values(session_id=session_id, refund_us=elapsed_ns // 1_000)
            .on_conflict_do_nothing()
        )
