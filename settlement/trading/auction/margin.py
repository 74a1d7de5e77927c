"""
Say what every order trades at given prices, from the prices alone.

Who would gain trades in full, who would lose does not trade. Who is at the margin shares what is
left, zones as evenly as edges allow. Buyers come first here, which changes nothing: a full edge
divides zones where buyers share, and sellers sell all, from those where sellers do.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction.columns import Column, Market, Side, by_zone
from settlement.trading.auction.errors import NotClearedError
from settlement.trading.auction.fairness import Room, fair_shares
from settlement.trading.shares import shared_out
from settlement.trading.zones import Zone, ZoneTree


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """What every order trades and what leaves every zone, the same for every solver."""

    sold_wh: Column
    """What each offer sells, in Wh."""
    bought_wh: Column
    """What each bid buys, in Wh."""
    exported_wh: tuple[WattHours, ...]
    """What leaves each zone for its parent, in Wh; below zero if it comes in."""


def allocate(market: Market, prices: Sequence[MicrosPerKilowattHour]) -> Allocation:
    """
    Return who trades how much at prices that support an optimum.

    Raises
    ------
    NotClearedError
        If the prices support nothing: then no outcome at these prices has most welfare.
    """
    tree = market.tree
    at_zone = np.array(prices, np.int64)
    offers, bids = market.offers, market.bids
    gain_sold, margin_sold = _stand(offers, at_zone[offers.zones] - offers.limits)
    gain_bought, margin_bought = _stand(bids, bids.limits - at_zone[bids.zones])
    fixed = (by_zone(offers, gain_sold, tree) - by_zone(bids, gain_bought, tree)).tolist()
    for_sale = by_zone(offers, margin_sold, tree).tolist()
    wanted = by_zone(bids, margin_bought, tree).tolist()
    room = _room(market, prices)
    bought = fair_shares(room, [a + b for a, b in zip(fixed, for_sale, strict=True)], wanted)
    lacking = [WattHours(got - had) for got, had in zip(bought, fixed, strict=True)]
    sold = fair_shares(room.mirrored(), lacking, for_sale)
    return Allocation(
        sold_wh=gain_sold + _shared(offers, margin_sold, for_sale, sold),
        bought_wh=gain_bought + _shared(bids, margin_bought, wanted, bought),
        exported_wh=_exports(room, [s - lack for s, lack in zip(sold, lacking, strict=True)]),
    )


def _stand(side: Side, gain: Column) -> tuple[Column, Column]:
    """Return the energy of orders that gain, and that of orders that neither gain nor lose."""
    return (
        np.where(gain > 0, side.energies_wh, 0),
        np.where(gain == 0, side.energies_wh, 0),
    )


def premium(tree: ZoneTree, prices: Sequence[MicrosPerKilowattHour], at: int) -> tuple[int, int]:
    """Return what is earned per kWh by carrying energy up the edge above a zone, and down it."""
    rise, toll = prices[tree.parents[at]] - prices[at], tree.zones[at].edge_toll
    return rise - toll, -rise - toll


def _room(market: Market, prices: Sequence[MicrosPerKilowattHour]) -> Room:
    """Return what each edge may carry: all of its cap if that earns, nothing if that loses."""
    tree = market.tree
    book_wh = WattHours(int(market.offers.energies_wh.sum()))
    least, most = [WattHours(0)], [WattHours(0)]
    for at, zone in enumerate(tree.zones[1:], 1):
        up, down = premium(tree, prices, at)
        export_cap, import_cap = _caps(zone, book_wh)
        least.append(WattHours(export_cap if up > 0 else -import_cap if down >= 0 else 0))
        most.append(WattHours(-import_cap if down > 0 else export_cap if up >= 0 else 0))
    names = tuple(zone.name for zone in tree.zones)
    return Room(names, tree.parents, tuple(least), tuple(most))


def _caps(zone: Zone, book_wh: WattHours) -> tuple[WattHours, WattHours]:
    return (
        book_wh if zone.export_cap_wh is None else zone.export_cap_wh,
        book_wh if zone.import_cap_wh is None else zone.import_cap_wh,
    )


def _exports(room: Room, surplus_wh: Iterable[int]) -> tuple[WattHours, ...]:
    """
    Return what leaves each zone, and check that it may.

    That orders, edges and prices agree is what proves the outcome optimal, whatever found them.
    """
    out = [WattHours(left) for left in surplus_wh]
    for at in range(len(out) - 1, 0, -1):
        out[room.parents[at]] = WattHours(out[room.parents[at]] + out[at])
    for name, least, left, most in zip(room.names, room.least_wh, out, room.most_wh, strict=True):
        if not least <= left <= most:
            raise NotClearedError(f"{left} Wh leave {name}, not {least} to {most}")
    return tuple(out)


def _shared(
    side: Side, margin_wh: Column, total_wh: Sequence[WattHours], served_wh: Sequence[WattHours]
) -> Column:
    """Return what orders at the margin trade when each zone trades what it was given."""
    served = np.array(served_wh, np.int64)
    whole = served == np.array(total_wh, np.int64)
    shares = np.where(whole[side.zones], margin_wh, 0)
    for at in np.flatnonzero(~whole & (served > 0)).tolist():
        rows = np.flatnonzero((side.zones == at) & (margin_wh > 0)).tolist()
        for row, share in _split(side, rows, served_wh[at]):
            shares[row] = share
    return shares


def _split(
    side: Side, rows: Sequence[int], energy_wh: WattHours
) -> Iterable[tuple[int, WattHours]]:
    """Share energy over orders: members pro rata, and each one's over what it wishes likewise."""
    members: dict[str, dict[tuple[str, bool], list[int]]] = {}
    for row in rows:
        order = side.orders[row]
        wishes = members.setdefault(order.member, {})
        wishes.setdefault((order.partner, order.solar), []).append(row)
    asked = {
        member: {wish: _sum(side, alike) for wish, alike in wishes.items()}
        for member, wishes in members.items()
    }
    totals = {member: WattHours(sum(wishes.values())) for member, wishes in asked.items()}
    for member, share in shared_out(energy_wh, totals).items():
        for wish, part in shared_out(share, asked[member]).items():
            yield from _fill(side, members[member][wish], part)


def _sum(side: Side, rows: Iterable[int]) -> WattHours:
    return WattHours(sum(side.orders[row].energy_wh for row in rows))


def _fill(side: Side, rows: Iterable[int], energy_wh: WattHours) -> Iterable[tuple[int, WattHours]]:
    """Serve orders that are alike one after the other; what they get together is what counts."""
    left = energy_wh
    for row in rows:
        share = WattHours(min(left, side.orders[row].energy_wh))
        yield row, share
        left = WattHours(left - share)
