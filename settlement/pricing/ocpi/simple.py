"""Carry tariffs over to what a contract can compute: a price per kWh and a flat fee."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour
from settlement.pricing.ocpi.cutting.bands import EVERYWHERE, Axis
from settlement.pricing.ocpi.cutting.plan import Mode, Plan, Rule, plan_of
from settlement.pricing.ocpi.document.model import (
    FREE_OF_RESTRICTIONS,
    Dimension,
    Element,
    OcpiTariff,
    PriceComponent,
    Restrictions,
    TaxIncluded,
)
from settlement.pricing.ocpi.document.unit_prices import unit_price
from settlement.pricing.tariffs import Tariff

FROM_THE_FIRST_WH: Final = Restrictions(min_kwh=Decimal("0.001"))
"""What a fee has that is owed only if energy flowed."""

_MICRO_DIGITS: Final = 6
_BP_DIGITS: Final = 2
_DAY_MINUTES: Final = 1_440
_WEEKDAYS: Final = range(7)
_TIMED: Final = frozenset({Dimension.TIME, Dimension.PARKING_TIME})


def of_simple(tariff: Tariff) -> OcpiTariff:
    """
    Return a price per kWh and a flat fee as an OCPI tariff that costs the same, to the micro.

    The flat fee stands under a restriction to sessions of at least 1 Wh, because a start that
    failed costs nothing.
    """
    vat_percent = Decimal(tariff.vat_rate_bp).scaleb(-_BP_DIGITS)

    def priced(dimension: Dimension, micros: int) -> tuple[PriceComponent, ...]:
        price = Decimal(micros).scaleb(-_MICRO_DIGITS)
        return (PriceComponent(dimension, price, vat_percent, step_size=1),)

    energy = Element(priced(Dimension.ENERGY, tariff.price_micros_per_kwh))
    flat = Element(priced(Dimension.FLAT, tariff.flat_micros), FROM_THE_FIRST_WH)
    return OcpiTariff(
        tariff_id=tariff.tariff_id,
        currency=tariff.currency,
        elements=(energy, flat) if tariff.flat_micros else (energy,),
        tax_included=TaxIncluded.YES,
    )


def simple_parts(tariff: OcpiTariff) -> tuple[MicrosPerKilowattHour, Micros]:
    """
    Return the price per kWh and the flat fee, VAT included, that a contract may take for certain.

    Each is the least that any element that may count could ask, rounded down to a whole micro; 0
    where there may be a moment at which none counts. So a contract that takes energy x price + fee
    where energy flowed never takes more than the tariff asks; what the tariff asks beyond is for an
    invoice. Only ``max_price`` can go below; ``deposit_for_tariff`` keeps the deposit, and with it
    what the contract takes, within it.
    """
    plan = plan_of(tariff)
    rules = plan.rules[Mode.CHARGING]
    energy = _least(tariff, plan, rules[Dimension.ENERGY])
    flat = _least(tariff, plan, rules[Dimension.FLAT])
    return MicrosPerKilowattHour(int(energy // 1)), Micros(int(flat // 1))


def is_simple(tariff: OcpiTariff) -> bool:
    """
    Return whether price per kWh and flat fee are all there is, so that a contract bills it whole.

    Not if anything else costs, something is restricted, energy has steps, a total has limits, or
    a price with VAT is no whole number of micros. A fee that is owed from the first Wh counts as
    unrestricted; no contract takes a fee where no energy flowed.
    """
    if tariff.min_price is not None or tariff.max_price is not None:
        return False
    return all(
        _is_simple(tariff, component, element.restrictions)
        for element in tariff.elements
        for component in element.components
    )


def _is_simple(tariff: OcpiTariff, component: PriceComponent, limits: Restrictions) -> bool:
    if component.dimension in _TIMED:
        return component.price == 0
    if unit_price(tariff, component).gross.denominator != 1:
        return False
    if component.dimension is Dimension.FLAT:
        return _from_the_first_wh(limits)
    return limits == FREE_OF_RESTRICTIONS and component.step_size <= 1


def _from_the_first_wh(limits: Restrictions) -> bool:
    """Return whether an element counts in every session in which energy flowed."""
    if limits.min_kwh is not None and limits.min_kwh > Decimal("0.001"):
        return False
    return replace(limits, min_kwh=None) == FREE_OF_RESTRICTIONS


def _least(tariff: OcpiTariff, plan: Plan, rules: Iterable[Rule]) -> Fraction:
    """Return the least price, in micros with VAT, of the rules that may count; 0 if none may."""
    seen: list[Fraction] = []
    covered = _Coverage(plan)
    for rule in rules:
        seen.append(rule.price.gross)
        flat = rule.component.dimension is Dimension.FLAT
        limits = tariff.elements[rule.place[0]].restrictions
        if covered.add(rule) or (flat and _from_the_first_wh(limits)):
            return min(seen)
    return Fraction(0)


class _Coverage:
    """
    Which moments are certain to be priced by the rules so far.

    Rules that restrict one axis alone cover it together (until 10 kWh, from 10 kWh), and rules of
    times of day and weekdays the week. Power and current may be unknown, and dates end: they
    cover nothing.
    """

    def __init__(self, plan: Plan) -> None:
        self._energy: Final = _bands(plan.energy, lambda _: True)
        self._duration: Final = _bands(plan.duration, lambda _: True)
        minutes = _bands(plan.minutes, lambda minute: minute < _DAY_MINUTES)
        self._week: Final = {(minute, day) for minute in minutes for day in _WEEKDAYS}

    def add(self, rule: Rule) -> bool:
        """Count a rule in, and return whether there is no moment left without one."""
        if not rule.dates == rule.power == rule.current == EVERYWHERE:
            return False
        timed = rule.minutes is not None or rule.weekdays is not None
        restricted = (timed, rule.energy != EVERYWHERE, rule.duration != EVERYWHERE)
        if sum(restricted) == 0:
            return True
        if sum(restricted) == 1:
            self._energy.difference_update(
                [one for one in self._energy if restricted[1] and rule.energy.has(one)]
            )
            self._duration.difference_update(
                [one for one in self._duration if restricted[2] and rule.duration.has(one)]
            )
            self._week.difference_update(
                [one for one in self._week if timed and _covers(rule, one)]
            )
        return not (self._energy and self._duration and self._week)


def _bands(axis: Axis, reachable: Callable[[int | Fraction], bool]) -> set[int]:
    return {axis.band(end) for end in (0, *axis.ends) if reachable(end)}


def _covers(rule: Rule, moment: tuple[int, int]) -> bool:
    minute, day = moment
    at_minute = rule.minutes is None or minute in rule.minutes
    return at_minute and (rule.weekdays is None or day in rule.weekdays)
