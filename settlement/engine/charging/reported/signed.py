"""
Keep the transaction records of a session, byte for byte, and find the one that proves it whole.

A meter writes begin and end in one record, or each in one of its own. Only the first can close a
session on chain: ``closeWithOcmf`` and ``closeCosigned`` read one payload that holds both.
"""

from collections.abc import Sequence
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import UnverifiedReading, VoisinError
from ledger.store.bulk import upsert
from ledger.units import WattHours
from settlement.charging.records import ForeignRecordError, UnbindableRecordError
from settlement.charging.reports import TransactionReport
from settlement.engine.charging import kept
from settlement.engine.charging.running import narrowed, report_message, terms_of
from settlement.engine.intake import Outcome, refuse, take
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.metering.ocmf import OcmfRecord, parse_record
from settlement.metering.ocmf_energy import (
    IncompleteRecordError,
    energy_between,
    register_pair,
)
from settlement.metering.ocmf_signatures import verify_record
from settlement.metering.signatures import MeterKey
from settlement.tables import signed_record


class RecordInTwoPartsError(UnverifiedReading):
    """The begin and the end are signed in two records, which no contract can put together."""

    def __init__(self, energy_wh: int) -> None:
        super().__init__("record_in_two_parts", f"{energy_wh} Wh are signed, but in two records")


def keep_records(
    service: Service, connection: Connection, found: RowMapping, told: TransactionReport
) -> VoisinError | None:
    """
    Keep the report's transaction records that the session's meter signed; return the first refusal.

    Idempotent by station and page; another record under the same page is refused.
    """
    refused: VoisinError | None = None
    for text in told.records:
        try:
            record = parse_record(text)
        except UnverifiedReading as fault:
            refuse_record(service, connection, told, text, fault)
            refused = refused or fault
            continue
        if record.pagination_kind != "T":
            continue
        one = narrowed(told, text, key=f"record/T{record.pagination_number}")
        taken = take(
            connection,
            service.book,
            report_message(one, found["session_id"]),
            at_s=service.clock.now_s(),
            judge=partial(_keep, service, connection, found, text),
        )
        if isinstance(taken, VoisinError):
            kept.keep(connection, one, at_s=service.clock.now_s())
            refused = refused or taken
    return refused


def refuse_record(
    service: Service,
    connection: Connection,
    told: TransactionReport,
    text: str,
    fault: VoisinError,
) -> None:
    """Keep a record that cannot be read, with the reason."""
    one = narrowed(told, text, key=f"record/{sha256(text.encode()).hexdigest()}")
    kept.keep(connection, one, at_s=service.clock.now_s())
    refuse(connection, service.book, report_message(one, ""), fault, at_s=service.clock.now_s())


def _keep(service: Service, connection: Connection, found: RowMapping, text: str) -> Outcome:
    record = verified(service, connection, found, text)
    connection.execute(
        upsert(connection, signed_record)
        .values(
            session_id=found["session_id"],
            page=record.pagination_number,
            record=text,
            at_s=service.clock.now_s(),
        )
        .on_conflict_do_nothing()
    )
    return {"session_id": found["session_id"], "page": record.pagination_number}


def verified(service: Service, connection: Connection, found: RowMapping, text: str) -> OcmfRecord:
    """
    Return a record that the session's meter signed and that names its idTag.

    Raises
    ------
    UnverifiedReading
        If it is another meter's or another session's.
    """
    record = parse_record(text)
    verify_record(record, key_of(service, connection, found))
    if not record.id_tag:
        raise UnbindableRecordError
    if record.id_tag != found["id_tag"]:
        raise ForeignRecordError(record.id_tag, found["id_tag"])
    return record


def key_of(service: Service, connection: Connection, found: RowMapping) -> MeterKey:
    """
    Return the key that speaks for the session's meter now.

    Raises
    ------
    UnknownMeterError
        If none does.
    """
    return meter_key(connection, terms_of(found).meter_id, service.clock.now_s())


def kept_records(connection: Connection, session_id: str) -> Sequence[str]:
    """Return the transaction records of a session that came apart from its end, by page."""
    return (
        connection.execute(
            select(signed_record.c.record)
            .where(signed_record.c.session_id == session_id)
            .order_by(signed_record.c.page)
        )
        .scalars()
        .all()
    )


def whole_of(texts: Sequence[str]) -> str | None:
    """Return the first record that has a begin and an end, whatever else is wrong with it."""
    for text in texts:
        try:
            register_pair(parse_record(text))
        except IncompleteRecordError:
            continue
        except UnverifiedReading:
            return text
        return text
    return None


def check_two_parts(
    service: Service, connection: Connection, found: RowMapping, texts: Sequence[str]
) -> None:
    """
    Say by name that a session is proven in two records, if it is.

    Raises
    ------
    RecordInTwoPartsError
        If it is.
    UnverifiedReading
        If one of them is not signed by the session's meter.
    """
    records = [verified(service, connection, found, text) for text in texts]
    readings = tuple(
        reading
        for record in sorted(records, key=lambda one: one.pagination_number)
        for reading in record.readings
    )
    if not records:
        return
    last = records[-1]
    joined = OcmfRecord(
        payload=last.payload,
        pagination_kind=last.pagination_kind,
        pagination_number=last.pagination_number,
        id_tag=last.id_tag,
        readings=readings,
        algorithm=last.algorithm,
        signature=last.signature,
    )
    try:
        energy: WattHours = energy_between(*register_pair(joined))
    except IncompleteRecordError:
        return
    raise RecordInTwoPartsError(energy)
