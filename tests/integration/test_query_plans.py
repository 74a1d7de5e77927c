"""What a day costs the database does not grow with the days before it: no work reads them all."""

import asyncio
import contextlib
import re
import sqlite3

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from settlement.audit.reconciliation.reconciler import Reconciler
from tests.integration.community import community
from tests.integration.late_street import AFTER_S, late_street

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


@contextlib.contextmanager
def listening(monkeypatch):
    """Hear every statement but those of a pass over everything, which is there to read all."""
    heard, read = Heard(), Reconciler._read

    def read_aside(self, connection, span):
        heard.paused = span.whole
        try:
            return read(self, connection, span)
        finally:
            heard.paused = False

    monkeypatch.setattr(Reconciler, "_read", read_aside)
    event.listen(Engine, "before_cursor_execute", heard)
    try:
        yield heard
    finally:
        event.remove(Engine, "before_cursor_execute", heard)


async def played(directory, monkeypatch):
    async with community(directory) as here:
        with listening(monkeypatch) as heard:
            await here.field.play(lambda _count: None)
        return plans(here.service.database.url.database, heard.statements)


def corrected(directory, monkeypatch):
    """Settle an hour without a meter, and again when it has spoken."""
    with late_street(directory) as street:
        with listening(monkeypatch) as heard:
            street.turn(home_01=-3_000, home_02=1_000, home_03=1_500)
            street.say_all("home-03")
            street.grace()
            assert street.say({"home-03": street.hour}) == set()
            street.wait(AFTER_S)
            assert len(street.runs(street.hour)) == 2
        return plans(street.service.database.url.database, heard.statements)


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


@pytest.fixture(scope="module")
def correction(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        return corrected(tmp_path_factory.mktemp("late"), patch)


def read_whole(statement, plan):
    """Return the tables that a statement reads from end to end, those that stay small left out."""
    # The first or the last row of a table in its own order is one step, though it is called a scan.
    if " LIMIT " in statement and not any("TEMP B-TREE" in step for step in plan):
        return set()
    scanned = {table for step in plan for table in SCANNED.findall(step)}
    return {table for table in scanned - BOUNDED if not OF_OUR_OWN.fullmatch(table)}


def reads_of_growing(found):
    return {one: tables for one, plan in found.items() if (tables := read_whole(one, plan))}


def test_no_statement_of_a_day_reads_a_table_that_grows(day):
    assert reads_of_growing(day) == {}
    assert len(day) > 100


def test_no_statement_of_a_correction_reads_a_table_that_grows(correction):
    assert reads_of_growing(correction) == {}
    assert any("late_reading" in one for one in correction)


def test_what_waits_for_the_chain_is_found_without_what_ended(day):
    [plan] = [plan for one, plan in day.items() if "intent.state IN ('signed'" in one]
    assert "SEARCH intent USING INDEX ix_intent_waiting (signer=?)" in plan
