"""Measure one area or all: ``scripts/bench [AREA] [--json FILE]``."""

import logging
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from rich.console import Console

from devnet.node.signatures import fast_signatures
from ledger.clock import SystemClock
from ledger.errors import VoisinError
from scripts.benchmarks import (
    charging,
    demo,
    devnet,
    gas,
    ledger,
    machine,
    market,
    report,
    settlement,
)
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.rows import Row


class Area(StrEnum):
    """What can be measured."""

    SETTLEMENT = "settlement"
    LEDGER = "ledger"
    DEVNET = "devnet"
    CHARGING = "charging"
    MARKET = "market"
    GAS = "gas"
    DEMO = "demo"


# The node comes first: its memory is this process's, and the ledger's million leaves stay in it.
AREAS: Final[dict[Area, Callable[[Trial], tuple[Row, ...]]]] = {
    Area.DEVNET: devnet.run,
    Area.SETTLEMENT: settlement.run,
    Area.LEDGER: ledger.run,
    Area.CHARGING: charging.run,
    Area.MARKET: market.run,
    Area.GAS: gas.run,
    Area.DEMO: demo.run,
}
"""What measures each area, in the order of the page."""

app = typer.Typer(add_completion=False)


@app.command()
def main(
    area: Annotated[Area | None, typer.Argument(help="Measure this area alone.")] = None,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write the rows for machines.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=1, max=demo.WEEK_DAYS, help="Days of the demo; fewer are a trial.")
    ] = demo.WEEK_DAYS,
) -> None:
    """Print every figure beside a baseline measured in the same run."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    console = Console()
    try:
        fast_signatures()
        measured = _measure(console, tuple(AREAS) if area is None else (area,), days)
    except VoisinError as fault:
        Console(stderr=True).print(f"{fault.code}: {fault}", style="red", markup=False)
        raise typer.Exit(1) from fault
    if json_file is not None:
        json_file.write_text(report.document(measured), encoding="utf-8")
    if area is None and days == demo.WEEK_DAYS:
        page = report.page(measured, machine.facts(), SystemClock())
        report.PAGE.write_text(page, encoding="utf-8")
        console.print("Written: docs/reference/benchmarks.md")


def _measure(console: Console, areas: tuple[Area, ...], days: int) -> Mapping[str, tuple[Row, ...]]:
    """Measure areas one after the other, each in an empty directory, and show each at once."""
    measured: dict[str, tuple[Row, ...]] = {}
    for area in areas:
        with console.status(f"measuring {area}"), machine.scratch() as directory:
            measured[area] = AREAS[area](Trial(directory, days))
        console.print(report.table(area, measured[area]))
    return measured


if __name__ == "__main__":
    app()
