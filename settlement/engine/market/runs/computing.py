"""
Compute a run from what is collected: the first of an interval, or one that corrects it.

Whoever settles and whoever audits computes runs here, so both come to the same.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from ledger.units import Micros, MicrosPerKilowattHour, WattHours
from settlement.engine.market.collecting import Collected, collect
from settlement.engine.service import Service
from settlement.tables import line as line_table
from settlement.tables import run
from settlement.trading.lines import Kind, Line, Rail, deltas
from settlement.trading.runs import Difference, Posted, corrected_leaves, differences, payable
from settlement.trading.runs.differences import taker_of
from settlement.trading.settle import Settlement, settle
from settlement.trading.tree import Leaf, merkle_root


class RunKind(IntEnum):
    """What a run is, as the contract counts."""

    INITIAL = 0
    CORRECTION = 1


@dataclass(frozen=True, slots=True)
class Amended:
    """What a correction builds on."""

    amends: int
    """Number of the run that it amends."""
    debitable: Mapping[str, Micros]
    """What each account could be debited when the correction was made, in micros."""


@dataclass(frozen=True, slots=True)
class Computed:
    """A run, as it follows from signed inputs."""

    collected: Collected
    """What it was computed from."""
    whole: Settlement
    """The whole interval as this run knows it."""
    amended: Amended | None
    """What it builds on, or None if it is the first of its interval."""
    lines: tuple[Difference, ...]
    """Lines that this run posts, with their takers."""
    leaves: tuple[Leaf, ...]
    """One for each account, by account."""
    root: bytes
    """Root over the leaves."""

    @property
    def kind(self) -> RunKind:
        """Whether it is the first of its interval."""
        return RunKind.INITIAL if self.amended is None else RunKind.CORRECTION

    @property
    def deltas(self) -> tuple[tuple[str, int], ...]:
        """What this run moves on the chain, by account, in micros; sums to zero."""
        return deltas(one.line for one in self.lines)


def first_run(collected: Collected) -> Computed:
    """Return the first run of an interval."""
    whole = settle(collected.inputs)
    lines = tuple(Difference(line, taker_of(line)) for line in whole.lines)
    return Computed(collected, whole, None, lines, whole.leaves, whole.root)


def correction(connection: Connection, collected: Collected, amended: Amended) -> Computed:
    """Return a correction: what is right now, less what the runs before it have posted."""
    inputs = collected.inputs
    whole = settle(inputs)
    posted = posted_before(connection, inputs.interval, inputs.run)
    lines = payable(differences(posted, whole.lines), amended.debitable)
    leaves = corrected_leaves(inputs, whole.leaves, deltas(one.line for one in lines))
    root = merkle_root([leaf.hash() for leaf in leaves])
    return Computed(collected, whole, amended, lines, leaves, root)


def collect_again(service: Service, connection: Connection, row: RowMapping) -> Collected:
    """Collect a run's inputs again; only the funds of that moment are taken as noted."""
    funds = json.loads(row["inputs"])["spendable"]
    return collect(service, connection, row["interval"], row["run"], funds=funds)


def compute_again(service: Service, connection: Connection, row: RowMapping) -> Computed:
    """Return the run of a row of table ``run`` as it comes out again."""
    collected = collect_again(service, connection, row)
    if row["kind"] == RunKind.INITIAL:
        return first_run(collected)
    debitable: dict[str, Any] = json.loads(row["inputs"])["debitable"]
    return correction(connection, collected, Amended(row["amends"], debitable))


def posted_before(connection: Connection, interval: int, number: int) -> Iterator[Posted]:
    """Return the lines of an interval's runs before run ``number``, in order."""
    rows = connection.execute(
        select(line_table)
        .join(run, run.c.run == line_table.c.run)
        .where(run.c.interval == interval, run.c.run < number)
        .order_by(line_table.c.run, line_table.c.position)
    )
    for row in rows.mappings():
        yield posted_line(row)


def posted_line(row: RowMapping) -> Posted:
    """Return a row of table ``line`` with whoever takes its energy."""
    line = Line(
        payer=row["payer"],
        payee=row["payee"],
        kind=Kind(row["kind"]),
        rail=Rail(row["rail"]),
        energy_wh=WattHours(row["energy_wh"]),
        price=MicrosPerKilowattHour(row["price_micros_per_kwh"]),
        amount_micros=Micros(row["amount_micros"]),
    )
    return Posted(line, row["taker"] or taker_of(line))
