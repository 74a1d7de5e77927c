"""The campaigns against the ledger, a few of each; `scripts/faults --full` does them in earnest."""

import sqlite3
from contextlib import closing

import pytest

from ledger.clock import SteadyClock
from scripts.campaigns import faults
from scripts.campaigns.books import kills as kills_module
from scripts.campaigns.books.clocks import turn_clocks
from scripts.campaigns.books.crowds import fight_for_holds, send_copies
from scripts.campaigns.books.databases import SqliteFiles, databases
from scripts.campaigns.books.flips import flip_bits
from scripts.campaigns.books.kills import STEPS, LedgerLostError, kill_ledgers
from scripts.campaigns.books.obstacles import fill_disk, hold_lock, start_twice
from scripts.campaigns.books.torn import tear_logs


@pytest.fixture(scope="module", params=["SQLite", "PostgreSQL"])
def opened(request, tmp_path_factory):
    with databases(request.param, tmp_path_factory.mktemp("databases")) as made:
        yield made


class TestKills:
    def test_lose_and_double_nothing(self, opened):
        tally = kill_ledgers(opened, kills=6, seed=3)
        assert sum(tally.kills.values()) == 6
        assert set(tally.kills) <= {"any instant", *STEPS}
        assert tally.acknowledged

    def test_leave_every_index_whole_immudb_1997(self, tmp_path):
        """Elsewhere a kill left an index that could not be opened again."""
        kept = SqliteFiles(tmp_path)
        kill_ledgers(kept, kills=6, seed=5)
        for path in tmp_path.glob("*.sqlite"):
            with closing(sqlite3.connect(path)) as database:
                assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def test_a_ledger_that_forgets_is_found(self, opened, monkeypatch):
        """A writer that answers before it commits loses what it had acknowledged."""

        def answer_early(address, name, *where):
            answers = where[-1]
            engine, _ = kills_module.open_alone(address)
            connection = engine.connect()
            connection.begin()
            source = enumerate(kills_module.Requests(0, f"{name}/0"))
            for number, group in source:
                outcome = kills_module.BOOK.submit(connection, group, at_s=kills_module.AT_S)
                told = {"caller": 0, "number": number, "answer": kills_module._answer(outcome)}
                kills_module.os.write(answers, kills_module.json.dumps(told).encode() + b"\n")

        monkeypatch.setattr(kills_module, "_write", answer_early)
        monkeypatch.setattr(kills_module, "_ANY_INSTANT_US", 400_000)
        with pytest.raises(LedgerLostError):
            kill_ledgers(opened, kills=9, seed=4)


class TestCrowds:
    def test_one_request_has_one_effect_and_one_answer(self, opened):
        crowd = send_copies(opened, requests=40, seed=3)
        assert crowd.sent > crowd.requests > 20

    def test_one_hold_is_resolved_once(self, opened):
        assert fight_for_holds(opened, rounds=5, seed=3).sent == 5 * 64


class TestObstacles:
    def test_a_second_service_waits_for_the_first_to_die(self, opened):
        assert start_twice(opened).refused == 1

    def test_a_full_disk_is_told_and_loses_nothing(self):
        found = fill_disk(3)
        assert found.taken
        assert found.refused

    def test_a_lock_that_is_held_is_told(self):
        assert hold_lock(3).refused == 1


class TestClocks:
    def test_no_entry_stands_well_before_an_earlier_one(self, opened):
        done = turn_clocks(opened, steps=200, seed=3)
        assert done.steps == 200
        assert done.refused
        assert done.expired

    def test_a_clock_that_believes_the_wall_is_found(self, opened, monkeypatch):
        monkeypatch.setattr(SteadyClock, "now_s", lambda self: self._clock.now_s())
        with pytest.raises(LedgerLostError):
            turn_clocks(opened, steps=100, seed=3)


class TestDamage:
    def test_torn_logs_open_as_they_were_after_a_commit(self):
        assert sum(tear_logs(images=60, seed=3).values()) == 60

    def test_flipped_bits_are_named(self):
        assert sum(flip_bits(flips=60, seed=3).values()) == 60


class TestThePage:
    def test_keeps_rows_of_campaigns_that_did_not_run(self):
        names = [campaign.name for campaign in faults.campaigns()]
        first = [faults.Outcome(names[0], 1, 10, "good"), faults.Outcome(names[2], 1, 5, "good")]
        page = faults.page(f"head\n{faults.BEGIN}\n", first)
        again = faults.page(page, [faults.Outcome(names[1], 2, 7, "better")])
        rows = [line for line in again.splitlines() if line.startswith("| ")][2:]
        assert again.startswith(f"head\n{faults.BEGIN}\n")
        assert rows == [
            f"| {names[0]} | 1 | 10 | good |",
            f"| {names[1]} | 2 | 7 | better |",
            f"| {names[2]} | 1 | 5 | good |",
        ]
