"""
Find one optimal flow: what every order trades and what crosses every edge, welfare being most.

A book over a tree is a circulation of least cost: from the ground to a zone by an offer, at its
limit; along edges, at their tolls; and back to the ground by a bid, at less than nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from ortools.graph.python.min_cost_flow import SimpleMinCostFlow

from settlement.trading.auction.columns import Column, Market, by_zone
from settlement.trading.auction.errors import NotClearedError

_WAYS: Final = 2


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
    ground = len(tree.zones)
    below = np.arange(1, ground, dtype=np.int64)
    above = np.array(tree.parents[1:], np.int64)
    tolls = np.array([zone.edge_toll for zone in tree.zones[1:]], np.int64)
    export_wh, import_wh = _edge_room(market)
    solver = SimpleMinCostFlow()
    arcs = solver.add_arcs_with_capacity_and_unit_cost(
        np.concatenate((np.full(offers.zones.size, ground), bids.zones, below, above)).astype(
            np.int32
        ),
        np.concatenate((offers.zones, np.full(bids.zones.size, ground), above, below)).astype(
            np.int32
        ),
        np.concatenate((offers.energies_wh, bids.energies_wh, export_wh, import_wh)),
        np.concatenate((offers.limits, -bids.limits, tolls, tolls)),
    )
    status = solver.solve()
    if status != SimpleMinCostFlow.OPTIMAL:
        raise NotClearedError(f"the solver says {status}")
    flows = np.asarray(solver.flows(arcs), np.int64)
    sold, rest = np.split(flows, [offers.zones.size])
    bought, edges = np.split(rest, [bids.zones.size])
    out, back = np.split(edges, _WAYS)
    return Flow(sold, bought, (0, *(out - back).tolist()))


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
