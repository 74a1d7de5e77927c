"""Write money, prices and energy for people, exact to the last micro and the last Wh."""

from enum import StrEnum
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, WattHours

_MICRO_DECIMALS: Final = 6
_WH_DECIMALS: Final = 3
_MONEY_DECIMALS_MIN: Final = 2


class Language(StrEnum):
    """Whom it is for."""

    EN = "en"
    FR = "fr"


_POINT: Final = {Language.EN: ".", Language.FR: ","}


def money(amount_micros: Micros, currency: str, language: Language) -> str:
    """Return an amount of money: ``3.1336 EUR``, ``3,1336 EUR``; two decimals at least."""
    return f"{_decimal(amount_micros, _MICRO_DECIMALS, _MONEY_DECIMALS_MIN, language)} {currency}"


def price(price_micros_per_kwh: MicrosPerKilowattHour, currency: str, language: Language) -> str:
    """Return a price of energy: ``0.1234 EUR/kWh``."""
    return f"{money(Micros(price_micros_per_kwh), currency, language)}/kWh"


def energy(energy_wh: WattHours, language: Language) -> str:
    """Return an energy: ``1.5 kWh``."""
    return f"{_decimal(energy_wh, _WH_DECIMALS, 0, language)} kWh"


def _decimal(value: int, decimals: int, decimals_min: int, language: Language) -> str:
    whole, rest = divmod(abs(value), 10**decimals)
    digits = f"{rest:0{decimals}d}".rstrip("0").ljust(decimals_min, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}{_POINT[language] if digits else ''}{digits}"
