"""
Count what went through a register in an interval, also while it says nothing.

What has been *counted* follows the register. While the register is silent it stays where it is, or
goes ahead by an estimate; when the register speaks again it takes up the rest, and waits if the
estimate was too high. So all that is ever counted is what the register says, once it says it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from ledger.units import UnixSeconds, WattHours
from settlement.metering.homes.flags import Flag

_DAY_S = 86_400
_EARLIER_S = (_DAY_S, 7 * _DAY_S)
"""How far back the days are that an estimate is taken from, in this order."""

RegisterAt = Callable[[UnixSeconds], WattHours | None]
"""What a register showed at an instant, or None if it said nothing."""


class Estimates(Enum):
    """What counts for an interval at whose end a meter is silent; a community decides."""

    NONE = "none"
    """Nothing, until the meter speaks again."""
    PROFILE = "profile"
    """What the same meter counted in the same interval a day before, or a week."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What one register counted in one interval."""

    begin_wh: WattHours
    """What had been counted before, as a register value, in Wh."""
    end_wh: WattHours
    """What has been counted then, as a register value, in Wh; not less."""
    ahead_wh: WattHours
    """How far that is ahead of what the register said last, in Wh; 0 unless estimated."""
    flags: Flag
    """``MISSING`` if the register was silent at the end, ``PROFILE`` if something was estimated."""

    @property
    def energy_wh(self) -> WattHours:
        """What counts for the interval, in Wh, not negative."""
        return WattHours(self.end_wh - self.begin_wh)


NOTHING = Counted(WattHours(0), WattHours(0), WattHours(0), Flag.MISSING)
"""Of a register that has never said where it begins."""


def counted(
    last_wh: WattHours | None,
    end_wh: WattHours | None,
    ahead_wh: WattHours,
    estimate_wh: WattHours | None,
    modulus_wh: WattHours | None = None,
) -> Counted:
    """
    Return what a register counted in an interval.

    Parameters
    ----------
    last_wh
        What it said last, at the interval's begin or before, in Wh; None if it never spoke.
    end_wh
        What it says at the interval's end, in Wh; None if it is silent.
    ahead_wh
        How far estimates had gone ahead of ``last_wh`` before the interval, in Wh.
    estimate_wh
        What to count if it is silent, in Wh; None if there is nothing to estimate from.
    modulus_wh
        Where it begins again at 0, in Wh, if it does.
    """
    if last_wh is None:
        return NOTHING
    begin = last_wh + ahead_wh
    if end_wh is None:
        end = begin + (estimate_wh or 0)
        flags = Flag.MISSING if estimate_wh is None else Flag.MISSING | Flag.PROFILE
        return Counted(WattHours(begin), WattHours(end), WattHours(end - last_wh), flags)
    said = end_wh
    if modulus_wh is not None and end_wh < last_wh:
        said = WattHours(end_wh + modulus_wh)
    end = max(said, begin)
    return Counted(WattHours(begin), WattHours(end), WattHours(end - said), Flag.NONE)


def profile_wh(
    register_at: RegisterAt,
    begin_s: UnixSeconds,
    end_s: UnixSeconds,
    modulus_wh: WattHours | None = None,
) -> WattHours | None:
    """Return what a register counted in the same interval a day before, or a week, if it said."""
    for back_s in _EARLIER_S:
        begin = register_at(UnixSeconds(begin_s - back_s))
        end = register_at(UnixSeconds(end_s - back_s))
        if begin is not None and end is not None:
            return counted(begin, end, WattHours(0), None, modulus_wh).energy_wh
    return None
