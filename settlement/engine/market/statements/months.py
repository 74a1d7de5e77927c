"""Say which intervals a month has, by the community's own clocks."""

from dataclasses import dataclass
from datetime import date
from typing import Final, Self

from ledger.units import UnixSeconds
from settlement.engine.community import Rules

_SECONDS_PER_MINUTE: Final = 60
_MONTHS: Final = 12
_DAY_S: Final = 86_400
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month."""

    year: int
    """Year."""
    month: int
    """Month, from 1."""

    @classmethod
    def of(cls, rules: Rules, instant_s: UnixSeconds) -> Self:
        """Return the month in which an instant lies where the community is."""
        day = rules.local.day_of(instant_s)
        return cls(day.year, day.month)

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the month of a name such as ``2026-11``."""
        year, _, month = name.partition("-")
        return cls(int(year), int(month))

    @property
    def name(self) -> str:
        """Its name, such as ``2026-11``."""
        return f"{self.year:04}-{self.month:02}"

    def next(self) -> "Month":
        """Return the month after it."""
        return Month(self.year + self.month // _MONTHS, self.month % _MONTHS + 1)

    def begin_s(self, rules: Rules) -> UnixSeconds:
        """Return its first instant, in Unix seconds."""
        return _midnight_s(rules, date(self.year, self.month, 1))

    def end_s(self, rules: Rules) -> UnixSeconds:
        """Return the first instant after it, in Unix seconds."""
        return self.next().begin_s(rules)

    def intervals(self, rules: Rules) -> range:
        """Return the intervals that begin in it."""
        first, end = (
            -(-at_s // rules.interval_s) for at_s in (self.begin_s(rules), self.end_s(rules))
        )
        return range(first, end)


def day_begin_s(rules: Rules, instant_s: UnixSeconds) -> UnixSeconds:
    """Return the first instant of the local day in which an instant lies, in Unix seconds."""
    return _midnight_s(rules, rules.local.day_of(instant_s))


def _midnight_s(rules: Rules, day: date) -> UnixSeconds:
    """Return the first instant of a local day; on days that clocks change, by the clock before."""
    shown_s = UnixSeconds((day.toordinal() - _EPOCH_ORDINAL) * _DAY_S)
    near_s = UnixSeconds(shown_s - _offset_s(rules, shown_s))
    return UnixSeconds(shown_s - _offset_s(rules, near_s))


def _offset_s(rules: Rules, at_s: UnixSeconds) -> int:
    return rules.local.offset_minutes(at_s) * _SECONDS_PER_MINUTE
