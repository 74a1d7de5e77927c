"""
The optimum again, by other means: cycles cancelled one by one, and a linear program.

Nothing here is shared with the code under test but the book and the tree.
"""

import math

import numpy as np
from scipy.optimize import linprog

from settlement.trading.auction.flow import Flow

GROUND = -1
SCALE = 4  # A cycle without repeated nodes changes the volume by one a unit at most.


class Residual:
    """Arcs that come in pairs, there and back."""

    def __init__(self):
        self.tails, self.heads, self.room, self.costs = [], [], [], []

    def arc(self, tail, head, room, cost):
        self.tails += [tail, head]
        self.heads += [head, tail]
        self.room += [room, 0]
        self.costs += [cost, -cost]
        return len(self.tails) - 2

    def flow(self, arc):
        return self.room[arc + 1]

    def nodes(self):
        return {*self.tails, *self.heads, GROUND}

    def open_arcs(self):
        return [arc for arc, room in enumerate(self.room) if room]

    def cycle(self):
        """Arcs of a cycle that costs less than nothing, or none."""
        cost, came = dict.fromkeys(self.nodes(), 0), {}
        changed = None
        for _ in cost:
            changed = None
            for arc in self.open_arcs():
                if cost[self.tails[arc]] + self.costs[arc] < cost[self.heads[arc]]:
                    cost[self.heads[arc]] = cost[self.tails[arc]] + self.costs[arc]
                    came[self.heads[arc]] = arc
                    changed = self.heads[arc]
            if changed is None:
                return []
        for _ in cost:
            changed = self.tails[came[changed]]
        arcs, at = [], changed
        while not arcs or at != changed:
            arcs.append(came[at])
            at = self.tails[came[at]]
        return arcs

    def settle(self):
        while arcs := self.cycle():
            step = min(self.room[arc] for arc in arcs)
            for arc in arcs:
                self.room[arc] -= step
                self.room[arc ^ 1] += step
        return self

    def distances(self, costs, start):
        """Least cost from a node to every other over arcs with room."""
        far = dict.fromkeys(self.nodes(), math.inf)
        far[start] = 0
        for _ in far:
            for arc in self.open_arcs():
                tail, head = self.tails[arc], self.heads[arc]
                far[head] = min(far[head], far[tail] + costs[arc])
        return far


class Optimum:
    """Welfare and volume, the flow that has them, and the prices that support it."""

    def __init__(self, book, tree, most=1):
        self.tree = tree
        graph = self.graph = Residual()
        self.offers = [one for one in book.offers if one.energy_wh > 0]
        self.bids = [one for one in book.bids if one.energy_wh > 0]
        everything = sum(one.energy_wh for one in (*self.offers, *self.bids))
        self.sells = [
            graph.arc(GROUND, tree.index[one.zone], one.energy_wh, SCALE * one.limit)
            for one in self.offers
        ]
        self.buys = [
            graph.arc(tree.index[one.zone], GROUND, one.energy_wh, -SCALE * one.limit - most)
            for one in self.bids
        ]
        self.edges = []
        for at, zone in enumerate(tree.zones[1:], 1):
            out = everything if zone.export_cap_wh is None else zone.export_cap_wh
            back = everything if zone.import_cap_wh is None else zone.import_cap_wh
            above, toll = tree.parents[at], SCALE * zone.edge_toll
            self.edges.append((graph.arc(at, above, out, toll), graph.arc(above, at, back, toll)))
        graph.settle()

    @property
    def welfare(self):
        gain = sum(
            one.limit * self.graph.flow(arc) for one, arc in zip(self.bids, self.buys, strict=True)
        )
        cost = sum(
            one.limit * self.graph.flow(arc)
            for one, arc in zip(self.offers, self.sells, strict=True)
        )
        tolls = sum(
            zone.edge_toll * (self.graph.flow(out) + self.graph.flow(back))
            for zone, (out, back) in zip(self.tree.zones[1:], self.edges, strict=True)
        )
        return gain - cost - tolls

    @property
    def volume_wh(self):
        return sum(self.graph.flow(arc) for arc in self.buys)

    def flow(self):
        """What the code under test asks of its solver."""
        return Flow(
            np.array([self.graph.flow(arc) for arc in self.sells], np.int64),
            np.array([self.graph.flow(arc) for arc in self.buys], np.int64),
            (0, *(self.graph.flow(out) - self.graph.flow(back) for out, back in self.edges)),
        )

    def bounds(self):
        """Lowest and highest price of each zone that support the flow, infinite if none is."""
        # The reward for volume, less than one, is taken off again.
        costs = [
            -(-cost // SCALE) if arc % 2 == 0 else cost // SCALE
            for arc, cost in enumerate(self.graph.costs)
        ]
        back = Residual()
        back.tails, back.heads = self.graph.heads, self.graph.tails
        back.room = self.graph.room
        highest = self.graph.distances(costs, GROUND)
        lowest = back.distances(costs, GROUND)
        return {
            zone.name: (-lowest.get(at, math.inf), highest.get(at, math.inf))
            for at, zone in enumerate(self.tree.zones)
        }


def program_welfare(book, tree):
    """The optimum of the linear program, a whole number since its matrix is that of a network."""
    zones = range(len(tree.zones))
    columns, costs, bounds = [], [], []

    def variable(entries, cost, most):
        columns.append([entries.get(at, 0) for at in zones])
        costs.append(cost)
        bounds.append((0, most))

    for one in book.offers:
        variable({tree.index[one.zone]: 1}, one.limit, one.energy_wh)
    for one in book.bids:
        variable({tree.index[one.zone]: -1}, -one.limit, one.energy_wh)
    for at, zone in enumerate(tree.zones[1:], 1):
        variable({at: -1, tree.parents[at]: 1}, zone.edge_toll, zone.export_cap_wh)
        variable({at: 1, tree.parents[at]: -1}, zone.edge_toll, zone.import_cap_wh)
    if not columns:
        return 0
    solved = linprog(costs, A_eq=np.array(columns).T, b_eq=np.zeros(len(tree.zones)), bounds=bounds)
    assert solved.status == 0
    return round(-solved.fun)
