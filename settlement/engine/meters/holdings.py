"""Say whose a home meter is at an instant, in which zone, and how much of it is the community's."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.meters.participation import slots_at
from settlement.engine.service import Service
from settlement.metering.homes.shares import WHOLE, Slots
from settlement.tables import meter


@dataclass(frozen=True, slots=True)
class Holding:
    """A home meter of a party."""

    meter_id: str
    """Meter."""
    party: str
    """Who has it."""
    since_s: UnixSeconds
    """Since when, in Unix seconds; what was read before was somebody else's."""
    modulus_wh: WattHours | None
    """Where its registers begin again at 0, in Wh, if they do."""
    zone: str
    """Zone it is in."""
    slots: Slots
    """How much of it is the community's."""


def holdings(service: Service, connection: Connection, at_s: UnixSeconds) -> tuple[Holding, ...]:
    """
    Return every home meter that somebody has at an instant, by party and meter.

    A meter changes hands with a row that begins later than the one before. Where two rows hold, the
    one that began last counts, as it does for the key.
    """
    rows = connection.execute(
        select(
            meter.c.meter_id,
            meter.c.valid_from_s,
            meter.c.valid_until_s,
            meter.c.party,
            meter.c.register_modulus_wh,
            meter.c.zone,
        )
        .where(meter.c.kind == "gateway", meter.c.valid_from_s <= at_s)
        .order_by(meter.c.meter_id, meter.c.valid_from_s)
    ).all()
    slots = slots_at(service, connection, at_s)
    root = service.rules.tree.root.name
    found = []
    for meter_id, group in groupby(rows, attrgetter("meter_id")):
        mine = list(group)
        holder = next((row for row in reversed(mine) if at_s < row.valid_until_s), None)
        if holder is not None:
            modulus_wh = holder.register_modulus_wh
            found.append(
                Holding(
                    meter_id=meter_id,
                    party=holder.party,
                    since_s=_since(mine, holder.party),
                    modulus_wh=None if modulus_wh is None else WattHours(modulus_wh),
                    zone=holder.zone or root,
                    slots=slots.get(meter_id, WHOLE),
                )
            )
    return tuple(sorted(found, key=attrgetter("party", "meter_id")))


def stations_zone(service: Service, connection: Connection, at_s: UnixSeconds) -> str:
    """Return the zone that the stations' meters are in; the root if there are none."""
    found = connection.execute(
        select(meter.c.zone)
        .where(meter.c.kind == "station", meter.c.valid_from_s <= at_s)
        .order_by(meter.c.valid_from_s.desc(), meter.c.meter_id)
        .limit(1)
    ).scalar()
    return found or service.rules.tree.root.name


def _since(rows: Sequence[Any], party: str) -> UnixSeconds:
    """Return since when a meter is the party's, through all renewals of its key."""
    since: int | None = None
    for row in rows:
        if row.party != party:
            since = None
        elif since is None:
            since = row.valid_from_s
    return UnixSeconds(since or 0)


def by_party(held: Iterable[Holding]) -> dict[str, tuple[Holding, ...]]:
    """Return each party's meters, parties in order."""
    return {party: tuple(group) for party, group in groupby(held, attrgetter("party"))}
