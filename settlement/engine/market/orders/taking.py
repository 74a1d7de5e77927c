"""
Take orders and cancellations: kept as they came, judged once.

What is judged is what stands when the message comes. A refused order changes nothing, not even the
order that it would replace.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from ledger.errors import NotFound, WrongState
from ledger.units import MicrosPerKilowattHour
from settlement.engine.community import Rules
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.market.members import cap_at
from settlement.engine.market.orders.delegating import delegates_of, member_party, trace_of
from settlement.engine.market.orders.kept import is_over, kept_order, order_of, others_standing
from settlement.engine.service import Service, unwrap
from settlement.tables import market_order, market_order_end
from settlement.trading.orders.admission import (
    Purse,
    check_cap,
    check_count,
    check_overlap,
    check_time,
)
from settlement.trading.orders.signed import (
    NOBODY,
    Cancellation,
    IntervalOrder,
    cancellation_hash,
    order_hash,
    verify_cancellation,
    verify_order,
)


class UnknownOrderError(NotFound):
    """The member has no order of that nonce."""

    def __init__(self, nonce: int) -> None:
        super().__init__("unknown_order", f"the member has no order {nonce}")


class OrderEndedError(WrongState):
    """The order was canceled or replaced before, or counts for no interval that is to come."""

    def __init__(self, nonce: int) -> None:
        super().__init__("order_ended", f"order {nonce} of the member counts no more")


@dataclass(frozen=True, slots=True)
class Signed:
    """What ended an order."""

    struct_hash: bytes
    """Struct hash of the cancellation, or of the order that takes its place, 32 bytes."""
    signer: str
    """Who signed it, lower case."""
    signature: bytes
    """Signature, 65 bytes."""


def record_order(
    service: Service, *, given: IntervalOrder, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Take an order for intervals that have not begun. Idempotent by member and nonce.

    Judged in this order: whose it is, its shape, who signed it, its partner, its time, the order it
    replaces, other orders, the cap.

    Raises
    ------
    InvalidRequest
        If it makes no sense, or its limit does not fit 32 bits.
    UnknownMemberError
        If the member, or the partner, is not in the community's roster.
    OrderNotSignedError
        If neither the member nor a delegate of now signed it.
    OrderExpiredError
        If it expires before its first interval begins.
    OrderTooLateError
        If its first interval has begun.
    UnknownOrderError
        If there is no order that it could replace.
    OrderEndedError
        If the order that it replaces counts no more.
    TooManyOrdersError
        If too many of the member stand for its intervals.
    OverlappingFirmOrdersError
        If another firm order of the member stands in the way.
    OrderBeyondCapError
        If it may cost more than the member's cap.
    """
    message = Message(
        key=f"order/{given.member}/{given.nonce}",
        kind="order",
        source=given.member,
        body=body,
        trace_id=trace_of(service, given.member),
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _keep(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def record_cancellation(
    service: Service, *, given: Cancellation, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    End an order for all intervals that have not begun. Idempotent by member and nonce.

    Raises
    ------
    UnknownMemberError
        If the member is not in the community's roster.
    OrderNotSignedError
        If neither the member nor a delegate of now signed it.
    UnknownOrderError
        If the member has no such order.
    OrderEndedError
        If it counts no more.
    """
    message = Message(
        key=f"order-cancel/{given.member}/{given.nonce}",
        kind="order_cancel",
        source=given.member,
        body=body,
        trace_id=trace_of(service, given.member),
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _cancel(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def _keep(
    service: Service, connection: Connection, given: IntervalOrder, signature: bytes
) -> Outcome:
    now_s = service.clock.now_s()
    party = member_party(connection, given.member)
    delegates = delegates_of(connection, given.member, now_s)
    signer = verify_order(service.domain, given, signature, delegates)
    _judge(service, connection, given)
    struct_hash = order_hash(given)
    connection.execute(
        market_order.insert().values(
            member=given.member,
            nonce=given.nonce,
            side=given.side,
            quantity=given.quantity,
            first_interval=given.first_interval,
            last_interval=given.last_interval,
            energy_wh=given.energy_wh,
            limit_micros_per_kwh=given.limit,
            partner=given.partner,
            solar_only=int(given.solar_only),
            expires_at_s=given.expires_at_s,
            replaces=given.replaces,
            struct_hash=struct_hash,
            signer=signer,
            signature=signature,
            at_s=now_s,
        )
    )
    if given.replaces:
        signed = Signed(struct_hash, signer, signature)
        _end(service, connection, (given.member, given.replaces), ("replaced", given.nonce), signed)
    emit(
        connection,
        "order_accepted",
        trace_id=trace_of(service, given.member),
        at_s=now_s,
        party=party,
        nonce=given.nonce,
        replaces=given.replaces,
    )
    return {"party": party, "struct_hash": "0x" + struct_hash.hex()}


def _judge(service: Service, connection: Connection, given: IntervalOrder) -> None:
    """Check an order of good shape against the roster, the clock and what else stands."""
    rules = service.rules
    if given.partner != NOBODY:
        member_party(connection, given.partner)
    check_time(given, service.clock.now_s(), rules.interval_s)
    if given.replaces:
        _check_counts(service, connection, given.member, given.replaces)
    others = others_standing(connection, given, service.clock.now_s())
    check_count(len(others))
    check_overlap(given, others, rules.interval_s)
    cap_micros = cap_at(connection, given.member, rules.start_s(given.first_interval))
    check_cap(
        given, Purse(cap_micros, rules.vat_bp, _supplier_asks(rules, given), rules.residual_buys)
    )


def _supplier_asks(rules: Rules, given: IntervalOrder) -> MicrosPerKilowattHour:
    """Return the most that the supplier asks in an order's intervals; of far ones, at any time."""
    asked = rules.residual_sells
    last = min(given.last_interval, max(asked, default=0))
    known = [asked[one] for one in asked if given.first_interval <= one <= last]
    return max(known or asked.values(), default=MicrosPerKilowattHour(0))


def _cancel(
    service: Service, connection: Connection, given: Cancellation, signature: bytes
) -> Outcome:
    now_s = service.clock.now_s()
    party = member_party(connection, given.member)
    delegates = delegates_of(connection, given.member, now_s)
    signer = verify_cancellation(service.domain, given, signature, delegates)
    _check_counts(service, connection, given.member, given.cancels)
    signed = Signed(cancellation_hash(given), signer, signature)
    _end(service, connection, (given.member, given.cancels), ("canceled", given.nonce), signed)
    emit(
        connection,
        "order_canceled",
        trace_id=trace_of(service, given.member),
        at_s=now_s,
        party=party,
        nonce=given.cancels,
    )
    return {"party": party, "struct_hash": "0x" + signed.struct_hash.hex()}


def _check_counts(service: Service, connection: Connection, member: str, nonce: int) -> None:
    """
    Check that there is something left of an order to take back.

    Raises
    ------
    UnknownOrderError
        If the member has no such order.
    OrderEndedError
        If it counts no more.
    """
    found = kept_order(connection, member, nonce)
    if found is None:
        raise UnknownOrderError(nonce)
    if found["ended_s"] is not None or is_over(service, order_of(found)):
        raise OrderEndedError(nonce)


def _end(
    service: Service,
    connection: Connection,
    ended: tuple[str, int],
    cause: tuple[str, int],
    signed: Signed,
) -> None:
    """Keep the end of an order: whose and which, why and by what, and who signed that."""
    connection.execute(
        market_order_end.insert().values(
            member=ended[0],
            nonce=ended[1],
            cause=cause[0],
            by_nonce=cause[1],
            struct_hash=signed.struct_hash,
            signer=signed.signer,
            signature=signed.signature,
            at_s=service.clock.now_s(),
        )
    )
