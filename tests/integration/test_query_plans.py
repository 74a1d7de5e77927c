"""What a day costs the database does not grow with the days before it: no work reads them all."""

import asyncio
import re
import sqlite3

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from settlement.audit.reconciliation.reconciler import Reconciler
from tests.integration.community import community

BOUNDED = {
    "balance",
    "break_",
    "checkpoint",
    "dirty_interval",
    "lane",
    "lease",
    "log_state",
    "mandate",
    "membership_step",
    "meta",
    "meter",
    "participation",
    "party",
    "register_head",
    "statement",
    "station",
    "subscriber",
    "tariff",
    "waiting_report",
    "wallet",
    "zone_rule",
}
"""Tables as large as the community, or with a row for a day, a month or somebody's decision."""
SCANNED = re.compile(r"SCAN (\w+)")
OF_OUR_OWN = re.compile(r"anon_\d+|CONSTANT|\d+")


class Heard:
    """Every statement that reads, with the arguments it came with."""

    def __init__(self):
        self.statements = {}
        self.paused = False

    def __call__(self, _connection, _cursor, statement, arguments, _context, many):
        if not self.paused and statement.startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            self.statements[statement] = arguments[0] if many else arguments


async def played(directory, monkeypatch):
    heard, read = Heard(), Reconciler._read

    def read_aside(self, connection, span):
        """A pass over everything, at the start and at a day's end, is there to read everything."""
        heard.paused = span.whole
        try:
            return read(self, connection, span)
        finally:
            heard.paused = False

    monkeypatch.setattr(Reconciler, "_read", read_aside)
    async with community(directory) as here:
        event.listen(Engine, "before_cursor_execute", heard)
        try:
            await here.field.play(lambda _count: None)
        finally:
            event.remove(Engine, "before_cursor_execute", heard)
        return plans(here.service.database.url.database, heard.statements)


def plans(path, statements):
    """Return how SQLite goes about each statement."""
    connection = sqlite3.connect(path)
    try:
        return {
            statement: [
                row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", arguments)
            ]
            for statement, arguments in statements.items()
        }
    finally:
        connection.close()


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return asyncio.run(played(tmp_path_factory.mktemp("plans"), patch))


def read_whole(statement, plan):
    """Return the tables that a statement reads from end to end, those that stay small left out."""
    # The first or the last row of a table in its own order is one step, though it is called a scan.
    if " LIMIT " in statement and not any("TEMP B-TREE" in step for step in plan):
        return set()
    scanned = {table for step in plan for table in SCANNED.findall(step)}
    return {table for table in scanned - BOUNDED if not OF_OUR_OWN.fullmatch(table)}


def test_no_statement_of_a_day_reads_a_table_that_grows(day):
    found = {one: tables for one, plan in day.items() if (tables := read_whole(one, plan))}
    assert found == {}
    assert len(day) > 100


def test_what_waits_for_the_chain_is_found_without_what_ended(day):
    [plan] = [plan for one, plan in day.items() if "intent.state IN ('signed'" in one]
    assert "SEARCH intent USING INDEX ix_intent_waiting (signer=?)" in plan
