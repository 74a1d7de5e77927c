"""
Pair those first who wish for each other: partners both ways, then one way, then the sun.

A wish chooses who is paired with whom where both meet; it changes neither quantity nor price.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ledger.units import WattHours
from settlement.trading.auction.columns import Column
from settlement.trading.auction.parties import Pairs, Party


@dataclass(frozen=True, slots=True, eq=False)
class Wish:
    """What one side's rows wish for."""

    members: Sequence[str]
    """Who each row is."""
    partners: Sequence[str]
    """Whom each row would trade with, or empty."""
    solar: Sequence[bool]
    """Of sellers: made by the sun. Of buyers: wants that."""


@dataclass(frozen=True, slots=True, eq=False)
class Wishes:
    """What both sides wish for."""

    sellers: Wish
    """Of those who sell."""
    buyers: Wish
    """Of those who buy."""

    def grant(
        self, sellers: tuple[Party, Column], buyers: tuple[Party, Column], ancestors: Column
    ) -> Pairs:
        """Pair by wishes who meets now, and count down what each has left."""
        at_sellers = _places(*sellers, ancestors)
        at_buyers = _places(*buyers, ancestors)
        granting = _Granting(sellers[0].left_wh, buyers[0].left_wh)
        granting.all_of(self._both_ways(at_sellers, at_buyers))
        granting.all_of(_named(self.buyers, at_buyers, self.sellers, at_sellers))
        granting.all_of(
            (seller, buyer)
            for buyer, seller in _named(self.sellers, at_sellers, self.buyers, at_buyers)
        )
        self._sun(at_sellers, at_buyers, granting)
        rows = np.array(granting.pairs, np.int64).reshape(-1, 3)
        meetings = [at_sellers[seller] for seller, _, _ in granting.pairs]
        return Pairs(rows[:, 0], rows[:, 1], rows[:, 2], np.array(meetings, np.int64))

    def _both_ways(
        self, at_sellers: Mapping[int, int], at_buyers: Mapping[int, int]
    ) -> Iterable[tuple[int, int]]:
        for seller, buyer in _named(self.buyers, at_buyers, self.sellers, at_sellers):
            if self.sellers.partners[seller] == self.buyers.members[buyer]:
                yield seller, buyer

    def _sun(
        self, at_sellers: Mapping[int, int], at_buyers: Mapping[int, int], granting: "_Granting"
    ) -> None:
        """Pair those who want the sun with those who have it, in order, at each place."""
        made: dict[int, list[int]] = {}
        for seller, place in at_sellers.items():
            if self.sellers.solar[seller]:
                made.setdefault(place, []).append(seller)
        for rows in made.values():
            rows.reverse()
        for buyer, place in at_buyers.items():
            rows = made.get(place, []) if self.buyers.solar[buyer] else []
            while rows and granting.wanted_wh[buyer]:
                granting.one(rows[-1], buyer)
                if not granting.for_sale_wh[rows[-1]]:
                    rows.pop()


@dataclass(frozen=True, slots=True, eq=False)
class _Granting:
    """Pairs being made."""

    for_sale_wh: Column
    """What sellers have left, in Wh."""
    wanted_wh: Column
    """What buyers lack, in Wh."""
    pairs: list[tuple[int, int, WattHours]] = field(default_factory=list)
    """Row of the seller, row of the buyer, Wh."""

    def all_of(self, wished: Iterable[tuple[int, int]]) -> None:
        """Pair a seller and a buyer after the other as far as both have something left."""
        for seller, buyer in wished:
            self.one(seller, buyer)

    def one(self, seller: int, buyer: int) -> None:
        """Pair one seller with one buyer."""
        energy = WattHours(min(int(self.for_sale_wh[seller]), int(self.wanted_wh[buyer])))
        if energy:
            self.for_sale_wh[seller] -= energy
            self.wanted_wh[buyer] -= energy
            self.pairs.append((seller, buyer, energy))


def _places(party: Party, rows: Column, ancestors: Column) -> Mapping[int, int]:
    """Return where each row meets others, in the order of rows."""
    return dict(zip(rows.tolist(), ancestors[party.zones[rows]].tolist(), strict=True))


def _named(
    wish: Wish, at_wishing: Mapping[int, int], other: Wish, at_other: Mapping[int, int]
) -> Iterable[tuple[int, int]]:
    """Return the rows that a side names, each before the row that names it."""
    present: dict[tuple[int, str], list[int]] = {}
    for row, place in at_other.items():
        present.setdefault((place, other.members[row]), []).append(row)
    for row, place in at_wishing.items():
        if wish.partners[row]:
            for named in present.get((place, wish.partners[row]), ()):
                yield named, row
