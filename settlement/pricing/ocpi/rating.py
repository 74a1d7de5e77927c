"""Rate a session under a tariff: one function for quote, live cost, contract and record."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from settlement.pricing.ocpi.cutting.bands import Number, exact
from settlement.pricing.ocpi.cutting.charging import Charging
from settlement.pricing.ocpi.cutting.plan import Active, Mode, Rule, plan_of
from settlement.pricing.ocpi.cutting.walking import Stretch, Walked, mode_of_reservation, walk
from settlement.pricing.ocpi.document.model import Dimension, OcpiTariff
from settlement.pricing.ocpi.rated import Line, LineKind, Rated, Segment
from settlement.pricing.ocpi.totals import totals

_WH_PER_KWH: Final = 1_000
_S_PER_HOUR: Final = 3_600
_UNITS: Final = {
    LineKind.ENERGY: _WH_PER_KWH,
    LineKind.TIME: _S_PER_HOUR,
    LineKind.PARKING_TIME: _S_PER_HOUR,
    LineKind.RESERVATION: _S_PER_HOUR,
    LineKind.FLAT: 1,
    LineKind.RESERVATION_FLAT: 1,
}


@dataclass(slots=True)
class _Volume:
    """What is billed under one component."""

    kind: LineKind
    rule: Rule
    used: Number
    extra: Number = 0


class _Volumes:
    """What is billed under each component, in order of first use."""

    def __init__(self) -> None:
        self._by_rule: Final[dict[tuple[LineKind, tuple[int, int]], _Volume]] = {}
        self._last: Final[dict[LineKind, _Volume]] = {}

    def add(self, kind: LineKind, rule: Rule | None, used: Number) -> None:
        """Add what was used under a component; without one it is free."""
        if rule is None or not used:
            return
        key = (kind, rule.place)
        found = self._by_rule.get(key)
        if found is None:
            found = self._by_rule[key] = _Volume(kind, rule, used)
        else:
            found.used = exact(found.used + used)
        self._last[kind] = found

    def round_up(self, kind: LineKind) -> bool:
        """Round the session's total up to the step of the last component; say if there is any."""
        last = self._last.get(kind)
        if last is None:
            return False
        step = last.rule.component.step_size
        if step:
            total = sum((one.used for one in self._by_rule.values() if one.kind is kind), 0)
            last.extra = exact(-(-total // step) * step - total)
        return True

    def __iter__(self) -> Iterator[_Volume]:
        """Yield what is billed, component by component."""
        return iter(self._by_rule.values())


def rate(tariff: OcpiTariff, charging: Charging) -> Rated:
    """
    Return what ``charging`` costs under ``tariff`` (OCPI 2.2.1 and 2.3.0, mod_tariffs, mod_cdrs).

    For each dimension the first element that applies counts, and none is free. The tariff is that
    of the session's start and is never changed on the way. ``step_size`` rounds a session's total
    up once for energy and once for time, at the last component; parking, where it costs, is
    rounded in place of charging time. Products are taken before quotients, in rationals, and
    rounded once, at the end. Where nothing was used, nothing is owed.

    Parameters
    ----------
    tariff
        The tariff that was fixed when the session was opened.
    charging
        The session so far, planned or done.
    """
    plan = plan_of(tariff)
    reserved = walk(plan, charging, mode_of_reservation(charging))
    charged = walk(plan, charging, Mode.CHARGING)
    volumes = _Volumes()
    _count_reservation(volumes, reserved)
    _count_charging(volumes, charged)
    lines = tuple(_line(one) for one in volumes)
    segments = (
        *(_segment(one, reserved=True) for one in reserved.stretches),
        *(_segment(one, reserved=False) for one in charged.stretches),
    )
    return totals(tariff, lines, segments)


def _count_reservation(volumes: _Volumes, reserved: Walked) -> None:
    volumes.add(LineKind.RESERVATION_FLAT, reserved.flat, 1)
    for one in reserved.stretches:
        volumes.add(LineKind.RESERVATION, one.active.time, one.end_s - one.begin_s)
    volumes.round_up(LineKind.RESERVATION)


def _count_charging(volumes: _Volumes, charged: Walked) -> None:
    volumes.add(LineKind.FLAT, charged.flat, 1)
    for one in charged.stretches:
        volumes.add(LineKind.ENERGY, one.active.energy, one.energy_wh)
        kind = LineKind.PARKING_TIME if one.parking else LineKind.TIME
        rule = one.active.parking if one.parking else one.active.time
        volumes.add(kind, rule, one.end_s - one.begin_s)
    volumes.round_up(LineKind.ENERGY)
    if not volumes.round_up(LineKind.PARKING_TIME):
        volumes.round_up(LineKind.TIME)


def _line(volume: _Volume) -> Line:
    component, price = volume.rule.component, volume.rule.price
    billed = exact(volume.used + volume.extra)
    unit = _UNITS[volume.kind]
    return Line(
        kind=volume.kind,
        volume=billed,
        step_extra=volume.extra,
        unit_price=component.price,
        vat_percent=price.vat_percent,
        net_exact=_product(price.net, billed, unit),
        vat_exact=_product(price.vat, billed, unit),
        place=volume.rule.place,
    )


def _product(price: Fraction, billed: Number, unit: int) -> Fraction:
    """Return ``price`` times ``billed`` of ``unit``, with one quotient, which comes last."""
    numerator = price.numerator * billed.numerator
    return Fraction(numerator, price.denominator * billed.denominator * unit)


def _segment(stretch: Stretch, *, reserved: bool) -> Segment:
    return Segment(
        begin_s=stretch.begin_s,
        end_s=stretch.end_s,
        energy_wh=stretch.energy_wh,
        parking=stretch.parking,
        reserved=reserved,
        places=tuple(_places(stretch.active)),
    )


def _places(active: Active) -> Iterator[tuple[Dimension, tuple[int, int]]]:
    for rule in (active.energy, active.flat, active.time, active.parking):
        if rule is not None:
            yield rule.component.dimension, rule.place
