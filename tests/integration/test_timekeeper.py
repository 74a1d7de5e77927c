"""On the wall clock nobody has to say that time passes: intervals settle as soon as they can."""

import asyncio
import contextlib

import httpx2
from sqlalchemy import select

from api.embedded import Secrets, embedded_chain, open_service, serving, web3_gateway
from devnet.field.gateways import post_readings
from devnet.field.parameters import load_parameters
from devnet.field.schedule import Schedule
from devnet.field.service import ServiceRefusedError
from ledger.clock import ReplayClock, SystemClock
from scripts import neighbourhood
from scripts.benchmarks.market.homes import INTERVAL_S, SEED, Homes, home_keys, interval_rules
from scripts.replay import World, places_of
from settlement.engine.clockwork import settles_now
from settlement.tables import run, run_state

LEAD_S = 86_400
POLL_S = 0.1


class Street:
    """Two homes of a community in service, and the client of their gateways."""

    def __init__(self, running, client):
        self.service = running.service
        self.places = places_of(running)
        self.client = client
        self.homes = Homes(home_keys(2))
        self.told = 0

    async def tell(self, at_s, *, silent=0):
        """Let a quarter-hour pass and its meters tell of its end, but for the last ``silent``."""
        self.homes.step()
        self.told += 1
        batches = list(self.homes.signed(at_s, self.told, self.places))
        for batch in batches[: len(batches) - silent]:
            answers = await post_readings(self.client, batch)
            assert {answer.status for answer in answers} == {"accepted"}
        return batches[len(batches) - silent :]

    def states(self):
        """Return the state of every run, by interval."""
        with self.service.reading() as connection:
            found = connection.execute(select(run.c.interval, run_state.c.state).join(run_state))
            return {row.interval: row.state for row in found}

    async def until_final(self, interval):
        while self.states().get(interval) != "final":  # noqa: ASYNC110 - nobody tells a client
            await asyncio.sleep(POLL_S)


@contextlib.asynccontextmanager
async def street(directory, clock, begin_s, intervals):
    rules = interval_rules(begin_s, intervals)
    async with contextlib.AsyncExitStack() as stack:
        _, url = await stack.enter_async_context(embedded_chain(directory, clock, begin_s - LEAD_S))
        opened = open_service(directory, web3_gateway(url), clock, rules, Secrets.derive("two"))
        running = await stack.enter_async_context(
            serving(opened, host="127.0.0.1", port=0, status=dict)
        )
        client = await stack.enter_async_context(httpx2.AsyncClient(base_url=running.url))
        here = Street(running, client)
        schedule = Schedule(begin_s, begin_s, (), ())
        world = World(load_parameters(), here.homes.keys, schedule, here.places)
        await _move_in(running, world)
        yield here


async def _move_in(running, world):
    """Join; a chain on the wall clock makes a block a second, so the money may come later."""
    while True:
        try:
            await neighbourhood.move_in(running, world, seed=SEED)
        except ServiceRefusedError:
            await asyncio.sleep(POLL_S)
        else:
            return


def test_an_interval_is_final_after_its_last_meter_spoke(tmp_path):
    async def scene():
        clock = SystemClock()
        end_s = clock.now_s() // INTERVAL_S * INTERVAL_S
        async with asyncio.timeout(120), street(tmp_path, clock, end_s - INTERVAL_S, 1) as here:
            await here.tell(end_s - INTERVAL_S)
            [last] = await here.tell(end_s, silent=1)
            assert here.states() == {}
            await post_readings(here.client, last)
            interval = end_s // INTERVAL_S - 1
            await here.until_final(interval)
            assert here.states() == {interval: "final"}

    asyncio.run(scene())


def test_in_a_replay_time_passes_only_when_it_is_said(tmp_path):
    begin_s = 1_494_230_400

    async def scene():
        clock = ReplayClock(begin_s - 60)
        async with street(tmp_path, clock, begin_s, 1) as here:
            for at_s in (begin_s, begin_s + INTERVAL_S):
                clock.set(at_s)
                await here.tell(at_s)
            assert settles_now(here.service)
            assert here.states() == {}

    asyncio.run(scene())
