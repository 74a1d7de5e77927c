"""A settled day, opened again, and everything that hands documents out."""

import asyncio
import contextlib
import shutil
from dataclasses import dataclass

import httpx2
import pytest
from sqlalchemy import delete

from api.delivery.deliverer import Deliverer
from api.dependencies import Context
from api.desk import Desk
from ledger.store.writer import Writer
from settlement.tables import subscriber
from tests.integration.community import community

NOW_S = 1_800_000_000
"""The wall clock of the stories."""


class Hands:
    """A wall clock that is turned by hand."""

    def __init__(self, at_s):
        self.at_s = at_s

    def now_s(self):
        return self.at_s


@dataclass
class Story:
    """The day's community, its endpoints, and a deliverer of which nothing runs by itself."""

    here: object
    client: object
    context: Context
    clock: Hands

    @property
    def service(self):
        return self.here.service

    async def deliver(self):
        """Deliver what is due once, as a process that starts now would."""
        async with httpx2.AsyncClient(timeout=5) as client:
            return await Deliverer(self.context, self.clock).once(client)

    def write(self, statement):
        with self.service.writing() as connection:
            return connection.execute(statement)

    def read(self, statement):
        with self.service.reading() as connection:
            return connection.execute(statement).mappings().all()


@contextlib.asynccontextmanager
async def told(directory):
    """Open the day in ``directory``."""
    async with community(directory, played=True) as here:
        desk = Desk()
        with Writer(here.service.database, here.service.clock, book=here.service.book) as writer:
            context = Context(here.service, desk, writer, dict, private_addresses=True)
            async with httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client:
                yield Story(here, client, context, Hands(NOW_S))
        desk.close()


@contextlib.contextmanager
def opened(day, directory):
    """Open a copy of the day; yield what runs a piece of a story on it."""
    shutil.copytree(day.directory, directory)
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        found = runner.run(stack.enter_async_context(told(directory)))
        try:
            yield lambda work: runner.run(work(found))
        finally:
            runner.run(stack.aclose())


@pytest.fixture(scope="package")
def settled_story(day, tmp_path_factory):
    """Open the day once for all tests that change nothing but who is told."""
    with opened(day, tmp_path_factory.mktemp("told") / "day") as play:
        yield play


@pytest.fixture
def story(settled_story):
    """Return what runs a story; who subscribed in it is forgotten at its end."""
    yield settled_story

    async def forget(found):
        found.write(delete(subscriber))
        found.clock.at_s = NOW_S
        object.__setattr__(found.context, "private_addresses", True)

    settled_story(forget)


@pytest.fixture
def own_story(day, tmp_path):
    """Return what runs a story that changes what is known of sessions."""
    with opened(day, tmp_path / "day") as play:
        yield play
