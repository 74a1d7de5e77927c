"""Settle every run again from signed inputs, and hold every trade against its limits."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, select

from settlement.audit.certificates import lots_differ
from settlement.engine.market.runs.computing import Computed, compute_again
from settlement.engine.service import Service
from settlement.tables import line, run
from settlement.trading.orders.standing import Side
from settlement.trading.runs import Difference
from settlement.trading.settle import IntervalInputs, Member, Settlement

_Line = tuple[str, str, str, str, int, int]
"""Payer, payee, kind, rail, Wh and micros."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What settling every run again has shown."""

    limit_broken: str | None
    """L9: the first trade below a sell limit, above a buy limit, or beyond a cap."""
    difference: str | None
    """L10: the first run whose root or lines do not come out again."""


def recompute(service: Service, connection: Connection) -> Findings:
    """Settle every run again and return the first fault of each kind."""
    broken: str | None = None
    difference: str | None = None
    stored = _lines(connection)
    for row in connection.execute(select(run).order_by(run.c.run)).mappings().all():
        again = compute_again(service, connection, row)
        broken = broken or _named(row, _limits_of(again.collected.inputs, again.whole))
        difference = difference or _named(
            row,
            _difference(row, again, stored[row["run"]])
            or lots_differ(connection, row, again.collected.inputs, again.whole),
        )
    return Findings(broken, difference)


def _named(row: RowMapping, fault: str | None) -> str | None:
    return fault and f"run {row['run']}: {fault}"


def _difference(row: RowMapping, again: Computed, stored: list[_Line]) -> str | None:
    if again.root != row["root"]:
        return f"root 0x{again.root.hex()}, stored 0x{row['root'].hex()}"
    if [_of(one) for one in again.lines] != stored:
        return "its lines do not come out again"
    return None


def _limits_of(inputs: IntervalInputs, outcome: Settlement) -> str | None:
    members = {member.account: member for member in inputs.members}
    fees = inputs.fees.levy + inputs.fees.platform
    for trade in outcome.trades:
        paid = trade.price + trade.toll + trade.congestion + fees
        least = _limit(members[trade.seller], Side.SELL, min)
        most = _limit(members[trade.buyer], Side.BUY, max)
        if least is None or trade.price < least:
            return f"{trade.seller} sold at {trade.price}, below {least}"
        if most is None or paid > most:
            return f"{trade.buyer} paid {paid}, above {most}"
    for account, moved in outcome.deltas:
        member = members.get(account)
        if member is not None and -moved > member.spendable_micros:
            return f"{account} paid {-moved}, beyond {member.spendable_micros}"
    return None


def _of(one: Difference) -> _Line:
    given = one.line
    ends = given.payer, given.payee, given.kind.value, given.rail.value
    return *ends, given.energy_wh, given.amount_micros


def _limit(member: Member, side: Side, most_willing: Callable[[Iterable[int]], int]) -> int | None:
    """Return the limit that a member would go to, by mandate or order; None if it takes no part."""
    if member.limits is None:
        return None
    mandate = member.limits.sell_not_below if side is Side.SELL else member.limits.buy_not_above
    return most_willing([mandate, *(one.limit for one in member.orders if one.side is side)])


def _lines(connection: Connection) -> dict[int, list[_Line]]:
    """Return the lines of every run, in order."""
    told = (line.c.payer, line.c.payee, line.c.kind, line.c.rail, line.c.energy_wh)
    rows = connection.execute(
        select(line.c.run, *told, line.c.amount_micros).order_by(line.c.run, line.c.position)
    )
    found: dict[int, list[_Line]] = defaultdict(list)
    for number, *one in rows:
        found[number].append(tuple(one))
    return found
