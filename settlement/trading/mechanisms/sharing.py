"""Sharing keys at a price that the community fixes; an auction may take what they leave."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.mechanisms.fills import Fills, Place, filled, remainder
from settlement.trading.mechanisms.groups import Group, Source, Unit, groups_of
from settlement.trading.mechanisms.keys import Key
from settlement.trading.mechanisms.paths import crossings_of, merged
from settlement.trading.mechanisms.portions import in_proportion, total
from settlement.trading.mechanisms.rounds import Flows, shared
from settlement.trading.outcome import Book, Mechanism, Outcome, Trade
from settlement.trading.zones import ZoneTree

_NOTHING: Final = WattHours(0)
_NO_CONGESTION: Final = MicrosPerKilowattHour(0)


@dataclass(frozen=True, slots=True)
class Shared:
    """What a key came to."""

    trades: tuple[Trade, ...]
    """Who sold to whom at the key's price."""
    fills: Fills
    """How much of each order it filled."""
    rest: Book
    """What it left."""


@dataclass(frozen=True, slots=True)
class Sharing:
    """A key among all who accept its price, then another mechanism for the rest."""

    price: MicrosPerKilowattHour
    """Energy price that every seller gets, per kWh."""
    key: Key
    """Who is offered which part."""
    then: Mechanism | None = None
    """What takes the rest; None leaves it to the residual supplier."""

    def clear(self, book: Book, tree: ZoneTree) -> Outcome:
        """Return the key's trades and those of the rest; the auction's prices where it has one."""
        by_key = self.share(book, tree)
        rest = self.then.clear(by_key.rest, tree) if self.then else Outcome((), {}, ())
        zones = {zone for one in by_key.trades for zone in (one.seller_zone, one.buyer_zone)}
        prices = dict.fromkeys(sorted(zones), self.price) | dict(rest.prices)
        trades = merged((*by_key.trades, *rest.trades))
        return Outcome(trades, prices, crossings_of(trades, tree, rest.crossings))

    def share(self, book: Book, tree: ZoneTree) -> Shared:
        """Return what the key alone comes to."""
        by_producer = any(stage.own is not None for stage in self.key.stages())
        trades: list[Trade] = []
        sold: dict[Place, WattHours] = {}
        bids = [_NOTHING] * len(book.bids)
        for group in groups_of(book, tree, self.price, by_producer=by_producer):
            flows = shared(group, self.key)
            taken = _taken(flows)
            for source, capacity in _capacities(book, group).items():
                sales = in_proportion(total(taken[source].values()), capacity)
                for place, energy in sales.items():
                    sold[place] = WattHours(sold.get(place, _NOTHING) + energy)
                trades += self._trades(sales, taken[source], tree)
            for bid, energy in _bought(book, group, flows):
                bids[bid] = energy
        offers = filled(book.offers, sold, lambda order: order.limit)
        fills = Fills(offers, tuple(bids))
        return Shared(merged(trades), fills, remainder(book, fills))

    def _trades(
        self, sales: Mapping[Place, WattHours], taken: Mapping[Place, WattHours], tree: ZoneTree
    ) -> Iterator[Trade]:
        """Return who sold to whom: sellers and buyers in order."""
        for (seller, seller_zone), (buyer, buyer_zone), energy in pairs(sales, taken):
            yield Trade(
                seller=seller,
                buyer=buyer,
                energy_wh=energy,
                price=self.price,
                seller_zone=seller_zone,
                buyer_zone=buyer_zone,
                toll=tree.path_toll(seller_zone, buyer_zone),
                congestion=_NO_CONGESTION,
            )


def pairs(
    sales: Mapping[Place, WattHours], taken: Mapping[Place, WattHours]
) -> Iterator[tuple[Place, Place, WattHours]]:
    """Return who sells to whom, both sides in order and of one sum."""
    waiting = [(place, energy) for place, energy in sorted(taken.items(), reverse=True) if energy]
    for seller, energy in sorted(sales.items()):
        left = energy
        while left:
            buyer, wanted = waiting.pop()
            moved = WattHours(min(left, wanted))
            yield seller, buyer, moved
            if moved < wanted:
                waiting.append((buyer, WattHours(wanted - moved)))
            left = WattHours(left - moved)


def _taken(flows: Flows) -> dict[Source, dict[Place, WattHours]]:
    """Return what each member takes from each source."""
    taken: dict[Source, dict[Place, WattHours]] = defaultdict(dict)
    for (source, unit), energy in flows.items():
        mine, place = taken[source], (unit.member, unit.zone)
        mine[place] = WattHours(mine.get(place, _NOTHING) + energy)
    return taken


def _capacities(book: Book, group: Group) -> dict[Source, dict[Place, WattHours]]:
    """Return what each seller of each source offers."""
    capacities: dict[Source, dict[Place, WattHours]] = defaultdict(dict)
    for place in group.offers:
        order = book.offers[place]
        own = Source(order.zone, order.member)
        source = own if own in group.surplus_wh else Source(order.zone)
        mine, seller = capacities[source], (order.member, order.zone)
        mine[seller] = WattHours(mine.get(seller, _NOTHING) + order.energy_wh)
    return capacities


def _bought(book: Book, group: Group, flows: Flows) -> Iterator[tuple[int, WattHours]]:
    """Return how much of each bid that takes part is filled."""
    taken: dict[Unit, WattHours] = defaultdict(lambda: _NOTHING)
    for (_, unit), energy in flows.items():
        taken[unit] = WattHours(taken[unit] + energy)
    for unit, places in group.bids.items():
        orders = [book.bids[place] for place in places]
        traded = {(unit.member, unit.zone): taken[unit]}
        yield from zip(places, filled(orders, traded, lambda order: -order.limit), strict=True)
