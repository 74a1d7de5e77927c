"""Read the orders that are kept: what is in force, what a member has sent."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, select

from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.engine.service import Service
from settlement.metering.intervals import IntervalIndex
from settlement.tables import market_order, market_order_end
from settlement.trading.orders.admission import last_counting
from settlement.trading.orders.signed import IntervalOrder, standing
from settlement.trading.orders.standing import Side, StandingOrder

_ENDED_S: Final = market_order_end.c.at_s.label("ended_s")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which orders somebody wants to see."""

    member: str
    """Wallet of the member, lower case."""
    limit: int
    """How many at most."""
    before_nonce: int | None = None
    """Only those with a lower nonce."""


def orders_in_force(
    connection: Connection, interval: int, begin_s: UnixSeconds
) -> Mapping[str, tuple[StandingOrder, ...]]:
    """
    Return, by account, the orders that count for an interval that begins at ``begin_s``.

    It depends on nothing that came since the interval began, so it is the same whenever it is
    asked: a cancellation counts for intervals that begin after it.
    """
    rows = connection.execute(
        _rows(
            market_order.c.first_interval <= interval,
            market_order.c.last_interval >= interval,
            market_order.c.expires_at_s > begin_s,
        )
    ).mappings()
    found: dict[str, list[StandingOrder]] = defaultdict(list)
    # Sorted here: the database would read all orders that ever were to have them in order.
    for row in sorted(rows, key=lambda row: (row["member"], row["nonce"])):
        if row["ended_s"] is None or row["ended_s"] >= begin_s:
            found[row["member"]].append(standing(order_of(row)))
    return {member: tuple(orders) for member, orders in found.items()}


def others_standing(
    connection: Connection, order: IntervalOrder, at_s: UnixSeconds
) -> list[IntervalOrder]:
    """Return the member's orders that stand for intervals of an order, but what it replaces."""
    rows = connection.execute(
        _rows(
            market_order.c.member == order.member,
            market_order.c.last_interval >= order.first_interval,
            market_order.c.first_interval <= order.last_interval,
            market_order.c.expires_at_s > at_s,
            market_order.c.nonce != order.replaces,
            market_order_end.c.at_s.is_(None),
        ).order_by(market_order.c.nonce)
    ).mappings()
    return [order_of(row) for row in rows]


def kept_order(connection: Connection, member: str, nonce: int) -> RowMapping | None:
    """Return a member's order as it is kept, with ``ended_s``, or None."""
    return (
        connection.execute(_rows(market_order.c.member == member, market_order.c.nonce == nonce))
        .mappings()
        .first()
    )


def orders_of(service: Service, wanted: Wanted) -> list[dict[str, Any]]:
    """Return a member's orders, the newest nonce first, each with what became of it."""
    conditions = [market_order.c.member == wanted.member]
    if wanted.before_nonce is not None:
        conditions.append(market_order.c.nonce < wanted.before_nonce)
    query = _rows(*conditions).order_by(market_order.c.nonce.desc()).limit(wanted.limit)
    with service.reading() as connection:
        rows = connection.execute(query).mappings().all()
    return [_shown(service, row) for row in rows]


def _rows(*conditions: ColumnElement[bool]) -> Select[Any]:
    ends = and_(
        market_order_end.c.member == market_order.c.member,
        market_order_end.c.nonce == market_order.c.nonce,
    )
    return (
        select(market_order, _ENDED_S, market_order_end.c.cause)
        .outerjoin(market_order_end, ends)
        .where(*conditions)
    )


def order_of(row: RowMapping) -> IntervalOrder:
    """Return an order as it was signed."""
    return IntervalOrder(
        member=row["member"],
        side=row["side"],
        quantity=row["quantity"],
        first_interval=IntervalIndex(row["first_interval"]),
        last_interval=IntervalIndex(row["last_interval"]),
        energy_wh=WattHours(row["energy_wh"]),
        limit=MicrosPerKilowattHour(row["limit_micros_per_kwh"]),
        partner=row["partner"],
        solar_only=bool(row["solar_only"]),
        expires_at_s=UnixSeconds(row["expires_at_s"]),
        replaces=row["replaces"],
        nonce=row["nonce"],
    )


def _shown(service: Service, row: RowMapping) -> dict[str, Any]:
    order = order_of(row)
    return {
        "nonce": order.nonce,
        "state": _state(service, order, row),
        "side": Side(order.side).name.lower(),
        "firm": order.firm,
        "first_interval": order.first_interval,
        "last_interval": order.last_interval,
        "energy_wh": order.energy_wh,
        "limit_micros_per_kwh": order.limit,
        "partner": order.partner,
        "solar_only": order.solar_only,
        "expires_at_s": order.expires_at_s,
        "replaces": order.replaces,
        "struct_hash": "0x" + row["struct_hash"].hex(),
        "signer": row["signer"],
        "at_s": row["at_s"],
        "ended_s": row["ended_s"],
    }


def _state(service: Service, order: IntervalOrder, row: RowMapping) -> str:
    """Return ``standing``, ``canceled``, ``replaced``, or ``over`` if its last interval began."""
    if row["cause"] is not None:
        return str(row["cause"])
    return "over" if is_over(service, order) else "standing"


def is_over(service: Service, order: IntervalOrder) -> bool:
    """Say whether the last interval that an order counts for has begun."""
    last = last_counting(order, service.rules.interval_s)
    return service.rules.start_s(last) <= service.clock.now_s()
