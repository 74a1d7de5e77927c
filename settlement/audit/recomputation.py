"""Settle every run again from signed inputs, and hold every trade against its limits."""

import json
from collections.abc import Iterator

from sqlalchemy import Connection, RowMapping, select

from settlement.engine.market.intervals import collect
from settlement.engine.service import Service
from settlement.tables import line, run
from settlement.trading.settle import IntervalInputs, Settlement, settle


def first_difference(service: Service, connection: Connection) -> str | None:
    """L10: return the first run whose root or lines do not come out again."""
    for row in _runs(connection):
        inputs = _inputs(service, connection, row)
        again = settle(inputs)
        if again.root != row["root"]:
            return f"run {row['run']}: root 0x{again.root.hex()}, stored 0x{row['root'].hex()}"
        stored = _lines(connection, row["run"])
        if [(one.payer, one.payee, one.amount_micros) for one in again.lines] != stored:
            return f"run {row['run']}: its lines do not come out again"
    return None


def first_limit_broken(service: Service, connection: Connection) -> str | None:
    """L9: return the first trade below a sell limit, above a buy limit, or beyond a cap."""
    for row in _runs(connection):
        inputs = _inputs(service, connection, row)
        fault = _limits_of(inputs, settle(inputs))
        if fault is not None:
            return f"run {row['run']}: {fault}"
    return None


def _limits_of(inputs: IntervalInputs, outcome: Settlement) -> str | None:
    members = {member.account: member for member in inputs.members}
    fees = inputs.fees.toll + inputs.fees.levy
    for trade in outcome.trades:
        price = outcome.price or 0
        seller, buyer = members[trade.seller], members[trade.buyer]
        if price < seller.sell_not_below:
            return f"{trade.seller} sold at {price}, below {seller.sell_not_below}"
        if price + fees > buyer.buy_not_above:
            return f"{trade.buyer} paid {price + fees}, above {buyer.buy_not_above}"
    for account, moved in outcome.deltas:
        member = members.get(account)
        if member is not None and -moved > member.spendable_micros:
            return f"{account} paid {-moved}, beyond {member.spendable_micros}"
    return None


def _runs(connection: Connection) -> Iterator[RowMapping]:
    yield from connection.execute(select(run).order_by(run.c.run)).mappings()


def _inputs(service: Service, connection: Connection, row: RowMapping) -> IntervalInputs:
    """Collect a run's inputs again; only the funds of that moment are taken as noted."""
    funds = json.loads(row["inputs"])["spendable"]
    return collect(service, connection, row["interval"], row["run"], funds=funds).inputs


def _lines(connection: Connection, number: int) -> list[tuple[str, str, int]]:
    rows = connection.execute(
        select(line.c.payer, line.c.payee, line.c.amount_micros)
        .where(line.c.run == number)
        .order_by(line.c.position)
    )
    return [(row[0], row[1], row[2]) for row in rows]
