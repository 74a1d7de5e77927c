"""
Know where each account stands in the TradeLedger: its lane, its cap, what it has asked for.

A member who asks for money back, or for a lower cap, is served by the contract once every interval
up to that of the request is settled, or after a week. So the request counts here for every interval
that begins after it, and a batch never meets less than was counted on.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from ledger import accounts
from ledger.errors import Integrity
from ledger.units import Micros, UnixSeconds
from settlement.chain.lanes import EXIT_WAIT_S
from settlement.engine.service import Service
from settlement.tables import lane

_FORCED_MARGIN_S: Final = 86_400
"""A run may be on its way for this long before a request is ready whatever the settler does."""


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


def spendable(service: Service, connection: Connection, begin_s: UnixSeconds) -> dict[str, Micros]:
    """Return what each account may be debited for an interval that begins at ``begin_s``."""
    prefix = accounts.trade_balance("")
    held = service.book.balances(connection, prefix)
    available = {one.account.removeprefix(prefix): one.available for one in held}
    now_s = service.clock.now_s()
    rows = connection.execute(select(lane)).mappings().all()
    return {row["address"]: _of_lane(row, available, begin_s, now_s) for row in rows}


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
    found = {}
    for row in connection.execute(select(lane)).mappings():
        money = available.get(row["address"], 0) - (row["exit_micros"] or 0)
        if row["address"] not in institutions:
            lowering = row["lowering_micros"]
            cap = row["cap_micros"]
            money = min(money, cap if lowering is None else min(cap, lowering))
        found[row["address"]] = Micros(max(0, money))
    return found


def _of_lane(
    row: RowMapping, available: Mapping[str, int], begin_s: UnixSeconds, now_s: UnixSeconds
) -> Micros:
    money, cap = available.get(row["address"], 0), row["cap_micros"]
    if _counts(row["exit_asked_s"], begin_s, now_s):
        money -= row["exit_micros"]
    if _counts(row["lowering_asked_s"], begin_s, now_s):
        cap = min(cap, row["lowering_micros"])
    return Micros(max(0, min(money, cap)))


def _counts(asked_s: int | None, begin_s: UnixSeconds, now_s: UnixSeconds) -> bool:
    """Say whether a request is older than the interval, or about to be served anyway."""
    if asked_s is None:
        return False
    return asked_s < begin_s or now_s >= asked_s + EXIT_WAIT_S - _FORCED_MARGIN_S
