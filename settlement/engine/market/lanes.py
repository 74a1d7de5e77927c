"""
Know where each account stands in the TradeLedger: its lane, its cap, what it has asked for.

A member who asks for money back, or for a lower cap, is served by the contract once every interval
up to that of the request is settled, or after a week. So the request counts here for every interval
that begins after it, and a batch never meets less than was counted on.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select

from ledger import accounts
from ledger.errors import Integrity
from ledger.units import Micros, UnixSeconds
from settlement.chain.lanes import EXIT_WAIT_S
from settlement.engine.service import Service
from settlement.tables import chain_run, lane, line
from settlement.trading.lines import Rail

_FORCED_MARGIN_S: Final = 86_400
"""
A chain run may be on its way for this long before a request is ready whatever the settler does.
"""


class UnknownLaneError(Integrity):
    """A run moves money of an account that has no lane in the TradeLedger."""

    def __init__(self, account: str) -> None:
        super().__init__("unknown_lane", f"{account} has not joined the TradeLedger")


def by_lane(connection: Connection, deltas: Iterable[tuple[str, int]]) -> dict[int, int]:
    """
    Return what a run moves, in micros, by the account's number instead of its address.

    Raises
    ------
    UnknownLaneError
        If an account has not joined.
    """
    numbers = {row.address: row.id for row in connection.execute(select(lane.c.address, lane.c.id))}
    found = {}
    for account, micros in deltas:
        if account not in numbers:
            raise UnknownLaneError(account)
        found[numbers[account]] = micros
    return found


def waiting_deltas(connection: Connection) -> tuple[tuple[str, int], ...]:
    """Return what runs that the chain was not told of move, in micros, by account; sums to zero."""
    told = select(func.coalesce(func.max(chain_run.c.last_run), 0)).scalar_subquery()
    waits = (line.c.run > told) & (line.c.rail == Rail.CHAIN)
    net: Counter[str] = Counter()
    for side, sign in ((line.c.payer, -1), (line.c.payee, 1)):
        sums = select(side, func.sum(line.c.amount_micros)).where(waits).group_by(side)
        for account, micros in connection.execute(sums):
            net[account] += sign * int(micros)
    return tuple((account, net[account]) for account in sorted(net) if net[account])


def spendable(service: Service, connection: Connection, begin_s: UnixSeconds) -> dict[str, Micros]:
    """
    Return what each account may be debited for an interval that begins at ``begin_s``.

    The contract holds the cap against a whole settlement period, so what the runs before it have
    used of it is gone.
    """
    prefix = accounts.trade_balance("")
    held = service.book.balances(connection, prefix)
    available = {one.account.removeprefix(prefix): one.available for one in held}
    moved = dict(waiting_deltas(connection))
    span = begin_s, service.clock.now_s() + service.rules.settlement_s
    rows = connection.execute(select(lane)).mappings().all()
    return {row["address"]: _of_lane(row, available, moved, span) for row in rows}


def debitable(
    service: Service, connection: Connection, institutions: Collection[str]
) -> dict[str, Micros]:
    """
    Return what each account may be debited by a correction that is made now.

    Whatever was asked back may be gone before the run arrives, so it does not count. Institutions
    have no cap.
    """
    prefix = accounts.trade_balance("")
    held = service.book.balances(connection, prefix)
    available = {one.account.removeprefix(prefix): one.available for one in held}
    moved = dict(waiting_deltas(connection))
    found = {}
    for row in connection.execute(select(lane)).mappings():
        money = available.get(row["address"], 0) - (row["exit_micros"] or 0)
        if row["address"] not in institutions:
            lowering = row["lowering_micros"]
            cap = row["cap_micros"]
            cap = cap if lowering is None else min(cap, lowering)
            money = min(money, _left_of(cap, moved, row["address"]))
        found[row["address"]] = Micros(max(0, money))
    return found


def _of_lane(
    row: RowMapping,
    available: Mapping[str, int],
    moved: Mapping[str, int],
    span: tuple[UnixSeconds, int],
) -> Micros:
    money, cap = available.get(row["address"], 0), row["cap_micros"]
    if _counts(row["exit_asked_s"], span):
        money -= row["exit_micros"]
    if _counts(row["lowering_asked_s"], span):
        cap = min(cap, row["lowering_micros"])
    return Micros(max(0, min(money, _left_of(cap, moved, row["address"]))))


def _left_of(cap_micros: int, moved: Mapping[str, int], account: str) -> int:
    """Return what is left of a cap; what an account receives does not make it higher."""
    return cap_micros + min(0, moved.get(account, 0))


def _counts(asked_s: int | None, span: tuple[UnixSeconds, int]) -> bool:
    """
    Say whether a request is older than the interval, or about to be served anyway.

    ``span`` is the interval's begin, and until when the chain will be told of it at the latest.
    """
    if asked_s is None:
        return False
    begin_s, sent_s = span
    return asked_s < begin_s or sent_s >= asked_s + EXIT_WAIT_S - _FORCED_MARGIN_S
