"""Collect what an interval is settled from: metered energy and the readings behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from ledger.units import UnixSeconds, WattHours
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
    """Whether a reading was missing, so that the energy is taken as none for now."""


def metered_parties(
    connection: Connection, begin_s: UnixSeconds, end_s: UnixSeconds
) -> tuple[Metered, ...]:
    """Return the energy of every party with a home meter, by party."""
    homes = connection.execute(
        select(meter.c.party, meter.c.meter_id)
        .where(meter.c.kind == "gateway")
        .order_by(meter.c.party)
    )
    return tuple(_of_meter(connection, row[0], row[1], begin_s, end_s) for row in homes)


def _of_meter(
    connection: Connection, party: str, meter_id: str, begin_s: UnixSeconds, end_s: UnixSeconds
) -> Metered:
    """Return a meter's energy: register at the end less the last one that was settled."""
    rows = (
        connection.execute(
            select(reading)
            .where(
                reading.c.meter_id == meter_id,
                reading.c.register.in_((int(Register.IMPORT), int(Register.EXPORT))),
                reading.c.at_s.in_((begin_s, end_s)),
            )
            .order_by(reading.c.register, reading.c.at_s)
        )
        .mappings()
        .all()
    )
    at_end = {row["register"]: row for row in rows if row["at_s"] == end_s}
    if len(at_end) < 2:  # noqa: PLR2004 - import and export
        return Metered(party, WattHours(0), WattHours(0), (), estimated=True)
    energies = {
        register: row["energy_wh"] - _before(connection, meter_id, register, begin_s, rows)
        for register, row in at_end.items()
    }
    return Metered(
        party=party,
        import_wh=WattHours(energies[int(Register.IMPORT)]),
        export_wh=WattHours(energies[int(Register.EXPORT)]),
        digests=tuple(row["digest"] for row in rows),
        estimated=False,
    )


def _before(
    connection: Connection,
    meter_id: str,
    register: int,
    begin_s: UnixSeconds,
    rows: Sequence[RowMapping],
) -> int:
    """Return the register at the begin, or the last one before it if the meter was silent."""
    for row in rows:
        if row["register"] == register and row["at_s"] == begin_s:
            return int(row["energy_wh"])
    found = connection.execute(
        select(reading.c.energy_wh)
        .where(
            reading.c.meter_id == meter_id,
            reading.c.register == register,
            reading.c.at_s < begin_s,
        )
        .order_by(reading.c.at_s.desc())
        .limit(1)
    ).scalar()
    return 0 if found is None else int(found)


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
    interval = (end_s - 1) // service.rules.interval_s
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
