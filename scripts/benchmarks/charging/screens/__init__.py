"""
Measure how long it takes from a station's meter value to the driver's screen.

Stations and screens are bare sockets in this process; the service is in another. A value counts
from before it is written into the station's websocket until its line has come out of the session's
event stream. Beside it, the same frames through a server that passes each on and does nothing else.
"""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Final

from scripts.benchmarks.charging.screens.process import Kind, street_of
from scripts.benchmarks.charging.screens.sockets import watched
from scripts.benchmarks.measuring import NS_PER_MS
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

SESSIONS: Final = 50
VALUES: Final = 12

_PERCENT: Final = 99
_WHOLE: Final = 100


def live_row(
    directory: Path, command: str, *, sessions: int = SESSIONS, values: int = VALUES
) -> Row:
    """Return ``live_p99_ms``: ``sessions`` charge at once, each tells a value every second."""
    ours, echo = (
        _p99_ms(directory / kind, kind, sessions, values) for kind in (Kind.SERVICE, Kind.ECHO)
    )
    return Row(
        name="live_p99_ms",
        value=ours,
        unit="ms",
        baseline=Baseline(
            echo, "websocket to event stream, passed on by a bare Starlette", Sense.COST
        ),
        command=command,
    )


def _p99_ms(directory: Path, kind: Kind, sessions: int, values: int) -> Decimal:
    with street_of(directory, kind, sessions) as street:
        times_ns = sorted(asyncio.run(watched(street, values)))
    if len(times_ns) != sessions * values:
        raise BenchmarkInvalidError(f"{len(times_ns)} of {sessions * values} values were shown")
    at = -(-len(times_ns) * _PERCENT // _WHOLE) - 1
    return Decimal(times_ns[at]) / NS_PER_MS
