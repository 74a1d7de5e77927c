"""What follows every work runs between it and the next, and a closed desk takes no work."""

import asyncio
import threading

import pytest

from api.desk import Desk
from ledger.errors import Integrity


@pytest.fixture
def desk():
    opened = Desk()
    yield opened
    opened.close()


class TestWhatFollows:
    def test_runs_once_before_any_work(self, desk):
        told = threading.Event()
        desk.follow_with(told.set)
        assert told.wait(10)

    def test_runs_after_each_work_and_before_the_next(self, desk):
        told = []
        desk.follow_with(lambda: told.append("followed"))

        async def story():
            await asyncio.gather(*(desk.run(lambda n=n: told.append(n)) for n in range(3)))
            await desk.idle()

        asyncio.run(story())
        assert told == ["followed", 0, "followed", 1, "followed", 2, "followed"]

    def test_does_not_delay_the_answer(self, desk):
        going_on = threading.Event()
        going_on.set()
        desk.follow_with(lambda: going_on.wait(10))

        async def story():
            await desk.run(going_on.clear)
            assert not desk._idle.is_set()
            going_on.set()
            await desk.idle()

        asyncio.run(story())

    def test_runs_after_a_work_that_failed(self, desk):
        told = []
        desk.follow_with(lambda: told.append("followed"))

        async def story():
            with pytest.raises(KeyError):
                await desk.run(lambda: {}["nothing"])
            await desk.idle()

        asyncio.run(story())
        assert told == ["followed", "followed"]

    def test_a_fault_in_it_is_told_and_the_desk_goes_on(self, desk):
        told = []
        desk.follow_with(lambda: {}["nothing"])

        async def story():
            loop = asyncio.get_running_loop()
            loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
            assert await desk.run(lambda: 1) == 1
            await desk.idle()
            assert await desk.run(lambda: 2) == 2
            await desk.idle()

        asyncio.run(story())
        assert [type(one) for one in told] == [KeyError, KeyError]


class TestAClosedDesk:
    def test_takes_no_work_and_says_why(self, desk):
        told = []
        fault = Integrity("chain_changed", "another chain")
        desk.close_writes(fault)

        async def story():
            for _ in range(3):
                with pytest.raises(Integrity) as met:
                    await desk.run(lambda: told.append("done"))
                assert met.value is fault
            await desk.idle()

        asyncio.run(story())
        assert told == []

    def test_an_error_that_answers_many_does_not_grow(self, desk):
        fault = Integrity("chain_changed", "another chain")
        desk.close_writes(fault)

        async def depth():
            with pytest.raises(Integrity):
                await desk.run(lambda: None)
            trace, count = fault.__traceback__, 0
            while trace is not None:
                trace, count = trace.tb_next, count + 1
            return count

        assert asyncio.run(depth()) == asyncio.run(depth())
