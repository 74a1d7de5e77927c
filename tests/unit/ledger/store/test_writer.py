"""Many callers share one wait for the disk, and each hears the truth about its own request."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event, text

from ledger import accounts
from ledger.clock import ReplayClock
from ledger.errors import WrongState
from ledger.store.faults import DatabaseFullError
from ledger.store.writer import OverloadedError, Writer, WriterClosedError
from ledger.tables import entry
from ledger.transfers import GroupSizeError
from tests.unit.ledger.store.support import ANNA, BEN, move


class NotNowError(WrongState):
    def __init__(self):
        super().__init__("not_now", "not now")


@pytest.fixture
def writer(ledger):
    ledger.fund(amount=1_000)
    with Writer(ledger.engine, ReplayClock(5), book=ledger.book) as made:
        yield made


class TestSubmit:
    def test_answers_as_the_ledger_does(self, writer):
        assert not writer.submit((move("a", ANNA, BEN, 1),)).unwrap().replayed
        assert writer.submit((move("a", ANNA, BEN, 1),)).unwrap().replayed
        assert writer.submit((move("b", ANNA, BEN, 10**6),)).fault.code == "not_enough"

    def test_an_empty_group_harms_nobody(self, writer):
        with pytest.raises(GroupSizeError):
            writer.submit(())

    def test_64_threads_are_acknowledged_together(self, ledger, writer):
        commits = []
        event.listen(ledger.engine, "commit", commits.append)
        with ThreadPoolExecutor(64) as threads:
            list(
                threads.map(
                    lambda n: writer.submit((move(f"t{n}", ANNA, BEN, 1),)).unwrap(), range(512)
                )
            )
        assert ledger.balance(BEN).posted == 512
        assert len(commits) < 256

    def test_callers_on_an_event_loop_are_too(self, ledger, writer):
        async def client(number):
            for step in range(8):
                posted = await writer.submit_soon((move(f"{number}/{step}", ANNA, BEN, 1),))
                assert posted.transfers[0].at_s == 5

        async def all_of_them():
            await asyncio.gather(*(client(number) for number in range(64)))

        asyncio.run(all_of_them())
        assert ledger.balance(BEN).posted == 512
        assert ledger.replay().balances is None

    def test_a_caller_that_went_away_changes_nothing_for_the_others(self, ledger, writer):
        async def leave():
            staying = asyncio.create_task(writer.submit_soon((move("stays", ANNA, BEN, 1),)))
            leaving = asyncio.create_task(writer.submit_soon((move("leaves", ANNA, BEN, 1),)))
            await asyncio.sleep(0)
            leaving.cancel()
            assert not (await staying).replayed

        asyncio.run(leave())
        assert ledger.balance(BEN).posted == 2


class TestRun:
    def test_other_work_stands_between_the_groups_in_order(self, writer, ledger):
        async def submit():
            begun = asyncio.get_running_loop().run_in_executor(
                None, writer.run, lambda _: blocker.wait(5)
            )
            await asyncio.sleep(0)
            made = []
            for ask in (
                lambda: writer.submit_soon((move("a", ANNA, BEN, 1),)),
                lambda: writer.run_soon(lambda c: ledger.book.balance(c, BEN).posted),
                lambda: writer.submit_soon((move("b", ANNA, BEN, 1),)),
                lambda: writer.run_soon(lambda c: ledger.book.balance(c, BEN).posted),
            ):
                made.append(asyncio.ensure_future(ask()))
                # A turn to begin, and one in which what was gathered is handed over.
                await asyncio.sleep(0)
                await asyncio.sleep(0)
            blocker.set()
            await begun
            return [await one for one in made]

        blocker = threading.Event()
        _, between, _, after = asyncio.run(submit())
        assert (between, after) == (1, 2)

    def test_work_that_refuses_undoes_its_own_and_nothing_else(self, writer, ledger):
        def refuse(connection):
            ledger.book.append_record(connection, name="n", trace_id="", body=b"", at_s=5)
            raise NotNowError

        blocker = threading.Event()
        with ThreadPoolExecutor(3) as threads:
            first = threads.submit(writer.run, lambda _: blocker.wait(5))
            good = threads.submit(writer.submit, (move("good", ANNA, BEN, 1),))
            bad = threads.submit(writer.run, refuse)
            blocker.set()
        assert first.result()
        good.result().unwrap()
        with pytest.raises(NotNowError):
            bad.result()
        with ledger.engine.begin() as connection:
            count = connection.execute(entry.select().where(entry.c.name == "n")).all()
        assert count == []


class TestFaults:
    def test_a_full_disk_is_told_to_everybody_and_loses_nothing(self, writer, ledger):
        if ledger.engine.dialect.name != "sqlite":
            pytest.skip("SQLite's own limit stands for the disk's")
        writer.submit((move("before", ANNA, BEN, 1),)).unwrap()
        pages = writer.run(lambda c: c.execute(text("PRAGMA page_count")).scalar_one())
        writer.run(lambda c: c.execute(text(f"PRAGMA max_page_count={pages}")))
        refused = 0
        for number in range(400):
            try:
                writer.submit((move(f"full{number}", ANNA, BEN, 1),))
            except DatabaseFullError:
                refused += 1
        assert refused
        writer.run(lambda c: c.execute(text("PRAGMA max_page_count=1000000")))
        writer.submit((move("after", ANNA, BEN, 1),)).unwrap()
        assert ledger.balance(BEN).posted == 402 - refused
        assert ledger.replay().log is None

    def test_more_than_it_will_keep_is_refused_at_once(self, ledger):
        blocker = threading.Event()
        with (
            Writer(ledger.engine, ReplayClock(5), book=ledger.book, waiting_max=1) as writer,
            ThreadPoolExecutor(8) as threads,
        ):
            threads.submit(writer.run, lambda _: blocker.wait(5))
            found = [
                threads.submit(writer.submit, (move(f"o{n}", accounts.world(), BEN, 1),))
                for n in range(7)
            ]
            faults = 0
            for one in found[2:]:
                try:
                    one.result(timeout=0.2)
                except OverloadedError:
                    faults += 1
                except TimeoutError:
                    pass
            blocker.set()
        assert faults

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_mistake_of_ours_lets_nobody_wait_for_ever(self, ledger):
        with (
            Writer(ledger.engine, ReplayClock(5), book=ledger.book) as writer,
            ThreadPoolExecutor(4) as threads,
        ):
            begun, blocker = threading.Event(), threading.Event()
            first = threads.submit(writer.run, lambda _: begun.set() or blocker.wait(5))
            assert begun.wait(5)
            wrong = threads.submit(writer.run, lambda _: 1 // 0)
            after = threads.submit(writer.submit, (move("x", accounts.world(), BEN, 1),))
            blocker.set()
            for one in (wrong, after):
                with pytest.raises(WriterClosedError):
                    one.result(timeout=5)
            assert first.result(timeout=5)
            with pytest.raises(WriterClosedError):
                writer.submit((move("y", accounts.world(), BEN, 1),))
        assert ledger.size() == 0

    def test_a_closed_writer_takes_nothing_and_finishes_what_it_took(self, ledger):
        with Writer(ledger.engine, ReplayClock(5), book=ledger.book) as writer:
            pass
        with pytest.raises(WriterClosedError):
            writer.submit((move("late", accounts.world(), BEN, 1),))
