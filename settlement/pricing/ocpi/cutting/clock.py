"""Follow the local clock through a session: which day it is, which minute, and until when."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from ledger.units import UnixSeconds
from settlement.pricing.ocpi.cutting.bands import Axis

_DAY_S: Final = 86_400
_DAY_MINUTES: Final = 1_440
_DAYS_PER_WEEK: Final = 7
_EPOCH_WEEKDAY: Final = 3
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
NEVER: Final = UnixSeconds(2**62)
"""An instant after all others."""


@dataclass(frozen=True, slots=True)
class Now:
    """What the local clock says, as far as the tariff asks, until it says something else."""

    key: tuple[int, int, int]
    """Band of the minute, band of the date, weekday (Monday is 0)."""
    until_s: UnixSeconds
    """Instant from which it may say something else."""


@dataclass(frozen=True, slots=True)
class LocalClock:
    """The ends that a tariff names on the clock and the calendar, at one place."""

    minutes: Axis
    """Minutes of the day."""
    dates: Axis
    """Days since 1970-01-01."""
    asks_for_days: bool
    """Whether the weekday matters."""
    utc_offset_minutes: int
    """Local time less UTC, in minutes."""
    zone: tzinfo | None
    """Time zone that takes the offset's place."""

    def at(self, at_s: UnixSeconds) -> Now:
        """Return what the clock says at an instant."""
        if not (self.minutes.ends or self.dates.ends or self.asks_for_days):
            return Now((0, 0, 0), NEVER)
        offset_s = self._offset_s(at_s)
        day, second = divmod(at_s + offset_s, _DAY_S)
        band = self.minutes.band(second // 60)
        ends = self.minutes.ends
        next_second = int(ends[band]) * 60 if band < len(ends) else _DAY_S
        weekday = (day + _EPOCH_WEEKDAY) % _DAYS_PER_WEEK if self.asks_for_days else 0
        until_s = UnixSeconds(at_s + next_second - second)
        return Now(
            (band, self.dates.band(day), weekday), self._no_later_than_a_change(at_s, until_s)
        )

    def _offset_s(self, at_s: int) -> int:
        if self.zone is None:
            return self.utc_offset_minutes * 60
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(self.zone).utcoffset()
        return 0 if offset is None else offset // timedelta(seconds=1)

    def _no_later_than_a_change(self, at_s: UnixSeconds, until_s: UnixSeconds) -> UnixSeconds:
        """Return ``until_s``, or the instant before it at which the clocks change."""
        if self.zone is None:
            return until_s
        offset_s = self._offset_s(at_s)
        if self._offset_s(until_s) == offset_s:
            return until_s
        low, high = at_s, until_s
        while high - low > 1:
            middle = UnixSeconds((low + high) // 2)
            if self._offset_s(middle) == offset_s:
                low = middle
            else:
                high = middle
        return high


def epoch_day(day: date) -> int:
    """Return the days from 1970-01-01 to ``day``."""
    return day.toordinal() - _EPOCH_ORDINAL
