"""Say why each of a member's orders was served in an interval, in part, or not."""

from typing import Any

from sqlalchemy import Connection, select

from ledger.errors import NotFound
from settlement.engine.market.members import mandates_in_force
from settlement.engine.market.runs.computing import collect_again
from settlement.engine.service import Service
from settlement.tables import run
from settlement.trading.exact import Language
from settlement.trading.explaining import Explanation, explain_interval, sentence


class NotSettledError(NotFound):
    """An interval that has no run yet."""

    def __init__(self, interval: int) -> None:
        super().__init__("not_settled", f"interval {interval} is not settled")


def explained(
    service: Service, connection: Connection, member: str, interval: int
) -> dict[str, Any]:
    """
    Return the reason of each of a member's orders, as the newest run of the interval knows it.

    Computed again from signed inputs, so nothing had to be kept for it.

    Raises
    ------
    NotSettledError
        If the interval has no run.
    """
    row = (
        connection.execute(
            select(run).where(run.c.interval == interval).order_by(run.c.run.desc()).limit(1)
        )
        .mappings()
        .first()
    )
    if row is None:
        raise NotSettledError(interval)
    inputs = collect_again(service, connection, row).inputs
    caps = {
        one.member: one.cap_micros
        for one in mandates_in_force(connection, service.rules.start_s(interval)).values()
    }
    found = [one for one in explain_interval(inputs, caps) if one.order.member == member]
    currency = service.rules.currency
    return {
        "member": member,
        "interval": interval,
        "begin_s": service.rules.start_s(interval),
        "run": row["run"],
        "orders": [_shown(one, currency) for one in found],
    }


def _shown(one: Explanation, currency: str) -> dict[str, Any]:
    return {
        "side": one.side.name.lower(),
        "order": f"0x{one.order.key}" if one.order.key else None,
        "energy_wh": one.order.energy_wh,
        "limit_micros_per_kwh": one.order.limit,
        "zone": one.order.zone,
        "served_wh": one.served_wh,
        "reason": one.reason.value,
        "edge": one.edge or None,
        "numbers": dict(one.numbers),
        "sentence": {each.value: sentence(one, each, currency) for each in Language},
    }
