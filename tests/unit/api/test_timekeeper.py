"""Time goes on after a fault that passes, and stops, loudly, after one that must not be retried."""

import asyncio
from contextlib import closing
from types import SimpleNamespace

import pytest

from api.desk import Desk
from api.live import timekeeper
from ledger.clock import ReplayClock, SteadyClock, SystemClock
from ledger.errors import ChainUnavailable, Integrity

PULSE_S = 0.001


class BrokenLawError(Integrity):
    """A law that broke."""

    def __init__(self):
        super().__init__("broken_law", "a law broke")


def kept(monkeypatch, ticks, *, until):
    """Keep time while ticks meet what ``ticks`` holds; return how many came, and what was told."""
    monkeypatch.setattr(timekeeper, "_PULSE_S", PULSE_S)
    monkeypatch.setattr(timekeeper, "settles_now", lambda _: False)
    seen, told = [], []

    async def run():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: (told.append(context), ended.set()))
        ended = asyncio.Event()

        def tick(_):
            seen.append(len(seen))
            if len(seen) > until:
                loop.call_soon_threadsafe(ended.set)
            if len(seen) <= len(ticks):
                raise ticks[len(seen) - 1]

        monkeypatch.setattr(timekeeper, "tick", tick)
        service = SimpleNamespace(clock=SteadyClock(SystemClock(), 0))
        with closing(Desk()) as desk:
            async with (
                asyncio.timeout(30),
                timekeeper.timekept(service, desk, asyncio.Event()),
            ):
                await ended.wait()

    asyncio.run(run())
    return seen, told


def test_a_node_that_is_away_is_asked_again(monkeypatch):
    seen, told = kept(monkeypatch, [ChainUnavailable("away"), ChainUnavailable("away")], until=3)
    assert len(seen) > 3
    assert told == []


@pytest.mark.parametrize(
    "fault", [BrokenLawError(), ZeroDivisionError()], ids=lambda one: type(one).__name__
)
def test_what_must_not_be_tried_again_stops_it_and_is_told(monkeypatch, fault):
    seen, told = kept(monkeypatch, [fault], until=1)
    assert seen == [0]
    [context] = told
    assert (context["message"], context["exception"]) == ("the timekeeper stopped", fault)


def test_readings_that_make_an_interval_complete_need_no_pulse(monkeypatch):
    monkeypatch.setattr(timekeeper, "_PULSE_S", 3_600)
    monkeypatch.setattr(timekeeper, "settles_now", lambda _: True)

    async def run():
        loop, settled, came = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        monkeypatch.setattr(timekeeper, "tick", lambda _: loop.call_soon_threadsafe(settled.set))
        service = SimpleNamespace(clock=SteadyClock(SystemClock(), 0))
        with closing(Desk()) as desk:
            async with asyncio.timeout(30), timekeeper.timekept(service, desk, came):
                came.set()
                await settled.wait()

    asyncio.run(run())


def test_a_replay_keeps_its_own_time(monkeypatch):
    ticked = []
    monkeypatch.setattr(timekeeper, "_PULSE_S", PULSE_S)
    monkeypatch.setattr(timekeeper, "tick", ticked.append)

    async def run():
        service = SimpleNamespace(clock=ReplayClock(0))
        before = asyncio.all_tasks()
        with closing(Desk()) as desk:
            async with timekeeper.timekept(service, desk, asyncio.Event()):
                assert asyncio.all_tasks() == before

    asyncio.run(run())
    assert ticked == []
