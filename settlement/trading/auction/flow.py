"""
Find one optimal flow: what every order trades and what crosses every edge, welfare being most.

A book over a tree is a circulation of least cost: from the ground to a zone by an offer, at its
limit; along edges, at their tolls; and back to the ground by a bid, at less than nothing.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from settlement.trading.auction.columns import Column, Market, by_zone
from settlement.trading.auction.errors import NotClearedError


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """One optimum of perhaps many."""

    sold_wh: Column
    """What each offer sells, in Wh."""
    bought_wh: Column
    """What each bid buys, in Wh."""
    exported_wh: tuple[int, ...]
    """What leaves each zone for its parent, in Wh; below zero if it comes in."""


def optimal_flow(market: Market) -> Flow:
    """
    Return a flow of most welfare.

    Raises
    ------
    NotClearedError
        If the solver did not find one.
    """
    offers, bids, tree = market.offers, market.bids, market.tree
    # The solver goes through arcs of one zone in the order given: by price it is several times
    # as fast.
    by_price = np.argsort(offers.limits), np.argsort(-bids.limits)
    sellers, buyers = offers.zones[by_price[0]], bids.zones[by_price[1]]
    ground = np.int64(len(tree.zones))
    below = np.arange(1, ground, dtype=np.int64)
    above = np.array(tree.parents[1:], np.int64)
    tolls = np.array([zone.edge_toll for zone in tree.zones[1:]], np.int64)
    solver = SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(
        _ends(np.full(sellers.size, ground), buyers, below, above),
        _ends(sellers, np.full(buyers.size, ground), above, below),
        np.concatenate(
            (offers.energies_wh[by_price[0]], bids.energies_wh[by_price[1]], *_edge_room(market))
        ),
        np.concatenate((offers.limits[by_price[0]], -bids.limits[by_price[1]], tolls, tolls)),
    )
    status = solver.solve()
    if status != SimpleMinCostFlow.OPTIMAL:
        raise NotClearedError(f"the solver says {status}")
    sold, bought, out, back = np.split(
        np.asarray(solver.flows(arcs), np.int64),
        np.cumsum((sellers.size, buyers.size, below.size)),
    )
    return Flow(
        _as_given(sold, by_price[0]), _as_given(bought, by_price[1]), (0, *(out - back).tolist())
    )


def _ends(*parts: Column) -> npt.NDArray[np.int32]:
    return np.concatenate(parts).astype(np.int32)


def _as_given(column: Column, order: Column) -> Column:
    """Return a sorted column in the order of the book."""
    given = np.empty_like(column)
    given[order] = column
    return given


def _edge_room(market: Market) -> tuple[Column, Column]:
    """
    Return how much can cross each edge up and down.

    No more leaves a subtree than it offers, no more comes in than it bids for. Without this, an
    edge without a cap would need room for the whole book, and the sum over many might overflow.
    """
    tree = market.tree
    supply = by_zone(market.offers, market.offers.energies_wh, tree).tolist()
    demand = by_zone(market.bids, market.bids.energies_wh, tree).tolist()
    for place in range(len(tree.zones) - 1, 0, -1):
        supply[tree.parents[place]] += supply[place]
        demand[tree.parents[place]] += demand[place]
    out, back = [], []
    for place, zone in enumerate(tree.zones[1:], 1):
        caps = zone.export_cap_wh, zone.import_cap_wh
        out.append(supply[place] if caps[0] is None else min(caps[0], supply[place]))
        back.append(demand[place] if caps[1] is None else min(caps[1], demand[place]))
    return np.array(out, np.int64), np.array(back, np.int64)
