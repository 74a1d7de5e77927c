"""Pay-as-bid: the quantities of the auction, each trade at its buyer's own limit."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction import Auction
from settlement.trading.mechanisms.fills import Place, fills_of
from settlement.trading.mechanisms.paths import merged
from settlement.trading.outcome import Book, Mechanism, Outcome, Trade
from settlement.trading.zones import ZoneTree

_NO_CONGESTION: Final = MicrosPerKilowattHour(0)


@dataclass(frozen=True, slots=True)
class PayAsBid:
    """
    Who trades how much as in an auction; the price is the buyer's limit less the edge tolls.

    The seller gets all that its buyer was ready to pay for energy: nothing is left for congestion.
    A buyer's highest bids come first, shared over its trades in their order.
    """

    auction: Mechanism = field(default_factory=Auction)
    """Auction that decides who trades how much."""

    def clear(self, book: Book, tree: ZoneTree) -> Outcome:
        """Return the auction's trades at the buyers' limits; no zone has one price."""
        outcome = self.auction.clear(book, tree)
        filled = fills_of(book, outcome.trades).bids
        limits: dict[Place, dict[int, int]] = {}
        for order, energy_wh in zip(book.bids, filled, strict=True):
            if energy_wh:
                taken = limits.setdefault((order.member, order.zone), {})
                taken[order.limit] = taken.get(order.limit, 0) + energy_wh
        waiting = {place: sorted(taken.items()) for place, taken in limits.items()}
        trades = [
            cut
            for trade in outcome.trades
            for cut in _at_limits(trade, waiting[trade.buyer, trade.buyer_zone], tree)
        ]
        return Outcome(merged(trades), {}, outcome.crossings)


def _at_limits(trade: Trade, waiting: list[tuple[int, int]], tree: ZoneTree) -> Iterator[Trade]:
    """Cut a trade at its buyer's limits, which wait lowest first."""
    tolls = tree.edge_tolls(trade.seller_zone, trade.buyer_zone)
    left = trade.energy_wh
    while left:
        limit, energy_wh = waiting.pop()
        taken = WattHours(min(left, energy_wh))
        if taken < energy_wh:
            waiting.append((limit, energy_wh - taken))
        price = MicrosPerKilowattHour(limit - tolls)
        yield replace(trade, energy_wh=taken, price=price, congestion=_NO_CONGESTION)
        left = WattHours(left - taken)
