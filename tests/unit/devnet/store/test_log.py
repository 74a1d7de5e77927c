import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.store import log
from devnet.store.log import (
    BlockLog,
    BlockRecordDamagedError,
    DirectoryInUseError,
    DirectoryLock,
    Kind,
    LogUnusableError,
    Place,
    read_records,
    scan,
)

ROOT = Path(__file__).parents[4]
BLOCKS = (b"first", b"second block", b"\0" * 40)
RECORDS = [log._record(Kind.BLOCK, number, block) for number, block in enumerate(BLOCKS, start=1)]
ENDS = [sum(map(len, RECORDS[: count + 1])) for count in range(len(RECORDS))]
POINTS = ("before_write", "half_written", "written", "synced")


def written(directory: Path, blocks: tuple[bytes, ...] = BLOCKS) -> bytearray:
    with BlockLog(directory) as opened:
        for block in blocks:
            opened.append(Kind.BLOCK, block)
    return bytearray((directory / log.LOG_FILE).read_bytes())


def recovered(directory: Path) -> tuple[bytes, ...]:
    with BlockLog(directory) as opened:
        return tuple(record.payload for record in opened.recover())


def payloads(directory: Path) -> tuple[bytes, ...]:
    return tuple(record.payload for record in read_records(directory))


class TestAppend:
    def test_gives_back_what_was_appended(self, tmp_path: Path) -> None:
        written(tmp_path)
        assert recovered(tmp_path) == payloads(tmp_path) == BLOCKS

    def test_keeps_kind_number_and_place(self, tmp_path: Path) -> None:
        with BlockLog(tmp_path) as opened:
            places = [opened.append(kind, kind.name.encode()) for kind in Kind]
        records = list(read_records(tmp_path))
        assert [record.kind for record in records] == [Kind.BLOCK, Kind.REWIND, Kind.PATCH]
        assert [record.payload for record in records] == [b"BLOCK", b"REWIND", b"PATCH"]
        assert [record.number for record in records] == [1, 2, 3]
        assert [record.place for record in records] == places

    def test_is_one_write_and_one_sync(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[str] = []
        write, sync = os.pwrite, os.fdatasync

        def counted_write(descriptor: int, data: bytes, offset: int) -> int:
            calls.append("write")
            return write(descriptor, data, offset)

        def counted_sync(descriptor: int) -> None:
            calls.append("sync")
            sync(descriptor)

        with BlockLog(tmp_path) as opened:
            monkeypatch.setattr(log.os, "pwrite", counted_write)
            monkeypatch.setattr(log.os, "fdatasync", counted_sync)
            opened.append(Kind.BLOCK, b"one")
        assert calls == ["write", "sync"]

    def test_goes_on_where_a_log_ends_that_nobody_read_yet(self, tmp_path: Path) -> None:
        written(tmp_path)
        with BlockLog(tmp_path) as opened:
            place = opened.append(Kind.BLOCK, b"fourth")
        assert place.number == 4
        assert payloads(tmp_path) == (*BLOCKS, b"fourth")

    def test_stays_when_a_reading_that_began_before_ends_after(self, tmp_path: Path) -> None:
        data = written(tmp_path)
        (tmp_path / log.LOG_FILE).write_bytes(data[:-3])
        with BlockLog(tmp_path) as opened:
            reading = opened.recover()
            next(reading)
            opened.append(Kind.BLOCK, b"in between")
            list(reading)
        assert payloads(tmp_path) == (*BLOCKS[:2], b"in between")

    def test_is_refused_after_a_failed_sync(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with BlockLog(tmp_path) as opened:
            opened.append(Kind.BLOCK, b"kept")
            with monkeypatch.context() as patch:
                patch.setattr(log.os, "fdatasync", _fail)
                with pytest.raises(OSError, match="no space"):
                    opened.append(Kind.BLOCK, b"lost")
            with pytest.raises(LogUnusableError):
                opened.append(Kind.BLOCK, b"lost")
        assert payloads(tmp_path) == (b"kept",)

    def test_says_why_it_failed_even_if_the_file_cannot_be_cut_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with BlockLog(tmp_path) as opened, monkeypatch.context() as patch:
            patch.setattr(log.os, "fdatasync", _fail)
            patch.setattr(log.os, "ftruncate", _fail_to_cut)
            with pytest.raises(OSError, match="no space"):
                opened.append(Kind.BLOCK, b"lost")

    def test_cuts_the_file_back_when_the_disk_is_full(self, tmp_path: Path) -> None:
        with BlockLog(tmp_path) as opened:
            place = opened.append(Kind.BLOCK, b"kept")
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (place.end + 1_000, hard))
            try:
                with pytest.raises(OSError, match="File too large"):
                    opened.append(Kind.BLOCK, b"x" * 4_000)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            with pytest.raises(LogUnusableError):
                opened.append(Kind.BLOCK, b"small")
            assert opened.read(place) == b"kept"
        assert (tmp_path / log.LOG_FILE).stat().st_size == place.end
        assert payloads(tmp_path) == (b"kept",)


def _fail(_descriptor: int) -> None:
    raise OSError("no space")


def _fail_to_cut(_descriptor: int, _length: int) -> None:
    raise OSError("not even that")


class _CrashError(Exception):
    pass


class TestFaults:
    def test_are_told_every_point_in_order(self, tmp_path: Path) -> None:
        passed: list[tuple[str, int]] = []
        path = tmp_path / log.LOG_FILE
        with BlockLog(
            tmp_path, lambda point: passed.append((point, path.stat().st_size))
        ) as opened:
            end = opened.append(Kind.BLOCK, b"x" * 100).end
        sizes = (0, end // 2, end, end)
        assert passed == list(zip(POINTS, sizes, strict=True))
        assert payloads(tmp_path) == (b"x" * 100,)

    @pytest.mark.parametrize("point", POINTS)
    def test_interrupt_a_log_that_takes_no_more(self, tmp_path: Path, point: str) -> None:
        def crash(passed: str) -> None:
            if passed == point:
                raise _CrashError

        with BlockLog(tmp_path, crash) as opened:
            with pytest.raises(_CrashError):
                opened.append(Kind.BLOCK, b"interrupted")
            with pytest.raises(LogUnusableError):
                opened.append(Kind.BLOCK, b"another")
        whole = point in {"written", "synced"}
        assert recovered(tmp_path) == ((b"interrupted",) if whole else ())

    @pytest.mark.parametrize("point", POINTS)
    def test_kill_and_every_block_before_is_there(self, tmp_path: Path, point: str) -> None:
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path), point], cwd=ROOT, check=False
        )
        assert killed.returncode == -signal.SIGKILL
        whole = point in {"written", "synced"}
        expected = (b"acknowledged", b"under way") if whole else (b"acknowledged",)
        assert payloads(tmp_path) == expected
        with BlockLog(tmp_path) as opened:
            opened.append(Kind.BLOCK, b"after")
        assert recovered(tmp_path) == (*expected, b"after")


KILLED = """
import os, signal, sys
from pathlib import Path
from devnet.store.log import BlockLog, Kind

def die(point):
    if armed and point == sys.argv[2]:
        os.kill(os.getpid(), signal.SIGKILL)

armed = False
log = BlockLog(Path(sys.argv[1]), die)
log.append(Kind.BLOCK, b"acknowledged")
armed = True
log.append(Kind.BLOCK, b"under way")
"""


class TestRecover:
    def test_finds_nothing_in_an_empty_directory(self, tmp_path: Path) -> None:
        assert payloads(tmp_path) == ()
        assert recovered(tmp_path) == ()

    @given(st.lists(st.binary(max_size=50), max_size=6), st.data())
    def test_leaves_the_whole_records_before_every_torn_tail(
        self, blocks: list[bytes], draw: st.DataObject
    ) -> None:
        records = [log._record(Kind.BLOCK, *numbered) for numbered in enumerate(blocks, start=1)]
        data = b"".join(records)
        cut = draw.draw(st.integers(min_value=0, max_value=len(data)))
        whole, length = 0, 0
        while whole < len(records) and length + len(records[whole]) <= cut:
            length += len(records[whole])
            whole += 1
        assert [record.payload for record in scan(data[:cut])] == blocks[:whole]

    def test_cuts_a_torn_tail_off_and_writes_over_it(self, tmp_path: Path) -> None:
        data = written(tmp_path)
        (tmp_path / log.LOG_FILE).write_bytes(data[:-3])
        with BlockLog(tmp_path) as opened:
            assert tuple(one.payload for one in opened.recover()) == BLOCKS[:2]
            assert (tmp_path / log.LOG_FILE).stat().st_size == ENDS[1]
            opened.append(Kind.BLOCK, b"again")
        assert payloads(tmp_path) == (*BLOCKS[:2], b"again")

    def test_cuts_off_a_tail_whose_pages_never_reached_the_disk(self, tmp_path: Path) -> None:
        data = written(tmp_path)
        (tmp_path / log.LOG_FILE).write_bytes(data + bytes(4_096))
        assert recovered(tmp_path) == BLOCKS
        data[-20:] = bytes(20)
        (tmp_path / log.LOG_FILE).write_bytes(data)
        assert recovered(tmp_path) == BLOCKS[:2]

    def test_reads_a_file_longer_than_it_holds_at_once(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log, "_CHUNK_LENGTH", 64)
        blocks = tuple(bytes((number,)) * (number * 7 % 150) for number in range(100))
        data = written(tmp_path, blocks)
        assert recovered(tmp_path) == payloads(tmp_path) == blocks
        (tmp_path / log.LOG_FILE).write_bytes(data + bytes(500))
        assert recovered(tmp_path) == blocks

    @given(st.data())
    def test_refuses_a_flipped_bit_anywhere_by_the_number_of_its_record(
        self, draw: st.DataObject
    ) -> None:
        data = bytearray(b"".join(RECORDS))
        at = draw.draw(st.integers(min_value=0, max_value=len(data) - 1))
        data[at] ^= 1 << draw.draw(st.integers(min_value=0, max_value=7))
        number = next(count for count, end in enumerate(ENDS, start=1) if at < end)
        with pytest.raises(BlockRecordDamagedError) as caught:
            list(scan(bytes(data)))
        assert caught.value.number == number
        assert f"record {number} " in str(caught.value)

    def test_leaves_damage_where_it_is(self, tmp_path: Path) -> None:
        data = written(tmp_path)
        data[30] ^= 1
        (tmp_path / log.LOG_FILE).write_bytes(data)
        with BlockLog(tmp_path) as opened:
            with pytest.raises(BlockRecordDamagedError):
                list(opened.recover())
            with pytest.raises(BlockRecordDamagedError):
                opened.append(Kind.BLOCK, b"over it")
        assert (tmp_path / log.LOG_FILE).read_bytes() == data

    @pytest.mark.parametrize(
        ("data", "why"),
        [
            (RECORDS[1] + RECORDS[0], "it says it is number 2"),
            (b"VSNB" + RECORDS[0][4:], "it begins with b'VSNB'"),
            (RECORDS[0][:4] + b"\2" + RECORDS[0][5:], "its header does not check"),
            (RECORDS[0][:-1] + b"?", "its digest does not check"),
            (log._record(9, 1, b"?"), "it is of the unknown kind 9"),
        ],
    )
    def test_says_what_is_wrong(self, data: bytes, why: str) -> None:
        with pytest.raises(BlockRecordDamagedError, match="record 1 of .*" + why):
            list(scan(data))


class TestRead:
    def test_gives_the_payload_back(self, tmp_path: Path) -> None:
        with BlockLog(tmp_path) as opened:
            places = [opened.append(Kind.BLOCK, block) for block in BLOCKS]
            assert tuple(map(opened.read, places)) == BLOCKS

    @given(st.data())
    def test_refuses_a_flipped_bit_by_the_number_of_the_record(
        self, tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
    ) -> None:
        directory = tmp_path_factory.mktemp("log")
        with BlockLog(directory) as opened:
            places = [opened.append(Kind.BLOCK, block) for block in BLOCKS]
            data = bytearray((directory / log.LOG_FILE).read_bytes())
            at = draw.draw(st.integers(min_value=ENDS[0], max_value=ENDS[1] - 1))
            data[at] ^= 0x10
            (directory / log.LOG_FILE).write_bytes(data)
            assert opened.read(places[0]) == BLOCKS[0]
            with pytest.raises(BlockRecordDamagedError, match=r"record 2 .* digest"):
                opened.read(places[1])

    def test_refuses_a_place_beyond_the_end(self, tmp_path: Path) -> None:
        data = written(tmp_path)
        with (
            BlockLog(tmp_path) as opened,
            pytest.raises(BlockRecordDamagedError, match=r"record 7 .* ends before"),
        ):
            opened.read(Place(len(data) - 10, 100, 7))


class TestReadRecords:
    def test_leaves_a_record_under_way_alone(self, tmp_path: Path) -> None:
        data = written(tmp_path)[:-5]
        (tmp_path / log.LOG_FILE).write_bytes(data)
        assert payloads(tmp_path) == BLOCKS[:2]
        assert (tmp_path / log.LOG_FILE).read_bytes() == data

    def test_sees_what_a_node_with_the_lock_has_written_so_far(self, tmp_path: Path) -> None:
        lock = DirectoryLock(tmp_path)
        with BlockLog(tmp_path) as opened:
            opened.append(Kind.BLOCK, b"one")
            assert payloads(tmp_path) == (b"one",)
        lock.release()

    def test_ends_early_if_the_file_is_shortened_meanwhile(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log, "_CHUNK_LENGTH", 1)
        written(tmp_path)
        reading = read_records(tmp_path)
        assert next(reading).payload == BLOCKS[0]
        os.truncate(tmp_path / log.LOG_FILE, ENDS[1] - 1)
        assert list(reading) == []


class TestDirectoryLock:
    def test_is_refused_to_a_second_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(log, "_LOCK_WAIT_S", 0)
        first = DirectoryLock(tmp_path)
        with pytest.raises(DirectoryInUseError):
            DirectoryLock(tmp_path)
        first.release()
        DirectoryLock(tmp_path).release()
