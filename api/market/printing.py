"""Print what a folder came to: the community, its members, one member's statement, and why."""

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.table import Table

from api.market.money import at, euros, kilowatt_hours
from ledger.units import UnixSeconds
from settlement.engine.batch.members import MemberTotals
from settlement.engine.batch.totals import Totals
from settlement.trading.exact import Language
from settlement.trading.explaining import Explanation, Reason, sentence
from settlement.trading.lines import Kind
from settlement.trading.orders.standing import Side
from settlement.trading.statements import Statement, render


def print_community(
    console: Console, totals: Totals, span: tuple[UnixSeconds, UnixSeconds], currency: str
) -> None:
    """Print what the community came to, one line for each figure."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    rows = [
        ("from", at(span[0])),
        ("until", at(span[1])),
        ("intervals", f"{totals.intervals:,}"),
        ("intervals with trades", f"{totals.with_trades:,}"),
        ("estimated (members x intervals)", f"{totals.estimated:,}"),
        ("taken, kWh", kilowatt_hours(totals.import_wh)),
        ("given, kWh", kilowatt_hours(totals.export_wh)),
        ("traded between neighbors, kWh", kilowatt_hours(totals.traded_wh)),
        ("from the residual supplier, kWh", kilowatt_hours(totals.residual_in_wh)),
        ("to the residual supplier, kWh", kilowatt_hours(totals.residual_out_wh)),
        ("need met by neighbors", f"{totals.self_sufficiency_percent} %"),
    ]
    rows += [
        (f"{kind}, {currency}", euros(totals.money_micros[kind]))
        for kind in Kind
        if totals.money_micros[kind]
    ]
    rows.append(("sum over all roles", euros(sum(totals.net_micros.values()))))
    for row in rows:
        table.add_row(*row)
    console.print(table)


def print_members(
    console: Console, totals: Mapping[str, MemberTotals], names: Mapping[str, str], currency: str
) -> None:
    """Print a line for each member."""
    table = Table(title=f"Members, kWh and {currency}", title_justify="left")
    table.add_column("member", no_wrap=True)
    for column in ("sold", "bought", "to supplier", "from supplier", "net", "alone", "gain"):
        table.add_column(column, justify="right", no_wrap=True)
    for account, one in sorted(totals.items(), key=lambda item: names[item[0]]):
        energies = (one.sold_wh, one.bought_wh, one.residual_out_wh, one.residual_in_wh)
        amounts = (one.net_micros, one.alone_micros, one.gain_micros)
        table.add_row(names[account], *map(kilowatt_hours, energies), *map(euros, amounts))
    console.print(table)


def print_statement(
    console: Console, found: Statement, names: Mapping[str, str], said: tuple[Language, str]
) -> None:
    """Print one member's statement, in a language and a currency."""
    text = render(found, *said, lambda account: names.get(account, account))
    console.print(text, markup=False)


class Reasons:
    """What was said of orders: each sentence of one member, or how often each reason was given."""

    def __init__(self, account: str | None, language: Language, currency: str) -> None:
        self._account = account
        self._said = (language, currency)
        self._sentences: list[str] = []
        self._counts: Counter[tuple[Side, Reason]] = Counter()
        self._served_wh: Counter[tuple[Side, Reason]] = Counter()

    def add(self, begin_s: UnixSeconds, found: Iterable[Explanation]) -> None:
        """Note what is said of one interval."""
        for one in found:
            if self._account == one.order.member:
                self._sentences.append(f"{at(begin_s)}  {sentence(one, *self._said)}")
            key = (one.side, one.reason)
            self._counts[key] += 1
            self._served_wh[key] += one.served_wh

    def show(self, console: Console) -> None:
        """Print the sentences, or a line for each reason."""
        if self._account is not None:
            for text in self._sentences:
                console.print(text, markup=False)
            return
        table = Table(title="Why orders were served, or were not", title_justify="left")
        for column in ("side", "reason"):
            table.add_column(column, no_wrap=True)
        for column in ("orders", "served, kWh"):
            table.add_column(column, justify="right", no_wrap=True)
        for side, reason in sorted(self._counts):
            key = (side, reason)
            served = kilowatt_hours(self._served_wh[key])
            table.add_row(side.name.lower(), str(reason), f"{self._counts[key]:,}", served)
        console.print(table)
