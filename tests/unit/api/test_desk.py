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


class TestJoinedWork:
    @pytest.fixture
    def busy(self, desk):
        """A desk at work until it is let go."""
        go = threading.Event()
        yield desk, go
        go.set()

    @staticmethod
    def gather(desk, go, works):
        """Join ``works`` while the desk is busy; return what each came to."""

        async def story():
            first = asyncio.ensure_future(desk.run(lambda: go.wait(10)))
            joined = [asyncio.ensure_future(desk.join(work)) for work in works]
            await asyncio.sleep(0)
            go.set()
            await first
            found = await asyncio.gather(*joined, return_exceptions=True)
            await desk.idle()
            return found

        return asyncio.run(story())

    def test_is_done_in_one_go_if_it_came_while_the_desk_was_busy(self, busy):
        turns = []

        def together(works):
            turns.append(len(works))
            return [work() for work in works]

        busy[0].join_with(together)
        assert self.gather(*busy, [lambda n=n: n for n in range(5)]) == [0, 1, 2, 3, 4]
        assert turns == [5]

    def test_leaves_no_turn_too_long(self, busy):
        turns = []

        def together(works):
            turns.append(len(works))
            return [work() for work in works]

        busy[0].join_with(together)
        assert self.gather(*busy, [lambda n=n: n for n in range(70)]) == list(range(70))
        assert turns == [64, 6]

    def test_is_followed_once(self, busy):
        desk, go = busy
        told = []
        desk.join_with(lambda works: [work() for work in works])
        desk.follow_with(lambda: told.append("followed"))
        self.gather(desk, go, [lambda n=n: told.append(n) for n in range(3)])
        assert told == ["followed", "followed", 0, 1, 2, "followed"]

    def test_a_fault_is_of_the_one_that_met_it(self, busy):
        fault = Integrity("broken", "a law broke")
        busy[0].join_with(lambda works: [fault if work() == 1 else work() for work in works])
        assert self.gather(*busy, [lambda n=n: n for n in range(3)]) == [0, fault, 2]

    def test_a_mistake_of_ours_in_one_does_not_become_everybodys(self, busy):
        busy[0].join_with(lambda works: [work() for work in works])
        met = self.gather(*busy, [lambda: 0, lambda: {}["nothing"], lambda: 2])
        assert [met[0], type(met[1]), met[2]] == [0, KeyError, 2]

    def test_of_a_desk_that_joins_nothing_is_done_one_by_one(self, busy):
        assert self.gather(*busy, [lambda n=n: n for n in range(3)]) == [0, 1, 2]


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
