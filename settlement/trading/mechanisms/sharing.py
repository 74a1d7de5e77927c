"""Sharing keys at a price that the community fixes; an auction may take what they leave."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.mechanisms.fills import Fills, Place, filled, remainder
from settlement.trading.mechanisms.groups import Group, Unit, groups_of
from settlement.trading.mechanisms.keys import Key
from settlement.trading.mechanisms.meeting import Meeting
from settlement.trading.mechanisms.paths import crossings_of, merged
from settlement.trading.mechanisms.rounds import Shares, shared
from settlement.trading.outcome import Book, Mechanism, Order, Outcome, Trade
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
        meeting = Meeting(
            offers=_best(book.offers, lambda order: order.limit),
            bids=_best(book.bids, lambda order: -order.limit),
            tree=tree,
        )
        trades: list[Trade] = []
        sold: dict[Place, WattHours] = {}
        bids = [_NOTHING] * len(book.bids)
        for group in groups_of(book, tree, self.price):
            shares = shared(group, self.key)
            for seller, buyer, energy in meeting.pairs(group, shares):
                sold[seller] = WattHours(sold.get(seller, _NOTHING) + energy)
                trades.append(self._trade(seller, buyer, energy, tree))
            for bid, energy in _bought(book, group, shares):
                bids[bid] = energy
        offers = filled(book.offers, sold, lambda order: order.limit)
        fills = Fills(offers, tuple(bids))
        return Shared(merged(trades), fills, remainder(book, fills))

    def _trade(self, seller: Place, buyer: Place, energy_wh: WattHours, tree: ZoneTree) -> Trade:
        return Trade(
            seller=seller[0],
            buyer=buyer[0],
            energy_wh=energy_wh,
            price=self.price,
            seller_zone=seller[1],
            buyer_zone=buyer[1],
            toll=tree.path_toll(seller[1], buyer[1]),
            congestion=_NO_CONGESTION,
        )


def _best(orders: Iterable[Order], rank: Callable[[Order], int]) -> dict[Place, Order]:
    """Return the best order of each member in each zone."""
    ranked = sorted(
        orders, key=lambda one: (rank(one), one.key, one.partner, one.solar), reverse=True
    )
    return {(order.member, order.zone): order for order in ranked}


def _bought(book: Book, group: Group, shares: Shares) -> Iterator[tuple[int, WattHours]]:
    """Return how much of each bid that takes part is filled."""
    taken: dict[Unit, WattHours] = defaultdict(lambda: _NOTHING)
    for flows in (shares.own, shares.pooled):
        for (_, unit), energy in flows.items():
            taken[unit] = WattHours(taken[unit] + energy)
    for unit, places in group.bids.items():
        orders = [book.bids[place] for place in places]
        traded = {(unit.member, unit.zone): taken[unit]}
        yield from zip(places, filled(orders, traded, lambda order: -order.limit), strict=True)
