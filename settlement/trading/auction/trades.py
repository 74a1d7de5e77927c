"""Turn what every order trades into trades: members paired, prices and tolls of their paths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ledger.units import MicrosPerKilowattHour
from settlement.trading.auction.columns import Column, Market
from settlement.trading.auction.margin import Allocation
from settlement.trading.auction.pairing import pair
from settlement.trading.auction.parties import Pairs, Party
from settlement.trading.auction.serving import groups, served
from settlement.trading.auction.wishes import Wishes
from settlement.trading.outcome import Trade
from settlement.trading.zones import ZoneTree


def trades_of(
    market: Market, allocation: Allocation, prices: Sequence[MicrosPerKilowattHour]
) -> tuple[Trade, ...]:
    """Return who sold to whom, by seller, buyer and zones."""
    sold, bought = (
        served(market.offers, allocation.sold_wh),
        served(market.bids, allocation.bought_wh),
    )
    picky = sold.names_partner() or bought.names_partner() or bought.wants_sun()
    sellers, buyers = sold.party(picky=picky), bought.party(picky=picky)
    wishes = Wishes(sold.wish(sellers), bought.wish(buyers)) if picky else None
    pairs = pair(sellers, buyers, wishes, market.tree)
    met = _Met.of(pairs, sellers, buyers)
    return _priced(met, (sold.names, bought.names), prices, market.tree)


@dataclass(frozen=True, slots=True, eq=False)
class _Met:
    """Who traded with whom, each pair and path once, by seller, buyer and zones."""

    sellers: Column
    """Rank of the seller among sellers."""
    buyers: Column
    """Rank of the buyer among buyers."""
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
        starts, order = groups((tos, froms, whom, who))
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
    met: _Met,
    names: tuple[Sequence[str], Sequence[str]],
    prices: Sequence[MicrosPerKilowattHour],
    tree: ZoneTree,
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
            [names[0][at] for at in met.sellers.tolist()],
            [names[1][at] for at in met.buyers.tolist()],
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
