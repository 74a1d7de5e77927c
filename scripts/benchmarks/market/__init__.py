"""Measure the market: clearing, whole years, and how soon an interval's money has moved."""

from typing import Final

from scripts.benchmarks.machine import Trial
from scripts.benchmarks.market import clearing, hundred, weeks
from scripts.benchmarks.rows import Row

COMMAND: Final = "scripts/bench market"


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of the market, each measured by a module of its own."""
    return (
        *clearing.clear_rows(COMMAND),
        *weeks.rows(trial),
        hundred.final_row(trial.directory, COMMAND),
    )
