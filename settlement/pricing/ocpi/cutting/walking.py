"""Walk through a session and cut it where another price component begins to count."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from ledger.units import UnixSeconds
from settlement.pricing.ocpi.cutting.bands import UNKNOWN, Number, exact
from settlement.pricing.ocpi.cutting.charging import Charging, Period
from settlement.pricing.ocpi.cutting.clock import NEVER, Now
from settlement.pricing.ocpi.cutting.plan import Active, Mode, Plan, Rule, State
from settlement.pricing.ocpi.document.model import Reservation

_HOUR_S: Final = 3_600
_ENDLESS: Final = 2**62


@dataclass(slots=True)
class Stretch:
    """A part of a session in which the same components count."""

    begin_s: Number
    """First instant; a fraction where an energy was reached between two seconds."""
    end_s: Number
    """Instant after the last."""
    energy_wh: Number
    """Energy drawn in it, in Wh."""
    parking: bool
    """Whether its time is parking."""
    active: Active
    """What counts in it."""


@dataclass(frozen=True, slots=True)
class Walked:
    """A session or a reservation, cut."""

    stretches: tuple[Stretch, ...]
    """Its parts, in order; none where nothing was used."""
    flat: Rule | None
    """The flat fee that is owed: the first that counted."""


def walk(plan: Plan, charging: Charging, mode: Mode) -> Walked:
    """
    Return the periods of a mode, cut where a restriction begins or ceases to be met.

    Energy is spread evenly over a period. Its threshold is met at the very Wh, a time of day and a
    duration at the very second. The walk is linear in the periods: a period in which nothing
    changes costs a few comparisons.
    """
    reserved = mode is not Mode.CHARGING
    periods = [one for one in charging.periods if (one.reservation is not None) is reserved]
    walker = _Walker(plan, charging, mode, _begin_s(periods, charging, reserved=reserved))
    for period in periods:
        walker.pass_through(period)
    return walker.result()


def mode_of_reservation(charging: Charging) -> Mode:
    """Return how reserved periods are rated: as expired if any of them is."""
    expired = any(one.reservation is Reservation.RESERVATION_EXPIRES for one in charging.periods)
    return Mode.EXPIRED if expired else Mode.RESERVED


def _begin_s(periods: list[Period], charging: Charging, *, reserved: bool) -> UnixSeconds:
    return periods[0].begin_s if reserved and periods else charging.start_s


class _Walker:
    """Where the walk stands."""

    def __init__(self, plan: Plan, charging: Charging, mode: Mode, start_s: UnixSeconds) -> None:
        self._plan: Final = plan
        self._clock: Final = plan.clock(charging.utc_offset_minutes, charging.zone)
        self._mode: Final = mode
        self._start_s: Final = start_s
        self._stretches: Final[list[Stretch]] = []
        self._flat: Rule | None = None
        self._used_wh: Number = 0
        self._now = Now((0, 0, 0), UnixSeconds(start_s))
        self._next_s: Number = start_s
        self._next_wh: Number = 0
        self._bands = (UNKNOWN, UNKNOWN)
        self._parking = False

    def pass_through(self, period: Period) -> None:
        """Go to the end of a period; one in which nothing is used changes nothing."""
        begin_s, end_s, energy_wh = period.begin_s, period.end_s, period.energy_wh
        if begin_s == end_s and not energy_wh:
            return
        bands = self._bands_of(period)
        stretch = self._stretches[-1] if self._stretches else None
        if (
            stretch is not None
            and end_s <= self._next_s
            and stretch.end_s == begin_s < self._next_s
            and self._used_wh < self._next_wh
            and self._used_wh + energy_wh <= self._next_wh
            and bands == self._bands
            and period.parking is self._parking
        ):
            stretch.end_s = end_s
            stretch.energy_wh += energy_wh
            self._used_wh += energy_wh
            return
        self._bands, self._parking = bands, period.parking
        self._cut(begin_s, end_s, exact(energy_wh))

    def _cut(self, begin_s: Number, end_s: Number, energy_wh: Number) -> None:
        """Go to the end of a period in which something changes, part by part."""
        while begin_s < end_s or energy_wh:
            active = self._look(begin_s)
            until_s = min(end_s, self._next_s) if begin_s < end_s else end_s
            part_wh = _share(energy_wh, until_s - begin_s, end_s - begin_s)
            left_wh = self._next_wh - self._used_wh
            if part_wh > left_wh:
                until_s = begin_s + _share(end_s - begin_s, left_wh, energy_wh)
                part_wh = left_wh
            self._add(begin_s, until_s, part_wh, active)
            begin_s, energy_wh = until_s, exact(energy_wh - part_wh)
            self._used_wh = exact(self._used_wh + part_wh)

    def _look(self, at_s: Number) -> Active:
        """Return what counts at an instant, and note until when."""
        if at_s >= self._now.until_s:
            self._now = self._clock.at(UnixSeconds(int(at_s)))
        lasted_s = at_s - self._start_s
        duration, energy = self._plan.duration, self._plan.energy
        lasted, used = duration.band(lasted_s), energy.band(self._used_wh)
        next_s = self._start_s + duration.ends[lasted] if lasted < len(duration.ends) else NEVER
        self._next_s = min(self._now.until_s, next_s)
        self._next_wh = energy.ends[used] if used < len(energy.ends) else _ENDLESS
        return self._active(lasted, used)

    def _active(self, lasted: int, used: int) -> Active:
        power, current = self._bands
        state = State(self._now.key, used, lasted, power, current)
        found = self._plan.active(self._mode, state)
        self._flat = self._flat or found.flat
        return found

    def _add(self, begin_s: Number, end_s: Number, energy_wh: Number, active: Active) -> None:
        """Add a part; it prolongs the last one where nothing that counts has changed."""
        last = self._stretches[-1] if self._stretches else None
        if (
            last is not None
            and last.end_s == begin_s
            and last.parking is self._parking
            and _same(last.active, active)
        ):
            last.end_s = end_s
            last.energy_wh = exact(last.energy_wh + energy_wh)
            return
        self._stretches.append(Stretch(begin_s, end_s, energy_wh, self._parking, active))

    def _bands_of(self, period: Period) -> tuple[int, int]:
        power = current = UNKNOWN
        if self._plan.power.ends:
            watts = period.power_w if period.power_w is not None else _average_w(period)
            power = UNKNOWN if watts is None else self._plan.power.band(watts)
        if self._plan.current.ends:
            unmeasured = 0 if period.parking else None
            milliamperes = unmeasured if period.current_ma is None else period.current_ma
            current = UNKNOWN if milliamperes is None else self._plan.current.band(milliamperes)
        return power, current

    def result(self) -> Walked:
        """Return the parts; a flat fee whose threshold was just reached is owed too."""
        if self._stretches and self._flat is None:
            self._look_at_the_end(self._stretches[-1].end_s)
        return Walked(tuple(self._stretches), self._flat)

    def _look_at_the_end(self, end_s: Number) -> None:
        lasted = self._plan.duration.band(end_s - self._start_s)
        self._active(lasted, self._plan.energy.band(self._used_wh))


def _average_w(period: Period) -> Number | None:
    """Return the average power of a period, in W; none is known of an instant."""
    energy_ws, lasted_s = period.energy_wh * _HOUR_S, period.end_s - period.begin_s
    if not lasted_s:
        return None
    if isinstance(energy_ws, int) and energy_ws % lasted_s == 0:
        return energy_ws // lasted_s
    return Fraction(energy_ws, lasted_s)


def _share(whole: Number, part: Number, total: Number) -> Number:
    """Return ``whole`` times ``part`` of ``total``, exactly; all of it where there is no total."""
    return whole if part == total else exact(Fraction(whole * part, total))


def _same(one: Active, other: Active) -> bool:
    return one is other or (
        one.energy is other.energy
        and one.time is other.time
        and one.parking is other.parking
        and one.flat is other.flat
    )
