"""Measure charging: what a driver waits for, and what a station needs."""

from typing import Final

from scripts.benchmarks.charging import messages, rating, screens, stations, year
from scripts.benchmarks.charging.ending import refunds
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.rows import Row

COMMAND: Final = "scripts/bench charging"


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of charging, each measured by a module of its own."""
    return (
        *refunds.refund_rows(trial.directory, COMMAND),
        screens.live_row(trial.directory / "live", COMMAND),
        *messages.message_rows(trial.directory / "messages", COMMAND),
        *stations.station_rows(trial.directory / "stations", COMMAND),
        rating.rating_row(COMMAND),
        year.year_row(trial.directory, COMMAND),
    )
