"""List what others ask for page by page: charge detail records, sessions, tariffs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select

from ledger.units import UnixSeconds
from settlement.charging.documents.facts import AgreedTariff, SessionFacts
from settlement.charging.documents.issuer import Issuer
from settlement.charging.documents.session_object import session_object
from settlement.charging.documents.tariff_object import described
from settlement.engine.charging.documents.gathering import BATCH, gathered
from settlement.engine.service import Service
from settlement.tables import cdr, event, session, tariff

_LISTED = ("closing", "closed", "expired")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of a list is asked for."""

    offset: int
    """How many to leave out first."""
    limit: int
    """How many to return at most."""
    from_s: UnixSeconds | None
    """First instant of the last change, in Unix seconds."""
    until_s: UnixSeconds | None
    """First instant after it, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list."""

    total: int
    """How many there are in all."""
    bodies: tuple[Any, ...]
    """Those asked for, as JSON text or as documents."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which sessions a table is to hold."""

    from_s: UnixSeconds | None = None
    """Opened at or after this instant, in Unix seconds."""
    until_s: UnixSeconds | None = None
    """Opened before this instant, in Unix seconds."""
    station_id: str | None = None
    """At this station."""
    driver: str | None = None
    """Of this wallet."""


def list_records(connection: Connection, wanted: Wanted) -> Page:
    """Return kept charge detail records in the order they were issued, as JSON text."""
    within = _between(cdr.c.at_s, wanted)
    total = _count(connection, select(cdr.c.seq).where(*within))
    found = connection.execute(
        select(cdr.c.body)
        .where(*within)
        .order_by(cdr.c.seq)
        .offset(wanted.offset)
        .limit(wanted.limit)
    )
    return Page(total, tuple(row.body for row in found))


def list_sessions(service: Service, connection: Connection, issuer: Issuer, wanted: Wanted) -> Page:
    """Return sessions by when something last happened to them, as Session objects of OCPI."""
    changed = (
        select(event.c.trace_id, func.max(event.c.at_s).label("at_s"))
        .group_by(event.c.trace_id)
        .subquery()
    )
    within = (session.c.state != "refused", *_between(changed.c.at_s, wanted))
    joined = select(session, changed.c.at_s.label("changed_s")).join(
        changed, changed.c.trace_id == session.c.session_id
    )
    total = _count(connection, joined.where(*within))
    rows = (
        connection.execute(
            joined.where(*within)
            .order_by(changed.c.at_s, session.c.session_id)
            .offset(wanted.offset)
            .limit(wanted.limit)
        )
        .mappings()
        .all()
    )
    facts = gathered(service, connection, rows)
    return Page(
        total,
        tuple(
            session_object(one, issuer, at_s=UnixSeconds(row["changed_s"]))
            for one, row in zip(facts, rows, strict=True)
        ),
    )


def list_tariffs(service: Service, connection: Connection, issuer: Issuer, wanted: Wanted) -> Page:
    """Return the tariff that holds now, then those that sessions were opened under."""
    simple = service.rules.tariff
    own = AgreedTariff(
        fingerprint=f"0x{simple.fingerprint.hex()}",
        tariff_id=simple.tariff_id,
        text=simple.canonical.decode(),
        price_micros_per_kwh=simple.price_micros_per_kwh,
        flat_micros=simple.flat_micros,
        vat_bp=simple.vat_rate_bp,
    )
    first = connection.execute(select(func.min(session.c.opened_s))).scalar() or 0
    known = [(UnixSeconds(first), own)]
    for row in connection.execute(select(tariff).order_by(tariff.c.at_s)):
        if row.fingerprint != own.fingerprint:
            kept = AgreedTariff(
                fingerprint=row.fingerprint,
                tariff_id=row.tariff_id,
                text=row.body,
                price_micros_per_kwh=own.price_micros_per_kwh,
                flat_micros=own.flat_micros,
                vat_bp=own.vat_bp,
            )
            known.append((UnixSeconds(row.at_s), kept))
    inside = [
        described(one, service.rules.currency, issuer, at_s=at_s)
        for at_s, one in known
        if (wanted.from_s is None or at_s >= wanted.from_s)
        and (wanted.until_s is None or at_s < wanted.until_s)
    ]
    return Page(len(inside), tuple(inside[wanted.offset : wanted.offset + wanted.limit]))


def table_of(service: Service, connection: Connection, asked: Filter) -> Iterator[SessionFacts]:
    """Return the sessions of a table one by one, the oldest first; memory holds one batch."""
    conditions: list[ColumnElement[bool]] = [session.c.state.in_(_LISTED)]
    if asked.from_s is not None:
        conditions.append(session.c.opened_s >= asked.from_s)
    if asked.until_s is not None:
        conditions.append(session.c.opened_s < asked.until_s)
    if asked.station_id is not None:
        conditions.append(session.c.station_id == asked.station_id)
    if asked.driver is not None:
        conditions.append(session.c.driver == asked.driver.lower())
    identities = [
        row.session_id
        for row in connection.execute(
            select(session.c.session_id)
            .where(*conditions)
            .order_by(session.c.opened_s, session.c.session_id)
        )
    ]
    for first in range(0, len(identities), BATCH):
        rows = (
            connection.execute(
                select(session)
                .where(session.c.session_id.in_(identities[first : first + BATCH]))
                .order_by(session.c.opened_s, session.c.session_id)
            )
            .mappings()
            .all()
        )
        yield from gathered(service, connection, rows)


def _between(column: ColumnElement[int], wanted: Wanted) -> tuple[ColumnElement[bool], ...]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.from_s is not None:
        conditions.append(column >= wanted.from_s)
    if wanted.until_s is not None:
        conditions.append(column < wanted.until_s)
    return tuple(conditions)


def _count(connection: Connection, rows: Select[Any]) -> int:
    return connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one()
