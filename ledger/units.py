"""
Give every quantity of the system its unit.

Energy and money are integers. One micro is one millionth of a euro and one unit of the settlement
token, which has 6 decimals, so chain unit and ledger unit are the same number.
"""

from typing import Final, NewType

from ledger.errors import InvalidRequest

WattHours = NewType("WattHours", int)
"""Energy, in Wh."""

Watts = NewType("Watts", int)
"""Power, in W."""

Micros = NewType("Micros", int)
"""Money, in millionths of a euro."""

MicrosPerKilowattHour = NewType("MicrosPerKilowattHour", int)
"""Price, in micros per kWh; clearing prices may be negative."""

UnixSeconds = NewType("UnixSeconds", int)
"""An instant, in seconds since 1970-01-01T00:00:00Z, leap seconds not counted."""

BasisPoints = NewType("BasisPoints", int)
"""A share, in hundredths of a percent."""

CENT_MICROS: Final = Micros(10_000)
"""One cent, in micros."""

WHOLE_BP: Final = BasisPoints(10_000)
"""All of it, in basis points."""

_WH_PER_KWH: Final = 1_000


class NegativeEnergyError(InvalidRequest):
    """An energy that cannot be negative is below zero."""

    def __init__(self, energy_wh: int) -> None:
        super().__init__("negative_energy", f"energy is {energy_wh} Wh, below zero")
        self.energy_wh: Final = energy_wh


def cost_floor(energy_wh: WattHours, price_micros_per_kwh: MicrosPerKilowattHour) -> Micros:
    """
    Return the cost of ``energy_wh``, its magnitude rounded down to a whole micro.

    The magnitude is floored and the sign of the price kept, because Python's ``//`` and
    Solidity's ``/`` differ below zero. Less than one micro is lost per charge.

    Parameters
    ----------
    energy_wh
        Energy, in Wh, not negative.
    price_micros_per_kwh
        Price, in micros per kWh; may be negative, then the cost is.

    Raises
    ------
    NegativeEnergyError
        If ``energy_wh`` is below zero.
    """
    if energy_wh < 0:
        raise NegativeEnergyError(energy_wh)
    magnitude = energy_wh * abs(price_micros_per_kwh) // _WH_PER_KWH
    return Micros(-magnitude if price_micros_per_kwh < 0 else magnitude)


def cost_ceil(energy_wh: WattHours, price_micros_per_kwh: MicrosPerKilowattHour) -> Micros:
    """
    Return the cost of ``energy_wh``, its magnitude rounded up to a whole micro.

    What must be covered for certain, a deposit or a bid's funds, is rounded this way.

    Parameters
    ----------
    energy_wh
        Energy, in Wh, not negative.
    price_micros_per_kwh
        Price, in micros per kWh; may be negative, then the cost is.

    Raises
    ------
    NegativeEnergyError
        If ``energy_wh`` is below zero.
    """
    if energy_wh < 0:
        raise NegativeEnergyError(energy_wh)
    magnitude = -(-energy_wh * abs(price_micros_per_kwh) // _WH_PER_KWH)
    return Micros(-magnitude if price_micros_per_kwh < 0 else magnitude)
