"""The zones of a grid: a tree with tolls on its edges and caps on what may cross them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import MicrosPerKilowattHour, WattHours

_NO_TOLL: Final = MicrosPerKilowattHour(0)


class BadZonesError(InvalidRequest):
    """Zones that are no tree, or a toll or cap below zero."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_zones", detail)


@dataclass(frozen=True, slots=True)
class Zone:
    """A feeder, transformer or substation."""

    name: str
    """Short id, unique in the community."""
    parent: str | None = None
    """Zone above, or None for the root."""
    local_toll: MicrosPerKilowattHour = _NO_TOLL
    """Toll of every kWh bought here."""
    edge_toll: MicrosPerKilowattHour = _NO_TOLL
    """Toll of every kWh that crosses the edge to the parent, either way."""
    import_cap_wh: WattHours | None = None
    """Most that may come in from the parent in an interval, in Wh; None is no limit."""
    export_cap_wh: WattHours | None = None
    """Most that may go out to the parent in an interval, in Wh; None is no limit."""


@dataclass(frozen=True, slots=True)
class ZoneTree:
    """
    The zones of a community, parents before children, siblings by name.

    The order is the tree's own: it does not depend on the order in which zones were given.
    """

    zones: tuple[Zone, ...]
    """Parents first."""
    index: Mapping[str, int] = field(compare=False, repr=False)
    """Place of a zone in ``zones``, by name."""
    parents: tuple[int, ...] = field(compare=False, repr=False)
    """Place of the parent of each zone; -1 for the root."""
    depths: tuple[int, ...] = field(compare=False, repr=False)
    """Edges between each zone and the root."""

    @classmethod
    def of(cls, zones: Iterable[Zone]) -> "ZoneTree":
        """
        Return the tree of ``zones``.

        Raises
        ------
        BadZonesError
            If they have no root or more than one, a circle, an unknown parent, a name twice, or a
            toll or cap below zero.
        """
        given = tuple(zones)
        for zone in given:
            _check(zone)
        ordered = _parents_first(given)
        index = {zone.name: place for place, zone in enumerate(ordered)}
        parents = tuple(-1 if z.parent is None else index[z.parent] for z in ordered)
        depths: list[int] = []
        for parent in parents:
            depths.append(0 if parent < 0 else depths[parent] + 1)
        return cls(ordered, index, parents, tuple(depths))

    @classmethod
    def single(
        cls, name: str = "feeder", local_toll: MicrosPerKilowattHour = _NO_TOLL
    ) -> "ZoneTree":
        """Return a grid of one zone."""
        return cls.of((Zone(name, local_toll=local_toll),))

    @property
    def root(self) -> Zone:
        """The zone that has no parent."""
        return self.zones[0]

    def local_toll(self, zone: str) -> MicrosPerKilowattHour:
        """Return the toll of what is bought in a zone, per kWh."""
        return self.zones[self.index[zone]].local_toll

    def edge_tolls(self, seller_zone: str, buyer_zone: str) -> MicrosPerKilowattHour:
        """Return the tolls of the edges between two zones, per kWh; 0 within one."""
        one, other = self.index[seller_zone], self.index[buyer_zone]
        toll = 0
        while one != other:
            if self.depths[one] >= self.depths[other]:
                toll += self.zones[one].edge_toll
                one = self.parents[one]
            else:
                toll += self.zones[other].edge_toll
                other = self.parents[other]
        return MicrosPerKilowattHour(toll)

    def path_toll(self, seller_zone: str, buyer_zone: str) -> MicrosPerKilowattHour:
        """Return what a buyer pays for the grid per kWh: its local toll and the edges between."""
        return MicrosPerKilowattHour(
            self.local_toll(buyer_zone) + self.edge_tolls(seller_zone, buyer_zone)
        )


def _check(zone: Zone) -> None:
    if not zone.name:
        raise BadZonesError("a zone has no name")
    if zone.local_toll < 0 or zone.edge_toll < 0:
        raise BadZonesError(f"zone {zone.name} has a toll below zero")
    if any(cap is not None and cap < 0 for cap in (zone.import_cap_wh, zone.export_cap_wh)):
        raise BadZonesError(f"zone {zone.name} has a cap below zero")


def _parents_first(given: tuple[Zone, ...]) -> tuple[Zone, ...]:
    """Return the zones from the root down, siblings by name."""
    names = {zone.name for zone in given}
    if len(names) != len(given):
        raise BadZonesError("two zones have one name")
    roots = [zone for zone in given if zone.parent is None]
    if len(roots) != 1:
        raise BadZonesError(f"{len(roots)} zones have no parent, not one")
    children: dict[str, list[Zone]] = {}
    for zone in given:
        if zone.parent is not None:
            if zone.parent not in names:
                raise BadZonesError(f"zone {zone.name} has an unknown parent {zone.parent}")
            children.setdefault(zone.parent, []).append(zone)
    ordered: list[Zone] = []
    waiting = roots
    while waiting:
        ordered += waiting
        waiting = [
            child
            for zone in waiting
            for child in sorted(children.get(zone.name, ()), key=lambda one: one.name)
        ]
    if len(ordered) != len(given):
        raise BadZonesError("zones go around in a circle")
    return tuple(ordered)
