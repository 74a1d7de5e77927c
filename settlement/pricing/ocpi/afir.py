"""
Hold a tariff against Regulation (EU) 2023/1804 (AFIR), Article 5(4), and order it for display.

From 50 kW the price of ad hoc charging is a price per kWh, and all that may come on top is an
occupancy fee per minute. Below, a tariff may have more, shown in the order kWh, minute, session,
other.
"""

from dataclasses import dataclass
from typing import Final

from ledger.units import Watts
from settlement.pricing.ocpi.document.model import (
    Dimension,
    Element,
    OcpiTariff,
    PriceComponent,
    Restrictions,
    TariffType,
)

FAST_W: Final = Watts(50_000)
"""Power from which a price per kWh is required, in W."""

_MINUTE_S: Final = 60
_ORDER: Final = {
    Dimension.ENERGY: 0,
    Dimension.TIME: 1,
    Dimension.PARKING_TIME: 1,
    Dimension.FLAT: 2,
}
_OTHER: Final = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing in a tariff that the regulation does not allow."""

    code: str
    """Stable snake_case name."""
    where: str
    """Which part of the tariff, as in its document."""
    detail: str
    """What is wrong, for people."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A component in its place on a page."""

    component: PriceComponent
    """What it costs."""
    element: Element
    """The element whose restrictions say when."""
    place: tuple[int, int]
    """Number of the element in the tariff, and of the component in it."""


def display_order(tariff: OcpiTariff) -> tuple[Shown, ...]:
    """Return all components by kWh, minute, session, other; of one kind as the tariff has them."""
    shown = [
        Shown(component, element, (row, column))
        for row, element in enumerate(tariff.elements)
        for column, component in enumerate(element.components)
    ]
    return tuple(sorted(shown, key=_rank))


def check_afir(tariff: OcpiTariff, power_w: Watts) -> tuple[Finding, ...]:
    """
    Return what in a tariff is against Article 5(4) on a charge point of this power.

    A tariff that is not for ad hoc payment is not bound. Components that cost nothing are none.

    Parameters
    ----------
    tariff
        The tariff.
    power_w
        The charge point's power, in W.
    """
    if tariff.type not in (None, TariffType.AD_HOC_PAYMENT):
        return ()
    if power_w < FAST_W:
        return _out_of_order(tariff)
    found: list[Finding] = []
    if not any(_is_price_per_kwh(one) for one in display_order(tariff)):
        detail = "from 50 kW the price is a price per kWh"
        found.append(Finding("afir_no_price_per_kwh", "elements", detail))
    for one in display_order(tariff):
        found.extend(_beyond_energy(one))
    if tariff.min_price is not None and tariff.min_price.before_taxes:
        detail = "from 50 kW no session has a least price"
        found.append(Finding("afir_min_price", "min_price", detail))
    return tuple(found)


def _is_price_per_kwh(one: Shown) -> bool:
    return one.component.dimension is Dimension.ENERGY


def _beyond_energy(one: Shown) -> tuple[Finding, ...]:
    """Return what is wrong with a component that costs something besides energy."""
    component, limits = one.component, one.element.restrictions
    if not component.price or component.dimension is Dimension.ENERGY:
        return ()
    code, detail = _fault(component, limits)
    return (Finding(code, _path(one), detail),) if code else ()


def _fault(component: PriceComponent, limits: Restrictions) -> tuple[str, str]:
    """Return code and text of what is wrong with a fee; an occupancy fee per minute is right."""
    if component.dimension is Dimension.FLAT or limits.reservation is not None:
        return "afir_fee", "from 50 kW nothing but an occupancy fee comes on top of the kWh"
    if component.dimension is Dimension.TIME and not limits.min_duration_s:
        return "afir_time", "from 50 kW charging time is free until it is occupancy (min_duration)"
    if component.step_size > _MINUTE_S:
        return (
            "afir_occupancy_step",
            f"an occupancy fee is per minute, not per {component.step_size} s",
        )
    return "", ""


def _out_of_order(tariff: OcpiTariff) -> tuple[Finding, ...]:
    """Return the components that a page in the tariff's own order would show too late."""
    ranked = sorted(display_order(tariff), key=lambda one: one.place)
    found, highest = [], 0
    for one in ranked:
        if _rank(one) < highest:
            detail = "stands after what should follow it: kWh, minute, session, other"
            found.append(Finding("afir_order", _path(one), detail))
        highest = max(highest, _rank(one))
    return tuple(found)


def _rank(one: Shown) -> int:
    if one.element.restrictions.reservation is not None:
        return _OTHER
    return _ORDER[one.component.dimension]


def _path(one: Shown) -> str:
    row, column = one.place
    return f"elements[{row}].price_components[{column}]"
