"""Find who may share with whom: zones that no cap divides, and orders that accept the price."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction.errors import UnknownZoneError
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True, order=True)
class Source:
    """Surplus that is offered together: a producer's in a zone, or what all there have left."""

    zone: str
    """Where it is."""
    producer: str = ""
    """Who produced it; empty for all producers of the zone."""


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """Need of one member in one zone that accepts the price from the same zones."""

    member: str
    """Who needs it."""
    zone: str
    """Where."""
    reach: tuple[str, ...]
    """Zones whose surplus it accepts, tolls included, by name."""


@dataclass(frozen=True, slots=True)
class Group:
    """What accepts the price among zones that no cap divides."""

    surplus_wh: Mapping[Source, WattHours]
    """Surplus offered by each producer, in Wh."""
    needs_wh: Mapping[Unit, WattHours]
    """Need of each unit, in Wh."""
    zones: tuple[str, ...]
    """Zones that have surplus, by name."""
    bids: Mapping[Unit, tuple[int, ...]]
    """Places in the book of each unit's bids."""
    tolls: Mapping[tuple[str, str], MicrosPerKilowattHour]
    """Edge tolls per kWh, by the zones of seller and buyer."""


def groups_of(book: Book, tree: ZoneTree, price: MicrosPerKilowattHour) -> tuple[Group, ...]:
    """
    Return the groups of a grid in which somebody accepts ``price``, in the tree's order.

    Raises
    ------
    UnknownZoneError
        If an order is in no zone of ``tree``.
    """
    places = _undivided(tree)
    offers: dict[int, list[int]] = defaultdict(list)
    bids: dict[int, list[int]] = defaultdict(list)
    for order in (*book.offers, *book.bids):
        if order.zone not in places:
            raise UnknownZoneError(order.zone)
    for place, order in enumerate(book.offers):
        if order.energy_wh > 0 and order.limit <= price:
            offers[places[order.zone]].append(place)
    for place, order in enumerate(book.bids):
        if order.energy_wh > 0 and order.limit >= price:
            bids[places[order.zone]].append(place)
    return tuple(
        _Grouping(book, tree, price).group(offers[place], bids[place])
        for place in sorted(offers.keys() & bids.keys())
    )


def _undivided(tree: ZoneTree) -> dict[str, int]:
    """Return the group of each zone: an edge without caps joins it to its parent's."""
    groups: dict[str, int] = {}
    for place, zone in enumerate(tree.zones):
        joined = zone.import_cap_wh is None and zone.export_cap_wh is None
        if zone.parent is not None and joined:
            groups[zone.name] = groups[zone.parent]
        else:
            groups[zone.name] = place
    return groups


@dataclass(frozen=True, slots=True)
class _Grouping:
    """What a group is made from."""

    book: Book
    tree: ZoneTree
    price: MicrosPerKilowattHour

    def group(self, offers: Sequence[int], bids: Sequence[int]) -> Group:
        """Return the group of these places in the book."""
        selling = [self.book.offers[place] for place in offers]
        zones = sorted({order.zone for order in selling})
        tolls = {
            (zone, buyer_zone): self.tree.edge_tolls(zone, buyer_zone)
            for buyer_zone in {self.book.bids[place].zone for place in bids}
            for zone in zones
        }
        units = self._units(bids, zones, tolls)
        return Group(
            surplus_wh=self._surplus(selling),
            needs_wh={
                unit: WattHours(sum(self.book.bids[place].energy_wh for place in places))
                for unit, places in units.items()
            },
            zones=tuple(zones),
            bids=units,
            tolls=tolls,
        )

    def _surplus(self, selling: Iterable[Order]) -> dict[Source, WattHours]:
        added: dict[Source, WattHours] = {}
        for order in selling:
            source = Source(order.zone, order.member)
            added[source] = WattHours(added.get(source, 0) + order.energy_wh)
        return {source: added[source] for source in sorted(added)}

    def _units(
        self,
        bids: Sequence[int],
        zones: Sequence[str],
        tolls: Mapping[tuple[str, str], MicrosPerKilowattHour],
    ) -> dict[Unit, tuple[int, ...]]:
        """Return the bids that accept the price from some zone, by what they accept."""
        units: dict[Unit, list[int]] = defaultdict(list)
        for place in bids:
            order = self.book.bids[place]
            spare = order.limit - self.price
            reach = tuple(zone for zone in zones if tolls[zone, order.zone] <= spare)
            if reach:
                units[Unit(order.member, order.zone, reach)].append(place)
        return {unit: tuple(units[unit]) for unit in sorted(units)}
