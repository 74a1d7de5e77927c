"""Say whether an order may be taken, given what else stands when it comes."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ledger.errors import Conflict, InsufficientFunds, WrongState
from ledger.units import (
    WHOLE_BP,
    BasisPoints,
    Micros,
    MicrosPerKilowattHour,
    UnixSeconds,
    cost_ceil,
)
from settlement.metering.intervals import IntervalIndex, interval_of, start_s
from settlement.trading.orders.signed import IntervalOrder
from settlement.trading.orders.standing import Side

ORDERS_MAX: Final = 200
"""Most orders of a member that may stand for the intervals of a new one, itself not counted."""


class OrderTooLateError(WrongState):
    """The first interval of an order has begun."""

    def __init__(self, interval: IntervalIndex) -> None:
        super().__init__("order_too_late", f"interval {interval} has begun")


class OrderExpiredError(WrongState):
    """An order that has expired, or does before its first interval begins."""

    def __init__(self, expires_at_s: UnixSeconds) -> None:
        super().__init__("order_expired", f"it expires at {expires_at_s} and counts for nothing")


class TooManyOrdersError(Conflict):
    """More orders of one member for the same intervals than are taken."""

    def __init__(self) -> None:
        super().__init__(
            "too_many_orders", f"{ORDERS_MAX} orders of the member stand for the same intervals"
        )


class OverlappingFirmOrdersError(Conflict):
    """A firm order for an interval for which another of the member is on the same side, or met."""

    def __init__(self, nonce: int) -> None:
        super().__init__(
            "overlapping_firm_orders", f"firm order {nonce} of the member is for the same interval"
        )


class OrderBeyondCapError(InsufficientFunds):
    """A firm order that may cost more than the member's mandate lets it spend in an interval."""

    def __init__(self, cost_micros: Micros, cap_micros: Micros) -> None:
        super().__init__(
            "order_beyond_cap", f"it may cost {cost_micros} micros, the cap is {cap_micros}"
        )


@dataclass(frozen=True, slots=True)
class Purse:
    """What a member may spend in an interval."""

    cap_micros: Micros
    """The cap of its mandate; 0 without one."""
    vat_bp: BasisPoints
    """VAT on what it buys."""
    gives: MicrosPerKilowattHour
    """The most that the supplier asks for energy that was sold firm and is not there."""
    takes: MicrosPerKilowattHour
    """What the supplier pays for energy that was bought firm and not used."""


def last_counting(order: IntervalOrder, interval_s: int) -> IntervalIndex:
    """Return the last interval that an order counts for: its last, or that before it expires."""
    begun = interval_of(UnixSeconds(order.expires_at_s - 1), interval_s)
    return min(order.last_interval, begun)


def check_time(order: IntervalOrder, at_s: UnixSeconds, interval_s: int) -> None:
    """
    Check that an order that comes at ``at_s`` still counts for all its intervals.

    Raises
    ------
    OrderExpiredError
        If it has expired, or does before its first interval begins.
    OrderTooLateError
        If its first interval has begun.
    """
    first_s = start_s(order.first_interval, interval_s)
    if order.expires_at_s <= max(at_s, first_s):
        raise OrderExpiredError(order.expires_at_s)
    if first_s <= at_s:
        raise OrderTooLateError(order.first_interval)


def check_count(others: int) -> None:
    """
    Check that a member does not order so much that settling takes others' time.

    Raises
    ------
    TooManyOrdersError
        If ``ORDERS_MAX`` others stand for the same intervals.
    """
    if others >= ORDERS_MAX:
        raise TooManyOrdersError


def check_overlap(order: IntervalOrder, others: Iterable[IntervalOrder], interval_s: int) -> None:
    """
    Check that no other firm order of the member, of ``others``, stands in the way of a firm one.

    Two on one side would say twice how much; two on both that could meet would trade with oneself.

    Raises
    ------
    OverlappingFirmOrdersError
        If one does.
    """
    if not order.firm:
        return
    last = last_counting(order, interval_s)
    for other in others:
        apart = (
            other.first_interval > last or last_counting(other, interval_s) < order.first_interval
        )
        if other.firm and not apart and (other.side == order.side or _meet(order, other)):
            raise OverlappingFirmOrdersError(other.nonce)


def check_cap(order: IntervalOrder, purse: Purse) -> None:
    """
    Check that a firm order cannot cost more than the member may spend in an interval.

    Its deviation counts in: a seller is paid at once for energy that it may not have, and owes the
    supplier for it. What follows the meter is cut down to what the member can pay when the interval
    is settled.

    Raises
    ------
    OrderBeyondCapError
        If it may.
    """
    cost = worst_cost(order, purse) if order.firm else Micros(0)
    if cost > purse.cap_micros:
        raise OrderBeyondCapError(cost, purse.cap_micros)


def worst_cost(order: IntervalOrder, purse: Purse) -> Micros:
    """
    Return the most that a firm order can cost in an interval, in micros, rounded up.

    A purchase costs its limit and VAT on it, and what the supplier asks to take it if that is below
    zero; a sale costs what the supplier asks to deliver it, and its limit where that is below zero.
    """
    if order.side == Side.SELL:
        each = max(0, -order.limit) + max(0, purse.gives)
        return cost_ceil(order.energy_wh, MicrosPerKilowattHour(each))
    gross = max(0, order.limit) * (WHOLE_BP + purse.vat_bp) + max(0, -purse.takes) * WHOLE_BP
    return Micros(-(-gross * order.energy_wh // (WHOLE_BP * 1_000)))


def _meet(one: IntervalOrder, other: IntervalOrder) -> bool:
    """Say whether a sale and a purchase could be for each other, were toll and levy nothing."""
    sale, purchase = (one, other) if one.side == Side.SELL else (other, one)
    return sale.limit <= purchase.limit
