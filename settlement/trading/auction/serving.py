"""The orders that trade, and the rows in which they meet others: one a member, zone and wish."""

from dataclasses import dataclass
from operator import attrgetter, ne

import numpy as np

from settlement.trading.auction.columns import Column, Side
from settlement.trading.auction.parties import Party
from settlement.trading.auction.wishes import Wish
from settlement.trading.outcome import Order


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """The orders of one side that trade."""

    orders: tuple[Order, ...]
    """One a row."""
    zones: Column
    """Place of each order's zone in the tree."""
    energies_wh: Column
    """What each trades, in Wh."""
    members: Column
    """Rank of each order's member."""
    names: tuple[str, ...]
    """Members by rank, that is by name."""

    def names_partner(self) -> bool:
        """Return whether an order wishes for a partner."""
        return any(map(attrgetter("partner"), self.orders))

    def wants_sun(self) -> bool:
        """Return whether a bid wants energy made by the sun."""
        return any(map(attrgetter("solar"), self.orders))

    def party(self, *, picky: bool) -> Party:
        """
        Return a row for each member and zone, and for each wish if anybody has one.

        Who has no wish meets others first, so that who has one may go up and meet whom it wants.
        """
        keys: tuple[Column, ...] = (self.zones, self.members)
        if picky:
            wishes = [
                (bool(one.partner or one.solar), one.partner, one.solar) for one in self.orders
            ]
            kinds = {wish: at for at, wish in enumerate(sorted(set(wishes)))}
            kind = np.array([kinds[wish] for wish in wishes], np.int64)
            wishing = np.array([has for has, _, _ in wishes], np.int64)
            keys = (kind, self.zones, self.members, wishing)
        starts, order = groups(keys)
        firsts = order[starts]
        return Party(
            orders=firsts,
            members=self.members[firsts],
            zones=self.zones[firsts],
            left_wh=np.add.reduceat(self.energies_wh[order], starts),
        )

    def wish(self, party: Party) -> Wish:
        """Return what the rows of this side wish for."""
        orders = [self.orders[row] for row in party.orders.tolist()]
        return Wish(
            members=[one.member for one in orders],
            partners=[one.partner for one in orders],
            solar=[one.solar for one in orders],
        )


def served(side: Side, served_wh: Column) -> Served:
    """Return the orders of a side that trade something."""
    rows = np.flatnonzero(served_wh)
    orders = tuple([side.orders[row] for row in rows.tolist()])
    names = [order.member for order in orders]
    by_name = sorted(range(len(names)), key=names.__getitem__)
    ordered = [names[row] for row in by_name]
    changes = np.zeros(len(ordered), np.int64)
    changes[1:] = np.fromiter(map(ne, ordered[1:], ordered), np.int64, max(0, len(ordered) - 1))
    members = np.empty(len(ordered), np.int64)
    members[by_name] = np.cumsum(changes)
    changes[:1] = 1
    return Served(
        orders=orders,
        zones=side.zones[rows],
        energies_wh=served_wh[rows],
        members=members,
        names=tuple([ordered[row] for row in np.flatnonzero(changes).tolist()]),
    )


def groups(keys: tuple[Column, ...]) -> tuple[Column, Column]:
    """Return where groups of equal keys start once sorted, and how to sort; the last key leads."""
    order = np.lexsort(keys)
    changes = np.zeros(order.size, np.bool_)
    changes[:1] = True
    for key in keys:
        ordered = key[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    return np.flatnonzero(changes), order
