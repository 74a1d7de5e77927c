"""A start that finds something wrong names the step and keeps writes closed; reading goes on."""

# ruff: noqa: S608 - the statements are put together from this file's own words

import asyncio
import contextlib
import itertools
import shutil
import sqlite3
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from api.app import create_app
from api.desk import Desk
from api.embedded import Secrets, open_service, web3_gateway
from devnet.field.dataset import load_dataset
from devnet.field.parameters import load_parameters
from ledger.clock import ReplayClock
from ledger.errors import ChainUnavailable
from scripts import neighbourhood
from settlement.chain.web3_gateway import Web3Gateway
from settlement.engine.restart.protocol import DONE, Restart, Step, restart
from settlement.engine.restart.steps import check_head, standard_steps
from tests.integration.community import community, context_of

NAMES = ("database", "journal", "identity", "chain", "intents", "blocks", "holds", "open_writes")
LAST_BLOCK = "number = (SELECT max(number) FROM block)"
LAST_INTENT = "nonce = (SELECT max(nonce) FROM intent)"
LAST_ENTRY = "seq = (SELECT max(seq) FROM entry)"


@pytest.fixture(scope="module")
def settled(day, tmp_path_factory):
    """A settled day, opened again, of which no row is safe."""
    directory = tmp_path_factory.mktemp("restarted") / "day"
    shutil.copytree(day.directory, directory)
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        here = runner.run(stack.enter_async_context(community(directory, played=True)))
        path = directory / "voisin.sqlite"
        database = sqlite3.connect(path, isolation_level=None, timeout=30)
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for (name,) in names:
            database.execute(f"DROP TRIGGER {name}")
        with here.service.writing() as connection:
            # One entry more than the last checkpoint covers.
            at_s = here.service.clock.now_s()
            here.service.book.append_record(
                connection, name="test", trace_id="test", body=b"", at_s=at_s
            )
        yield SimpleNamespace(service=here.service, database=database, path=path)
        database.close()
        runner.run(stack.aclose())


def test_a_sound_service_takes_every_step_in_order(settled):
    ticks = itertools.count(0, 5)
    found = restart(standard_steps(settled.service), clock_ns=lambda: next(ticks))
    assert tuple(one.name for one in found.steps) == NAMES
    assert {(one.outcome, one.duration_ns) for one in found.steps} == {(DONE, 5)}
    assert found.closed_by is None


@pytest.mark.parametrize(
    ("step", "code", "change", "mend"),
    [
        (
            "journal",
            "journal_damaged",
            f"UPDATE entry SET trace_id = trace_id || 'x' WHERE {LAST_ENTRY}",
            (
                "UPDATE entry SET trace_id = substr(trace_id, 1, length(trace_id) - 1)"
                f" WHERE {LAST_ENTRY}"
            ),
        ),
        (
            "journal",
            "journal_damaged",
            "UPDATE log_state SET size = size + 1",
            "UPDATE log_state SET size = size - 1",
        ),
        (
            "journal",
            "bad_log_proof",
            "UPDATE checkpoint SET note = 'x' || note",
            "UPDATE checkpoint SET note = substr(note, 2)",
        ),
        (
            "chain",
            "chain_behind",
            f"UPDATE block SET number = number + 9 WHERE {LAST_BLOCK}",
            f"UPDATE block SET number = number - 9 WHERE {LAST_BLOCK}",
        ),
        (
            "intents",
            "foreign_nonce",
            f"UPDATE intent SET signer = 'x' || signer WHERE {LAST_INTENT}",
            f"UPDATE intent SET signer = substr(signer, 2) WHERE {LAST_INTENT}",
        ),
        (
            "blocks",
            "reorganized_below_finality",
            f"UPDATE block SET hash = 'x' || hash WHERE {LAST_BLOCK}",
            f"UPDATE block SET hash = substr(hash, 2) WHERE {LAST_BLOCK}",
        ),
    ],
    ids=[
        *("an entry changed", "an entry lost", "a checkpoint of somebody else"),
        *("a chain that is behind", "a foreign nonce", "another chain"),
    ],
)
def test_a_step_that_fails_names_itself_and_is_the_last(settled, step, code, change, mend):
    settled.database.execute(change)
    try:
        found = restart(standard_steps(settled.service))
    finally:
        settled.database.execute(mend)
    assert [one.name for one in found.steps] == list(NAMES[: NAMES.index(step) + 1])
    assert [one.outcome for one in found.steps[:-1]] == [DONE] * NAMES.index(step)
    assert (found.steps[-1].outcome, found.closed_by.code) == (code, code)
    assert found.closed_by.step == step
    assert restart(standard_steps(settled.service)).closed_by is None


def test_a_node_that_does_not_answer_may_answer_later(settled, monkeypatch):
    monkeypatch.setattr(Web3Gateway, "head_number", lambda _: _silent())
    found = restart((Step("chain", lambda: check_head(settled.service)),))
    assert (found.closed_by.code, found.closed_by.transient) == ("chain_unavailable", True)


def _silent():
    raise ChainUnavailable("nobody there")


def test_writes_are_answered_503_with_the_code_while_reading_goes_on(settled):
    change = f"UPDATE block SET hash = 'x' || hash WHERE {LAST_BLOCK}"
    settled.database.execute(change)
    found = restart(standard_steps(settled.service))
    settled.database.execute(f"UPDATE block SET hash = substr(hash, 2) WHERE {LAST_BLOCK}")
    with contextlib.closing(Desk()) as desk:
        client = TestClient(create_app(context_of(settled.service, desk, found)))
        asked = {"station_id": "CA-314", "driver": "0x" + "11" * 20, "requested_wh": 8_000}
        for _ in range(2):
            refused = client.post("/api/quotes", json=asked)
            assert refused.status_code == 503
            assert refused.json()["code"] == "reorganized_below_finality"
            assert refused.json()["detail"].startswith("restart stopped at blocks: ")
        assert client.get("/api/overview").status_code == 200
        assert client.get("/reconciliation").status_code == 200
        figures = client.get("/metrics").text.splitlines()
    steps = [one for one in figures if one.startswith("voisin_restart_step_seconds{")]
    assert len(steps) == 6
    assert 'step="blocks",outcome="reorganized_below_finality"' in steps[-1]
    assert "voisin_writes_open 0" in figures


def test_steps_and_their_times_are_exported_once_writes_are_open(settled):
    ticks = itertools.count(0, 1_500_000_000)
    found = restart(standard_steps(settled.service), clock_ns=lambda: next(ticks))
    with contextlib.closing(Desk()) as desk:
        client = TestClient(create_app(context_of(settled.service, desk, found)))
        answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    figures = answer.text.splitlines()
    for name in NAMES:
        line = f'voisin_restart_step_seconds{{step="{name}",outcome="done"}} 1.500000000'
        assert line in figures
    assert "voisin_writes_open 1" in figures


def test_a_damaged_file_is_found_before_anything_is_read_from_it(settled):
    settled.database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    page, entries = (
        settled.database.execute(query).fetchone()[0]
        for query in (
            "PRAGMA page_size",
            "SELECT rootpage FROM sqlite_master WHERE name = 'ix_transfer_trace_id'",
        )
    )
    settled.service.readers.dispose()
    with settled.path.open("r+b") as file:
        file.seek((entries - 1) * page)
        healthy = file.read(page)
        file.seek((entries - 1) * page)
        file.write(bytes(page))
    found = restart(standard_steps(settled.service))
    with settled.path.open("r+b") as file:
        file.seek((entries - 1) * page)
        file.write(healthy)
    settled.service.readers.dispose()
    assert [(one.name, one.outcome) for one in found.steps] == [("database", "database_damaged")]
    assert restart(standard_steps(settled.service)).closed_by is None


def test_without_a_restart_nothing_is_closed():
    assert Restart().closed_by is None


def test_a_start_without_a_node_can_be_tried_again(tmp_path):
    """Neither the lock nor the database stays with a service that could not be opened."""
    parameters, dataset = load_parameters(), load_dataset()
    asked = (web3_gateway("http://127.0.0.1:9"), ReplayClock(0))
    rules = neighbourhood.rules(parameters, dataset)
    for _ in range(2):
        with pytest.raises(ChainUnavailable):
            open_service(tmp_path, *asked, rules, Secrets.derive("seed"))
