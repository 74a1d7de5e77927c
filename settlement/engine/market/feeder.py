"""
Check what the feeder-head meter measured against the meters behind it (law L3).

Both of its registers at an instant are needed, and every home's. Sent together, the pair stands or
falls together. Sent apart, nothing can be said until the second comes, which is then the one to be
refused.
"""

from sqlalchemy import Connection, func, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.service import Service
from settlement.metering.balance import FeederBalance, check_balance
from settlement.metering.readings import Reading, Register
from settlement.tables import meter, reading, slice_


def check(
    service: Service,
    connection: Connection,
    before: Reading,
    one: Reading,
    beside: Reading | None,
) -> None:
    """
    Judge the feeder head's reading ``one``, with ``beside`` it or stored, the other register's.

    Raises
    ------
    FeederDisagreesError
        If energy appears from nowhere, or more is lost than declared.
    """
    other = Register.EXPORT if one.register is Register.IMPORT else Register.IMPORT
    if beside is None:
        partner = energy_between(connection, "feeder", other, before.at_s, one.at_s)
    else:
        partner = _energy_since(connection, before.at_s, beside)
    if partner is None:
        return
    own = WattHours(one.energy_wh - before.energy_wh)
    head = (own, partner) if one.register is Register.IMPORT else (partner, own)
    balance = measured(service, connection, before.at_s, one.at_s, head)
    if balance is not None:
        check_balance(balance, service.rules.loss_bound_bp)


def _energy_since(connection: Connection, begin_s: UnixSeconds, one: Reading) -> WattHours | None:
    """Return the energy from the stored reading at ``begin_s`` to ``one``."""
    begin = connection.execute(
        select(reading.c.energy_wh).where(
            reading.c.meter_id == one.meter_id,
            reading.c.register == int(one.register),
            reading.c.at_s == begin_s,
        )
    ).scalar()
    return None if begin is None else WattHours(one.energy_wh - begin)


def measured(
    service: Service,
    connection: Connection,
    begin_s: int,
    end_s: int,
    head: tuple[WattHours, WattHours],
) -> FeederBalance | None:
    """Return the balance of an interval, or None while a home's readings are missing."""
    span = (UnixSeconds(begin_s), UnixSeconds(end_s))
    imports = energy_between(connection, "gateway", Register.IMPORT, *span)
    exports = energy_between(connection, "gateway", Register.EXPORT, *span)
    if imports is None or exports is None:
        return None
    stations = connection.execute(
        select(func.coalesce(func.sum(slice_.c.energy_wh), 0)).where(
            slice_.c.interval == service.rules.interval_of(UnixSeconds(begin_s))
        )
    ).scalar_one()
    return FeederBalance(
        exports_wh=exports,
        imports_wh=WattHours(imports + stations),
        head_import_wh=head[0],
        head_export_wh=head[1],
    )


def energy_between(
    connection: Connection,
    kind: str,
    register: Register,
    begin_s: UnixSeconds,
    end_s: UnixSeconds,
) -> WattHours | None:
    """Return the energy of all meters of ``kind``, or None if one lacks a reading at an end."""
    at_end, at_begin = reading.alias("at_end"), reading.alias("at_begin")
    total, counted = connection.execute(
        select(
            func.coalesce(func.sum(at_end.c.energy_wh - at_begin.c.energy_wh), 0),
            func.count(),
        )
        .select_from(at_end)
        .join(
            at_begin,
            (at_begin.c.meter_id == at_end.c.meter_id)
            & (at_begin.c.register == at_end.c.register)
            & (at_begin.c.at_s == begin_s),
        )
        .join(meter, meter.c.meter_id == at_end.c.meter_id)
        .where(meter.c.kind == kind, at_end.c.register == int(register), at_end.c.at_s == end_s)
    ).one()
    meters = connection.execute(
        select(func.count()).select_from(meter).where(meter.c.kind == kind)
    ).scalar_one()
    return WattHours(total) if counted == meters else None
