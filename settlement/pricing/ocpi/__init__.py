"""
Rate sessions under the tariff model of OCPI 2.2.1 and 2.3.0.

``parse_tariff`` reads a Tariff object, ``rate`` says what a session costs under it: the quote, the
live cost, what the contract may take and the charge detail record all come from this one function.
"""

from settlement.pricing.ocpi.afir import Finding, Shown, check_afir, display_order
from settlement.pricing.ocpi.cutting.charging import BadChargingError, Charging, Period
from settlement.pricing.ocpi.deposits import deposit_for_tariff
from settlement.pricing.ocpi.document.model import (
    Dimension,
    Element,
    OcpiTariff,
    PriceComponent,
    PriceLimit,
    Reservation,
    Restrictions,
    TariffType,
    TaxIncluded,
    Weekday,
)
from settlement.pricing.ocpi.document.parsing import loads_tariff, parse_tariff
from settlement.pricing.ocpi.document.writing import dumps_tariff, tariff_document
from settlement.pricing.ocpi.rated import Line, LineKind, Rated, Segment, VatLine, display_cents
from settlement.pricing.ocpi.rating import rate
from settlement.pricing.ocpi.simple import is_simple, of_simple, simple_parts

__all__ = [
    "BadChargingError",
    "Charging",
    "Dimension",
    "Element",
    "Finding",
    "Line",
    "LineKind",
    "OcpiTariff",
    "Period",
    "PriceComponent",
    "PriceLimit",
    "Rated",
    "Reservation",
    "Restrictions",
    "Segment",
    "Shown",
    "TariffType",
    "TaxIncluded",
    "VatLine",
    "Weekday",
    "check_afir",
    "deposit_for_tariff",
    "display_cents",
    "display_order",
    "dumps_tariff",
    "is_simple",
    "loads_tariff",
    "of_simple",
    "parse_tariff",
    "rate",
    "simple_parts",
    "tariff_document",
]
