"""The same day on PostgreSQL: same entries, same roots, same laws."""

import asyncio
from itertools import islice

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RaiseException
from typer.testing import CliRunner

from api.cli import app
from ledger.store import LedgerStore, Posted
from ledger.tables import IMMUTABLE as LEDGER_IMMUTABLE
from scripts.campaigns.books.databases import open_alone
from scripts.campaigns.books.requests import AT_S, Requests
from scripts.postgresql import running_postgresql
from settlement.tables import IMMUTABLE
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


@pytest.fixture(scope="module")
def role(played):
    """Return the address of the played database for a role that only the service has."""
    with psycopg.connect(played["address"], autocommit=True) as owner:
        owner.execute("CREATE ROLE service LOGIN")
    prepared = CliRunner().invoke(app, ["database", "prepare", played["address"], "--role=service"])
    assert prepared.exit_code == 0, prepared.output
    return played["server"].url("voisin", user="service")


class TestTheServicesRole:
    @pytest.mark.parametrize("table", [*LEDGER_IMMUTABLE, *IMMUTABLE])
    @pytest.mark.parametrize("act", ["DELETE FROM {}", "TRUNCATE {} CASCADE"])
    def test_cannot_touch_evidence(self, role, table, act):
        with psycopg.connect(role) as service, pytest.raises(InsufficientPrivilege):
            service.execute(act.format(f'"{table}"'))

    @pytest.mark.parametrize(
        "act",
        [
            "UPDATE entry SET at_s = 0",
            "ALTER TABLE entry DISABLE TRIGGER ALL",
            "DROP TRIGGER entry_no_change ON entry",
            "DROP TABLE entry CASCADE",
            "CREATE TABLE other (x int)",
            "SET session_replication_role = replica",
            "UPDATE ledger_version SET version_num = 'x'",
        ],
    )
    def test_cannot_take_the_guards_away(self, role, act):
        with psycopg.connect(role) as service, pytest.raises(InsufficientPrivilege):
            service.execute(act)

    def test_the_owner_meets_the_guards(self, played):
        with (
            psycopg.connect(played["address"]) as owner,
            pytest.raises(RaiseException, match="entry rows are immutable"),
        ):
            owner.execute("UPDATE entry SET at_s = 0")

    def test_can_do_what_the_service_does(self, role):
        """Open, move money, hold, post, and add a record; nothing more is needed for a day."""
        engine, lease = open_alone(role)
        with engine.begin() as connection:
            outcomes = LedgerStore().submit_many(
                connection, list(islice(Requests(1, "role"), 40)), at_s=AT_S
            )
        assert any(isinstance(one, Posted) for one in outcomes)
        lease.release()
        engine.dispose()

    def test_an_unknown_role_is_said_to_be_unknown(self, played):
        asked = ["database", "prepare", played["address"], "--role=nobody_of_that_name"]
        refused = CliRunner().invoke(app, asked)
        assert refused.exit_code == 1
        assert "unknown_role" in refused.output
