"""Read ``orders.csv``: what members want in some intervals, beside their standing limits."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from api.market.reading.cells import INSTANT, MONEY, WHOLE, Table, instant, micros, read_table
from api.market.reading.cells import whole as whole_number
from ledger.errors import VoisinError
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.engine.batch.model import BatchMember
from settlement.metering.intervals import interval_of
from settlement.trading.orders.signed import NOBODY, IntervalOrder, check_order
from settlement.trading.orders.standing import Quantity, Side

FILE: Final = "orders.csv"
_NEEDED: Final = ("member", "side", "wh", "limit_per_kwh", "from", "until")
_ALLOWED: Final = ("quantity", "partner", "solar_only", "expires_at")
_ALWAYS_S: Final = UnixSeconds(2**62)


def with_orders(
    folder: Path, members: tuple[BatchMember, ...], interval_s: int
) -> tuple[BatchMember, ...]:
    """
    Return the members with the orders of the folder, if it has any.

    Raises
    ------
    FolderError
        If the file is not as documented, or an order makes no sense.
    """
    if not (folder / FILE).is_file():
        return members
    table = read_table(folder, FILE, _NEEDED, _ALLOWED)
    accounts = {one.name: one.mandate.member for one in members}
    found: dict[str, list[IntervalOrder]] = defaultdict(list)
    for row, order in enumerate(_orders(table, accounts, interval_s)):
        try:
            check_order(order)
        except VoisinError as fault:
            raise table.wrong("member", row, str(fault)) from fault
        found[order.member].append(order)
    return tuple(replace(one, orders=tuple(found[one.mandate.member])) for one in members)


def _orders(table: Table, accounts: Mapping[str, str], interval_s: int) -> list[IntervalOrder]:
    owners = _accounts(table, "member", accounts)
    partners = _accounts(table, "partner", accounts) if table.has("partner") else []
    sides = table.read("side", "sell or buy", _named(Side))
    energies = table.read("wh", WHOLE, whole_number)
    limits = table.read("limit_per_kwh", MONEY, micros)
    begins = table.read("from", INSTANT, instant)
    ends = table.read("until", INSTANT, instant)
    quantities = _optional(table, "quantity", "metered or firm", _named(Quantity), Quantity.METERED)
    solar = _optional(table, "solar_only", "yes or no", _yes, default=False)
    expiries = _optional(table, "expires_at", INSTANT, instant, _ALWAYS_S)
    orders = []
    for row, owner in enumerate(owners):
        for column, at_s in (("from", begins[row]), ("until", ends[row])):
            if at_s % interval_s:
                raise table.wrong(column, row, f"no interval of {interval_s} s begins then")
        if ends[row] <= begins[row]:
            raise table.wrong("until", row, "is not after from")
        orders.append(
            IntervalOrder(
                member=owner,
                side=sides[row],
                quantity=quantities[row],
                first_interval=interval_of(begins[row], interval_s),
                last_interval=interval_of(UnixSeconds(ends[row] - 1), interval_s),
                energy_wh=WattHours(energies[row]),
                limit=MicrosPerKilowattHour(limits[row]),
                partner=partners[row] if partners else NOBODY,
                solar_only=solar[row],
                expires_at_s=expiries[row],
                replaces=0,
                nonce=row + 1,
            )
        )
    return orders


def _accounts(table: Table, column: str, accounts: Mapping[str, str]) -> list[str]:
    """Return the account of each name in a column; only a partner may be nobody."""
    wanted = "a member of community.toml"
    if column == "member":
        return table.read(column, wanted, accounts.__getitem__)
    return table.read(column, wanted, lambda cell: accounts[cell] if cell else NOBODY)


def _named(kind: Any) -> Any:  # noqa: ANN401 - an enumeration, and what reads it
    names = {one.name.lower(): one for one in kind}
    return names.__getitem__


def _yes(cell: str) -> bool:
    return {"yes": True, "no": False}[cell]


def _optional(
    table: Table,
    column: str,
    wanted: str,
    parse: Any,  # noqa: ANN401 - of the column's type
    default: Any,  # noqa: ANN401 - of the column's type
) -> list[Any]:
    if not table.has(column):
        return [default] * len(table.rows)
    return table.read(column, wanted, lambda cell: parse(cell) if cell else default)
