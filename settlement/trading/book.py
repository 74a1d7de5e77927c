"""Build the book: what was measured becomes offers and bids that members can pay for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    WattHours,
)
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import ZoneTree

_WH_PER_KWH: Final = 1_000
_NO_FEE: Final = MicrosPerKilowattHour(0)
NOTHING: Final = Micros(0)
"""No money."""
_FEE_ROUNDINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Fees:
    """What a buyer pays besides energy and grid; tolls belong to the zones."""

    levy: MicrosPerKilowattHour
    """To the state."""
    vat_bp: BasisPoints
    """VAT on everything that a buyer pays."""
    platform: MicrosPerKilowattHour = _NO_FEE
    """To the platform."""


@dataclass(frozen=True, slots=True)
class Position:
    """One member in one interval."""

    member: str
    """Wallet, lower case."""
    zone: str
    """Zone of its meters."""
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


def book_of(positions: Sequence[Position], fees: Fees, tree: ZoneTree) -> Book:
    """
    Return what members offer and bid for; none for more than it can pay.

    Where an energy price may be below zero, each seller's payment is rounded down on its own: a
    buyer keeps a micro for each, VAT on them included, and one for each fee.
    """
    offers = tuple(order for one in positions if (order := offer_of(one)))
    below_zero = any(order.limit < 0 for order in offers)
    reserve = Micros(2 * len(offers) + _FEE_ROUNDINGS) if below_zero else NOTHING
    bids = (bid_of(one, fees, tree, reserve) for one in positions)
    return Book(offers, tuple(order for order in bids if order))


def offer_of(position: Position) -> Order | None:
    """Return what the member offers, or None; at negative prices no more than it can pay for."""
    energy = position.surplus_wh
    if position.sell_not_below < 0:
        energy = affordable(energy, -position.sell_not_below, 0, position.spendable_micros)
    if not energy:
        return None
    return Order(position.member, energy, position.sell_not_below, position.zone)


def bid_of(
    position: Position, fees: Fees, tree: ZoneTree, reserve_micros: Micros = NOTHING
) -> Order | None:
    """
    Return what the member bids for, or None; no more than it can pay for at its own limit.

    ``reserve_micros`` bounds what roundings may cost beyond that. What is beyond its funds is left
    to the residual supplier, so that one poor member never stops a batch.
    """
    spendable = Micros(position.spendable_micros - reserve_micros)
    if spendable < 0:
        return None
    energy = affordable(position.deficit_wh, position.buy_not_above, fees.vat_bp, spendable)
    if not energy:
        return None
    beside = fees.levy + fees.platform + tree.local_toll(position.zone)
    limit = MicrosPerKilowattHour(position.buy_not_above - beside)
    return Order(position.member, energy, limit, position.zone)


def affordable(
    energy_wh: WattHours, limit_micros_per_kwh: int, vat_bp: int, spendable_micros: Micros
) -> WattHours:
    """Return the most Wh whose cost at the limit, VAT included, fits into ``spendable_micros``."""
    if limit_micros_per_kwh <= 0:
        return energy_wh
    most = spendable_micros * _WH_PER_KWH * WHOLE_BP // (limit_micros_per_kwh * (WHOLE_BP + vat_bp))
    return WattHours(min(energy_wh, most))
