"""
Say who sold to whom: inside a zone first, then up the tree, where two subtrees meet.

A subtree that exports serves all its buyers and sends its waiting sellers up, one that imports its
waiting buyers. So no energy crosses an edge both ways, and every trade takes the path between its
two zones. Members meet in their order; who has a wish is paired by it first.
"""

from dataclasses import dataclass

import numpy as np

from settlement.trading.auction.columns import Column
from settlement.trading.auction.parties import Pairs, Party
from settlement.trading.auction.wishes import Wishes
from settlement.trading.zones import ZoneTree


def pair(sellers: Party, buyers: Party, wishes: Wishes | None, tree: ZoneTree) -> Pairs:
    """
    Return who sold to whom until both sides have nothing left.

    Without wishes a row ends with every pair, so there are at most as many pairs as rows.
    """
    found: list[Pairs] = []
    for ancestors in _gatherings(tree):
        at_sellers = _gather(sellers, ancestors)
        at_buyers = _gather(buyers, ancestors)
        if wishes is not None:
            found.append(wishes.grant((sellers, at_sellers), (buyers, at_buyers), ancestors))
            at_sellers = at_sellers[sellers.left_wh[at_sellers] > 0]
            at_buyers = at_buyers[buyers.left_wh[at_buyers] > 0]
        if at_sellers.size and at_buyers.size:
            found.append(_meet((sellers, at_sellers), (buyers, at_buyers), ancestors))
    return Pairs(
        np.concatenate([one.sellers for one in found]),
        np.concatenate([one.buyers for one in found]),
        np.concatenate([one.energies_wh for one in found]),
        np.concatenate([one.meetings for one in found]),
    )


def _gatherings(tree: ZoneTree) -> list[Column]:
    """
    Return, for one gathering after the other, where each zone meets; -1 if it does not.

    First every zone meets by itself, then subtrees of siblings meet above, the deepest first.
    """
    own = np.arange(len(tree.zones), dtype=np.int64)
    parents, depths = np.array(tree.parents, np.int64), np.array(tree.depths, np.int64)
    gatherings, ancestors = [own], own
    for depth in range(int(depths.max()) - 1, -1, -1):
        ancestors = np.where(depths[ancestors] > depth, parents[ancestors], ancestors)
        gatherings.append(np.where(depths >= depth, ancestors, -1))
    return gatherings


def _gather(party: Party, ancestors: Column) -> Column:
    """Return the rows that still trade and meet now, by meeting place, else in their order."""
    rows = np.flatnonzero(party.left_wh)
    places = ancestors[party.zones[rows]]
    rows = rows[places >= 0]
    return rows[np.argsort(ancestors[party.zones[rows]], kind="stable")]


def _meet(sellers: tuple[Party, Column], buyers: tuple[Party, Column], ancestors: Column) -> Pairs:
    """Pair rows in order at every meeting place at once, and count down what they have left."""
    sold, bought = _Meeting.of(*sellers, ancestors), _Meeting.of(*buyers, ancestors)
    traded = np.minimum(sold.totals_wh, bought.totals_wh)
    sold_until, bought_until = sold.take(traded), bought.take(traded)
    # All meetings one after the other are one line of Wh; a pair ends where either row's part ends.
    ends = np.sort(np.concatenate((sold_until, bought_until)))
    ends = ends[_steps(ends) > 0]
    seller_rows = sold.rows[np.searchsorted(sold_until, ends)]
    return Pairs(
        sellers=seller_rows,
        buyers=bought.rows[np.searchsorted(bought_until, ends)],
        energies_wh=_steps(ends),
        meetings=ancestors[sellers[0].zones[seller_rows]],
    )


def _steps(line: Column) -> Column:
    """Return by how much each place on a line is beyond the one before it, the first beyond 0."""
    beyond = line.copy()
    beyond[1:] -= line[:-1]
    return beyond


@dataclass(frozen=True, slots=True, eq=False)
class _Meeting:
    """One side of all meetings that happen at once."""

    party: Party
    """The side."""
    rows: Column
    """Rows that meet, by place, then in their order."""
    places: Column
    """Place where each row meets others."""
    left_wh: Column
    """What each row has to trade, in Wh."""
    totals_wh: Column
    """What all rows at each place have, in Wh."""

    @classmethod
    def of(cls, party: Party, rows: Column, ancestors: Column) -> "_Meeting":
        """Return one side of the meetings of these rows."""
        places, left = ancestors[party.zones[rows]], party.left_wh[rows]
        totals = np.zeros(ancestors.size, np.int64)
        np.add.at(totals, places, left)
        return cls(party, rows, places, left, totals)

    def take(self, traded_wh: Column) -> Column:
        """
        Count down what rows trade, and return where each one's part ends on the line of all Wh.

        A place's first rows trade until ``traded_wh`` there is reached.
        """
        before = np.cumsum(self.totals_wh) - self.totals_wh
        within = np.cumsum(self.left_wh) - before[self.places]
        offset = np.cumsum(traded_wh) - traded_wh
        ends = offset[self.places] + np.minimum(within, traded_wh[self.places])
        self.party.left_wh[self.rows] = self.left_wh - _steps(ends)
        return ends
