"""Write money as OCPP 2.x wants it: JSON numbers in whole currency units, exact to the micro."""

from decimal import Decimal
from typing import Final

import orjson

from api.ocpp.translation.samples import read_number
from ledger.units import Micros

_MICROS: Final = 1_000_000
_DECIMALS: Final = 6
_DECIMALS_SHOWN: Final = 2


def amount(amount_micros: Micros) -> orjson.Fragment:
    """Return an amount as a JSON number with at least two decimals; nothing owed is ``0.00``."""
    sign = "-" if amount_micros < 0 else ""
    whole, rest = divmod(abs(amount_micros), _MICROS)
    decimals = f"{rest:0{_DECIMALS}d}".rstrip("0").ljust(_DECIMALS_SHOWN, "0")
    return orjson.Fragment(f"{sign}{whole}.{decimals}")


def read_amount(told: object) -> Micros | None:
    """Return the amount of a JSON number, rounded down to a micro, or None if it is none."""
    number = read_number(told)
    return None if number is None else Micros(int(number * Decimal(_MICROS) // 1))
