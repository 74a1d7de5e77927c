"""Clear a book over zones: prices first, then quantities, then trades."""

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction.columns import Market, market_of
from settlement.trading.auction.flow import optimal_flow
from settlement.trading.auction.margin import Allocation, allocate, premium
from settlement.trading.auction.prices import Support, supporting_prices
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
        support = supporting_prices(market, optimal_flow(market))
        allocation = allocate(market, support.middle)
        traded = bool(allocation.sold_wh.any())
        return Outcome(
            trades=trades_of(market, allocation, support.middle) if traded else (),
            prices=_where_traded(market, allocation, support.middle),
            crossings=_crossings(tree, allocation.exported_wh, support),
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
    tree: ZoneTree, exported_wh: Sequence[WattHours], support: Support
) -> tuple[Crossing, ...]:
    """
    Return what crossed edges, and what stood before closed ones, in the tree's order.

    The shadow price of a cap is what carrying energy over the edge earns at the published prices,
    toll paid. It is above zero only where the cap binds, for else somebody would carry more. Where
    a cap of nothing kept everything back, it is the least that all supporting prices agree on: what
    the first kWh would be worth.
    """
    crossings = []
    for at, exported in enumerate(exported_wh[1:], 1):
        shadows = _shadows(tree, at, support) if exported else _closed(tree, at, support)
        if exported or any(shadows):
            up, down = shadows
            crossings.append(
                Crossing(
                    zone=tree.zones[at].name,
                    export_wh=WattHours(max(0, exported)),
                    import_wh=WattHours(max(0, -exported)),
                    export_shadow=MicrosPerKilowattHour(up),
                    import_shadow=MicrosPerKilowattHour(down),
                )
            )
    return tuple(crossings)


def _shadows(tree: ZoneTree, at: int, support: Support) -> tuple[int, int]:
    """Return the shadow prices of the export and the import cap of an edge that carries."""
    up, down = premium(tree, support.middle, at)
    return max(0, up), max(0, down)


def _closed(tree: ZoneTree, at: int, support: Support) -> tuple[int, int]:
    """Return the shadow prices of the caps of an edge that carries nothing: those of 0 Wh."""
    zone, above = tree.zones[at], tree.parents[at]
    rise = support.lowest[above] - support.highest[at] - zone.edge_toll
    fall = support.lowest[at] - support.highest[above] - zone.edge_toll
    return (
        max(0, rise) if zone.export_cap_wh == 0 else 0,
        max(0, fall) if zone.import_cap_wh == 0 else 0,
    )
