"""Frames are durable when they are said to be, in order; what fails leaves nobody waiting."""

import asyncio

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DataError

from api.ocpp import keeping
from api.ocpp.keeping import FrameKeeper, FrameNotKeptError
from ledger.clock import ReplayClock
from ledger.store.writer import Writer, WriterClosedError
from scripts.benchmarks.charging.endpoint import bare_service
from settlement.tables import frame
from tests.unit.api.ocpp.yard import NOW_S, unavailable


@pytest.fixture
def service(tmp_path):
    opened = bare_service(tmp_path, ReplayClock(NOW_S))
    yield opened
    opened.database.dispose()
    opened.readers.dispose()


def kept(service):
    with service.reading() as connection:
        return list(connection.execute(select(frame.c.body).order_by(frame.c.seq)).scalars())


def run(service, story):
    async def told():
        with Writer(service.database, service.clock, book=service.book) as writer:
            async with asyncio.timeout(10):
                return await story(FrameKeeper(writer), writer)

    return asyncio.run(told())


def test_frames_of_many_stations_are_kept_in_the_order_they_came(service):
    async def story(keeper, _):
        await asyncio.gather(
            *(keeper.keep(f"CA-{number}", str(number), NOW_S) for number in range(50))
        )
        assert kept(service) == [str(number) for number in range(50)]

    run(service, story)


def test_frames_that_come_while_one_is_written_share_the_next_commit(service, monkeypatch):
    sizes = []
    write = keeping.keep_frames

    def counting(connection, frames):
        sizes.append(len(frames))
        write(connection, frames)

    monkeypatch.setattr(keeping, "keep_frames", counting)

    async def story(keeper, _):
        first = asyncio.create_task(keeper.keep("CA-1", "first", NOW_S))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        others = [keeper.keep("CA-1", str(number), NOW_S) for number in range(9)]
        await asyncio.gather(first, *others)

    run(service, story)
    assert sizes == [1, 9]


def test_who_leaves_does_not_take_the_others_along(service):
    async def story(keeper, _):
        leaving, staying = (
            asyncio.create_task(keeper.keep("CA-1", name, NOW_S)) for name in ("a", "b")
        )
        await asyncio.sleep(0)
        leaving.cancel()
        await staying
        assert kept(service) == ["a", "b"]

    run(service, story)


def broken(_connection, _frames):
    raise DataError("insert", {}, ValueError("nobody knows"))


def gone(_connection, _frames):
    raise unavailable()


@pytest.mark.parametrize(("failing", "code"), [(gone, "database_gone"), (broken, "frame_not_kept")])
def test_everybody_hears_that_a_commit_failed_and_the_next_one_stands(
    service, monkeypatch, failing, code
):
    async def story(keeper, _):
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        with monkeypatch.context() as patch:
            patch.setattr(keeping, "keep_frames", failing)
            found = await asyncio.gather(
                *(keeper.keep("CA-1", "lost", NOW_S) for _ in range(3)), return_exceptions=True
            )
            assert [one.code for one in found] == [code] * 3
        await keeper.keep("CA-1", "kept", NOW_S)
        assert kept(service) == ["kept"]

    run(service, story)


def test_what_waits_behind_a_commit_that_broke_is_written(service, monkeypatch):
    write, tried = keeping.keep_frames, []

    def once(connection, frames):
        tried.append(len(frames))
        (broken if len(tried) == 1 else write)(connection, frames)

    monkeypatch.setattr(keeping, "keep_frames", once)

    async def story(keeper, _):
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        first = asyncio.create_task(keeper.keep("CA-1", "lost", NOW_S))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        behind = asyncio.create_task(keeper.keep("CA-1", "behind", NOW_S))
        with pytest.raises(FrameNotKeptError):
            await first
        await behind
        assert kept(service) == ["behind"]

    run(service, story)


def test_a_writer_that_is_closed_says_so(service):
    async def story(keeper, writer):
        writer.close()
        with pytest.raises(WriterClosedError):
            await keeper.keep("CA-1", "late", NOW_S)

    run(service, story)
