"""
Divide a meter's energy among communities, so that no watt-hour has two.

The watt-hours of a register are numbered by what it shows: number ``n`` takes it from ``n - 1`` to
``n`` Wh. Number ``n`` is in slot ``n * 3819 mod 10,000``. Communities own slots side by side from 0
on, in the order of their names, one for each basis point of their factor. So each watt-hour belongs
to one community or to none, whatever the intervals are cut like and however factors change: nothing
is lost, nothing is counted twice. The multiplier strews slots so evenly that a community is never
5 Wh away from its factor's part of what a register has counted from 0 on.
"""

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints, WattHours

_STRIDE: Final = 3_819
_UNSTRIDE: Final = pow(_STRIDE, -1, WHOLE_BP)
_KEPT: Final = 256


class FactorsBeyondWholeError(InvalidRequest):
    """Communities' factors of one meter sum to more than all of it."""

    def __init__(self, meter_id: str, sum_bp: BasisPoints, from_s: int) -> None:
        super().__init__(
            "factors_beyond_whole",
            f"from {from_s} on, the factors of meter {meter_id} sum to {sum_bp} basis points",
        )


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots that a community owns of each 10,000, from one up to but not including another."""

    first: int
    """First slot, from 0."""
    end: int
    """First slot after them, up to 10,000."""


WHOLE: Final = Slots(0, WHOLE_BP)
"""All of a meter's energy."""


def slots_of(factors: Mapping[str, BasisPoints], community: str) -> Slots:
    """Return the slots of a community, the factors of all being given."""
    first = sum(factors[name] for name in sorted(factors) if name < community)
    return Slots(first, first + factors.get(community, BasisPoints(0)))


def check_factors(meter_id: str, factors: Mapping[str, BasisPoints], from_s: int) -> None:
    """
    Check that the factors that hold from an instant on leave no watt-hour to two communities.

    Raises
    ------
    FactorsBeyondWholeError
        If they sum to more than 10,000.
    """
    whole = BasisPoints(sum(factors.values()))
    if whole > WHOLE_BP:
        raise FactorsBeyondWholeError(meter_id, whole, from_s)


def share_wh(slots: Slots, begin_wh: WattHours, end_wh: WattHours) -> WattHours:
    """
    Return how much of what a register counted is the owner's of ``slots``.

    Parameters
    ----------
    slots
        The community's slots.
    begin_wh
        What the register showed before, in Wh.
    end_wh
        What it shows, in Wh, not less.
    """
    if slots == WHOLE:
        return WattHours(end_wh - begin_wh)
    return WattHours(_counted(slots, end_wh) - _counted(slots, begin_wh))


def _counted(slots: Slots, until_wh: int) -> int:
    """Return how many of the watt-hours 0 to ``until_wh`` are in the slots."""
    rounds, rest = divmod(until_wh, WHOLE_BP)
    places = _places(slots)
    return rounds * len(places) + bisect_right(places, rest)


@lru_cache(maxsize=_KEPT)
def _places(slots: Slots) -> tuple[int, ...]:
    """Return which of the watt-hours 0 to 9,999 are in the slots, in order."""
    return tuple(sorted(slot * _UNSTRIDE % WHOLE_BP for slot in range(slots.first, slots.end)))
