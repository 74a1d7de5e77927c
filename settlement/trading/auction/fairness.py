"""
Share what is left at the margin among zones as evenly as the edges allow.

The least fraction of what a zone wants that is served is made as large as possible, then the next,
exactly. What can flow through a tree is an interval for each subtree, so one walk from the leaves
to the root tells whether shares fit. Whole Wh come last, the largest remainder first, then by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from ledger.units import WattHours
from settlement.trading.auction.errors import NotClearedError

Exact = int | Fraction
"""Energy in Wh of which a part may be meant; never rounded."""

ALL: Final[Exact] = 1
_TOO_LITTLE: Final = "more must leave a zone than it has"


@dataclass(frozen=True, slots=True)
class Room:
    """A tree of zones, parents first, and what may cross the edge above each; the root's is 0."""

    names: tuple[str, ...]
    """Name of each zone."""
    parents: tuple[int, ...]
    """Place of each zone's parent; -1 for the root."""
    least_wh: tuple[WattHours, ...]
    """What must leave each zone for its parent, in Wh; below zero if that much may come in."""
    most_wh: tuple[WattHours, ...]
    """What may leave each zone for its parent, in Wh."""

    def mirrored(self) -> "Room":
        """Return the same tree with all energy going the other way."""
        return Room(
            self.names,
            self.parents,
            tuple(WattHours(-most) for most in self.most_wh),
            tuple(WattHours(-least) for least in self.least_wh),
        )


def fair_shares(
    room: Room, surplus_wh: Sequence[WattHours], wanted_wh: Sequence[WattHours]
) -> tuple[WattHours, ...]:
    """
    Return what each zone gets of what it wants, in Wh.

    Parameters
    ----------
    room
        The tree. That nobody gets anything must be possible, as far as leaving zones goes.
    surplus_wh
        Most that each zone has before it gets anything; below zero if it lacks energy.
    wanted_wh
        Most that each zone takes, not negative.
    """
    shares = [WattHours(0)] * len(room.names)
    for part in _parts(room, surplus_wh):
        wanted = [wanted_wh[at] for at in part.places]
        if not any(wanted):
            continue
        if len(wanted) == 1:
            # Nothing crosses an edge: the zone takes what it wants of what it has.
            served = _alone(part.surplus_wh[0], wanted[0])
        else:
            served = _whole(part.room, part.surplus_wh, _even(part, wanted))
        for at, share in zip(part.places, served, strict=True):
            shares[at] = share
    return tuple(shares)


@dataclass(frozen=True, slots=True)
class _Part:
    """Zones between which edges have something to decide; all that comes from outside is known."""

    places: tuple[int, ...]
    """Place of each zone in the whole tree."""
    room: Room
    """The zones as a tree of their own."""
    surplus_wh: tuple[WattHours, ...]
    """Most that each zone has before it gets anything, in Wh."""


def _parts(room: Room, surplus_wh: Sequence[WattHours]) -> list[_Part]:
    """Cut the tree at edges that must carry what they may."""
    left = list(surplus_wh)
    parts: dict[int, list[int]] = {}
    part_of: list[int] = []
    for at, (above, least) in enumerate(zip(room.parents, room.least_wh, strict=True)):
        if above >= 0 and least < room.most_wh[at]:
            part_of.append(part_of[above])
        else:
            part_of.append(at)
            left[at] = WattHours(left[at] - least)
            if above >= 0:
                left[above] = WattHours(left[above] + least)
        parts.setdefault(part_of[at], []).append(at)
    return [_part(room, left, places) for places in parts.values()]


def _part(room: Room, left: Sequence[WattHours], places: Sequence[int]) -> _Part:
    local = {at: place for place, at in enumerate(places)}
    below = places[1:]
    return _Part(
        tuple(places),
        Room(
            names=tuple(room.names[at] for at in places),
            parents=(-1, *(local[room.parents[at]] for at in below)),
            least_wh=(WattHours(0), *(room.least_wh[at] for at in below)),
            most_wh=(WattHours(0), *(room.most_wh[at] for at in below)),
        ),
        tuple(left[at] for at in places),
    )


def _alone(surplus_wh: WattHours, wanted_wh: WattHours) -> tuple[WattHours, ...]:
    if surplus_wh < 0:
        raise NotClearedError(_TOO_LITTLE)
    return (min(surplus_wh, wanted_wh),)


def _even(part: _Part, wanted_wh: Sequence[WattHours]) -> list[Exact]:
    """Return exact shares: raise the common fraction until an edge holds, go on with the rest."""
    room = part.room
    left: list[Exact] = list(part.surplus_wh)
    waiting = {at for at, wanted in enumerate(wanted_wh) if wanted}
    shares: list[Exact] = [0] * len(left)
    while waiting:
        weights = [wanted if at in waiting else 0 for at, wanted in enumerate(wanted_wh)]
        fraction, even = _common_fraction(room, left, weights)
        done = waiting if fraction == ALL else waiting & _held(room, _leaving(room, even))
        for at in done:
            shares[at] = left[at] - even[at]
            left[at] = even[at]
        waiting -= done
    return shares


def _leaving(room: Room, left: Sequence[Exact]) -> list[Exact]:
    """Return the most that each subtree has for its parent, its own edge not counted."""
    most = list(left)
    for at in range(len(most) - 1, 0, -1):
        most[room.parents[at]] += min(most[at], room.most_wh[at])
    return most


def _common_fraction(
    room: Room, left: Sequence[Exact], weights: Sequence[int]
) -> tuple[Exact, list[Exact]]:
    """
    Return the largest fraction of all weights that can be taken at once, and what is left then.

    What a subtree has left is a concave function of the fraction, so that where its tangent meets
    the bound is never below the answer, and after finitely many tangents is the answer.
    """
    fraction = ALL
    while True:
        even = [
            had - fraction * weight if weight else had
            for had, weight in zip(left, weights, strict=True)
        ]
        most = even.copy()
        steepness = list(weights)
        for at in range(len(most) - 1, 0, -1):
            above = room.parents[at]
            if most[at] < room.most_wh[at]:
                most[above] += most[at]
                steepness[above] += steepness[at]
            else:
                most[above] += room.most_wh[at]
        short = [
            (least - had, steep)
            for had, least, steep in zip(most, room.least_wh, steepness, strict=True)
            if had < least
        ]
        if not short:
            return fraction, even
        if any(fraction * steep < lacking for lacking, steep in short):
            raise NotClearedError(_TOO_LITTLE)
        fraction -= max(Fraction(lacking, steep) for lacking, steep in short)


def _held(room: Room, leaving: Sequence[Exact]) -> set[int]:
    """Return the zones that cannot take more: an edge above them, or the root, has no more room."""
    held: set[int] = set()
    for at, above in enumerate(room.parents):
        tight = leaving[at] == room.least_wh[at]
        if tight or (above in held and leaving[at] <= room.most_wh[at]):
            held.add(at)
    return held


def _whole(
    room: Room, surplus_wh: Sequence[WattHours], shares: Sequence[Exact]
) -> tuple[WattHours, ...]:
    """Return shares in whole Wh, each at most one from what is exact, none lost together."""
    whole = [int(share // 1) for share in shares]
    spare = sum(shares) - sum(whole)
    left: list[Exact] = [had - got for had, got in zip(surplus_wh, whole, strict=True)]
    for _, _, at in sorted(
        (whole[at] - share, room.names[at], at)
        for at, share in enumerate(shares)
        if share != whole[at]
    ):
        left[at] -= 1
        if spare and all(
            most >= least for most, least in zip(_leaving(room, left), room.least_wh, strict=True)
        ):
            whole[at] += 1
            spare -= 1
        else:
            left[at] += 1
    return tuple(WattHours(share) for share in whole)
