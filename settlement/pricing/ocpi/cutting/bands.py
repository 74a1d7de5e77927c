"""
Cut what restrictions speak of into bands, within which no restriction changes.

An axis (energy, duration, power, current, minute of the day, date) has the ends that some
restriction names, in order. A band lies between two neighbours; its number is how many ends are
at or below it, so the lower end is in and the upper out, as OCPI has it.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

Number = int | Fraction

UNKNOWN: Final = -1
"""Band of what was not measured; a restriction on it is not met."""


@dataclass(frozen=True, slots=True)
class Axis:
    """The ends that restrictions name, in order."""

    ends: tuple[Number, ...]
    """Without repetition, lowest first."""

    @classmethod
    def of(cls, ends: Iterable[Number | None]) -> "Axis":
        """Return the axis of these ends; ``None`` is none."""
        return cls(tuple(sorted({one for one in ends if one is not None})))

    def band(self, value: Number) -> int:
        """Return the band that ``value`` lies in."""
        return bisect_right(self.ends, value)

    def between(self, least: Number | None, most: Number | None) -> "Span":
        """Return the bands from ``least`` until ``most``; ``None`` is no end."""
        if least is None and most is None:
            return EVERYWHERE
        low = 0 if least is None else self.band(least)
        high = len(self.ends) if most is None else self.band(most) - 1
        return Span(low, high)


@dataclass(frozen=True, slots=True)
class Span:
    """Bands that a restriction allows."""

    low: int
    """The first."""
    high: int
    """The last."""

    def has(self, band: int) -> bool:
        """Return whether the restriction is met there."""
        return self.low <= band <= self.high


EVERYWHERE: Final = Span(UNKNOWN, 2**31)
"""No restriction, which is met even where nothing was measured."""


def exact(number: Number) -> Number:
    """Return a whole number as ``int``, which is quicker to add and to compare."""
    if isinstance(number, int) or number.denominator != 1:
        return number
    return number.numerator
