"""
Measure how soon a driver's money is back: the stop received, to the refund final and in the books.

The service, its chain and its database are in one process, the stations in another, and the real
protocol runs between them. The chain keeps the time of the replay (``discrete``): block times are
whole seconds that must rise, so a chain that keeps the wall clock's time makes one block a second
once it leads by its five, and then it is the clock that is measured.
"""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

from sqlalchemy import func, select

from scripts.benchmarks.charging.ending import READY
from scripts.benchmarks.charging.ending.forecourt import Forecourt, Plug, forecourt
from scripts.benchmarks.devnet import closing_ns
from scripts.benchmarks.measuring import NS_PER_MS, each
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.tables import latency, session

STREAM_PER_S: Final = 75
"""How many sessions end in a second."""
STREAM_S: Final = 10
"""For how many seconds."""
BURST: Final = 50
"""How many sessions end in the same instant."""
BURSTS: Final = 3
"""How often; the middle one of their figures counts."""

_MS_PER_S: Final = 1_000
_US_PER_MS: Final = 1_000
_PAUSE_S: Final = 2
_POLL_S: Final = 0.05
_PATIENCE: Final = 1_200
_HUNDRED: Final = 100


@dataclass(frozen=True, slots=True)
class Refunds:
    """How long refunds took, in microseconds, from the stop received to the refund final."""

    stream_us: tuple[int, ...]
    """With sessions ending one after the other, sorted."""
    bursts_us: tuple[tuple[int, ...], ...]
    """With sessions ending in the same instant, sorted, burst by burst."""
    late_us: int
    """By how much the latest frame was sent too late."""


def refund_rows(directory: Path, command: str) -> tuple[Row, ...]:
    """Return the rows of refunds, beside a closing alone."""
    alone_ns, _ = closing_ns(directory / "closing")
    found = measure(directory / "forecourt", stream=STREAM_PER_S * STREAM_S, burst=BURST)
    baseline = Baseline(
        each(alone_ns, 1, NS_PER_MS),
        "ChargeVault.closeWithOcmf alone, mined and on disk, in one process",
        Sense.SHARE,
    )
    figures = (
        ("refund_p50_ms", percentile(found.stream_us, 50)),
        ("refund_p99_ms", percentile(found.stream_us, 99)),
        ("refund_burst_p99_ms", int(median(percentile(one, 99) for one in found.bursts_us))),
    )
    return tuple(
        Row(name, Decimal(us) / _US_PER_MS, "ms", baseline, command) for name, us in figures
    )


def measure(directory: Path, *, stream: int, burst: int) -> Refunds:
    """Let ``stream`` sessions end at 75 per second, then ``burst`` at once, three times."""
    directory.mkdir()
    return asyncio.run(_measure(directory, stream, burst))


def percentile(ordered: Sequence[int], rank: int) -> int:
    """Return the smallest value that ``rank`` percent of the sorted values do not exceed."""
    return ordered[-(-len(ordered) * rank // _HUNDRED) - 1]


async def _measure(directory: Path, stream: int, burst: int) -> Refunds:
    async with forecourt(directory, stream + BURSTS * burst) as here:
        plugs = iter(here.plugs)
        parts = [_stream(plugs, stream)] + [_burst(plugs, burst) for _ in range(BURSTS)]
        seen, taken = [], []
        for part in parts:
            before = _refunded(here)
            seen.append(await _unplug(here, part))
            await _settled(here, len(before) + len(part))
            after = _refunded(here)
            taken.append(tuple(sorted(after[one] for one in after.keys() - before.keys())))
        return Refunds(taken[0], tuple(taken[1:]), max(one["late_us"] for one in seen))


def _stream(plugs: Iterator[Plug], count: int) -> list[tuple[Plug, int]]:
    return [(next(plugs), n * _MS_PER_S // STREAM_PER_S) for n in range(count)]


def _burst(plugs: Iterator[Plug], count: int) -> list[tuple[Plug, int]]:
    return [(next(plugs), 0) for _ in range(count)]


async def _unplug(here: Forecourt, cars: Sequence[tuple[Plug, int]]) -> dict[str, Any]:
    """Unplug ``cars`` when each is due, from another process; return what that one saw."""
    plan = {
        "url": here.running.url.replace("http://", "ws://") + "/ocpp",
        "cars": [
            {
                "station": plug.station,
                "password": plug.password,
                "frame": plug.frame,
                "due_ms": due_ms,
            }
            for plug, due_ms in cars
        ],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "scripts.benchmarks.charging.ending.unplugging"),
        cwd=Path(__file__).parents[4],
        stdin=PIPE,
        stdout=PIPE,
    )
    await _say(process, json.dumps(plan))
    if await _hear(process) != READY:
        raise BenchmarkInvalidError("the stations could not connect")
    await asyncio.sleep(_PAUSE_S)
    await _say(process, "go")
    seen: dict[str, Any] = json.loads(await _hear(process) or "{}")
    if await process.wait() or not seen:
        raise BenchmarkInvalidError("the stations did not come to an end")
    return seen


async def _say(process: Process, line: str) -> None:
    if process.stdin is not None:
        process.stdin.write(line.encode() + b"\n")
        await process.stdin.drain()


async def _hear(process: Process) -> str:
    if process.stdout is None:
        return ""
    return (await process.stdout.readline()).decode().strip()


async def _settled(here: Forecourt, count: int) -> None:
    """
    Wait until ``count`` sessions have been refunded.

    Raises
    ------
    BenchmarkInvalidError
        If one of them never is, or a break was found.
    """
    closed = 0
    for _ in range(_PATIENCE):
        await here.running.desk.idle()
        closed = _closed(here)
        if closed >= count and len(_refunded(here)) >= count:
            return
        await asyncio.sleep(_POLL_S)
    raise BenchmarkInvalidError(f"only {closed} of {count} sessions were refunded")


def _refunded(here: Forecourt) -> dict[str, int]:
    """Return how long each refund took, in us, by session."""
    with here.running.service.reading() as connection:
        return {
            row.session_id: row.refund_us
            for row in connection.execute(select(latency.c.session_id, latency.c.refund_us))
        }


def _closed(here: Forecourt) -> int:
    with here.running.service.reading() as connection:
        return connection.execute(
            select(func.count(session.c.session_id)).where(session.c.state == "closed")
        ).scalar_one()
