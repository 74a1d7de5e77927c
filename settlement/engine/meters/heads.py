"""Say which feeder-head meters there are, and which zones lie behind each."""

from dataclasses import dataclass

from sqlalchemy import Connection, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.service import Service
from settlement.tables import meter
from settlement.trading.zones import ZoneTree

Zones = tuple[str, ...] | None
"""Names of zones, or None if they are the whole grid."""


@dataclass(frozen=True, slots=True)
class Head:
    """A feeder-head meter."""

    meter_id: str
    """Meter."""
    zones: Zones
    """What is behind it: its own zone and all below."""
    modulus_wh: WattHours | None
    """Where its registers begin again at 0, in Wh, if they do."""

    def went_wh(self, begin_wh: int, end_wh: int) -> WattHours:
        """Return what a register counted from one value to another, in Wh."""
        wrapped = end_wh < begin_wh and self.modulus_wh is not None
        return WattHours(end_wh - begin_wh + ((self.modulus_wh or 0) if wrapped else 0))


def heads(service: Service, connection: Connection, at_s: UnixSeconds) -> tuple[Head, ...]:
    """Return every feeder head that counts at an instant, by meter."""
    tree = service.rules.tree
    rows = connection.execute(
        select(meter.c.meter_id, meter.c.zone, meter.c.register_modulus_wh)
        .where(meter.c.kind == "feeder", meter.c.valid_from_s <= at_s, meter.c.valid_until_s > at_s)
        .order_by(meter.c.meter_id, meter.c.valid_from_s)
    )
    newest = {row.meter_id: row for row in rows}
    return tuple(
        Head(row.meter_id, _behind(tree, row.zone), row.register_modulus_wh)
        for row in newest.values()
    )


def _behind(tree: ZoneTree, zone: str | None) -> Zones:
    if zone is None or zone == tree.root.name:
        return None
    return tuple(
        one.name for one in tree.zones if one.name == zone or zone in above(tree, one.name)
    )


def topmost(service: Service, connection: Connection, at_s: UnixSeconds) -> tuple[Head, ...]:
    """
    Return the heads that have no other above them, if every home is behind one; else none.

    Two heads of one zone are two feeders side by side.
    """
    known = heads(service, connection, at_s)
    whole = tuple(one for one in known if one.zones is None)
    if whole or not known:
        return whole
    tree = service.rules.tree
    headed = {one.zones[0] for one in known if one.zones}
    top = {zone for zone in headed if not headed & above(tree, zone)}
    placed = connection.execute(
        select(meter.c.zone)
        .where(meter.c.kind != "feeder", meter.c.valid_from_s <= at_s, meter.c.valid_until_s > at_s)
        .distinct()
    ).scalars()
    if any(not top & (above(tree, zone or tree.root.name) | {zone}) for zone in placed):
        return ()
    return tuple(one for one in known if one.zones and one.zones[0] in top)


def above(tree: ZoneTree, zone: str) -> set[str]:
    """Return the zones between a zone and the root, the root included."""
    found = set()
    place = tree.parents[tree.index[zone]]
    while place >= 0:
        found.add(tree.zones[place].name)
        place = tree.parents[place]
    return found
