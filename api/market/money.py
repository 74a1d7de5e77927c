"""Write quantities for people, exactly."""

from datetime import UTC, datetime
from typing import Final

from ledger.units import UnixSeconds

_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000


def euros(micros: int) -> str:
    """Return an amount with all six decimals."""
    sign = "-" if micros < 0 else ""
    whole, rest = divmod(abs(micros), _MILLION)
    return f"{sign}{whole:,}.{rest:06}"


def kilowatt_hours(energy_wh: int) -> str:
    """Return an energy in kWh, to the Wh."""
    whole, rest = divmod(energy_wh, _THOUSAND)
    return f"{whole:,}.{rest:03}"


def at(instant_s: UnixSeconds) -> str:
    """Return an instant in UTC."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
