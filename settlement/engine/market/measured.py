"""Collect what an interval is settled from: metered energy and the readings behind it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, FromClause, func, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.market.counters import Counters, register_name
from settlement.engine.meters.holdings import Holding, by_party, holdings
from settlement.engine.service import Service
from settlement.metering.homes.flags import Flag
from settlement.metering.homes.shares import share_wh
from settlement.metering.readings import Register
from settlement.tables import meter, reading, session, slice_

_TWO_WAYS: Final = (Register.IMPORT, Register.EXPORT)
_NOTHING: Final = WattHours(0)


@dataclass(frozen=True, slots=True)
class Metered:
    """One party's energy in one interval, of all its meters."""

    party: str
    """Party."""
    import_wh: WattHours
    """Energy taken from the feeder, in Wh: the community's share."""
    export_wh: WattHours
    """Energy given to the feeder, in Wh: the community's share."""
    digests: tuple[bytes, ...]
    """Digests of the readings used, by meter, register and instant."""
    estimated: bool
    """Whether a reading is missing, the very first included."""
    beside_import_wh: WattHours = _NOTHING
    """Taken from the feeder by the same meters, in Wh, and not the community's."""
    beside_export_wh: WattHours = _NOTHING
    """Given to the feeder by the same meters, in Wh, and not the community's."""
    zone: str = ""
    """Zone that its meters are in; empty is the root."""
    flags: Flag = Flag.NONE
    """What is to be known of the values, of all its meters together."""
    ahead: tuple[tuple[str, WattHours], ...] = ()
    """Registers of which more was counted than they have said, and how much more, in Wh."""

    @property
    def brought_wh(self) -> WattHours:
        """What all its meters took less what they gave, in Wh."""
        taken = self.import_wh + self.beside_import_wh
        return WattHours(taken - self.export_wh - self.beside_export_wh)


def metered_parties(
    service: Service,
    connection: Connection,
    interval: int,
    number: int,
    known: FromClause = reading,
) -> tuple[Metered, ...]:
    """Return the energy of every party with a home meter, by party, from the ``known`` readings."""
    held = by_party(holdings(service, connection, service.rules.start_s(interval)))
    counters = Counters(service, connection, interval, number, known)
    return tuple(_of_party(counters, party, meters) for party, meters in held.items())


def _of_party(counters: Counters, party: str, meters: tuple[Holding, ...]) -> Metered:
    """Return the sum over a party's meters; one that is silent leaves the others as they are."""
    shares = dict.fromkeys(_TWO_WAYS, 0)
    whole = dict.fromkeys(_TWO_WAYS, 0)
    flags = Flag.NONE
    ahead = []
    for one in meters:
        for register in _TWO_WAYS:
            found = counters.counted(one, register)
            shares[register] += share_wh(one.slots, found.begin_wh, found.end_wh)
            whole[register] += found.energy_wh
            flags |= found.flags
            if found.ahead_wh:
                ahead.append((register_name(one.meter_id, register), found.ahead_wh))
        flags |= counters.flags(one)
    imports, exports = (WattHours(shares[register]) for register in _TWO_WAYS)
    return Metered(
        party=party,
        import_wh=imports,
        export_wh=exports,
        digests=tuple(_digests(counters, meters)),
        estimated=Flag.MISSING in flags,
        beside_import_wh=WattHours(whole[Register.IMPORT] - imports),
        beside_export_wh=WattHours(whole[Register.EXPORT] - exports),
        zone=meters[0].zone,
        flags=flags,
        ahead=tuple(ahead),
    )


def _digests(counters: Counters, meters: tuple[Holding, ...]) -> Iterator[bytes]:
    for one in meters:
        yield from counters.digests(one)


def stations_energy(connection: Connection, interval: int) -> WattHours:
    """Return what all stations drew in an interval, from their fiscal records."""
    total = connection.execute(
        select(func.coalesce(func.sum(slice_.c.energy_wh), 0)).where(slice_.c.interval == interval)
    ).scalar_one()
    return WattHours(total)


def is_complete(service: Service, connection: Connection, end_s: UnixSeconds) -> bool:
    """Say whether all homes, feeder heads and running sessions have told of ``end_s``."""
    begin_s = service.rules.start_s(service.rules.interval_of(UnixSeconds(end_s - 1)))
    counting = (
        select(meter.c.meter_id)
        .where(
            meter.c.kind.in_(("gateway", "feeder")),
            meter.c.valid_from_s <= begin_s,
            meter.c.valid_until_s > begin_s,
        )
        .distinct()
        .subquery()
    )
    meters = connection.execute(select(func.count()).select_from(counting)).scalar_one()
    spoken = connection.execute(
        select(func.count())
        .select_from(reading)
        .join(counting, counting.c.meter_id == reading.c.meter_id)
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
