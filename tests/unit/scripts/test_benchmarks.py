"""Benchmarks say what they measured and against what; no test here asserts a time."""

import io
import json
import re
import sqlite3
from decimal import Decimal

import pytest
from rich.console import Console
from sqlalchemy import BigInteger, Column, MetaData, Table, Text
from typer.testing import CliRunner

from devnet.field.keys import Curve
from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from ledger.clock import ReplayClock
from ledger.store import open_engine
from ledger.units import UnixSeconds
from scripts.benchmarks import __main__ as command
from scripts.benchmarks import (
    demo,
    devnet,
    ledger,
    machine,
    measuring,
    recording,
    report,
    settlement,
)
from scripts.benchmarks.books import tree
from scripts.benchmarks.books.twin import RawTwin, rows_of
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.recording import verified_row
from scripts.benchmarks.rivals import comparison, ethtester
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense, plain
from scripts.benchmarks.stage import START_S, Stage
from scripts.benchmarks.volume import engine

MAY_2017 = ReplayClock(UnixSeconds(1_494_230_400))
SIX = {"name", "value", "unit", "baseline", "ratio", "command"}


def row(name="thing_ms", value="2", unit="ms", baseline="8", sense=Sense.FASTER):
    held = Baseline(Decimal(baseline), "the rival's thing", sense)
    return Row(name, Decimal(value), unit, held, "scripts/bench ledger")


@pytest.fixture
def bench(monkeypatch, tmp_path):
    """Return the command with one made-up row for each area, writing nothing of ours."""
    monkeypatch.setenv("VOISIN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(report, "PAGE", tmp_path / "benchmarks.md")
    for area in command.AREAS:
        monkeypatch.setitem(command.AREAS, area, lambda _, area=area: (row(f"{area}_ms"),))

    def run(*arguments):
        return CliRunner().invoke(command.app, arguments)

    return run


class TestRatio:
    def test_of_a_time_says_how_many_times_as_fast_as_the_rival(self):
        assert row(value="2", baseline="8").ratio == 4

    def test_of_a_rate_says_how_many_times_as_fast_as_the_rival(self):
        assert row(value="8", unit="readings/s", baseline="2").ratio == 4

    def test_below_one_says_that_the_rival_is_faster(self):
        assert row(value="8", baseline="2").ratio == Decimal("0.25")

    @pytest.mark.parametrize(
        ("value", "unit", "ceiling"), [("8", "ms", "2"), ("2", "postings/s", "8")]
    )
    def test_to_a_ceiling_is_the_share_of_it_that_is_reached(self, value, unit, ceiling):
        found = row(value=value, unit=unit, baseline=ceiling, sense=Sense.SHARE)
        assert found.ratio == Decimal("0.25")
        assert found.ratio_text == "25 % of the ceiling"

    def test_of_a_cost_says_how_many_baselines_it_is(self):
        found = row(value="63000", unit="gas", baseline="21000", sense=Sense.COST)
        assert found.ratio == 3
        assert found.ratio_text == "3 times the baseline"

    @pytest.mark.parametrize(("value", "baseline"), [("0", "1"), ("1", "0"), ("-1", "1")])
    def test_of_nothing_is_refused(self, value, baseline):
        with pytest.raises(BenchmarkInvalidError):
            row(value=value, baseline=baseline)


class TestFigures:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("241622", "241,622"),
            ("27570.372756", "27,570"),
            ("33.3333", "33.3"),
            ("8.005", "8.00"),
            ("0.00204", "0.00204"),
            ("0.74712", "0.747"),
        ],
    )
    def test_are_whole_or_have_three_digits(self, value, text):
        assert plain(Decimal(value)) == text


class TestReport:
    def test_shows_every_figure_beside_its_baseline(self):
        console = Console(width=100, record=True, file=io.StringIO())
        console.print(report.table("ledger", (row(),)))
        shown = console.export_text()
        for text in (
            "ledger",
            "thing_ms",
            " 2 ",
            " 8 ",
            "ms",
            "4 times as fast",
            "the rival's thing",
        ):
            assert text in shown

    def test_page_says_where_when_how_and_by_which_command(self):
        areas = {"ledger": (row(), row("other_ms", "8", sense=Sense.SHARE)), "gas": (row(),)}
        page = report.page(areas, ("2 CPUs", "CPython 3.11"), MAY_2017)
        assert page.startswith("# Benchmarks\n")
        assert "on 2017-05-08, on\n\n- 2 CPUs\n- CPython 3.11\n" in page
        assert [line for line in page.splitlines() if line.startswith("## ")] == [
            "## ledger",
            "## gas",
        ]
        assert (
            "| `thing_ms` | 2 ms | 8 ms | 4 times as fast | the rival's thing "
            "| `scripts/bench ledger` |" in page
        )
        assert page.endswith("|\n")

    def test_page_has_as_many_cells_in_every_line(self):
        page = report.page({"ledger": (row(), row("other_ms"))}, ("2 CPUs",), MAY_2017)
        assert {line.count("|") for line in page.splitlines() if line.startswith("|")} == {7}

    def test_facts_name_no_path_and_no_host(self):
        facts = " ".join(machine.facts())
        assert "CPUs" in facts
        assert "Python" in facts
        assert not re.search(r"/(home|root|tmp|work)|://", facts)
        assert machine.platform.node() not in facts.split()


class TestCommand:
    def test_writes_all_fields_as_json(self, bench, tmp_path):
        ended = bench("ledger", "--json", str(tmp_path / "rows.json"))
        assert ended.exit_code == 0
        (area, (found,)), *others = json.loads((tmp_path / "rows.json").read_text()).items()
        assert (area, others) == ("ledger", [])
        assert set(found) > SIX
        assert {name: found[name] for name in SIX} == {
            "name": "ledger_ms",
            "value": 2,
            "unit": "ms",
            "baseline": 8,
            "ratio": 4,
            "command": "scripts/bench ledger",
        }
        assert found["ratio_is"] == "times as fast"

    def test_measures_one_area_without_touching_the_page(self, bench):
        ended = bench("gas")
        assert "gas_ms" in ended.output
        assert "ledger_ms" not in ended.output
        assert not report.PAGE.exists()

    def test_writes_the_page_when_every_area_was_measured(self, bench):
        assert bench().exit_code == 0
        page = report.PAGE.read_text()
        for area in command.Area:
            assert f"## {area}\n" in page
            assert f"`{area}_ms`" in page

    def test_does_not_write_the_page_after_a_trial_of_fewer_days(self, bench):
        assert bench("--days", "1").exit_code == 0
        assert not report.PAGE.exists()

    def test_refuses_slow_signatures_before_anything_is_measured(self, bench, monkeypatch):
        monkeypatch.setenv("ECC_BACKEND_CLASS", "eth_keys.backends.NativeECCBackend")
        ended = bench("ledger")
        assert ended.exit_code == 1
        assert "slow_signatures" in ended.output
        assert "NativeECCBackend" in ended.output
        assert "ledger_ms" not in ended.output

    def test_says_what_failed_and_ends_with_one(self, bench, monkeypatch):
        def fail(_):
            raise BenchmarkInvalidError("the demo ended with 1")

        monkeypatch.setitem(command.AREAS, command.Area.DEMO, fail)
        ended = bench("demo")
        assert ended.exit_code == 1
        assert "benchmark_invalid: nothing was measured: the demo ended with 1" in ended.output

    def test_leaves_nothing_in_the_data_directory(self, bench, tmp_path):
        bench("ledger")
        assert list((tmp_path / "data").iterdir()) == []


class TestMeasuring:
    def test_takes_the_median_of_each_side_and_leaves_the_first_round_out(self):
        rounds = iter([(900, 900), (5, 50), (1, 10), (3, 30)])
        assert measuring.medians_ns(lambda: next(rounds), 3) == (3, 30)
        assert list(rounds) == []

    def test_does_both_sides_in_turn(self):
        done = []
        one_round = measuring.in_turn(lambda: done.append("ours"), lambda: done.append("rival"))
        measuring.medians_ns(one_round, 2)
        assert done == ["ours", "rival"] * 3

    def test_converts_without_losing_a_digit(self):
        assert measuring.each(3_000_000, 2, measuring.NS_PER_MS) == Decimal("1.5")
        assert measuring.per_second(100, 500_000_000) == 200

    def test_writes_whole_pages(self, tmp_path):
        measuring.write_pages(tmp_path / "pages", 3)
        assert (tmp_path / "pages").stat().st_size == 3 * measuring.PAGE_BYTES


class TestRawTwin:
    TABLES = MetaData()
    THING = Table("thing", TABLES, Column("n", BigInteger, primary_key=True), Column("t", Text))

    def test_holds_the_same_rows_in_a_durable_database(self, tmp_path):
        rows = [(1, "a"), (2, "b")]
        with RawTwin(tmp_path / "twin.sqlite", self.TABLES) as twin:
            assert twin.insert_ns([{self.THING: rows[:1]}, {self.THING: rows[1:]}]) > 0
        engine = open_engine(tmp_path / "twin.sqlite")
        with engine.connect() as connection:
            assert rows_of(connection, self.THING, self.THING.c.n > 0) == rows
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        engine.dispose()

    def test_refuses_what_the_tables_refuse(self, tmp_path):
        with (
            RawTwin(tmp_path / "twin.sqlite", self.TABLES) as twin,
            pytest.raises(sqlite3.IntegrityError),
        ):
            twin.insert_ns([{self.THING: [(1, "a"), (1, "b")]}])


class TestAreas:
    """Each area really runs, a little of it; what it measures is not asserted."""

    @pytest.fixture(autouse=True)
    def _little(self, monkeypatch):
        for area, name, size in (
            (ledger, "_POSTINGS", 200),
            (ledger, "_POSTINGS_PG", 200),
            (ledger, "_SESSIONS", 10_000),
            (ledger, "_REOPENED", 1),
            (ledger, "_COMMITS", 2),
            (tree, "LEAVES", 1_000),
            (tree, "_CHECKS", 4),
            (tree, "_ROUNDS", 1),
            (ledger, "_ROUNDS", 1),
            (devnet, "_TRANSFERS", 2),
            (devnet, "_QUESTIONS", 2),
            (devnet, "_ROUNDS", 1),
            (devnet, "_STARTS", 1),
            (devnet, "_CLOSES", 1),
            (devnet, "_MEMBERS", 2),
            (engine, "_ACCOUNTS", 12),
            (engine, "_BATCH", 5),
            (engine, "_BLOCKS", 30),
            (engine, "_HOLDERS", 4),
            (engine, "_ROUNDS", 1),
            (engine, "_STOCK_ROUNDS", 1),
            (comparison, "_ROUNDS", 1),
            (comparison, "_LONE_TRANSFERS", 2),
            (comparison, "_JOINT_TRANSFERS", 8),
            (comparison, "_WARM_TRANSFERS", 1),
            (comparison, "_WARM_EACH", 1),
            (comparison, "_WALL_LONE_TRANSFERS", 1),
            (comparison, "_WALL_WARM_TRANSFERS", 1),
            (settlement, "_READINGS", 2),
            (settlement, "_ROUNDS", 1),
            (recording, "_BATCHES", 2),
            (recording, "_ROUNDS", 1),
        ):
            monkeypatch.setattr(area, name, size)

    def test_measures_the_ledger(self, tmp_path):
        assert {one.name: one.baseline.sense for one in ledger.run(Trial(tmp_path, 1))} == {
            "postings_64_clients_sqlite": Sense.SHARE,
            "postings_64_clients_sqlite_p99_ms": Sense.SHARE,
            "postings_64_clients_postgresql": Sense.SHARE,
            "durable_commit_ms": Sense.SHARE,
            "root_1m_s": Sense.SHARE,
            "proof_verify": Sense.SHARE,
            "verified_readings": Sense.SHARE,
            "ev_hold_capture_1000": Sense.SHARE,
            "audit_replay": Sense.SHARE,
            "restart_1m_s": Sense.SHARE,
            "memory_1m_mb": Sense.COST,
        }

    def test_measures_the_devnet(self, tmp_path, monkeypatch):
        # Its environment is made by who measures; what our side of it does is tested by itself.
        monkeypatch.setattr(ethtester, "rows", lambda _: ())
        assert {one.name: one.baseline.sense for one in devnet.run(Trial(tmp_path, 1))} == {
            "start_ms": Sense.SHARE,
            "transfer_tx_per_s": Sense.FASTER,
            "close_with_ocmf_ms": Sense.SHARE,
            "settle_100_members_ms": Sense.SHARE,
            "rpc_block_number_ms": Sense.SHARE,
            "engine_erc20_200": Sense.FASTER,
            "reopen_10000_s": Sense.SHARE,
            "get_logs_10000_ms": Sense.COST,
            "start_s": Sense.SHARE,
            "memory_20000_mb": Sense.COST,
            "erc20_floor_p50_ms": Sense.FASTER,
        } | {
            f"{node}_erc20_{figure}": Sense.FASTER
            for node in ("voisin", "voisin_wall", "anvil", "hardhat")
            for figure in ("p50_ms", "p99_ms", "pipelined_8")
        }

    def test_measures_settlement(self, tmp_path):
        assert {one.name: one.baseline.sense for one in settlement.run(Trial(tmp_path, 1))} == {
            "reading_digest_us": Sense.FASTER,
            "reading_verified_us": Sense.FASTER,
            "interval_settle_ms": Sense.COST,
            "readings_recorded_per_s": Sense.SHARE,
        }

    def test_measures_readings_from_parsed_json_to_the_durable_commit(self, tmp_path):
        found = verified_row(tmp_path, "scripts/bench ledger")
        assert (found.name, found.unit) == ("verified_readings", "readings/s")
        assert found.baseline.sense is Sense.SHARE

    def test_refuses_a_rival_that_comes_to_another_digest(self, monkeypatch, tmp_path):
        monkeypatch.setitem(settlement._TYPES, "Reading", settlement._TYPES["Reading"][:-1])
        with pytest.raises(BenchmarkInvalidError):
            settlement.run(Trial(tmp_path, 1))

    def test_refuses_a_demo_that_failed(self, monkeypatch, tmp_path):
        monkeypatch.setattr(demo.sys, "executable", "false")
        with pytest.raises(BenchmarkInvalidError, match="the demo ended with 1"):
            demo.run(Trial(tmp_path, 1))


class TestStage:
    @pytest.fixture
    def stage(self, tmp_path):
        clock = ReplayClock(START_S)
        opened = Devnet.open(tmp_path, Genesis(3_300, START_S), clock)
        yield Stage(opened, clock)
        opened.close()

    def test_closes_sessions_one_after_the_other(self, stage):
        meter = stage.enrol("bench", Curve.SECP256K1)
        for _ in range(2):
            closing = stage.open_session(meter)
            stage.try_out(stage.vault, closing.data)
            assert len(stage.send(stage.vault.address, closing.data).logs) == 2

    def test_refuses_to_count_a_transaction_that_the_contract_refused(self, stage):
        closing = stage.open_session(stage.enrol("bench", Curve.SECP256R1))
        stage.send(stage.vault.address, closing.data)
        with pytest.raises(BenchmarkInvalidError):
            stage.send(stage.vault.address, closing.data)
