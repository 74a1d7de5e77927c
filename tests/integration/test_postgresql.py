"""The same day on PostgreSQL: same entries, same roots, same laws."""

import asyncio

import pytest

from scripts.postgresql import running_postgresql
from tests.integration.community import community
from tests.integration.test_demo import ROOTS


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """Return roots, laws and breaks of the day on PostgreSQL, and its database."""
    found = {}

    async def play(address):
        directory = tmp_path_factory.mktemp("postgresql")
        async with community(directory, database=address) as here:
            await here.field.play(lambda _: None)
            found["roots"] = here.roots()
            found["laws"] = await here.broken_laws()
            found["breaks"] = await here.breaks()

    with running_postgresql() as server:
        address = server.create_database("voisin")
        asyncio.run(play(address))
        yield found | {"server": server, "address": address}


class TestADayOnPostgresql:
    def test_ends_with_the_roots_of_sqlite(self, played):
        assert {name: played["roots"][name] for name in ROOTS} == ROOTS

    def test_keeps_every_law_and_leaves_no_break(self, played):
        assert played["laws"] == {}
        assert played["breaks"] == ()
