"""What an order would have paid, or got, in each zone: the price there, else the best limit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.mechanisms.fills import Fills
from settlement.trading.mechanisms.paths import edges_between
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Book, Crossing, Order, Outcome
from settlement.trading.zones import Zone, ZoneTree


class Quote(NamedTuple):
    """
    What energy from a zone costs a buyer, tolls included; or less than nothing, what a seller gets.

    The lower it is, the better for either side.
    """

    cost: MicrosPerKilowattHour
    """Price and tolls, per kWh."""
    zone: str
    """Where from, or where to."""
    price: MicrosPerKilowattHour
    """Price there, or the best limit there if nobody trades."""
    tolls: MicrosPerKilowattHour
    """Edge tolls of the path."""


class Edge(NamedTuple):
    """A cap that is reached."""

    zone: str
    """Zone below the edge."""
    shadow: MicrosPerKilowattHour
    """Published shadow price; 0 if nothing crosses."""


@dataclass(frozen=True, slots=True)
class Quotes:
    """What one side of a book finds in the zones."""

    side: Side
    """Whose."""
    tree: ZoneTree
    """Zones."""
    prices: Mapping[str, MicrosPerKilowattHour]
    """Price of each zone in which somebody traded."""
    limits: Mapping[str, MicrosPerKilowattHour]
    """Best limit of the other side in zones in which nobody traded."""
    crossings: Mapping[str, Crossing]
    """What crossed each edge, by the zone below it."""
    _found: dict[tuple[str, bool], Quote | None] = field(default_factory=dict)

    @classmethod
    def of(cls, side: Side, book: Book, fills: Fills, outcome: Outcome, tree: ZoneTree) -> "Quotes":
        """Return what ``side`` finds."""
        if side is Side.BUY:
            limits = _best(book.offers, fills.offers, outcome, min)
        else:
            limits = _best(book.bids, fills.bids, outcome, max)
        crossings = {one.zone: one for one in outcome.crossings}
        return cls(side, tree, outcome.prices, limits, crossings)

    def willing(self, order: Order) -> MicrosPerKilowattHour:
        """Return the most that an order may cost to be content, in the sense of ``Quote.cost``."""
        return self._signed(order.limit)

    def traded(self, zone: str) -> Quote | None:
        """Return the best quote of zones with a price: the zone's own, if it has one."""
        if zone in self.prices:
            return self._quote(zone, zone, self.prices[zone])
        return self._best(zone, only_traded=True)

    def elsewhere(self, zone: str) -> Quote | None:
        """Return the best quote of all other zones."""
        return self._best(zone, only_traded=False)

    def at_home(self, zone: str) -> Quote | None:
        """Return the best limit of the other side in a zone without a price."""
        return self._quote(zone, zone, self.limits[zone]) if zone in self.limits else None

    def reached_cap(self, quote: Quote, zone: str) -> Edge | None:
        """Return the cap that is reached between a quote's zone and ``zone``: the dearest one."""
        seller, buyer = (quote.zone, zone) if self.side is Side.BUY else (zone, quote.zone)
        up, down = edges_between(self.tree, seller, buyer)
        found = [
            *(edge for name in up if (edge := self._full(name, export=True))),
            *(edge for name in down if (edge := self._full(name, export=False))),
        ]
        return max(found, key=lambda edge: (edge.shadow, edge.zone), default=None)

    def _full(self, name: str, *, export: bool) -> Edge | None:
        zone: Zone = self.tree.zones[self.tree.index[name]]
        crossing = self.crossings.get(name)
        cap = zone.export_cap_wh if export else zone.import_cap_wh
        if crossing is None:
            return Edge(name, MicrosPerKilowattHour(0)) if cap == 0 else None
        crossed = crossing.export_wh if export else crossing.import_wh
        shadow = crossing.export_shadow if export else crossing.import_shadow
        return Edge(name, shadow) if crossed == cap else None

    def _best(self, zone: str, *, only_traded: bool) -> Quote | None:
        key = (zone, only_traded)
        if key not in self._found:
            known = self.prices if only_traded else {**self.limits, **self.prices}
            quotes = (self._quote(zone, other, known[other]) for other in known if other != zone)
            self._found[key] = min(quotes, default=None)
        return self._found[key]

    def _quote(self, zone: str, other: str, price: MicrosPerKilowattHour) -> Quote:
        tolls = self.tree.edge_tolls(other, zone)
        return Quote(MicrosPerKilowattHour(self._signed(price) + tolls), other, price, tolls)

    def _signed(self, price: MicrosPerKilowattHour) -> MicrosPerKilowattHour:
        return price if self.side is Side.BUY else MicrosPerKilowattHour(-price)


def _best(
    orders: Sequence[Order],
    fills: Sequence[WattHours],
    outcome: Outcome,
    better: Callable[..., MicrosPerKilowattHour],
) -> dict[str, MicrosPerKilowattHour]:
    best: dict[str, MicrosPerKilowattHour] = {}
    for order, fill in zip(orders, fills, strict=True):
        if fill < order.energy_wh and order.zone not in outcome.prices:
            best[order.zone] = better(best.get(order.zone, order.limit), order.limit)
    return best
