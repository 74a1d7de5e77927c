"""Prepare a tariff once, so that what applies at a moment is a comparison of small numbers."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import lru_cache
from typing import Final, NamedTuple

from settlement.pricing.ocpi.cutting.bands import Axis, Number, Span, exact
from settlement.pricing.ocpi.cutting.clock import LocalClock, epoch_day
from settlement.pricing.ocpi.document.model import (
    Dimension,
    OcpiTariff,
    PriceComponent,
    Reservation,
    Restrictions,
    Weekday,
)
from settlement.pricing.ocpi.document.unit_prices import UnitPrice, unit_price

_PREPARED_MAX: Final = 256
_STATES_MAX: Final = 4_096
_MILLI: Final = 1_000
_DAY_MINUTES: Final = 1_440
_WEEKDAYS: Final = {day: number for number, day in enumerate(Weekday)}


class Mode(Enum):
    """Which elements are looked at, and in which order."""

    CHARGING = (None,)
    """Those without a reservation."""
    RESERVED = (Reservation.RESERVATION,)
    """Those of a reservation that was used."""
    EXPIRED = (Reservation.RESERVATION_EXPIRES, Reservation.RESERVATION)
    """Those of one that expired, then, where they say nothing, those of any reservation."""


class State(NamedTuple):
    """Where a moment lies on every axis."""

    clock: tuple[int, int, int]
    """Band of the minute, band of the date, weekday."""
    energy: int
    """Band of the session's energy."""
    duration: int
    """Band of its duration."""
    power: int
    """Band of the power."""
    current: int
    """Band of the current."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """A price component with its restrictions as bands."""

    component: PriceComponent
    """What it costs."""
    price: UnitPrice
    """The same, net and VAT."""
    place: tuple[int, int]
    """Number of its element in the tariff, and its own in the element."""
    minutes: frozenset[int] | None
    """Bands of the minute of the day; ``None`` is all."""
    weekdays: frozenset[int] | None
    """Weekdays, Monday is 0; ``None`` is all."""
    dates: Span
    """Bands of the date."""
    energy: Span
    """Bands of the session's energy."""
    duration: Span
    """Bands of its duration."""
    power: Span
    """Bands of the power."""
    current: Span
    """Bands of the current."""

    def applies(self, state: State) -> bool:
        """Return whether all of its restrictions are met."""
        return (
            self.on_clock(state.clock)
            and self.energy.has(state.energy)
            and self.duration.has(state.duration)
            and self.power.has(state.power)
            and self.current.has(state.current)
        )

    def on_clock(self, key: tuple[int, int, int]) -> bool:
        """Return whether the time of day, the date and the weekday are met."""
        minute, day, weekday = key
        at_minute = self.minutes is None or minute in self.minutes
        on_day = self.weekdays is None or weekday in self.weekdays
        return at_minute and on_day and self.dates.has(day)


@dataclass(frozen=True, slots=True, eq=False)
class Active:
    """The component that counts for each dimension; ``None`` costs nothing."""

    energy: Rule | None
    """For energy."""
    flat: Rule | None
    """Once."""
    time: Rule | None
    """For time of charging or of a reservation."""
    parking: Rule | None
    """For time of parking."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A tariff, prepared."""

    energy: Axis
    """Ends of energies, in Wh."""
    duration: Axis
    """Ends of durations, in s."""
    power: Axis
    """Ends of powers, in W."""
    current: Axis
    """Ends of currents, in mA."""
    minutes: Axis
    """Ends of times of day, in minutes."""
    dates: Axis
    """Ends of dates, in days since 1970-01-01."""
    asks_for_days: bool
    """Whether an element names weekdays."""
    rules: dict[Mode, dict[Dimension, tuple[Rule, ...]]]
    """For each mode and dimension the components in the order in which they are tried."""
    known: dict[tuple[Mode, State], Active] = field(default_factory=dict)
    """What counted in the states that were asked about; a memory, never more than it holds."""

    def clock(self, utc_offset_minutes: int, zone: tzinfo | None) -> LocalClock:
        """Return the clock of a place, as far as the tariff asks."""
        return LocalClock(self.minutes, self.dates, self.asks_for_days, utc_offset_minutes, zone)

    def active(self, mode: Mode, state: State) -> Active:
        """Return what counts in a state: for each dimension the first component that applies."""
        active = self.known.get((mode, state))
        if active is None:
            if len(self.known) >= _STATES_MAX:
                self.known.clear()
            active = self.known[mode, state] = self._first_that_apply(mode, state)
        return active

    def _first_that_apply(self, mode: Mode, state: State) -> Active:
        found = {
            dimension: next((rule for rule in rules if rule.applies(state)), None)
            for dimension, rules in self.rules[mode].items()
        }
        return Active(
            energy=found[Dimension.ENERGY],
            flat=found[Dimension.FLAT],
            time=found[Dimension.TIME],
            parking=found[Dimension.PARKING_TIME],
        )


@lru_cache(maxsize=_PREPARED_MAX)
def plan_of(tariff: OcpiTariff) -> Plan:
    """Return a tariff, prepared; the newest are remembered."""
    every = [element.restrictions for element in tariff.elements]
    axes = _Axes(
        energy=Axis.of(_thousandfold(x for one in every for x in (one.min_kwh, one.max_kwh))),
        power=Axis.of(_thousandfold(x for one in every for x in (one.min_power, one.max_power))),
        current=Axis.of(
            _thousandfold(x for one in every for x in (one.min_current, one.max_current))
        ),
        duration=Axis.of(x for one in every for x in (one.min_duration_s, one.max_duration_s)),
        minutes=Axis.of(x for one in every for pair in _clock_pairs(one) for x in pair),
        dates=Axis.of(epoch_day(x) for one in every for x in (one.start_date, one.end_date) if x),
    )
    rules = [
        (
            element.restrictions.reservation,
            axes.rule(tariff, component, (row, column)),
        )
        for row, element in enumerate(tariff.elements)
        for column, component in enumerate(element.components)
    ]
    return Plan(
        energy=axes.energy,
        duration=axes.duration,
        power=axes.power,
        current=axes.current,
        minutes=axes.minutes,
        dates=axes.dates,
        asks_for_days=any(one.days for one in every),
        rules={mode: _ordered(rules, mode) for mode in Mode},
    )


def _ordered(
    rules: list[tuple[Reservation | None, Rule]], mode: Mode
) -> dict[Dimension, tuple[Rule, ...]]:
    """Return the rules of a mode by dimension, in the order in which they are tried."""
    chosen = [rule for wanted in mode.value for kind, rule in rules if kind is wanted]
    return {
        dimension: tuple(rule for rule in chosen if rule.component.dimension is dimension)
        for dimension in Dimension
    }


@dataclass(frozen=True, slots=True)
class _Axes:
    """All axes of a tariff."""

    energy: Axis
    power: Axis
    current: Axis
    duration: Axis
    minutes: Axis
    dates: Axis

    def rule(self, tariff: OcpiTariff, component: PriceComponent, place: tuple[int, int]) -> Rule:
        """Return a component with its restrictions as bands."""
        limits = tariff.elements[place[0]].restrictions
        first, last = (
            None if x is None else epoch_day(x) for x in (limits.start_date, limits.end_date)
        )
        weekdays = frozenset(_WEEKDAYS[day] for day in limits.days)
        return Rule(
            component=component,
            price=unit_price(tariff, component),
            place=place,
            minutes=self._minutes(limits),
            weekdays=weekdays or None,
            dates=self.dates.between(first, last),
            energy=self.energy.between(_milli(limits.min_kwh), _milli(limits.max_kwh)),
            duration=self.duration.between(limits.min_duration_s, limits.max_duration_s),
            power=self.power.between(_milli(limits.min_power), _milli(limits.max_power)),
            current=self.current.between(_milli(limits.min_current), _milli(limits.max_current)),
        )

    def _minutes(self, limits: Restrictions) -> frozenset[int] | None:
        pairs = _clock_pairs(limits)
        if not pairs:
            return None
        spans = [self.minutes.between(begin, end) for begin, end in pairs]
        return frozenset(band for span in spans for band in range(span.low, span.high + 1))


def _clock_pairs(limits: Restrictions) -> tuple[tuple[int, int], ...]:
    """
    Return the stretches of a day, in minutes, in which the times of day allow an element.

    Until 00:00 is until the end of the day; an end before the begin wraps around midnight (OCPI
    2.2.1-d2 and later, mod_tariffs, TariffRestrictions).
    """
    if limits.start_minute is None and limits.end_minute is None:
        return ()
    begin = limits.start_minute or 0
    end = limits.end_minute or _DAY_MINUTES
    if end < begin:
        return ((0, end), (begin, _DAY_MINUTES))
    return ((begin, end),)


def _thousandfold(numbers: Iterable[Decimal | None]) -> Iterable[Number | None]:
    return (_milli(one) for one in numbers)


def _milli(number: Decimal | None) -> Number | None:
    """Return a number of kWh, kW or A in Wh, W or mA, exactly."""
    return None if number is None else exact(Fraction(number) * _MILLI)
