"""Say which deposit a session under a tariff can need at most."""

from collections.abc import Iterable
from datetime import tzinfo
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import CENT_MICROS, Micros, NegativeEnergyError, UnixSeconds, WattHours
from settlement.pricing.ocpi.cutting.bands import EVERYWHERE
from settlement.pricing.ocpi.cutting.charging import BadChargingError
from settlement.pricing.ocpi.cutting.clock import LocalClock, Now
from settlement.pricing.ocpi.cutting.plan import Mode, Plan, Rule, plan_of
from settlement.pricing.ocpi.document.model import Dimension, OcpiTariff, PriceLimit, TaxIncluded
from settlement.pricing.ocpi.document.unit_prices import MICROS

_WH_PER_KWH: Final = 1_000
_S_PER_HOUR: Final = 3_600
_PERCENT: Final = 100
_NOTHING: Final = Fraction(0)


def deposit_for_tariff(
    tariff: OcpiTariff,
    requested_wh: WattHours,
    longest_stay_s: int,
    start_s: UnixSeconds,
    utc_offset_minutes: int = 0,
    zone: tzinfo | None = None,
) -> Micros:
    """
    Return a deposit that no session within its bounds overruns, rounded up to a whole cent.

    The dearest component that may count there is taken for all energy, for all time and for the
    fee, with the steps that round up most. ``max_price`` bounds it; a reservation is not part of
    it. For a price per kWh and a flat fee it is what ``billing.deposit_for`` gives.

    Parameters
    ----------
    tariff
        The tariff that the session will have.
    requested_wh
        The most energy that it draws, in Wh.
    longest_stay_s
        The longest time on the connector, in s.
    start_s
        Instant at which it starts.
    utc_offset_minutes
        Local time less UTC, in minutes.
    zone
        Time zone of the place; takes the offset's place.

    Raises
    ------
    NegativeEnergyError
        If the energy is below zero.
    BadChargingError
        If the stay is below zero.
    """
    if requested_wh < 0:
        raise NegativeEnergyError(requested_wh)
    if longest_stay_s < 0:
        raise BadChargingError("longest_stay_s", "is below zero")
    plan = plan_of(tariff)
    clock = plan.clock(utc_offset_minutes, zone)
    reach = _Reach(plan, clock, requested_wh, longest_stay_s, start_s)
    total = (
        _for_energy(reach.within(Dimension.ENERGY), requested_wh)
        + _for_time(reach, longest_stay_s)
        + _dearest(reach.within(Dimension.FLAT))
    )
    bounded = _bounded(tariff, total)
    return Micros(int(-(-bounded // CENT_MICROS)) * CENT_MICROS)


def _for_energy(rules: list[Rule], requested_wh: WattHours) -> Fraction:
    billed_wh = max((_stepped(requested_wh, rule) for rule in rules), default=0)
    return Fraction(_dearest(rules) * billed_wh, _WH_PER_KWH)


def _for_time(reach: "_Reach", stay_s: int) -> Fraction:
    """
    Return the most that time can cost.

    Where both charging and parking cost, one of them may be rounded up by almost a step beyond
    the stay; where one does, the stay itself is rounded.
    """
    both = [reach.within(Dimension.TIME), reach.within(Dimension.PARKING_TIME)]
    rules = [rule for kind in both for rule in kind]
    if all(both):
        billed_s = stay_s + max(max(rule.component.step_size - 1, 0) for rule in rules)
    else:
        billed_s = max((_stepped(stay_s, rule) for rule in rules), default=0)
    return Fraction(_dearest(rules) * billed_s, _S_PER_HOUR)


def _stepped(used: int, rule: Rule) -> int:
    step = max(rule.component.step_size, 1)
    return -(-used // step) * step


def _dearest(rules: Iterable[Rule]) -> Fraction:
    return max((rule.price.gross for rule in rules), default=_NOTHING)


def _bounded(tariff: OcpiTariff, total: Fraction) -> Fraction:
    """Return a total within the limits of the tariff, each at the most it can come to."""
    if tariff.min_price is not None:
        total = max(total, _most(tariff, tariff.min_price))
    if tariff.max_price is not None:
        total = min(total, _most(tariff, tariff.max_price))
    return total


def _most(tariff: OcpiTariff, limit: PriceLimit) -> Fraction:
    if limit.after_taxes is not None:
        return Fraction(limit.after_taxes) * MICROS
    rates = [one.vat_percent for element in tariff.elements for one in element.components]
    taxed = tariff.tax_included is not TaxIncluded.NOT_APPLICABLE
    highest = max((rate for rate in rates if rate is not None and taxed), default=Decimal(0))
    before = Fraction(limit.before_taxes) * MICROS
    return Fraction(before * (_PERCENT + Fraction(highest)), _PERCENT)


class _Reach:
    """Which components may count in a session within a window."""

    def __init__(
        self,
        plan: Plan,
        clock: LocalClock,
        requested_wh: WattHours,
        stay_s: int,
        start_s: UnixSeconds,
    ) -> None:
        self._plan: Final = plan
        self._energy: Final = range(plan.energy.band(max(requested_wh, 1)) + 1)
        self._duration: Final = range(plan.duration.band(stay_s) + 1)
        self._clock: Final = {now.key for now in _times(clock, start_s, stay_s)}

    def within(self, dimension: Dimension) -> list[Rule]:
        """Return the rules that may count for a dimension; none after one that always does."""
        found: list[Rule] = []
        for rule in self._plan.rules[Mode.CHARGING][dimension]:
            if self._may(rule):
                found.append(rule)
            if self._must(rule):
                break
        return found

    def _may(self, rule: Rule) -> bool:
        return (
            any(rule.on_clock(key) for key in self._clock)
            and any(rule.energy.has(band) for band in self._energy)
            and any(rule.duration.has(band) for band in self._duration)
        )

    def _must(self, rule: Rule) -> bool:
        return (
            rule.power == rule.current == EVERYWHERE
            and all(rule.on_clock(key) for key in self._clock)
            and all(rule.energy.has(band) for band in self._energy)
            and all(rule.duration.has(band) for band in self._duration)
        )


def _times(clock: LocalClock, start_s: UnixSeconds, stay_s: int) -> Iterable[Now]:
    """Yield what the clock says in the course of the longest stay."""
    now = clock.at(start_s)
    yield now
    while now.until_s < start_s + stay_s:
        now = clock.at(now.until_s)
        yield now
