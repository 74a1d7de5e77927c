"""
Measure clearing: from a book of orders over 31 zones, with tolls and full cables, to trades.

Times are CPU times of one thread, the best of several rounds, so that other work on the machine
counts as little as can be. The rival clears the same orders without a grid, in its own process.
"""

import gc
from decimal import Decimal
from time import process_time_ns
from typing import Final

from scripts.benchmarks.market.clearing.books import book, full, grid
from scripts.benchmarks.market.clearing.pymarket import huang_ns
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_S, each
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.trading.auction import Auction
from settlement.trading.outcome import Outcome

_ROUNDS: Final = {1_000: 25, 10_000: 9, 100_000: 5, 1_000_000: 2}
_BINDING_MIN: Final = 10
"""A third of the edges."""
_TEN: Final = 10


def clear_rows(command: str) -> tuple[Row, ...]:
    """Return the rows: four sizes of book, and the rival."""
    ours = {count: _clear_ns(count, rounds) for count, rounds in _ROUNDS.items()}
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


def _clear_ns(count: int, rounds: int) -> int:
    """Return the best CPU time of clearing a book, in ns; nothing is kept from round to round."""
    orders = book(count)
    tree = full(grid(), orders)
    _check(Auction().clear(orders, tree))
    best_ns = []
    for _ in range(rounds):
        gc.collect()
        began_ns = process_time_ns()
        outcome = Auction().clear(orders, tree)
        best_ns.append(process_time_ns() - began_ns)
        del outcome
    return min(best_ns)


def _check(outcome: Outcome) -> None:
    """
    Refuse to measure a grid that lets everything through.

    Raises
    ------
    BenchmarkInvalidError
        If hardly a cable is full, or nothing was traded.
    """
    binding = sum(one.export_shadow + one.import_shadow > 0 for one in outcome.crossings)
    if binding < _BINDING_MIN or not outcome.trades:
        raise BenchmarkInvalidError(f"{binding} cables are full")


def _row(name: str, value_ns: int, baseline: tuple[int, str], command: str) -> Row:
    baseline_ns, what = baseline
    return Row(
        name,
        each(value_ns, 1, NS_PER_MS),
        "ms",
        Baseline(each(baseline_ns, 1, NS_PER_MS), what, Sense.FASTER),
        command,
    )


def _growth(name: str, ours: dict[int, int], count: int, command: str) -> Row:
    """Return how a book ten times as large compares with ten of its tenth."""
    tenth: Decimal = each(_TEN * ours[count // _TEN], 1, NS_PER_S)
    return Row(
        name,
        each(ours[count], 1, NS_PER_S),
        "s",
        Baseline(tenth, f"ten times what {count // _TEN:,} orders take", Sense.COST),
        command,
    )
