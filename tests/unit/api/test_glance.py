"""Who watches the community is shown the same, made once however many watch."""

import asyncio

import orjson
import pytest

from api.live import glance
from api.live.glance import PERIOD_S, Glance


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now_s = 0

    monkeypatch.setattr(glance, "monotonic", lambda: Clock.now_s)
    return Clock


@pytest.fixture
def made():
    return []


@pytest.fixture
def shown(made):
    def overview():
        made.append(None)
        return {"seen": len(made)}

    return Glance(overview)


async def watched(shown, viewers):
    texts = await asyncio.gather(*(shown.text() for _ in range(viewers)))
    return {orjson.loads(text)["seen"] for text in texts}


@pytest.mark.usefixtures("clock")
def test_many_who_look_at_once_are_shown_one(shown, made):
    assert asyncio.run(watched(shown, 50)) == {1}
    assert len(made) == 1


def test_is_made_again_when_the_period_is_over_and_not_before(shown, clock):
    async def looks():
        seen = []
        for now_s in (0, PERIOD_S / 2, PERIOD_S, PERIOD_S, 2 * PERIOD_S):
            clock.now_s = now_s
            seen += await watched(shown, 2)
        return seen

    assert asyncio.run(looks()) == [1, 1, 2, 2, 3]


@pytest.mark.usefixtures("clock")
def test_a_failure_is_told_to_who_looks_and_the_next_one_tries_again():
    failures = [ZeroDivisionError()]

    def overview():
        if failures:
            raise failures.pop()
        return {"seen": 1}

    async def looks():
        shown = Glance(overview)
        with pytest.raises(ZeroDivisionError):
            await shown.text()
        return await watched(shown, 1)

    assert asyncio.run(looks()) == {1}
