"""Clear a book over zones: prices first, then quantities, then trades."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction.columns import Market, market_of
from settlement.trading.auction.flow import optimal_flow
from settlement.trading.auction.margin import Allocation, allocate, premium
from settlement.trading.auction.prices import midpoint_prices
from settlement.trading.auction.trades import trades_of
from settlement.trading.outcome import Book, Crossing, Outcome
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True)
class Auction:
    """The auction of decision 0011: most welfare, of that most volume, one price a zone."""

    def clear(self, book: Book, tree: ZoneTree) -> Outcome:
        """
        Return the trades of a book; the same for any order of orders and zones.

        Raises
        ------
        BookOutOfRangeError
            If the book is too large to be cleared exactly.
        UnknownZoneError
            If an order is in no zone of ``tree``.
        NotClearedError
            If no outcome was found that proves itself optimal; never retried.
        """
        market = market_of(book, tree)
        if not market.offers.orders or not market.bids.orders:
            return Outcome((), {}, ())
        prices = midpoint_prices(market, optimal_flow(market))
        allocation = allocate(market, prices)
        if not allocation.sold_wh.any():
            return Outcome((), {}, ())
        return Outcome(
            trades=trades_of(market, allocation, prices),
            prices=_where_traded(market, allocation, prices),
            crossings=_crossings(tree, allocation, prices),
        )


def _where_traded(
    market: Market, allocation: Allocation, prices: Sequence[MicrosPerKilowattHour]
) -> dict[str, MicrosPerKilowattHour]:
    """Return the price of each zone in which somebody sold or bought, in the tree's order."""
    sold = market.offers.zones[allocation.sold_wh > 0].tolist()
    bought = market.bids.zones[allocation.bought_wh > 0].tolist()
    zones = market.tree.zones
    return {zones[at].name: prices[at] for at in sorted({*sold, *bought})}


def _crossings(
    tree: ZoneTree, allocation: Allocation, prices: Sequence[MicrosPerKilowattHour]
) -> tuple[Crossing, ...]:
    """
    Return what crossed edges, in the tree's order.

    The shadow price of a cap is what carrying energy over the edge earns at the published prices,
    toll paid. It is above zero only where the cap binds, for else somebody would carry more.
    """
    crossings = []
    for at, exported in enumerate(allocation.exported_wh):
        if exported:
            up, down = premium(tree, prices, at)
            crossings.append(
                Crossing(
                    zone=tree.zones[at].name,
                    export_wh=WattHours(max(0, exported)),
                    import_wh=WattHours(max(0, -exported)),
                    export_shadow=MicrosPerKilowattHour(max(0, up)),
                    import_shadow=MicrosPerKilowattHour(max(0, down)),
                )
            )
    return tuple(crossings)
