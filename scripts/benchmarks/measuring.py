"""
Time two things in turn, so that whatever else the machine does disturbs both alike.

Times are nanoseconds of a monotonic clock; what is reported is the median of the rounds.
"""

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median_low
from time import perf_counter_ns
from typing import Final

from scripts.benchmarks.rows import BenchmarkInvalidError

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
PAGE_BYTES: Final = 4_096
"""What the disk's own speed is measured with: one page, as databases write them."""

Round = Callable[[], tuple[int, int]]
"""Do both things once; return how long each took, in ns, set-up left out."""


def printed_by(module: str, *arguments: str) -> str:
    """
    Return what one of our modules prints, in a process that holds nothing else.

    Raises
    ------
    BenchmarkInvalidError
        If it fails.
    """
    done = subprocess.run(  # noqa: S603 - our own module, by our own interpreter
        [sys.executable, "-m", module, *arguments],
        cwd=Path(__file__).parents[2],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise BenchmarkInvalidError(f"{module} failed: {done.stderr[-300:]}")
    return done.stdout


def stopwatch_ns(work: Callable[[], object]) -> int:
    """Return how long ``work`` takes, in ns."""
    began_ns = perf_counter_ns()
    work()
    return perf_counter_ns() - began_ns


def in_turn(ours: Callable[[], object], rival: Callable[[], object]) -> Round:
    """Return a round of two things that need no set-up."""
    return lambda: (stopwatch_ns(ours), stopwatch_ns(rival))


def medians_ns(one_round: Round, rounds: int) -> tuple[int, int]:
    """Return the median time of each thing over ``rounds``, after a round that does not count."""
    # What earlier measurements left behind must not be collected on the time of this one.
    gc.collect()
    one_round()
    times = [one_round() for _ in range(rounds)]
    return median_low([ours for ours, _ in times]), median_low([rival for _, rival in times])


def each(total_ns: int, count: int, unit_ns: int) -> Decimal:
    """Return what one of ``count`` took, in units of ``unit_ns``."""
    return Decimal(total_ns) / (count * unit_ns)


def per_second(count: int, total_ns: int) -> Decimal:
    """Return how many there were in a second."""
    return Decimal(count * NS_PER_S) / total_ns


def write_pages(path: Path, count: int) -> None:
    """Append a page to ``path`` and wait until it is on disk, ``count`` times."""
    page = b"\x5a" * PAGE_BYTES
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for _ in range(count):
            os.write(descriptor, page)
            os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
