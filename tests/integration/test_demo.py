"""The demonstration adds up, can be followed to the last cent, and survives being killed."""

import contextlib
import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import time

import pytest
from sqlalchemy import text

from ledger.store import LedgerStore, open_readers
from settlement.engine.view.tracing import trace
from tests.integration.conftest import ROOT, Settled, demo, finish

KILLED_AT = (60, 230, 400, 555)
"""Of 763 events; the run is killed as soon as it has played this many."""

ROOTS = {
    "ledger log": "1998 0xdc7db9153992cdf6d67383517320a51cd9a2ac633cd20abceff6a8e544aab805",
    "last run": "0xbe8c6a4135331f69a8767b039c571f7430ccbea3a54c3890a0f4b689667663ae",
}
"""What seed 1 comes to on any machine; a change of what is signed or logged changes them."""


@pytest.fixture
def connection(day):
    engine = open_readers(day.directory / "voisin.sqlite")
    with engine.connect() as opened:
        yield opened
    engine.dispose()


def test_the_summary_says_what_machines_ask_for(day):
    asked = {
        *("intervals", "sessions", "requested_wh", "delivered_wh", "traded_wh"),
        *("traded_home_to_home_wh", "charged_micros", "refunded_micros", "refund_ms"),
        *("duration_s", "laws", "ledger_equals_chain", "chain_transactions"),
    }
    assert asked <= set(day.summary)
    assert set(day.summary["refund_ms"]) == {"p50", "p99"}


def test_every_law_holds(day):
    assert day.summary["laws"] == {f"L{n}": True for n in range(1, 12)}
    assert day.summary["ledger_equals_chain"] is True


def test_the_day_adds_up(day):
    found = day.summary
    assert (found["intervals"], found["sessions"]) == (24, 38)
    assert found["charged_micros"] + found["refunded_micros"] == found["deposited_micros"]
    assert found["traded_home_to_home_wh"] <= found["traded_wh"]
    assert found["sun_to_cars_wh"] <= found["traded_wh"]
    traced = found["traced"]
    assert 0 < traced["sun_wh"] == sum(traced["roofs_wh"].values()) <= found["sun_to_cars_wh"]


def test_one_seed_gives_the_same_roots_on_any_machine(day):
    assert {name: day.summary["roots"][name] for name in ROOTS} == ROOTS


def test_a_second_run_changes_nothing(day, tmp_path):
    again = finish(shutil.copytree(day.base, tmp_path / "day"))
    assert {**again.summary, "setup_s": 0} == {**day.summary, "setup_s": 0}


def test_a_run_killed_again_and_again_ends_with_the_same_roots(day, tmp_path):
    for played in KILLED_AT:
        kill_at(tmp_path, played)
    resumed = finish(tmp_path)
    assert resumed.summary["roots"] == day.summary["roots"]
    assert resumed.summary["laws"] == day.summary["laws"]


def test_every_transfer_is_followed_to_a_final_transaction(connection):
    traces = connection.execute(text("SELECT DISTINCT trace_id FROM transfer")).scalars().all()
    assert len(traces) == 24 + 38 + 18
    for trace_id in traces:
        steps = trace(connection, LedgerStore(), trace_id)["steps"]
        sent = [one["detail"]["state"] for one in steps if one["step"] == "transaction"]
        assert sent, f"{trace_id} never reached the chain"
        assert set(sent) == {"final"}
        assert {"message", "reading"} & {one["step"] for one in steps}, f"{trace_id} has no origin"
        assert "transfer" in {one["step"] for one in steps}


def test_every_line_has_its_transfer(connection):
    for number, interval in connection.execute(text("SELECT run, interval FROM run")).all():
        found = trace(connection, LedgerStore(), f"sierra/{interval}/{number}")["steps"]
        lines = sorted(
            int(one["detail"]["amount_micros"])
            for one in found
            if one["step"] == "line" and one["detail"]["amount_micros"] != "0"
        )
        moved = sorted(
            int(one["detail"]["amount"])
            for one in found
            if one["step"] == "transfer"
            and one["detail"]["debit"].startswith("eur/")
            and not one["title"].startswith("post ")
        )
        assert lines == moved


def test_one_command_follows_a_session(day, connection):
    session_id = connection.execute(text("SELECT session_id FROM session LIMIT 1")).scalar_one()
    printed = subprocess.run(
        [ROOT / "scripts/voisin", "trace", session_id, "--data", day.directory, "--json"],
        check=True,
        capture_output=True,
    ).stdout
    steps = [one["step"] for one in json.loads(printed)["steps"]]
    assert [step for step in dict.fromkeys(steps) if step != "event"] == [
        *("message", "reading", "transfer", "transaction", "log")
    ]


def test_an_entry_hashes_by_hand_to_what_stands_in_the_tree(day):
    for position in (0, 7):
        text = subprocess.run(
            [ROOT / "scripts/voisin", "entry", str(position), "--data", day.directory],
            check=True,
            capture_output=True,
        ).stdout
        with contextlib.closing(sqlite(day)) as database:
            stored = database.execute("SELECT hash FROM entry WHERE seq = ?", [position])
            assert hashlib.sha256(b"\0" + text).digest() == stored.fetchone()[0]


def test_an_entry_that_is_not_there_is_said_to_be_unknown(day):
    asked = subprocess.run(
        [ROOT / "scripts/voisin", "entry", "99999", "--data", day.directory],
        check=False,
        capture_output=True,
    )
    assert asked.returncode == 1
    assert b"unknown_entry" in asked.stdout


def test_an_unknown_trace_is_said_to_be_unknown(day):
    asked = subprocess.run(
        [ROOT / "scripts/voisin", "trace", "sierra/1/1", "--data", day.directory],
        check=False,
        capture_output=True,
    )
    assert asked.returncode == 1
    assert b"unknown_trace" in asked.stdout


def test_a_changed_row_breaks_a_law_by_name(day, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(day.base, copy)
    forged = Settled(copy, {})
    with sqlite(forged) as database:
        database.execute("DROP TRIGGER line_no_update")
        database.execute(
            "UPDATE line SET amount_micros = amount_micros + 1 WHERE (run, position) = "
            "(SELECT run, position FROM line WHERE rail = 'chain' LIMIT 1)"
        )
    process = demo(copy)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1, output.decode()
    laws = json.loads((copy / "summary.json").read_text())["laws"]
    assert "lines" in laws["L2"]
    assert laws["L10"] == "the guard line_no_update of line is gone"


def sqlite(settled):
    return sqlite3.connect(settled.directory / "voisin.sqlite")


def kill_at(base, played):
    """Run the day until it has played that many events, and kill it as hard as can be."""
    process = demo(base)
    while process.poll() is None and _played(base) < played:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the run ended before it could be killed"


def _played(base):
    memory = next(base.glob("week-*/replay.json"), None)
    return 0 if memory is None else int(json.loads(memory.read_text())["played"])
