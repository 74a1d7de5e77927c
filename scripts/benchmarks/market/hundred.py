"""
Measure how soon a street's money moves: the last meter's reading sent, to the interval final.

A hundred homes and the feeder head sign their registers; all but one home have told before the
measuring begins. The last one's readings go over HTTP, and the interval is settled, sent to the
chain, mined, observed and booked.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from time import monotonic_ns
from typing import Final

import httpx2
from sqlalchemy import select

from api.embedded import Running, Secrets, embedded_chain, embedded_gateway, open_service, serving
from devnet.field.gateways import SignedReading, post_readings
from devnet.field.parameters import load_parameters
from devnet.field.schedule import Schedule
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from scripts import neighbourhood
from scripts.benchmarks.charging.ending.refunds import percentile
from scripts.benchmarks.devnet import closing_ns
from scripts.benchmarks.market.homes import (
    INTERVAL_S,
    SEED,
    Homes,
    home_keys,
    interval_rules,
)
from scripts.benchmarks.measuring import NS_PER_MS, NS_PER_US, each
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from scripts.replay import World, places_of
from settlement.engine.clockwork import settles_now, tick
from settlement.tables import run, run_state

HOMES: Final = 100
INTERVALS: Final = 100

_BEGIN_S: Final = UnixSeconds(1_494_230_400)
_WEEK_S: Final = 7 * 86_400
_LEAD_S: Final = 3_600
_HTTP_TIMEOUT_S: Final = 60
_US_PER_MS: Final = 1_000
_P99: Final = 99


def final_row(directory: Path, command: str) -> Row:
    """Return the row of an interval's end, beside a closing alone."""
    alone_ns, _ = closing_ns(directory / "closing")
    place = directory / "hundred"
    place.mkdir()
    taken_us = asyncio.run(_measure(place))
    return Row(
        "interval_final_p99_wall_ms",
        Decimal(percentile(taken_us, _P99)) / _US_PER_MS,
        "ms",
        Baseline(
            each(alone_ns, 1, NS_PER_MS),
            "ChargeVault.closeWithOcmf alone, mined and on disk, in one process",
            Sense.SHARE,
        ),
        command,
    )


async def _measure(directory: Path) -> list[int]:
    """Return what each interval took, in microseconds, sorted."""
    clock = ReplayClock(UnixSeconds(_BEGIN_S - _LEAD_S))
    async with AsyncExitStack() as stack:
        genesis_s = UnixSeconds(_BEGIN_S - _WEEK_S)
        devnet, _ = await stack.enter_async_context(embedded_chain(directory, clock, genesis_s))
        gateway, secrets = embedded_gateway(devnet), Secrets.derive("hundred")
        opened = open_service(
            directory, gateway, clock, interval_rules(_BEGIN_S, INTERVALS), secrets
        )
        running = await stack.enter_async_context(
            serving(opened, host="127.0.0.1", port=0, status=dict)
        )
        places = places_of(running)
        schedule = Schedule(_BEGIN_S, _BEGIN_S, (), ())
        homes = Homes(home_keys(HOMES))
        world = World(load_parameters(), homes.keys, schedule, places)
        await neighbourhood.move_in(running, world, seed=SEED)
        client = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=running.url, timeout=_HTTP_TIMEOUT_S)
        )
        taken = []
        for number in range(INTERVALS + 1):
            homes.step()
            at_s = UnixSeconds(_BEGIN_S + number * INTERVAL_S)
            clock.set(at_s)
            *others, last = homes.signed(at_s, number + 1, places)
            for batch in others:
                await _send(client, batch)
            began_ns = monotonic_ns()
            await _send(client, last)
            if number:
                taken.append(await _final(running, at_s, began_ns))
    return sorted(taken)


async def _send(client: httpx2.AsyncClient, readings: Sequence[SignedReading]) -> None:
    answers = await post_readings(client, readings)
    if any(answer.status != "accepted" for answer in answers):
        raise BenchmarkInvalidError(f"readings were not taken: {answers}")


async def _final(running: Running, end_s: UnixSeconds, began_ns: int) -> int:
    """Settle what the last reading made complete; return the microseconds since it was sent."""
    service = running.service
    if not await asyncio.to_thread(settles_now, service):
        raise BenchmarkInvalidError("the interval waits for more than its last meter")
    await running.desk.run(lambda: tick(service))
    taken_us = (monotonic_ns() - began_ns) // NS_PER_US
    interval = service.rules.interval_of(UnixSeconds(end_s - 1))
    with service.reading() as connection:
        states = connection.execute(
            select(run_state.c.state).join(run).where(run.c.interval == interval)
        ).all()
    if [row.state for row in states] != ["final"]:
        raise BenchmarkInvalidError(f"interval {interval} is not final")
    return taken_us
