"""One number changed underneath is found by the next pass, by name, and clears when mended."""

# ruff: noqa: S608 - the statements are put together from this file's own words

import asyncio
import contextlib
import dataclasses
import json
import shutil
import sqlite3
import sys
import threading
from types import SimpleNamespace

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import event as listening

from api.app import create_app
from api.desk import Desk
from ledger import accounts
from ledger.transfers import Kind, Transfer, TransferId
from settlement.audit.reconciliation.breaks import all_breaks, open_breaks
from settlement.audit.reconciliation.equations import EQUATIONS, Equation
from settlement.audit.reconciliation.reconciler import Reconciler
from settlement.chain.gateway import ChainGateway
from settlement.engine import finality
from settlement.engine.finality import advance
from tests.integration.community import community, context_of
from tests.integration.conftest import ROOT
from tests.integration.test_money import DAY_S, Guest, _send, _station

SERVICE, GRID, CHAIN, OPERATOR = "service", "grid operator", "chain operator", "operator"
GIFT, PURSE_NUMBER = 1_000_000, 7


@pytest.fixture(scope="module")
def settled(day, tmp_path_factory):
    """A settled day, opened again; whoever changes something underneath mends it."""
    directory = tmp_path_factory.mktemp("reconciled") / "day"
    shutil.copytree(day.directory, directory)
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        opened = community(directory, played=True)
        here = runner.run(stack.enter_async_context(opened))
        database = sqlite3.connect(directory / "voisin.sqlite", isolation_level=None, timeout=30)
        triggers = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        ).fetchall()
        for name, _ in triggers:
            database.execute(f"DROP TRIGGER {name}")
        yield SimpleNamespace(here=here, service=here.service, database=database)
        for _, sql in triggers:
            database.execute(sql)
        database.close()
        runner.run(stack.aclose())


def last(settled, query):
    return settled.database.execute(query).fetchone()


def standing(service):
    with service.reading() as connection:
        return {(one.equation.value, one.subject): one for one in open_breaks(connection)}


RUN = "(SELECT max(run) FROM run WHERE traded_wh > 0)"
CLOSED = "(SELECT min(session_id) FROM session WHERE state = 'closed' AND charge_micros > 0)"
TRACE = f"(SELECT 'sierra/' || interval || '/' || run FROM run WHERE run = {RUN})"
HOME = "(SELECT min(account) FROM balance WHERE account LIKE 'eur/trade-balance/%')"
PURSE = "(SELECT min(account) FROM balance WHERE account LIKE 'eur/vault-driver/%')"
REGISTER = (
    "SELECT rowid FROM reading WHERE register = 0 AND meter_id IN "
    "(SELECT meter_id FROM meter WHERE kind = 'gateway') AND at_s = "
    f"(SELECT (interval + 1) * 3600 FROM run WHERE run = {RUN}) LIMIT 1"
)
FORGED_EVENT = (
    "INSERT INTO observed (block_hash, transaction_hash, log_index, block_number, contract, name,"
    " body, final) SELECT hash, '0xf0', 999, number, 'TradeLedger', 'Deposited',"
    f" json_object('member', replace({HOME}, 'eur/trade-balance/', ''), 'amountMicros', 7), 1"
    " FROM block ORDER BY number DESC LIMIT 1"
)
FORGED_HOLD = (
    "INSERT INTO transfer (seq, id, kind, debit, credit, amount, code, trace_id, at_s, group_seq,"
    " debit_debits_posted, debit_credits_posted, debit_debits_pending, debit_credits_pending,"
    " credit_debits_posted, credit_credits_posted, credit_debits_pending, credit_credits_pending)"
    f" SELECT 1000000, 'forged', 'pending', {PURSE}, 'eur/vault-earned/0xf0', 7, 'hold',"
    " 'forged', 0, 1000000, 0, 0, 0, 0, 0, 0, 0, 0"
)

FAULTS = {
    "one side of a balance": (
        "UPDATE balance SET credits_posted = credits_posted {} 1 WHERE account = 'eur/world'",
        {("E1", "eur"): SERVICE, ("E9", "eur/world"): SERVICE, ("E9", "journal/balances"): SERVICE},
    ),
    "both sides of a balance": (
        (
            "UPDATE balance SET credits_posted = credits_posted {0} 1,"
            " debits_posted = debits_posted {0} 1 WHERE account = 'wh/consumed'"
        ),
        {("E9", "wh/consumed"): SERVICE},
    ),
    "the balance of a member": (
        f"UPDATE balance SET credits_posted = credits_posted {{}} 1 WHERE account = {HOME}",
        {("E4", HOME): SERVICE, ("E1", "eur"): SERVICE, ("E9", HOME): SERVICE},
    ),
    "a cap": (
        "UPDATE lane SET cap_micros = cap_micros {} 1 WHERE id = 1",
        {("E4", "(SELECT address || '/capOf' FROM lane WHERE id = 1)"): CHAIN},
    ),
    "a refund": (
        f"UPDATE session SET refund_micros = refund_micros {{}} 1 WHERE session_id = {CLOSED}",
        {("E3", CLOSED): SERVICE},
    ),
    "the register of a meter": (
        f"UPDATE reading SET energy_wh = energy_wh {{}} 1 WHERE rowid = ({REGISTER})",
        {
            (
                "E6",
                (
                    f"(SELECT {TRACE} || '/' || party FROM meter JOIN reading USING (meter_id)"
                    f" WHERE reading.rowid = ({REGISTER}))"
                ),
            ): GRID,
            (
                "E6",
                (
                    f"(SELECT {TRACE} || '/' || meter_id || '/import' FROM reading WHERE rowid ="
                    f" ({REGISTER}))"
                ),
            ): GRID,
        },
    ),
    "a fiscal record": (
        (
            "UPDATE slice SET energy_wh = energy_wh {} 1 WHERE page = (SELECT min(page) FROM"
            f" slice WHERE session_id = {CLOSED}) AND session_id = {CLOSED}"
        ),
        {("E6", CLOSED): GRID},
    ),
    "energy that was posted": (
        (
            "UPDATE transfer SET amount = amount {} 1 WHERE code = 'metered-export' AND trace_id ="
            f" {TRACE} AND amount = (SELECT max(amount) FROM transfer WHERE code = 'metered-export'"
            f" AND trace_id = {TRACE})"
        ),
        {("E7", TRACE): GRID, ("E9", "wh/produced"): SERVICE},
    ),
    "energy that was traded": (
        f"UPDATE run SET traded_wh = traded_wh {{}} 1 WHERE run = {RUN}",
        {("E7", f"(SELECT {TRACE} || '/traded')"): GRID},
    ),
}
"""What is changed, by how it is changed there ({} is + or -), and what must be found."""


@pytest.mark.parametrize("name", FAULTS)
def test_a_number_changed_underneath_is_found_and_clears_when_mended(settled, name):
    change, expected = FAULTS[name]
    reconciler, service = Reconciler(settled.service), settled.service
    wanted = {
        (equation, last(settled, f"SELECT {subject}")[0] if subject[0] == "(" else subject): owner
        for (equation, subject), owner in expected.items()
    }
    settled.database.execute(change.format("+"))
    try:
        reconciler.after()
        found = standing(service)
        assert {key: one.owner for key, one in found.items() if key in wanted} == wanted
        reconciler.everything()
        assert {key: one.id for key, one in standing(service).items()} == {
            key: one.id for key, one in found.items()
        }
    finally:
        settled.database.execute(change.format("-"))
    reconciler.everything()
    assert standing(service) == {}


@pytest.mark.parametrize(
    ("forge", "mend", "expected"),
    [
        (
            FORGED_EVENT,
            "DELETE FROM observed WHERE log_index = 999",
            {("E5", "0xf0/trade-deposit"): SERVICE},
        ),
        (
            FORGED_HOLD,
            "DELETE FROM transfer WHERE id = 'forged'",
            {("E2", "deposits in ChargeVault"): CHAIN, ("E5", "forged"): SERVICE},
        ),
    ],
    ids=["an event that no block holds", "a hold that nobody has signed"],
)
def test_a_forged_row_is_found_by_its_name(settled, forge, mend, expected):
    reconciler = Reconciler(settled.service)
    settled.database.execute(forge)
    try:
        reconciler.after()
        found = standing(settled.service)
    finally:
        settled.database.execute(mend)
    assert {key: one.owner for key, one in found.items() if key in expected} == expected
    reconciler.everything()
    assert standing(settled.service) == {}


def test_a_deleted_event_leaves_its_transfers_without_a_cause(settled):
    session_id = last(settled, f"SELECT {CLOSED}")[0]
    where = f"name = 'SessionClosed' AND json_extract(body, '$.sessionId') = '{session_id}'"
    settled.database.execute(f"CREATE TEMP TABLE kept AS SELECT * FROM observed WHERE {where}")
    settled.database.execute(f"DELETE FROM observed WHERE {where}")
    reconciler = Reconciler(settled.service)
    reconciler.after()
    found = {subject for equation, subject in standing(settled.service) if equation == "E5"}
    settled.database.execute("INSERT INTO observed SELECT * FROM kept")
    names = ("charge", "refund", "session-vat", "session-energy")
    assert found == {f"{session_id}/{name}" for name in names}
    reconciler.everything()
    assert standing(settled.service) == {}


@pytest.mark.parametrize("table", ["run", "checkpoint"])
def test_a_root_changed_underneath_is_found(settled, table):
    key = "run" if table == "run" else "size"
    number, root = last(settled, f"SELECT {key}, root FROM {table} ORDER BY {key} DESC LIMIT 1")
    trace_id = last(settled, "SELECT 'sierra/' || interval || '/' || run FROM run ORDER BY 1 DESC")
    change = f"UPDATE {table} SET root = ? WHERE {key} = ?"
    settled.database.execute(change, (bytes(32), number))
    reconciler = Reconciler(settled.service)
    reconciler.after()
    found = standing(settled.service)
    settled.database.execute(change, (root, number))
    subject = trace_id[0] if table == "run" else f"log/{number}"
    assert found["E8", subject].owner == SERVICE
    reconciler.everything()
    assert standing(settled.service) == {}


class Lying:
    """A real node, but for one answer."""

    def __init__(self, honest: ChainGateway, selector: bytes) -> None:
        self._honest, self._selector = honest, selector

    def __getattr__(self, name):
        return getattr(self._honest, name)

    def calls_at(self, block, calls):
        answers = self._honest.calls_at(block, calls)
        return tuple(
            (int.from_bytes(answer) + 1).to_bytes(32) if data[:4] == self._selector else answer
            for (_, data), answer in zip(calls, answers, strict=True)
        )


@pytest.mark.parametrize(
    ("contract", "function", "arguments", "key"),
    [
        ("trade", "rootOf", (0,), "E8"),
        ("trade", "capOf", ("0x" + "11" * 20,), "E4"),
        ("vault", "depositOf", ("0x" + "11" * 20, 0), "E2"),
    ],
)
def test_a_node_that_tells_another_state_than_its_events_is_found(
    settled, contract, function, arguments, key
):
    asked = getattr(settled.service.contracts, contract).encode(function, *arguments)
    lying = Lying(settled.service.gateway, asked[:4])
    Reconciler(dataclasses.replace(settled.service, gateway=lying)).after()
    found = standing(settled.service)
    Reconciler(settled.service).after()
    assert {one.owner for (equation, _), one in found.items() if equation == key} == {CHAIN}
    assert standing(settled.service) == {}


def test_a_settled_day_compares_everything_and_finds_nothing(settled):
    report = Reconciler(settled.service).everything()
    assert report.breaks == ()
    assert set(report.checked) == set(Equation) == set(EQUATIONS)
    assert report.checked[Equation.SESSION] == 38
    assert report.checked[Equation.INTERVAL] > 24 * 17


def test_a_break_keeps_its_id_and_age_and_the_journal_says_when(settled):
    service = settled.service
    with service.reading() as connection:
        known, size = len(all_breaks(connection)), service.book.root(connection)[0]
    reconciler = Reconciler(service)
    change = "UPDATE lane SET exit_micros = {} WHERE id = 1"
    settled.database.execute(change.format(5))
    reconciler.after()
    [(key, one)] = standing(service).items()
    found_s = service.clock.now_s()
    settled.here.clock.set(found_s + DAY_S)
    reconciler.everything()
    assert standing(service)[key] == one
    assert one.age_s(service.clock.now_s()) == DAY_S
    settled.database.execute(change.format("NULL"))
    reconciler.everything()
    settled.database.execute(change.format(5))
    reconciler.everything()
    [again] = standing(service).values()
    settled.database.execute(change.format("NULL"))
    reconciler.everything()
    assert again.id != one.id
    with service.reading() as connection:
        assert len(all_breaks(connection)) == known + 2
    journal = settled.database.execute(
        "SELECT name, body FROM entry WHERE seq >= ? ORDER BY seq", (size,)
    ).fetchall()
    said = [(name, json.loads(body)["id"]) for name, body in journal]
    assert said == [
        *(("break_opened", one.id), ("break_cleared", one.id)),
        *(("break_opened", again.id), ("break_cleared", again.id)),
    ]


def test_an_operator_sees_breaks_over_http(settled):
    service = settled.service
    with contextlib.closing(Desk()) as desk:
        client = TestClient(create_app(context_of(service, desk)))
        settled.database.execute("UPDATE lane SET exit_micros = 5 WHERE id = 1")
        asked = client.post("/reconciliation").json()
        read = client.get("/reconciliation").json()
        figures = client.get("/metrics").text
        settled.database.execute("UPDATE lane SET exit_micros = NULL WHERE id = 1")
        mended = client.post("/reconciliation").json()
    [one] = read["equations"]["E4"]["breaks"]
    assert asked == read
    assert (one["owner"], one["ledger"], one["other"]) == (CHAIN, "5", "0")
    assert 'voisin_reconciliation_open_breaks{equation="E4"} 1' in figures.splitlines()
    assert (read["open"], mended["open"]) == (1, 0)
    assert set(mended["equations"]) == {one.value for one in Equation}


@pytest.fixture
def live(tmp_path):
    """Run an async story in a fresh community; breaks are the story's own business."""

    def run(story):
        async def told():
            async with (
                community(tmp_path) as here,
                httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client,
            ):
                await here.run(lambda: None)
                await here.running.desk.idle()
                await story(here, client)

        asyncio.run(told())

    return run


def test_tokens_sent_to_a_contract_behind_our_back_are_found_in_that_block(live):
    async def story(here, _client):
        token, vault = here.service.contracts.token, here.service.contracts.vault
        driver = next(iter(here.world.keys.drivers.values()))
        _send(here, driver, token.encode("transfer", vault.address, GIFT), nonce=0, to=token)
        await here.run(lambda: advance(here.service))
        await here.running.desk.idle()
        assert not here.reconciler.report.whole
        [(key, one)] = standing(here.service).items()
        assert key == ("E4", "tokens of ChargeVault")
        assert (one.owner, int(one.other) - int(one.ledger)) == (OPERATOR, GIFT)
        assert one.found_block == here.devnet.head_number
        code, said = await _command("reconcile", "--url", here.running.url)
        assert (code, "tokens of ChargeVault" in said, f"E4-{one.id}" in said) == (1, True, True)

    live(story)


def test_the_command_says_that_nothing_is_broken(live):
    async def story(here, _client):
        code, said = await _command("reconcile", "--url", here.running.url)
        assert (code, "0 open breaks" in said) == (0, True)
        code, said = await _command("reconcile", "--url", here.running.url, "--json")
        assert (code, json.loads(said)["block"]) == (0, here.devnet.head_number)

    live(story)


def test_the_command_says_that_nobody_answers():
    code, said = asyncio.run(_command("reconcile", "--url", "http://127.0.0.1:9"))
    assert (code, "no answer" in said) == (1, True)


async def _command(*words):
    """Run ``voisin`` beside the service; return its exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *("/usr/bin/env", "COLUMNS=250", sys.executable, "-m", "api", *words),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await process.communicate()
    return process.returncode, printed.decode()


def test_an_event_that_was_not_booked_is_found_in_that_block(live, monkeypatch):
    async def story(here, _client):
        service = here.service
        vault, token = service.contracts.vault, service.contracts.token
        who = next(iter(here.world.keys.drivers.values()))
        calls = [
            (token, token.encode("approve", vault.address, GIFT)),
            (vault, vault.encode("deposit", who.address, PURSE_NUMBER, GIFT)),
        ]
        for nonce, (to, data) in enumerate(calls):
            _send(here, who, data, nonce=nonce, to=to)
        with monkeypatch.context() as patch:
            patch.delitem(finality._HANDLERS, ("ChargeVault", "Deposited"))
            await here.run(lambda: advance(service))
            await here.running.desk.idle()
        account = accounts.vault_driver(who.address_hex, PURSE_NUMBER)
        found = standing(service)
        [missing] = [subject for equation, subject in found if equation == "E5"]
        assert (found["E4", account].owner, found["E5", missing].owner) == (CHAIN, SERVICE)
        assert set(found) == {("E4", account), ("E5", missing), ("E4", "tokens of ChargeVault")}
        await here.run(lambda: _book(service, missing, account))
        await here.running.desk.idle()
        assert not here.reconciler.report.whole
        assert {key for key in standing(service) if key[0] == "E4"} == set()
        await here.run(here.reconciler.everything)
        assert standing(service) == {}

    live(story)


def _book(service, identity, account):
    late = Transfer(
        id=TransferId(identity),
        kind=Kind.POSTED,
        debit=accounts.world(),
        credit=account,
        amount=GIFT,
        code="purse-deposit",
        trace_id="late",
    )
    with service.writing() as connection:
        service.book.submit(connection, (late,), at_s=service.clock.now_s()).unwrap()


def test_a_pass_costs_little_and_nothing_if_nothing_moved(live, monkeypatch):
    async def story(here, client):
        reconciler = here.reconciler
        counted = {"rounds": 0, "asked": 0, "statements": 0}
        here_alone = threading.get_ident()
        asks = type(here.service.gateway).calls_at

        def counting(gateway, block, calls):
            counted["rounds"] += 1
            counted["asked"] += len(calls)
            return asks(gateway, block, calls)

        monkeypatch.setattr(type(here.service.gateway), "calls_at", counting)
        for engine in (here.service.readers, here.service.database):
            listening.listen(
                engine, "before_cursor_execute", lambda *_: _count(counted, here_alone)
            )

        def pass_(expected):
            before = dict(counted)
            reconciler.after()
            assert {name: counted[name] - before[name] for name in counted} == expected

        await here.run(lambda: None)
        pass_({"rounds": 0, "asked": 0, "statements": IDLE})
        _follow, here.running.desk._follow = here.running.desk._follow, lambda: None
        guest = Guest(here, client)
        opened = await guest.opens()
        pass_({"rounds": 1, "asked": OPENED_FIELDS, "statements": OPENED})
        async with _station(here, guest) as station:
            number = await guest.charges(station, opened.id_tag)
            await station.stop(guest.stop, opened.id_tag, number)
            await here.running.desk.idle()
        pass_({"rounds": 1, "asked": CLOSED_FIELDS, "statements": CLOSED_STATEMENTS})
        assert standing(here.service) == {}

    live(story)


def _count(counted, thread):
    """Count a statement of the thread; what others of the service ask meanwhile is not the pass."""
    counted["statements"] += threading.get_ident() == thread


IDLE = 3
"""Begin, how far the ledger came, how far the chain."""
OPENED, OPENED_FIELDS = 10, 6
CLOSED_STATEMENTS, CLOSED_FIELDS = 12, 6
