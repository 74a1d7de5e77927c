"""Reports go to the desk in the order they came, and those that gathered in one turn."""

import asyncio
import threading

import pytest

from api.desk import Desk
from api.ocpp.judging import Judge, ReportUnjudgedError
from ledger.errors import Integrity
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import transactions
from tests.unit.api.ocpp.yard import NOW_S, TAG, FakeEngine, unavailable


def report(phase, number):
    return TransactionReport(
        station_id="CA-1",
        phase=phase,
        transaction="tx",
        at_s=NOW_S,
        seq_no=number,
        offline=False,
        trigger="",
        reason=None,
        id_tag=TAG,
        evse_id=1,
        register_wh=None,
        values=(),
        records=(),
        key=f"event/tx/{number}",
        body=b"",
    )


@pytest.fixture
def engine(monkeypatch):
    found = FakeEngine()
    monkeypatch.setattr(transactions, "report", found.report)
    return found


@pytest.fixture
def desk():
    opened = Desk()
    yield opened
    opened.close()


def together(_service, works):
    """Do works as a turn does, without a database."""
    return [work() for work in works]


def occupied(desk):
    """Occupy the desk until the returned event is set."""
    free = threading.Event()
    return free, asyncio.ensure_future(desk.run(lambda: free.wait(10)))


def test_reports_are_judged_in_order_and_what_gathered_in_one_turn(desk, engine):
    phases = [Phase.STARTED, *[Phase.UPDATED] * 5, Phase.ENDED, *[Phase.UPDATED] * 3]
    turns = []

    async def story():
        free, busy = occupied(desk)
        judge = Judge(None, desk, together=together)
        for number, phase in enumerate(phases[:-1]):
            judge.later(report(phase, number), 0)
        last = asyncio.create_task(judge.now(report(phases[-1], 9), 0))
        await asyncio.sleep(0)
        desk.follow_with(lambda: turns.append(len(engine.reports)))
        free.set()
        await busy
        assert (await last).accepted
        await desk.idle()

    asyncio.run(story())
    assert [one.seq_no for one in engine.reports] == list(range(10))
    assert [one for one in turns if one] == [9, 10]


def test_the_desk_is_not_idle_from_the_moment_on_that_a_report_is_handed_in(desk, engine):
    async def story():
        judge = Judge(None, desk, together=together)
        assert desk._idle.is_set()
        judge.later(report(Phase.UPDATED, 0), 0)
        assert not desk._idle.is_set()
        await desk.idle()
        assert len(engine.reports) == 1

    asyncio.run(story())


def test_a_refusal_is_an_answer_and_stops_no_other(desk, engine):
    async def story():
        judge = Judge(None, desk, together=together)
        engine.fault = unavailable()
        assert (await judge.now(report(Phase.STARTED, 0), 0)).code == "database_gone"
        engine.fault = None
        assert (await judge.now(report(Phase.STARTED, 1), 0)).accepted

    asyncio.run(story())


def test_a_closed_desk_says_why(desk, engine):
    desk.close_writes(Integrity("broken", "a law broke"))

    async def story():
        judge = Judge(None, desk, together=together)
        assert (await judge.now(report(Phase.STARTED, 0), 0)).code == "broken"
        await desk.idle()

    asyncio.run(story())
    assert engine.reports == []


def test_no_turn_ends_too_many_sessions(desk, engine):
    turns = []

    def counted(service, works):
        turns.append(len(works))
        return together(service, works)

    async def story():
        free, busy = occupied(desk)
        judge = Judge(None, desk, together=counted)
        for number in range(131):
            judge.later(report(Phase.ENDED, number), 0)
        free.set()
        await busy
        await desk.idle()

    asyncio.run(story())
    assert turns == [64, 64, 3]
    assert [one.seq_no for one in engine.reports] == list(range(131))


def test_a_mistake_of_ours_in_one_report_is_not_everybodys(desk, engine, monkeypatch):
    judged = engine.report

    def sometimes(service, told, **rest):
        if told.seq_no == 1:
            raise ZeroDivisionError
        return judged(service, told, **rest)

    monkeypatch.setattr(transactions, "report", sometimes)
    told = []

    async def story():
        handler = lambda _, context: told.append(type(context["exception"]))  # noqa: E731
        asyncio.get_running_loop().set_exception_handler(handler)
        free, busy = occupied(desk)
        judge = Judge(None, desk, together=together)
        waiting = [
            asyncio.create_task(judge.now(report(Phase.ENDED, number), 0)) for number in range(3)
        ]
        await asyncio.sleep(0)
        free.set()
        await busy
        found = await asyncio.gather(*waiting)
        assert isinstance(found[1], ReportUnjudgedError)
        assert [found[0].accepted, found[2].accepted] == [True, True]
        await desk.idle()

    asyncio.run(story())
    assert told == [ZeroDivisionError]


def test_a_mistake_of_ours_leaves_nobody_waiting(desk, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr(transactions, "report", broken)

    async def story():
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        judge = Judge(None, desk, together=together)
        found = await judge.now(report(Phase.STARTED, 0), 0)
        assert isinstance(found, ReportUnjudgedError)
        await desk.idle()

    asyncio.run(story())
