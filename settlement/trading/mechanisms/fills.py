"""Tell how much of each order its member's trades have filled, and what is left of a book."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from ledger.units import WattHours
from settlement.trading.outcome import Book, Order, Trade
from settlement.trading.shares import shared_out

Place: TypeAlias = tuple[str, str]
"""A member and a zone."""

_NOTHING: Final = WattHours(0)


@dataclass(frozen=True, slots=True)
class Fills:
    """How much of each order of a book is filled."""

    offers: tuple[WattHours, ...]
    """Sold, in Wh, in the order of the book's offers."""
    bids: tuple[WattHours, ...]
    """Bought, in Wh, in the order of the book's bids."""


def fills_of(book: Book, trades: Sequence[Trade]) -> Fills:
    """
    Return how much of each order ``trades`` fill.

    A member's best limit in a zone comes first: its lowest offer, its highest bid. Orders of one
    limit share in proportion to their energy, largest fraction first, then by key.
    """
    sold: dict[Place, WattHours] = defaultdict(lambda: _NOTHING)
    bought: dict[Place, WattHours] = defaultdict(lambda: _NOTHING)
    for one in trades:
        seller, buyer = (one.seller, one.seller_zone), (one.buyer, one.buyer_zone)
        sold[seller] = WattHours(sold[seller] + one.energy_wh)
        bought[buyer] = WattHours(bought[buyer] + one.energy_wh)
    return Fills(
        offers=filled(book.offers, sold, lambda order: order.limit),
        bids=filled(book.bids, bought, lambda order: -order.limit),
    )


def filled(
    orders: Sequence[Order], traded_wh: Mapping[Place, WattHours], rank: Callable[[Order], int]
) -> tuple[WattHours, ...]:
    """Return how much of each order is filled by what its member traded there, least rank first."""
    levels: dict[Place, dict[int, list[int]]] = {}
    for place, order in enumerate(orders):
        here = levels.setdefault((order.member, order.zone), {})
        here.setdefault(rank(order), []).append(place)
    fills = [_NOTHING] * len(orders)
    for name, ranked in levels.items():
        left = traded_wh.get(name, _NOTHING)
        for _, places in sorted(ranked.items()):
            level = WattHours(sum(orders[place].energy_wh for place in places))
            taken = WattHours(min(left, level))
            if not taken:
                continue
            weights = {(orders[place].key, place): orders[place].energy_wh for place in places}
            for (_, place), energy in shared_out(taken, weights).items():
                fills[place] = energy
            left = WattHours(left - taken)
    return tuple(fills)


def remainder(book: Book, fills: Fills) -> Book:
    """Return what is left of a book, orders without energy left out."""
    return Book(_left(book.offers, fills.offers), _left(book.bids, fills.bids))


def _left(orders: Sequence[Order], fills: Sequence[WattHours]) -> tuple[Order, ...]:
    return tuple(
        replace(order, energy_wh=WattHours(order.energy_wh - fill)) if fill else order
        for order, fill in zip(orders, fills, strict=True)
        if fill < order.energy_wh
    )
