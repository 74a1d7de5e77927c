"""Explain all that members wanted in an interval, what never reached the book included."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.trading.book import Position, book_of
from settlement.trading.explaining.market import explain_book
from settlement.trading.explaining.reasons import Explanation, Reason
from settlement.trading.orders.applying import positions
from settlement.trading.orders.standing import Side, StandingOrder
from settlement.trading.outcome import Order
from settlement.trading.settle import IntervalInputs, position_of

_NOTHING: Final = WattHours(0)
_NO_CAPS: Final[Mapping[str, Micros]] = {}


def explain_interval(
    inputs: IntervalInputs, caps_micros: Mapping[str, Micros] = _NO_CAPS
) -> tuple[Explanation, ...]:
    """
    Return one explanation for all that each member wanted: mandate and orders, by member.

    Limits of bids are energy prices, as in the book: fees and the local toll are taken off.

    Parameters
    ----------
    inputs
        What the interval was settled from.
    caps_micros
        Cap of each member, where what it could spend may have been its cap rather than its funds.
    """
    members = sorted(map(position_of, inputs.members), key=lambda one: one.member)
    book = book_of(members, inputs.fees, inputs.tree)
    found = {
        (one.side, one.order.member, one.order.key): one
        for one in explain_book(book, inputs.tree, inputs.mechanism)
    }
    explanations: list[Explanation] = []
    for member in members:
        is_cap = caps_micros.get(member.member) == member.spendable_micros
        clamp = Reason.CLAMPED_TO_CAP if is_cap else Reason.CLAMPED_TO_FUNDS
        for side, order in _wanted(member, inputs):
            in_book = found.get((side, order.member, order.key))
            explanations.append(_clamped(side, order, in_book, clamp, member.spendable_micros))
        explanations += _absent(member, inputs)
    return tuple(explanations)


def not_in_force(
    side: Side, order: Order, reason: Reason, *, at_s: UnixSeconds, until_s: UnixSeconds
) -> Explanation:
    """
    Return why an order that is not among those in force got nothing: expired, or not its hours.

    Parameters
    ----------
    side, order
        The order.
    reason
        ``EXPIRED`` or ``OUTSIDE_HOURS``.
    at_s
        First instant of the interval.
    until_s
        Instant at which the order expired, or first instant of the interval it is for.
    """
    numbers = {"energy_wh": order.energy_wh, "limit_per_kwh": order.limit}
    numbers |= {"at_s": at_s, "until_s": until_s}
    return Explanation(side, order, reason, numbers, _NOTHING)


def _wanted(member: Position, inputs: IntervalInputs) -> Iterator[tuple[Side, Order]]:
    """Return what a member offers and bids for before anybody asks what it can pay."""
    if member.limits is None:
        return
    sides = positions(member.net, member.limits, member.orders)
    for side, wishes in ((Side.SELL, sides.offers), (Side.BUY, sides.bids)):
        for one in wishes:
            yield side, _order(member, side, (one.energy_wh, one.limit, one.key), inputs)


def _absent(member: Position, inputs: IntervalInputs) -> Iterator[Explanation]:
    """Explain the orders of which nothing was left to put into the book."""
    present = {order.key for _, order in _wanted(member, inputs)}
    for one in sorted(member.orders, key=lambda order: order.key):
        if one.key not in present:
            order = _order(member, one.side, (one.energy_wh, one.limit, one.key), inputs)
            numbers = {"energy_wh": order.energy_wh, "limit_per_kwh": order.limit}
            reason = _why_absent(one, member)
            yield Explanation(one.side, order, reason, numbers, _NOTHING)


def _why_absent(order: StandingOrder, member: Position) -> Reason:
    if member.limits is None:
        return Reason.NO_MANDATE
    metered = member.net.surplus_wh if order.side is Side.SELL else member.net.deficit_wh
    before = sum(
        one.energy_wh
        for one in member.orders
        if one.side is order.side and (one.firm or _is_before(one, order))
    )
    return Reason.NOTHING_METERED if before >= metered else Reason.OWN_ORDER


def _is_before(one: StandingOrder, order: StandingOrder) -> bool:
    """Return whether the meter's energy goes to ``one`` first: the most willing, then by key."""
    ranks = (one.limit, one.key), (order.limit, order.key)
    return ranks[0] < ranks[1] if order.side is Side.SELL else ranks[0] > ranks[1]


def _order(
    member: Position,
    side: Side,
    wish: tuple[WattHours, MicrosPerKilowattHour, str],
    inputs: IntervalInputs,
) -> Order:
    """Return a wish as an order of the book."""
    energy, limit, key = wish
    if side is Side.BUY:
        local = inputs.tree.local_toll(member.zone)
        beside = inputs.fees.levy + inputs.fees.platform + local
        limit = MicrosPerKilowattHour(limit - beside)
    return Order(member.member, energy, limit, member.zone, key)


def _clamped(
    side: Side,
    order: Order,
    in_book: Explanation | None,
    clamp: Reason,
    spendable_micros: Micros,
) -> Explanation:
    """Say of an order cut to what its member can pay that it was, if the rest of it was served."""
    offered = in_book.order.energy_wh if in_book else _NOTHING
    numbers = {"energy_wh": order.energy_wh, "limit_per_kwh": order.limit, "offered_wh": offered}
    numbers |= {"spendable_micros": spendable_micros}
    if in_book is None:
        return Explanation(side, order, clamp, numbers, _NOTHING)
    if offered == order.energy_wh:
        return replace(in_book, order=order)
    reason = clamp if in_book.served_wh == offered else in_book.reason
    return replace(in_book, order=order, reason=reason, numbers={**in_book.numbers, **numbers})
