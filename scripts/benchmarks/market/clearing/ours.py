"""
Clear the books in a process of its own, as the rival does; print the best CPU times.

``python -m scripts.benchmarks.market.clearing.ours``
"""

import json
from time import process_time_ns
from typing import Final

from scripts.benchmarks.market.clearing.books import book, full, grid
from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.trading.auction import Auction
from settlement.trading.outcome import Outcome

_ROUNDS: Final = {1_000: 25, 10_000: 9, 100_000: 5, 1_000_000: 2}
_BINDING_MIN: Final = 10
"""A third of the edges."""


def _clear_ns(count: int, rounds: int) -> int:
    """Return the best CPU time of clearing a book, in ns; nothing is kept from round to round."""
    orders = book(count)
    tree = full(grid(), orders)
    _check(Auction().clear(orders, tree))
    best_ns = []
    for _ in range(rounds):
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


if __name__ == "__main__":
    print(json.dumps({count: _clear_ns(count, rounds) for count, rounds in _ROUNDS.items()}))
