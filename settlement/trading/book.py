"""Build the book: what was measured becomes offers and bids that members can pay for."""

from dataclasses import dataclass
from typing import Final

from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    WattHours,
)
from settlement.trading.clearing import Order

_WH_PER_KWH: Final = 1_000
NOTHING: Final = Micros(0)
"""No money."""


@dataclass(frozen=True, slots=True)
class Fees:
    """What a buyer pays besides the energy."""

    toll: MicrosPerKilowattHour
    """To the grid operator."""
    levy: MicrosPerKilowattHour
    """To the state."""
    vat_bp: BasisPoints
    """VAT on energy, toll and levy."""


@dataclass(frozen=True, slots=True)
class Position:
    """One member in one interval."""

    member: str
    """Wallet, lower case."""
    surplus_wh: WattHours
    """Energy left over, in Wh."""
    deficit_wh: WattHours
    """Energy lacking, in Wh."""
    sell_not_below: MicrosPerKilowattHour
    """Least energy price to sell at."""
    buy_not_above: MicrosPerKilowattHour
    """Most for energy, toll and levy, before VAT."""
    spendable_micros: Micros
    """The smaller of cap and free funds."""


def offer_of(position: Position) -> Order | None:
    """Return what the member offers, or None; at negative prices no more than it can pay for."""
    energy = position.surplus_wh
    if position.sell_not_below < 0:
        energy = affordable(energy, -position.sell_not_below, 0, position.spendable_micros)
    return Order(position.member, energy, position.sell_not_below) if energy else None


def bid_of(position: Position, fees: Fees, reserve_micros: Micros = NOTHING) -> Order | None:
    """
    Return what the member bids for, or None; no more than it can pay for at its own limit.

    ``reserve_micros`` bounds what roundings may cost beyond that: where the energy's price is below
    zero, each seller's payment is rounded down on its own.

    What is beyond its funds is left to the residual supplier, so that one poor member never stops
    a batch.
    """
    covered = position.buy_not_above >= fees.toll + fees.levy
    spendable = Micros(position.spendable_micros - (0 if covered else reserve_micros))
    if spendable < 0:
        return None
    energy = affordable(position.deficit_wh, position.buy_not_above, fees.vat_bp, spendable)
    limit = MicrosPerKilowattHour(position.buy_not_above - fees.toll - fees.levy)
    return Order(position.member, energy, limit) if energy else None


def affordable(
    energy_wh: WattHours, limit_micros_per_kwh: int, vat_bp: int, spendable_micros: Micros
) -> WattHours:
    """Return the most Wh whose cost at the limit, VAT included, fits into ``spendable_micros``."""
    if limit_micros_per_kwh <= 0:
        return energy_wh
    most = spendable_micros * _WH_PER_KWH * WHOLE_BP // (limit_micros_per_kwh * (WHOLE_BP + vat_bp))
    return WattHours(min(energy_wh, most))
