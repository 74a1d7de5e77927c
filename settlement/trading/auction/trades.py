"""Turn what every order trades into trades: members paired, prices and tolls of their paths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.units import MicrosPerKilowattHour
from settlement.trading.auction.columns import Column, Market, Side
from settlement.trading.auction.margin import Allocation
from settlement.trading.auction.pairing import pair
from settlement.trading.auction.parties import Pairs, Party
from settlement.trading.auction.wishes import Wish, Wishes
from settlement.trading.outcome import Order, Trade
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True, eq=False)
class _Served:
    """The orders of one side that trade."""

    orders: tuple[Order, ...]
    """One a row."""
    zones: Column
    """Place of each order's zone."""
    energies_wh: Column
    """What each trades, in Wh."""


def trades_of(
    market: Market, allocation: Allocation, prices: Sequence[MicrosPerKilowattHour]
) -> tuple[Trade, ...]:
    """Return who sold to whom, by seller, buyer and zones."""
    tree = market.tree
    sold = _served(market.offers, allocation.sold_wh)
    bought = _served(market.bids, allocation.bought_wh)
    names = sorted({order.member for side in (sold, bought) for order in side.orders})
    ranks = {name: rank for rank, name in enumerate(names)}
    picky = any(order.partner for order in sold.orders) or any(
        order.partner or order.solar for order in bought.orders
    )
    sellers, of_sellers = _party(sold, ranks, picky=picky)
    buyers, of_buyers = _party(bought, ranks, picky=picky)
    wishes = Wishes(of_sellers, of_buyers) if of_sellers and of_buyers else None
    pairs = pair(sellers, buyers, wishes, tree)
    return _priced(_Met.of(pairs, sellers, buyers), names, prices, tree)


def _served(side: Side, served_wh: Column) -> _Served:
    rows = np.flatnonzero(served_wh)
    orders = tuple([side.orders[row] for row in rows.tolist()])
    return _Served(orders, side.zones[rows], served_wh[rows])


def _party(served: _Served, ranks: dict[str, int], *, picky: bool) -> tuple[Party, Wish | None]:
    """
    Return a side by member and zone, and its wishes if anybody has one.

    Who has no wish meets others first, so that who has one may go up and meet whom it wishes for.
    """
    orders = served.orders
    members = np.fromiter((ranks[order.member] for order in orders), np.int64, len(orders))
    kinds: list[tuple[bool, str, bool]] = [(False, "", False)]
    kind = np.zeros(len(orders), np.int64)
    if picky:
        of_orders = [(bool(one.partner or one.solar), one.partner, one.solar) for one in orders]
        kinds = sorted(set(of_orders))
        place = {one: at for at, one in enumerate(kinds)}
        kind = np.fromiter((place[one] for one in of_orders), np.int64, len(orders))
    wishing = np.array([wishes for wishes, _, _ in kinds], np.int64)[kind]
    keys = (kind, served.zones, members, wishing)
    starts, order = _groups(keys)
    firsts = order[starts]
    party = Party(
        members=members[firsts],
        zones=served.zones[firsts],
        left_wh=np.add.reduceat(served.energies_wh[order], starts),
    )
    if not picky:
        return party, None
    rows = firsts.tolist()
    return party, Wish(
        members=[orders[row].member for row in rows],
        partners=[orders[row].partner for row in rows],
        solar=[orders[row].solar for row in rows],
    )


def _groups(keys: tuple[Column, ...]) -> tuple[Column, Column]:
    """Return where groups of equal keys start once sorted, and how to sort; the last key leads."""
    order = np.lexsort(keys)
    changes = np.zeros(order.size, np.bool_)
    changes[:1] = True
    for key in keys:
        ordered = key[order]
        changes[1:] |= ordered[1:] != ordered[:-1]
    return np.flatnonzero(changes), order


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """Who traded with whom, each pair and path once, by seller, buyer and zones."""

    sellers: Column
    """Rank of the seller by name."""
    buyers: Column
    """Rank of the buyer by name."""
    froms: Column
    """Place of the zone it came from."""
    tos: Column
    """Place of the zone it went to."""
    tops: Column
    """Place of the highest zone on its path."""
    energies_wh: Column
    """Energy, in Wh."""

    @classmethod
    def of(cls, pairs: Pairs, sellers: Party, buyers: Party) -> "_Met":
        """Return pairs of rows as pairs of members and zones."""
        who, whom = sellers.members[pairs.sellers], buyers.members[pairs.buyers]
        froms, tos = sellers.zones[pairs.sellers], buyers.zones[pairs.buyers]
        starts, order = _groups((tos, froms, whom, who))
        firsts = order[starts]
        return cls(
            who[firsts],
            whom[firsts],
            froms[firsts],
            tos[firsts],
            pairs.meetings[firsts],
            np.add.reduceat(pairs.energies_wh[order], starts),
        )


def _priced(
    met: _Met, names: Sequence[str], prices: Sequence[MicrosPerKilowattHour], tree: ZoneTree
) -> tuple[Trade, ...]:
    """Return trades with the seller's price, the toll of the path and what its caps add."""
    price = np.array(prices, np.int64)
    to_root = _tolls_to_root(tree)
    local = np.array([zone.local_toll for zone in tree.zones], np.int64)
    edges = to_root[met.froms] + to_root[met.tos] - 2 * to_root[met.tops]
    congestion = price[met.tos] - price[met.froms] - edges
    zones = [zone.name for zone in tree.zones]
    return tuple(
        map(
            Trade,
            [names[at] for at in met.sellers.tolist()],
            [names[at] for at in met.buyers.tolist()],
            met.energies_wh.tolist(),
            price[met.froms].tolist(),
            [zones[at] for at in met.froms.tolist()],
            [zones[at] for at in met.tos.tolist()],
            (edges + local[met.tos]).tolist(),
            congestion.tolist(),
        )
    )


def _tolls_to_root(tree: ZoneTree) -> Column:
    """Return the sum of edge tolls from each zone up to the root."""
    tolls = [0] * len(tree.zones)
    for at, zone in enumerate(tree.zones[1:], 1):
        tolls[at] = tolls[tree.parents[at]] + zone.edge_toll
    return np.array(tolls, np.int64)
