"""Bill a session: one function for the quote, the running cost and the bill."""

from dataclasses import dataclass
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import (
    CENT_MICROS,
    WHOLE_BP,
    BasisPoints,
    Micros,
    WattHours,
    cost_ceil,
    cost_floor,
)
from settlement.pricing.tariffs import Tariff


@dataclass(frozen=True, slots=True)
class Bill:
    """What a session costs and what comes back."""

    charge_micros: Micros
    """Taken from the deposit, VAT included."""
    net_micros: Micros
    """The charge without VAT."""
    vat_micros: Micros
    """VAT inside the charge."""
    refund_micros: Micros
    """Deposit less charge, always."""
    overrun_micros: Micros
    """What the energy cost beyond the deposit; the operator bears it."""


class NegativeDepositError(InvalidRequest):
    """A deposit that cannot be negative is below zero."""

    def __init__(self, deposit_micros: Micros) -> None:
        super().__init__("negative_deposit", f"the deposit is {deposit_micros} micros, below zero")
        self.deposit_micros: Final = deposit_micros


def bill(energy_wh: WattHours, tariff: Tariff, deposit_micros: Micros) -> Bill:
    """
    Return what ``energy_wh`` costs, capped by the deposit.

    Rounded down once. The same integers come out of ``ChargeVault``. The flat fee is owed only if
    energy flowed, so a start that failed costs nothing.

    Parameters
    ----------
    energy_wh
        Energy of the session so far, in Wh, not negative.
    tariff
        The tariff fixed when the session was opened.
    deposit_micros
        What the driver put up, not negative.

    Raises
    ------
    NegativeEnergyError
        If the energy is below zero.
    NegativeDepositError
        If the deposit is below zero.
    """
    if deposit_micros < 0:
        raise NegativeDepositError(deposit_micros)
    cost = cost_floor(energy_wh, tariff.price_micros_per_kwh)
    owed = Micros(cost + (tariff.flat_micros if energy_wh else 0))
    charge = Micros(min(owed, deposit_micros))
    vat = vat_inside(charge, tariff.vat_rate_bp)
    return Bill(
        charge_micros=charge,
        net_micros=Micros(charge - vat),
        vat_micros=vat,
        refund_micros=Micros(deposit_micros - charge),
        overrun_micros=Micros(owed - charge),
    )


def deposit_for(requested_wh: WattHours, tariff: Tariff) -> Micros:
    """
    Return the deposit for an energy: its price and the flat fee, rounded up to a whole cent.

    A session that draws no more than ``requested_wh`` never overruns it.

    Raises
    ------
    NegativeEnergyError
        If the energy is below zero.
    """
    owed = cost_ceil(requested_wh, tariff.price_micros_per_kwh) + tariff.flat_micros
    return Micros(-(-owed // CENT_MICROS) * CENT_MICROS)


def vat_inside(gross_micros: Micros, rate_bp: BasisPoints) -> Micros:
    """Return the VAT inside a gross amount; the net is rounded down (DESIGN, units and laws)."""
    net = gross_micros * WHOLE_BP // (WHOLE_BP + rate_bp)
    return Micros(gross_micros - net)


def vat_on(net_micros: Micros, rate_bp: BasisPoints) -> Micros:
    """Return the VAT on a net amount, rounded down."""
    return Micros(net_micros * rate_bp // WHOLE_BP)
