"""
Find the prices of zones that support an optimum, and of these the middle.

Prices support an outcome if nobody who is served would rather not be, nobody who is not would
rather be, and nobody could earn by carrying energy over an edge that has room. All optima are
supported by the same prices. These are bounds on prices and on differences along edges, all whole
numbers; so there is a lowest and a highest price for each zone that hold all together, and so do
the midpoints rounded down.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ledger.units import MicrosPerKilowattHour
from settlement.trading.auction.columns import PRICE_MAX, Column, Market
from settlement.trading.auction.flow import Flow

_NO_BOUND: Final = 2 * PRICE_MAX + 1
"""More than any two prices differ by."""


@dataclass(frozen=True, slots=True)
class _Slack:
    """By how much prices may differ over the edge from a zone to its parent."""

    up: int
    """The parent's price is at most the zone's and this."""
    down: int
    """The zone's price is at most the parent's and this."""


@dataclass(frozen=True, slots=True)
class Support:
    """The prices of zones, in the tree's order, those without trade included."""

    lowest: tuple[MicrosPerKilowattHour, ...]
    """Lowest price of each zone; they support the outcome together."""
    highest: tuple[MicrosPerKilowattHour, ...]
    """Highest price of each zone; they support the outcome together."""
    middle: tuple[MicrosPerKilowattHour, ...]
    """The midpoint of each zone, rounded down; they support the outcome together."""


def supporting_prices(market: Market, flow: Flow) -> Support:
    """
    Return the lowest and the highest price of each zone that support the outcome.

    Where nobody trades a price may have no bound; no price is beyond the limits of all orders.
    On a tree, bounds spread over all paths by going once up and once down.
    """
    low, high = _own_bounds(market, flow)
    slacks = [_Slack(0, 0), *(_slack(market, flow, at) for at in range(1, len(low)))]
    parents = market.tree.parents
    for at in range(len(low) - 1, 0, -1):
        above = parents[at]
        high[above] = min(high[above], high[at] + slacks[at].up)
        low[above] = max(low[above], low[at] - slacks[at].down)
    for at in range(1, len(low)):
        above = parents[at]
        high[at] = min(high[at], high[above] + slacks[at].down)
        low[at] = max(low[at], low[above] - slacks[at].up)
    return Support(
        lowest=tuple(map(MicrosPerKilowattHour, low)),
        highest=tuple(map(MicrosPerKilowattHour, high)),
        middle=tuple(
            MicrosPerKilowattHour((lowest + highest) // 2)
            for lowest, highest in zip(low, high, strict=True)
        ),
    )


def _own_bounds(market: Market, flow: Flow) -> tuple[list[int], list[int]]:
    """Return the bounds that a zone's own orders set."""
    offers, bids = market.offers, market.bids
    all_limits = np.concatenate((offers.limits, bids.limits))
    low = np.full(len(market.tree.zones), all_limits.min())
    high = np.full(len(market.tree.zones), all_limits.max())
    some_sold, some_bought = flow.sold_wh > 0, flow.bought_wh > 0
    some_kept, some_lacking = flow.sold_wh < offers.energies_wh, flow.bought_wh < bids.energies_wh
    _raise(low, offers.zones[some_sold], offers.limits[some_sold])
    _raise(low, bids.zones[some_lacking], bids.limits[some_lacking])
    _lower(high, offers.zones[some_kept], offers.limits[some_kept])
    _lower(high, bids.zones[some_bought], bids.limits[some_bought])
    return low.tolist(), high.tolist()


def _raise(low: Column, zones: Column, limits: Column) -> None:
    np.maximum.at(low, zones, limits)


def _lower(high: Column, zones: Column, limits: Column) -> None:
    np.minimum.at(high, zones, limits)


def _slack(market: Market, flow: Flow, at: int) -> _Slack:
    """Return what one Wh more costs over an edge: its toll, or the toll saved on the way back."""
    zone, exported = market.tree.zones[at], flow.exported_wh[at]
    up = down = _NO_BOUND
    if exported < 0:
        up = -zone.edge_toll
    elif zone.export_cap_wh is None or exported < zone.export_cap_wh:
        up = zone.edge_toll
    if exported > 0:
        down = -zone.edge_toll
    elif zone.import_cap_wh is None or -exported < zone.import_cap_wh:
        down = zone.edge_toll
    return _Slack(up, down)
