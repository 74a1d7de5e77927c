"""Write numbers as decimals, exact to the last digit, and JSON whose numbers are those decimals."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import CENT_MICROS, Micros, UnixSeconds, WattHours

_MICRO_DECIMALS: Final = 6
_MICROS: Final = 10**_MICRO_DECIMALS
_WH_DECIMALS: Final = 3
_HOUR_S: Final = 3_600
_HOUR_DECIMALS: Final = 4
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def euros(amount_micros: Micros) -> Decimal:
    """Return an amount in whole units of the currency, exact: 3,133,600 micros are 3.1336."""
    return _plain(Decimal(amount_micros).scaleb(-_MICRO_DECIMALS))


def kilowatt_hours(energy_wh: WattHours) -> Decimal:
    """Return an energy in kWh, exact."""
    return _plain(Decimal(energy_wh).scaleb(-_WH_DECIMALS))


def hours(duration_s: Fraction) -> Decimal:
    """Return a duration in hours, to the nearest ten-thousandth: less than a second is lost."""
    return nearest(Fraction(duration_s, _HOUR_S), _HOUR_DECIMALS)


def cents(amount_micros: Micros) -> str:
    """Return an amount to the nearest cent for people, half a cent away from zero: ``3.13``."""
    magnitude = (2 * abs(amount_micros) + CENT_MICROS) // (2 * CENT_MICROS)
    whole, rest = divmod(magnitude, 100)
    return f"{'-' if amount_micros < 0 and magnitude else ''}{whole}.{rest:02d}"


def nearest(value: Fraction, decimals: int) -> Decimal:
    """Return ``value`` to the nearest number of ``decimals`` digits, half away from zero."""
    scaled = abs(value) * 10**decimals
    magnitude = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return _plain(Decimal(-magnitude if value < 0 else magnitude).scaleb(-decimals))


def instant(at_s: UnixSeconds) -> str:
    """Return an instant as RFC 3339 writes it, in UTC."""
    return (_EPOCH + timedelta(seconds=at_s)).strftime("%Y-%m-%dT%H:%M:%SZ")


def exact_json(value: object) -> str:
    """Return ``value`` as JSON without blanks; decimals become numbers, digit by digit."""
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, Mapping):
        inside = (f"{json.dumps(str(key))}:{exact_json(one)}" for key, one in value.items())
        return "{" + ",".join(inside) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ",".join(exact_json(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _plain(value: Decimal) -> Decimal:
    """Drop zeros behind the point, and never write an exponent."""
    short = value.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short
