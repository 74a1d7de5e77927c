"""
Tell local time: minutes of the day for mandates, local days for statements.

A day on which the clocks change has an hour less or more (half an hour on Lord Howe Island), and so
has 92 or 100 quarters of an hour. The rules of the time zones are those of the pinned ``tzdata``
package, never the machine's own, so that an interval settled anywhere is settled alike.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import cache
from importlib.resources import files
from typing import Final
from zoneinfo import ZoneInfo

from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds
from settlement.metering.intervals import IntervalIndex, interval_of, start_s

_DAY_S: Final = 86_400
_DAY_MINUTES: Final = 1_440
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


class UnknownTimeZoneError(InvalidRequest):
    """No time zone of that name is in the IANA database."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_time_zone", f"{name!r} is no time zone of the IANA database")


@cache
def time_zone(name: str) -> ZoneInfo:
    """
    Return the time zone of a name such as ``Europe/Paris``.

    Raises
    ------
    UnknownTimeZoneError
        If there is none.
    """
    parts = name.split("/")
    if not name.isascii() or not all(part.strip(".") for part in parts):
        raise UnknownTimeZoneError(name)
    try:
        with files("tzdata").joinpath("zoneinfo", *parts).open("rb") as rules:
            return ZoneInfo.from_file(rules, key=name)
    except (OSError, ValueError) as fault:
        raise UnknownTimeZoneError(name) from fault


@dataclass(frozen=True, slots=True)
class LocalTime:
    """What the clocks of a community show."""

    utc_offset_minutes: int
    """Local time less UTC, in minutes, if there is no zone."""
    zone: tzinfo | None = None
    """Time zone that takes the offset's place."""

    def offset_minutes(self, at_s: UnixSeconds) -> int:
        """Return local time less UTC at an instant, in whole minutes."""
        if self.zone is None:
            return self.utc_offset_minutes
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(self.zone).utcoffset()
        return 0 if offset is None else offset // timedelta(minutes=1)

    def minute_of(self, at_s: UnixSeconds) -> int:
        """Return the minute of the local day at an instant, 0 to 1439."""
        return (at_s // 60 + self.offset_minutes(at_s)) % _DAY_MINUTES

    def day_of(self, at_s: UnixSeconds) -> date:
        """Return the local date at an instant."""
        days = (at_s + self.offset_minutes(at_s) * 60) // _DAY_S
        return date.fromordinal(_EPOCH_ORDINAL + days)


def local_day(local: LocalTime, interval: IntervalIndex, length_s: int) -> date:
    """
    Return the local day of an interval: the one in which it begins.

    Raises
    ------
    BadIntervalLengthError
        If ``length_s`` does not divide an hour.
    """
    return local.day_of(start_s(interval, length_s))


def intervals_of_day(local: LocalTime, day: date, length_s: int) -> tuple[IntervalIndex, ...]:
    """
    Return the intervals that begin on a local day, in order.

    Raises
    ------
    BadIntervalLengthError
        If ``length_s`` does not divide an hour.
    """
    midnight_s = (day.toordinal() - _EPOCH_ORDINAL) * _DAY_S
    # No clock on Earth is a day or more away from UTC.
    first = interval_of(UnixSeconds(midnight_s - _DAY_S), length_s)
    end = interval_of(UnixSeconds(midnight_s + 2 * _DAY_S), length_s)
    return tuple(
        IntervalIndex(one)
        for one in range(first, end)
        if local_day(local, IntervalIndex(one), length_s) == day
    )
