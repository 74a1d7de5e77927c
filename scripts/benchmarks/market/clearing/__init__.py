"""
Measure clearing: from a book of orders over 31 zones, with tolls and full cables, to trades.

Times are CPU times of one thread, the best of several rounds, so that other work on the machine
counts as little as can be. The rival clears the same orders without a grid. Each has a process of
its own, so that neither pays for what else the benchmarks hold in memory.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from scripts.benchmarks.market.clearing.books import book
from scripts.benchmarks.market.clearing.pymarket import huang_ns
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_S, each, printed_by
from scripts.benchmarks.rows import Baseline, Row, Sense

_TEN: Final = 10


def clear_rows(command: str) -> tuple[Row, ...]:
    """Return the rows: four sizes of book, and the rival."""
    ours = _auction_ns()
    rival = huang_ns({count: book(count) for count in (1_000, 10_000)})
    pymarket = "PyMarket 0.7.6, its Huang auction of the same orders, without zones, tolls and caps"
    return (
        _row("clear_1000_ms", ours[1_000], (rival[1_000], pymarket), command),
        _row("clear_10000_ms", ours[10_000], (rival[10_000], pymarket), command),
        _growth("clear_100000_s", ours, 100_000, command),
        _growth("clear_1000000_s", ours, 1_000_000, command),
        _row(
            "pymarket_1000_ms",
            rival[1_000],
            (ours[1_000], "ours, with zones, tolls and caps"),
            command,
        ),
    )


def _auction_ns() -> Mapping[int, int]:
    """Return the best CPU time of our auction for each size of book, in ns."""
    printed = json.loads(printed_by(f"{__name__}.ours"))
    return {int(count): best_ns for count, best_ns in printed.items()}


def _row(name: str, value_ns: int, baseline: tuple[int, str], command: str) -> Row:
    baseline_ns, what = baseline
    return Row(
        name,
        each(value_ns, 1, NS_PER_MS),
        "ms",
        Baseline(each(baseline_ns, 1, NS_PER_MS), what, Sense.FASTER),
        command,
    )


def _growth(name: str, ours: Mapping[int, int], count: int, command: str) -> Row:
    """Return how a book ten times as large compares with ten of its tenth."""
    tenth: Decimal = each(_TEN * ours[count // _TEN], 1, NS_PER_S)
    return Row(
        name,
        each(ours[count], 1, NS_PER_S),
        "s",
        Baseline(tenth, f"ten times what {count // _TEN:,} orders take", Sense.COST),
        command,
    )
