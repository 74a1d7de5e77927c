"""Collect what an interval is settled from: metered energy and the readings behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.market.registers import last_reading
from settlement.engine.service import Service
from settlement.metering.readings import Register
from settlement.tables import meter, reading, session, slice_


@dataclass(frozen=True, slots=True)
class Metered:
    """One party's energy in one interval."""

    party: str
    """Party."""
    import_wh: WattHours
    """Energy taken from the feeder, in Wh."""
    export_wh: WattHours
    """Energy given to the feeder, in Wh."""
    digests: tuple[bytes, ...]
    """Digests of the readings used, by meter, register and instant."""
    estimated: bool
    """Whether a reading is missing, the very first included: the energy counts as none for now."""


def metered_parties(
    connection: Connection, begin_s: UnixSeconds, end_s: UnixSeconds
) -> tuple[Metered, ...]:
    """Return the energy of every party with a home meter, by party."""
    homes = connection.execute(
        select(meter.c.party, meter.c.meter_id)
        .where(meter.c.kind == "gateway")
        .order_by(meter.c.party)
    ).all()
    found = connection.execute(
        select(reading)
        .where(
            reading.c.at_s.in_((begin_s, end_s)),
            reading.c.register.in_((int(Register.IMPORT), int(Register.EXPORT))),
        )
        .order_by(reading.c.register, reading.c.at_s)
    ).mappings()
    of_meter: dict[str, list[RowMapping]] = {}
    for row in found:
        of_meter.setdefault(row["meter_id"], []).append(row)
    return tuple(
        _of_meter(connection, party, of_meter.get(meter_id, ()), begin_s, end_s)
        for party, meter_id in homes
    )


def _of_meter(
    connection: Connection,
    party: str,
    rows: Sequence[RowMapping],
    begin_s: UnixSeconds,
    end_s: UnixSeconds,
) -> Metered:
    """Return a meter's energy: register at the end less the last one that was settled."""
    at_end = {row["register"]: row for row in rows if row["at_s"] == end_s}
    at_begin = {row["register"]: row["energy_wh"] for row in rows if row["at_s"] == begin_s}
    for register, row in at_end.items():
        if register not in at_begin:
            at_begin[register] = _earlier(connection, row, begin_s)
    energies = {
        register: row["energy_wh"] - at_begin[register]
        for register, row in at_end.items()
        if at_begin[register] is not None
    }
    if len(energies) < 2:  # noqa: PLR2004 - import and export
        return Metered(party, WattHours(0), WattHours(0), (), estimated=True)
    return Metered(
        party=party,
        import_wh=WattHours(energies[int(Register.IMPORT)]),
        export_wh=WattHours(energies[int(Register.EXPORT)]),
        digests=tuple(row["digest"] for row in rows),
        estimated=False,
    )


def _earlier(connection: Connection, one: RowMapping, begin_s: UnixSeconds) -> int | None:
    """Return the register when the meter last spoke before ``begin_s``, if it ever did."""
    register, until_s = Register(one["register"]), UnixSeconds(begin_s - 1)
    found = last_reading(connection, one["meter_id"], register, until_s)
    return None if found is None else found.energy_wh


def stations_energy(connection: Connection, interval: int) -> WattHours:
    """Return what all stations drew in an interval, from their fiscal records."""
    total = connection.execute(
        select(func.coalesce(func.sum(slice_.c.energy_wh), 0)).where(slice_.c.interval == interval)
    ).scalar_one()
    return WattHours(total)


def is_complete(service: Service, connection: Connection, end_s: UnixSeconds) -> bool:
    """Say whether all homes, the feeder head and all running sessions have told of ``end_s``."""
    meters = connection.execute(
        select(func.count()).select_from(meter).where(meter.c.kind.in_(("gateway", "feeder")))
    ).scalar_one()
    spoken = connection.execute(
        select(func.count())
        .select_from(reading)
        .where(
            reading.c.at_s == end_s,
            reading.c.register.in_((int(Register.IMPORT), int(Register.EXPORT))),
        )
    ).scalar_one()
    return bool(spoken == 2 * meters) and not _silent_sessions(service, connection, end_s)


def _silent_sessions(service: Service, connection: Connection, end_s: UnixSeconds) -> bool:
    """Say whether a session that drew energy before ``end_s`` still owes the record of it."""
    interval = service.rules.interval_of(UnixSeconds(end_s - 1))
    running = connection.execute(
        select(session.c.session_id).where(
            session.c.started_s < end_s,
            session.c.state.in_(("charging", "closing", "held")),
            session.c.stopped_s.is_(None),
        )
    ).all()
    told = {
        row[0]
        for row in connection.execute(
            select(slice_.c.session_id).where(slice_.c.interval == interval)
        )
    }
    return any(row[0] not in told for row in running)
