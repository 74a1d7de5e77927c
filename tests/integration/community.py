"""The demonstration's community in this process: real chain, database, service and stations."""

import asyncio
import contextlib
from dataclasses import dataclass, replace

from api.dependencies import Context
from api.embedded import Secrets, embedded_chain, open_service, serving, web3_gateway
from devnet.field.dataset import load_dataset
from devnet.field.keys import build_keys
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from ledger.clock import ReplayClock
from ledger.store.writer import Writer
from scripts import neighbourhood
from scripts.replay import Memory, Replay, World, places_of
from scripts.verdict import roots_of, verify
from settlement.audit.reconciliation.breaks import all_breaks
from settlement.engine.restart.protocol import Restart

SEED = 1
LEAD_S = 7 * 86_400


@dataclass
class Community:
    """Everybody has moved in; nothing has been played yet."""

    directory: object
    service: object
    running: object
    world: World
    clock: ReplayClock
    field: Replay
    devnet: object

    @property
    def reconciler(self):
        """Whoever follows every work at the desk."""
        return self.running.desk._follow.__self__

    async def run(self, work):
        """Do something that writes, at the desk."""
        return await self.running.desk.run(work)

    async def broken_laws(self):
        """Check every law; return those that are broken."""
        laws = await self.run(lambda: verify(self.service, self.directory))
        return {name: fault for name, fault in laws.items() if fault is not None}

    async def breaks(self):
        """Compare everything; return every break that ever was, a mended one too."""
        await self.run(self.reconciler.everything)
        with self.service.reading() as connection:
            return all_breaks(connection)

    def roots(self):
        return roots_of(self.service, self.devnet)


def context_of(service, desk, started=None):
    """Return what endpoints see of a service that nobody serves."""
    writer = Writer(service.database, service.clock, book=service.book)
    return Context(service, desk, writer, dict, restart=started or Restart())


@contextlib.asynccontextmanager
async def community(directory, kind=Replay, *, played=False, database="", **chosen):
    """
    Open a community of one day in ``directory``, its field played by ``kind``.

    ``chosen`` are rules of its own.

    ``played`` says that the directory holds the day settled already, by ``scripts.demo_week``.
    """
    parameters, dataset = load_parameters(), load_dataset()
    keys = build_keys(dataset, parameters, seed=SEED)
    schedule = build_schedule(dataset, parameters, seed=SEED, days=1)
    first = len(schedule.events) if played else 0
    clock = ReplayClock(neighbourhood.clock_start(schedule, first))
    rules = replace(neighbourhood.rules(parameters, dataset), **chosen)
    async with contextlib.AsyncExitStack() as stack:
        devnet, url = await stack.enter_async_context(
            embedded_chain(directory, clock, schedule.first_s - LEAD_S)
        )
        opened = await asyncio.to_thread(
            open_service,
            directory,
            web3_gateway(url),
            clock,
            rules,
            Secrets.derive(f"seed {SEED}"),
            database=database,
        )
        running = await stack.enter_async_context(
            serving(opened, host="127.0.0.1", port=0, status=dict)
        )
        service = running.service
        world = World(parameters, keys, schedule, places_of(running))
        if not played:
            await neighbourhood.move_in(running, world, seed=SEED)
        field = kind(world, running, clock, Memory(directory / "replay.json"))
        yield Community(directory, service, running, world, clock, field, devnet)
