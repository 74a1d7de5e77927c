"""Let PyMarket clear the same orders, in an environment and a process of its own."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.trading.outcome import Book, Order

_HERE: Final = Path(__file__).parent
_ENVIRONMENT: Final = _HERE / ".venv"
_LOCK: Final = _HERE / "requirements.lock"
_STAMP: Final = _ENVIRONMENT / ".voisin-lock"


def huang_ns(books: Mapping[int, Book]) -> Mapping[int, int]:
    """
    Return the best CPU time of PyMarket's Huang auction for each book, in ns.

    Raises
    ------
    BenchmarkInvalidError
        If it cannot be installed, or fails.
    """
    _install()
    orders = {
        count: [
            *(_order(one, is_bid=False) for one in book.offers),
            *(_order(one, is_bid=True) for one in book.bids),
        ]
        for count, book in books.items()
    }
    printed = _run(
        [str(_ENVIRONMENT / "bin" / "python"), str(_HERE / "huang.py")], json.dumps(orders)
    )
    return {int(count): best_ns for count, best_ns in json.loads(printed).items()}


def _order(order: Order, *, is_bid: bool) -> tuple[int, int, bool]:
    return order.energy_wh, order.limit, is_bid


def _install() -> None:
    """Make the environment from its lock, hashes checked; quick when nothing changed."""
    wanted = hashlib.sha256(_LOCK.read_bytes()).hexdigest()
    if _STAMP.exists() and _STAMP.read_text(encoding="utf-8") == wanted:
        return
    _run([sys.executable, "-m", "venv", "--clear", str(_ENVIRONMENT)])
    pip = [str(_ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    options = ["--disable-pip-version-check", "--no-input", "--require-hashes"]
    _run([*pip, *options, "--requirement", str(_LOCK)])
    _STAMP.write_text(wanted, encoding="utf-8")


def _run(command: list[str], asked: str = "") -> str:
    done = subprocess.run(  # noqa: S603 - our own files, by their own interpreter
        command, check=False, capture_output=True, input=asked, text=True
    )
    if done.returncode:
        raise BenchmarkInvalidError(f"{command[-1]} failed: {done.stderr[-300:]}")
    return done.stdout
