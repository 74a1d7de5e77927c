"""Say who of those that share sold to whom: near first, and by wish where that changes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ledger.units import WattHours
from settlement.trading.auction.pairing import pair
from settlement.trading.auction.parties import Party
from settlement.trading.auction.wishes import Wish, Wishes
from settlement.trading.mechanisms.fills import Place
from settlement.trading.mechanisms.groups import Group
from settlement.trading.mechanisms.rounds import Shares
from settlement.trading.outcome import Order
from settlement.trading.shares import shared_out
from settlement.trading.zones import ZoneTree

Pair = tuple[Place, Place, WattHours]
"""Seller, buyer, Wh."""

_NOTHING: Final = WattHours(0)


@dataclass(frozen=True, slots=True)
class Meeting:
    """Orders that may share, and the zones in which they meet."""

    offers: Mapping[Place, Order]
    """The best offer of each seller: its wish counts."""
    bids: Mapping[Place, Order]
    """The best bid of each buyer: its wish counts."""
    tree: ZoneTree
    """Zones."""

    def pairs(self, group: Group, shares: Shares) -> Iterator[Pair]:
        """
        Return who sold to whom.

        What a row gives to somebody is sold to nobody else. Of a zone's pool the producers sell in
        proportion to what they have left: first to who does not accept every zone's price and
        tolls, then, all zones together, near before far, as in the auction.
        """
        for (source, unit), energy in shares.own.items():
            if energy:
                yield (source.producer, source.zone), (unit.member, unit.zone), energy
        selling = _selling(shares)
        buying: dict[Place, WattHours] = {}
        for (source, unit), energy in sorted(shares.pooled.items()):
            buyer = (unit.member, unit.zone)
            if unit.reach == group.zones:
                buying[buyer] = WattHours(buying.get(buyer, _NOTHING) + energy)
            else:
                yield from _sold(selling[source.zone], buyer, energy)
        left = {seller: energy for pool in selling.values() for seller, energy in pool.items()}
        yield from self._met(left, buying)

    def _met(
        self, selling: Mapping[Place, WattHours], buying: Mapping[Place, WattHours]
    ) -> Iterator[Pair]:
        """Pair what remains over the tree of zones, wishes first."""
        sellers = sorted(seller for seller, energy in selling.items() if energy)
        buyers = sorted(buyer for buyer, energy in buying.items() if energy)
        if not sellers:
            return
        found = pair(
            self._party(sellers, selling),
            self._party(buyers, buying),
            self._wishes(sellers, buyers),
            self.tree,
        )
        columns = (found.sellers.tolist(), found.buyers.tolist(), found.energies_wh.tolist())
        for seller, buyer, energy in zip(*columns, strict=True):
            yield sellers[seller], buyers[buyer], WattHours(energy)

    def _party(self, places: Sequence[Place], energies_wh: Mapping[Place, WattHours]) -> Party:
        names = {name: rank for rank, name in enumerate(sorted({name for name, _ in places}))}
        return Party(
            orders=np.arange(len(places), dtype=np.int64),
            members=np.array([names[name] for name, _ in places], np.int64),
            zones=np.array([self.tree.index[zone] for _, zone in places], np.int64),
            left_wh=np.array([energies_wh[place] for place in places], np.int64),
        )

    def _wishes(self, sellers: Sequence[Place], buyers: Sequence[Place]) -> Wishes | None:
        offers = [self.offers[place] for place in sellers]
        bids = [self.bids[place] for place in buyers]
        if not any(one.partner for one in offers) and not any(
            one.partner or one.solar for one in bids
        ):
            return None
        return Wishes(_wish(offers), _wish(bids))


def _wish(orders: Sequence[Order]) -> Wish:
    return Wish(
        members=[one.member for one in orders],
        partners=[one.partner for one in orders],
        solar=[one.solar for one in orders],
    )


def _selling(shares: Shares) -> dict[str, dict[Place, WattHours]]:
    """Return what each producer sells of its zone's pool, by zone."""
    taken: dict[str, WattHours] = {}
    for (source, _), energy in shares.pooled.items():
        taken[source.zone] = WattHours(taken.get(source.zone, _NOTHING) + energy)
    having: dict[str, dict[Place, WattHours]] = {zone: {} for zone in taken}
    for source, left_wh in shares.left_wh.items():
        if left_wh and source.zone in taken:
            having[source.zone][source.producer, source.zone] = left_wh
    return {zone: shared_out(taken[zone], having[zone]) for zone in sorted(taken)}


def _sold(pool: dict[Place, WattHours], buyer: Place, energy_wh: WattHours) -> Iterator[Pair]:
    """Sell to a buyer out of a pool, the first names first, and count the pool down."""
    left = energy_wh
    for seller in sorted(pool):
        moved = WattHours(min(left, pool[seller]))
        if moved:
            yield seller, buyer, moved
            pool[seller] = WattHours(pool[seller] - moved)
            left = WattHours(left - moved)
