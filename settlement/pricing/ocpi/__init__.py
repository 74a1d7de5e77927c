"""
Rate sessions under the tariff model of OCPI 2.2.1 and 2.3.0.

``parse_tariff`` reads a Tariff object, ``rate`` says what a session costs under it: the quote, the
live cost, what the contract may take and the charge detail record all come from this one function.
"""

from settlement.pricing.ocpi.charging import BadChargingError, Charging, Period
from settlement.pricing.ocpi.model import (
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
from settlement.pricing.ocpi.parsing import loads_tariff, parse_tariff
from settlement.pricing.ocpi.rated import Line, LineKind, Rated, Segment, VatLine, display_cents
from settlement.pricing.ocpi.rating import rate

__all__ = [
    "BadChargingError",
    "Charging",
    "Dimension",
    "Element",
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
    "TariffType",
    "TaxIncluded",
    "VatLine",
    "Weekday",
    "display_cents",
    "loads_tariff",
    "parse_tariff",
    "rate",
]
