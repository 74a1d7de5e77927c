"""
Check what a feeder-head meter measured against the meters behind it (law L3).

The head of a zone has behind it every home and station in the zone and in the zones below. Both of
its registers at an instant are needed, and every home's. Sent together, the pair stands or falls
together. Sent apart, nothing can be said until the second comes, which is then the one to be
refused.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Connection, FromClause, case, func, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.meters.heads import Head, Zones, heads, topmost
from settlement.engine.service import Service
from settlement.metering.balance import FeederBalance, check_balance
from settlement.metering.readings import Reading, Register
from settlement.tables import meter, reading, session, slice_, station


def check(
    service: Service,
    connection: Connection,
    before: Reading,
    one: Reading,
    beside: Reading | None,
) -> None:
    """
    Judge a feeder head's reading ``one``, with ``beside`` it or stored, the other register's.

    Raises
    ------
    FeederDisagreesError
        If energy appears from nowhere, or more is lost than declared.
    """
    known = heads(service, connection, one.at_s)
    head = next(each for each in known if each.meter_id == one.meter_id)
    span = (before.at_s, one.at_s)
    other = Register.EXPORT if one.register is Register.IMPORT else Register.IMPORT
    if beside is None:
        partner = _energy_of(connection, head, other, span)
    else:
        partner = _energy_since(connection, head, before.at_s, beside)
    if partner is None:
        return
    own = head.went_wh(before.energy_wh, one.energy_wh)
    exchanged = (own, partner) if one.register is Register.IMPORT else (partner, own)
    balance = _balance(service, connection, span, exchanged, head.zones)
    if balance is not None:
        check_balance(balance, service.rules.loss_bound_bp)


def measured(
    service: Service,
    connection: Connection,
    span: tuple[UnixSeconds, UnixSeconds],
    known: FromClause = reading,
) -> FeederBalance | None:
    """
    Return the community's balance of a span of time, or None if a meter said nothing of it.

    The heads of the topmost zones that have one are what the community exchanges with the grid. A
    home behind none of them leaves it unmeasured.
    """
    top = topmost(service, connection, span[0])
    if not top:
        return None
    taken, given = (
        _sum(_energy_of(connection, one, register, span, known) for one in top)
        for register in (Register.IMPORT, Register.EXPORT)
    )
    if taken is None or given is None:
        return None
    return _balance(service, connection, span, (taken, given), None, known)


def energy_between(
    connection: Connection,
    register: Register,
    span: tuple[UnixSeconds, UnixSeconds],
    zones: Zones,
    known: FromClause = reading,
) -> WattHours | None:
    """Return the energy of all homes behind a head, or None if one lacks a reading at an end."""
    begin_s = span[0]
    homes = (
        select(meter.c.meter_id, func.max(meter.c.register_modulus_wh).label("modulus_wh"))
        .where(
            meter.c.kind == "gateway",
            meter.c.valid_from_s <= begin_s,
            meter.c.valid_until_s > begin_s,
            *_among(zones),
        )
        .group_by(meter.c.meter_id)
        .subquery()
    )
    at_end, at_begin = known.alias("at_end"), known.alias("at_begin")
    went = at_end.c.energy_wh - at_begin.c.energy_wh
    energy = case((went < 0, went + func.coalesce(homes.c.modulus_wh, 0)), else_=went)
    total, counted = connection.execute(
        select(func.coalesce(func.sum(energy), 0), func.count())
        .select_from(at_end)
        .join(
            at_begin,
            (at_begin.c.meter_id == at_end.c.meter_id)
            & (at_begin.c.register == at_end.c.register)
            & (at_begin.c.at_s == begin_s),
        )
        .join(homes, homes.c.meter_id == at_end.c.meter_id)
        .where(at_end.c.register == int(register), at_end.c.at_s == span[1])
    ).one()
    meters = connection.execute(select(func.count()).select_from(homes)).scalar_one()
    return WattHours(total) if counted == meters else None


def _balance(
    service: Service,
    connection: Connection,
    span: tuple[UnixSeconds, UnixSeconds],
    exchanged: tuple[WattHours, WattHours],
    zones: Zones,
    known: FromClause = reading,
) -> FeederBalance | None:
    """Return what a head and the meters behind it measured, or None while one is silent."""
    imports = energy_between(connection, Register.IMPORT, span, zones, known)
    exports = energy_between(connection, Register.EXPORT, span, zones, known)
    if imports is None or exports is None:
        return None
    stations = _stations(service, connection, span, zones)
    return FeederBalance(
        exports_wh=exports,
        imports_wh=WattHours(imports + stations),
        head_import_wh=exchanged[0],
        head_export_wh=exchanged[1],
    )


def _stations(
    service: Service,
    connection: Connection,
    span: tuple[UnixSeconds, UnixSeconds],
    zones: Zones,
) -> WattHours:
    """Return what the stations behind a head drew, from their fiscal records."""
    first, end = (service.rules.interval_of(at_s) for at_s in span)
    drawn = select(func.coalesce(func.sum(slice_.c.energy_wh), 0)).where(
        slice_.c.interval >= first, slice_.c.interval < end
    )
    if zones is not None:
        own = (
            select(session.c.session_id)
            .join(station, station.c.station_id == session.c.station_id)
            .join(meter, meter.c.meter_id == station.c.meter_id)
            .where(*_among(zones))
        )
        drawn = drawn.where(slice_.c.session_id.in_(own))
    return WattHours(connection.execute(drawn).scalar_one())


def _energy_of(
    connection: Connection,
    head: Head,
    register: Register,
    span: tuple[UnixSeconds, UnixSeconds],
    known: FromClause = reading,
) -> WattHours | None:
    """Return what one head's register counted, or None if it was silent at an end."""
    said = connection.execute(
        select(known.c.at_s, known.c.energy_wh).where(
            known.c.at_s.in_(span),
            known.c.meter_id == head.meter_id,
            known.c.register == int(register),
        )
    )
    found = {row.at_s: row.energy_wh for row in said}
    return head.went_wh(found[span[0]], found[span[1]]) if len(found) == len(span) else None


def _energy_since(
    connection: Connection, head: Head, begin_s: UnixSeconds, one: Reading
) -> WattHours | None:
    """Return the energy from the stored reading at ``begin_s`` to ``one``."""
    begin = connection.execute(
        select(reading.c.energy_wh).where(
            reading.c.meter_id == one.meter_id,
            reading.c.register == int(one.register),
            reading.c.at_s == begin_s,
        )
    ).scalar()
    return None if begin is None else head.went_wh(begin, one.energy_wh)


def _sum(energies: Iterable[WattHours | None]) -> WattHours | None:
    """Return the sum, or None if one is missing."""
    total = 0
    for energy_wh in energies:
        if energy_wh is None:
            return None
        total += energy_wh
    return WattHours(total)


def _among(zones: Zones) -> tuple[ColumnElement[bool], ...]:
    """Return what a meter's row must meet to be behind a head."""
    return () if zones is None else (meter.c.zone.in_(zones),)
