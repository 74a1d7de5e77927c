"""Look up sessions by what a station knows of them, and keep what it sent."""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, func, select

from ledger.errors import VoisinError
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.charging.records import MeteredSpan, RecordContext
from settlement.charging.reports import Phase, TransactionReport
from settlement.charging.slices import FiscalSlice
from settlement.charging.terms import Opening, SessionTerms
from settlement.engine.bills.rows import terms_in
from settlement.engine.intake import Message, refuse
from settlement.engine.service import Service
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_energy import register_pair, register_wh
from settlement.tables import meter, session, slice_

_SPANS_MAX: Final = 8
"""Sessions that a record is compared with; more lie too far back for a station to catch up on."""

# Every report passes here, so the statements are made once.
_BY_TAG: Final = select(session).where(
    session.c.station_id == bindparam("station"), session.c.id_tag == bindparam("tag")
)
_BY_TRANSACTION: Final = select(session).where(
    session.c.station_id == bindparam("station"),
    session.c.station_transaction == bindparam("told"),
)
_METER: Final = (
    select(meter.c.serial, meter.c.register_modulus_wh)
    .where(meter.c.meter_id == bindparam("named"))
    .order_by(meter.c.valid_from_s.desc())
)
_SLICED: Final = select(func.coalesce(func.sum(slice_.c.energy_wh), 0)).where(
    slice_.c.session_id == bindparam("named")
)
_BILLED: Final = (
    select(session.c.record)
    .where(
        session.c.station_id == bindparam("station"),
        session.c.session_id != bindparam("own"),
        session.c.state.in_(("closing", "closed")),
        session.c.record.is_not(None),
    )
    .order_by(session.c.transaction_id.desc())
    .limit(_SPANS_MAX)
)
_SLICE: Final = slice_.insert()


def by_tag(connection: Connection, station_id: str, id_tag: str) -> RowMapping | None:
    """Return the session of ``id_tag`` at the station, if there is one."""
    sought = {"station": station_id, "tag": id_tag}
    return connection.execute(_BY_TAG, sought).mappings().first()


def by_transaction(
    connection: Connection, station_id: str, transaction: str | None
) -> RowMapping | None:
    """Return the session of the station's OCPP transaction, if there is one."""
    if transaction is None:
        return None
    sought = {"station": station_id, "told": transaction}
    return connection.execute(_BY_TRANSACTION, sought).mappings().first()


def terms_of(found: RowMapping) -> SessionTerms:
    """Return the terms of a session."""
    return terms_in(found["terms"])


def opening_of(found: RowMapping) -> Opening:
    """Return how a session was opened; the service opens them from wallets."""
    return Opening(UnixSeconds(found["opened_s"]), int(found["page_at_open"]), from_wallet=True)


def keep_slice(connection: Connection, identity: str, part: FiscalSlice, record: str) -> None:
    """Store a fiscal slice with its record."""
    connection.execute(
        _SLICE,
        {
            "session_id": identity,
            "page": part.page,
            "interval": part.interval,
            "begin_s": part.begin_s,
            "end_s": part.end_s,
            "energy_wh": part.energy_wh,
            "record": record,
        },
    )


def record_context(
    connection: Connection, found: RowMapping, rated_power_w: Watts, now_s: UnixSeconds
) -> RecordContext:
    """Return what a transaction record of the session is judged against."""
    known = connection.execute(_METER, {"named": terms_of(found).meter_id}).first()
    serial, modulus = known or ("", None)
    return RecordContext(
        id_tag=found["id_tag"],
        page_at_open=found["page_at_open"],
        previous_end_wh=None,
        rated_power_w=rated_power_w,
        opened_s=UnixSeconds(found["opened_s"]),
        now_s=now_s,
        slices_wh=sliced_wh(connection, found["session_id"]),
        meter_serial=serial,
        register_modulus_wh=None if modulus is None else WattHours(modulus),
        spans=_spans(connection, found),
    )


def sliced_wh(connection: Connection, session_id: str) -> WattHours:
    """Return the energy of all fiscal records of a session, in Wh."""
    return WattHours(connection.execute(_SLICED, {"named": session_id}).scalar_one())


def _spans(connection: Connection, found: RowMapping) -> tuple[MeteredSpan, ...]:
    """Return what the station's latest other sessions were billed by, not ``meterStart``."""
    records = connection.execute(
        _BILLED, {"station": found["station_id"], "own": found["session_id"]}
    ).scalars()
    return tuple(_span_of(text) for text in records)


@lru_cache(maxsize=1_024)
def _span_of(text: str) -> MeteredSpan:
    """Return what a record that was billed by says; its text never changes."""
    record = parse_record(text)
    begin, end = register_pair(record)
    return MeteredSpan(record.pagination_number, register_wh(begin), register_wh(end))


def report_message(told: TransactionReport, trace_id: str) -> Message:
    """Return a report as a message, under its business key."""
    return station_message(told.key, told.station_id, told.body, trace_id)


def narrowed(told: TransactionReport, text: str, *, key: str) -> TransactionReport:
    """Return what a report says with one of its records alone, under a business key of its own."""
    return replace(
        told, phase=Phase.UPDATED, values=(), records=(text,), key=key, body=text.encode()
    )


def station_message(key: str, station_id: str, body: bytes, trace_id: str) -> Message:
    """Return what a station sent as a message, under its business key."""
    return Message(
        key=f"{station_id}/{key}",
        kind="ocpp",
        source=station_id,
        body=body,
        trace_id=trace_id,
    )


def keep_refused(service: Service, message: Message, fault: VoisinError) -> None:
    """Keep a message that is refused before it can be judged."""
    with service.writing() as connection:
        refuse(connection, service.book, message, fault, at_s=service.clock.now_s())
