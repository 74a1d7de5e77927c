"""Print what a folder came to: the community, its members, and one member's statement."""

from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from api.market.money import at, euros, kilowatt_hours
from ledger.units import UnixSeconds
from settlement.engine.batch.members import MemberTotals
from settlement.engine.batch.totals import Totals
from settlement.trading.lines import Kind


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


def print_statement(console: Console, name: str, one: MemberTotals, currency: str) -> None:
    """Print one member's statement."""
    table = Table(title=f"Statement of {name}", title_justify="left")
    table.add_column("what", no_wrap=True)
    for column in ("kWh", f"received, {currency}", f"paid, {currency}"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_row("taken from the feeder", kilowatt_hours(one.import_wh), "", "")
    table.add_row("given to the feeder", kilowatt_hours(one.export_wh), "", "")
    table.add_row("sold to neighbors", kilowatt_hours(one.sold_wh), "", "")
    table.add_row("bought from neighbors", kilowatt_hours(one.bought_wh), "", "")
    table.add_row("sold to the supplier", kilowatt_hours(one.residual_out_wh), "", "")
    table.add_row("bought from the supplier", kilowatt_hours(one.residual_in_wh), "", "")
    if one.undelivered_wh or one.unused_wh:
        table.add_row("sold firm, not delivered", kilowatt_hours(one.undelivered_wh), "", "")
        table.add_row("bought firm, not used", kilowatt_hours(one.unused_wh), "", "")
    for kind in Kind:
        received, paid = one.received_micros[kind], one.paid_micros[kind]
        if received or paid:
            table.add_row(str(kind), "", euros(received), euros(paid))
    table.add_row("net", "", euros(one.net_micros), "")
    table.add_row("net without the community", "", euros(one.alone_micros), "")
    table.add_row("gain by the community", "", euros(one.gain_micros), "")
    console.print(table)
