"""
Measure how many OCPP messages one process answers in a second.

A MeterValues with four samples, each kept on disk before it is answered; every station has one
message on its way, as OCPP wants it. The baseline is the library's own charge point, which keeps
its frames the same way.
"""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import uvloop

from scripts.benchmarks.charging.endpoint import stations
from scripts.benchmarks.charging.process import serving
from scripts.benchmarks.charging.wires import Wire, connect_all, text_frame
from scripts.benchmarks.measuring import NS_PER_MS, each, per_second
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

STATIONS: Final = 64
MESSAGES: Final = 20_000
STOCK_MESSAGES: Final = 6_000

_WARM_UP: Final = 10
_ROUNDS: Final = 3
_PERCENTILE: Final = 99
_SAMPLES: Final = (
    ("Energy.Active.Import.Register", "Wh", "250123"),
    ("Power.Active.Import", "W", "7360.5"),
    ("Voltage", "V", "230.1"),
    ("Current.Import", "A", "32.0"),
)


@dataclass(frozen=True, slots=True)
class Answered:
    """How a number of messages was answered."""

    rate_messages: int
    """How many there were."""
    elapsed_ns: int
    """How long all took, in ns."""
    p99_ns: int
    """What 99 of 100 were answered within, in ns."""


def meter_values() -> str:
    """Return a MeterValues of four samples, of a meter that tells its values by the clock."""
    sampled = [
        {"value": value, "context": "Sample.Clock", "measurand": measurand, "unit": unit}
        for measurand, unit, value in _SAMPLES
    ]
    values = [{"timestamp": "2026-05-08T13:45:00Z", "sampledValue": sampled}]
    return json.dumps([2, "0c3f8a", "MeterValues", {"connectorId": 1, "meterValue": values}])


def message_rows(directory: Path, command: str) -> tuple[Row, ...]:
    """Return the rows of messages per second."""
    stock = _median(directory / "stock", "stock", STOCK_MESSAGES)
    ours = _median(directory / "ours", "ours", MESSAGES)
    what = "the ocpp library's ChargePoint with its own validation, frames kept the same way"
    return (
        Row(
            "ocpp_messages_per_s",
            per_second(ours.rate_messages, ours.elapsed_ns),
            "messages/s",
            Baseline(per_second(stock.rate_messages, stock.elapsed_ns), what, Sense.FASTER),
            command,
        ),
        Row(
            "ocpp_message_p99_ms",
            each(ours.p99_ns, 1, NS_PER_MS),
            "ms",
            Baseline(each(stock.p99_ns, 1, NS_PER_MS), what, Sense.FASTER),
            command,
        ),
    )


def _median(directory: Path, kind: str, count: int) -> Answered:
    """Return the median round by its rate, of a process of its own each."""
    rounds = [_round(directory / str(number), kind, count) for number in range(_ROUNDS)]
    return sorted(rounds, key=lambda one: one.elapsed_ns)[_ROUNDS // 2]


def _round(directory: Path, kind: str, count: int) -> Answered:
    with serving(directory, STATIONS, kind) as process:
        return uvloop.run(_ask(process.port, count))


async def _ask(port: int, count: int) -> Answered:
    wires = await connect_all(port, stations(STATIONS))
    try:
        await _all_ask(wires, _WARM_UP)
        began_ns = perf_counter_ns()
        took_ns = await _all_ask(wires, count // STATIONS)
        elapsed_ns = perf_counter_ns() - began_ns
    finally:
        for wire in wires:
            wire.close()
    ordered = sorted(took_ns)
    return Answered(len(ordered), elapsed_ns, ordered[len(ordered) * _PERCENTILE // 100])


async def _all_ask(wires: Sequence[Wire], times: int) -> list[int]:
    """Let every station ask ``times`` times, one message after the other; return how long each."""
    frame = text_frame(meter_values())

    async def one(wire: Wire) -> list[int]:
        took: list[int] = []
        for _ in range(times):
            answer, ns = await wire.ask(frame)
            if answer != b'[3,"0c3f8a",{}]':
                raise BenchmarkInvalidError(f"answered {answer!r}")
            took.append(ns)
        return took

    return [ns for each_took in await asyncio.gather(*map(one, wires)) for ns in each_took]
