"""Split what a component costs into net and VAT, exactly."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from settlement.pricing.ocpi.document.model import OcpiTariff, PriceComponent, TaxIncluded

MICROS: Final = 1_000_000
"""Micros in a unit of the currency."""

_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What a kWh, an hour, or once costs, in micros, not rounded."""

    vat_percent: Decimal | None
    """VAT rate in percent; ``None`` where none is known or none applies."""
    net: Fraction
    """Without VAT."""
    vat: Fraction
    """The VAT on it."""

    @property
    def gross(self) -> Fraction:
        """With VAT."""
        return self.net + self.vat


def unit_price(tariff: OcpiTariff, component: PriceComponent) -> UnitPrice:
    """Return what a component of a tariff costs (``tax_included`` says what its price holds)."""
    stated = Fraction(component.price) * MICROS
    applies = tariff.tax_included is not TaxIncluded.NOT_APPLICABLE
    percent = component.vat_percent if applies else None
    if percent is None:
        return UnitPrice(None, stated, Fraction(0))
    if tariff.tax_included is TaxIncluded.YES:
        net = Fraction(stated * _PERCENT, _PERCENT + Fraction(percent))
        return UnitPrice(percent, net, stated - net)
    return UnitPrice(percent, stated, Fraction(stated * Fraction(percent), _PERCENT))
