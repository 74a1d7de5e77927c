"""Build the book: what was measured becomes offers and bids that members can pay for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    WattHours,
)
from settlement.trading.orders.applying import Limits, Net, Positions, Wanted, positions
from settlement.trading.orders.standing import StandingOrder
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import ZoneTree

_WH_PER_KWH: Final = 1_000
_NO_FEE: Final = MicrosPerKilowattHour(0)
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
    net: Net
    """Energy left over or lacking."""
    limits: Limits | None
    """What its mandate says; None if it has none, then it neither sells nor buys."""
    spendable_micros: Micros
    """The smaller of cap and free funds."""
    orders: tuple[StandingOrder, ...] = ()
    """What it wants in this interval, beside or instead of its mandate."""
    solar: bool = False
    """Whether the sun made what is left over."""


def book_of(members: Sequence[Position], fees: Fees, tree: ZoneTree) -> Book:
    """
    Return what members offer and bid for; none for more than it can pay.

    Where an energy price may be below zero, each seller's payment is rounded down on its own: a
    buyer keeps a micro for each, VAT on them included, and one for each fee.
    """
    wanted = [(one, positions(one.net, one.limits, one.orders)) for one in members if one.limits]
    funds = {one.member: _Funds(one.spendable_micros) for one, _ in wanted}
    offers = tuple(
        order for one, sides in wanted for order in _offers(one, sides, funds[one.member])
    )
    if any(order.limit < 0 for order in offers):
        reserve = Micros(2 * len(offers) + _FEE_ROUNDINGS)
        for kept in funds.values():
            kept.left_micros -= reserve
    bids = tuple(
        order for one, sides in wanted for order in _bids(one, sides, funds[one.member], fees, tree)
    )
    return Book(offers, bids)


@dataclass(slots=True)
class _Funds:
    """What a member can still pay."""

    left_micros: int

    def afford(self, wanted: Wanted, limit_micros_per_kwh: int, vat_bp: int) -> WattHours:
        """Return the most Wh that the funds pay for, and take what they may cost."""
        if self.left_micros < 0:
            return WattHours(0)
        energy = affordable(
            wanted.energy_wh, limit_micros_per_kwh, vat_bp, Micros(self.left_micros)
        )
        if limit_micros_per_kwh > 0:
            unit = limit_micros_per_kwh * (WHOLE_BP + vat_bp)
            self.left_micros -= -(-energy * unit // (_WH_PER_KWH * WHOLE_BP))
        return energy


def _offers(one: Position, sides: Positions, funds: _Funds) -> Iterator[Order]:
    """Offer what is to be sold; at negative prices no more than the member can pay for."""
    for wanted in sides.offers:
        energy = wanted.energy_wh if wanted.limit >= 0 else funds.afford(wanted, -wanted.limit, 0)
        if energy:
            yield Order(
                member=one.member,
                energy_wh=energy,
                limit=wanted.limit,
                zone=one.zone,
                key=wanted.key,
                partner=wanted.partner,
                solar=one.solar,
            )


def _bids(
    one: Position, sides: Positions, funds: _Funds, fees: Fees, tree: ZoneTree
) -> Iterator[Order]:
    """
    Bid for no more than the member can pay for at its own limits.

    What is beyond its funds is left to the residual supplier, so that one poor member never stops
    a batch.
    """
    beside = fees.levy + fees.platform + tree.local_toll(one.zone)
    for wanted in sides.bids:
        energy = funds.afford(wanted, wanted.limit, fees.vat_bp)
        if energy:
            yield Order(
                member=one.member,
                energy_wh=energy,
                limit=MicrosPerKilowattHour(wanted.limit - beside),
                zone=one.zone,
                key=wanted.key,
                partner=wanted.partner,
                solar=wanted.solar,
            )


def affordable(
    energy_wh: WattHours, limit_micros_per_kwh: int, vat_bp: int, spendable_micros: Micros
) -> WattHours:
    """Return the most Wh whose cost at the limit, VAT included, fits into ``spendable_micros``."""
    if limit_micros_per_kwh <= 0:
        return energy_wh
    most = spendable_micros * _WH_PER_KWH * WHOLE_BP // (limit_micros_per_kwh * (WHOLE_BP + vat_bp))
    return WattHours(min(energy_wh, most))
