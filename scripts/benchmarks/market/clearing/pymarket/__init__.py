"""Let PyMarket clear the same orders, in an environment and a process of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scripts.benchmarks.rivals.environment import interpreter, run
from settlement.trading.outcome import Book, Order

_HERE: Final = Path(__file__).parent


def huang_ns(books: Mapping[int, Book]) -> Mapping[int, int]:
    """
    Return the best CPU time of PyMarket's Huang auction for each book, in ns.

    Raises
    ------
    BenchmarkInvalidError
        If it cannot be installed, or fails.
    """
    python = str(interpreter(_HERE))
    orders = {
        count: [
            *(_order(one, is_bid=False) for one in book.offers),
            *(_order(one, is_bid=True) for one in book.bids),
        ]
        for count, book in books.items()
    }
    printed = run([python, str(_HERE / "huang.py")], json.dumps(orders))
    return {int(count): best_ns for count, best_ns in json.loads(printed).items()}


def _order(order: Order, *, is_bid: bool) -> tuple[int, int, bool]:
    return order.energy_wh, order.limit, is_bid
