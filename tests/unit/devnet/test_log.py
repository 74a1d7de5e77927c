from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet import log
from devnet.log import (
    BlockLog,
    BlockRecordDamagedError,
    DirectoryInUseError,
    DirectoryLock,
    LogUnusableError,
    read_blocks,
    scan,
)

BLOCKS = (b"first", b"second block", b"\0" * 40)


def written(directory: Path, blocks: tuple[bytes, ...] = BLOCKS) -> bytearray:
    with BlockLog(directory) as opened:
        for number, block in enumerate(blocks, start=1):
            opened.append(number, block)
    return bytearray((directory / log.LOG_FILE).read_bytes())


def recovered(directory: Path) -> tuple[bytes, ...]:
    with BlockLog(directory) as opened:
        return opened.recover()


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    written(tmp_path)
    assert recovered(tmp_path) == read_blocks(tmp_path) == BLOCKS


def test_an_empty_directory_has_no_blocks(tmp_path: Path) -> None:
    assert read_blocks(tmp_path) == ()
    assert recovered(tmp_path) == ()


@given(st.lists(st.binary(max_size=50), max_size=6), st.data())
def test_every_torn_tail_leaves_the_whole_records_before_it(
    blocks: list[bytes], draw: st.DataObject
) -> None:
    records = [log._record(number, block) for number, block in enumerate(blocks, start=1)]
    data = b"".join(records)
    cut = draw.draw(st.integers(min_value=0, max_value=len(data)))
    whole, length = 0, 0
    while whole < len(records) and length + len(records[whole]) <= cut:
        length += len(records[whole])
        whole += 1
    assert list(scan(data[:cut])) == blocks[:whole]


def test_a_torn_tail_is_cut_off_and_overwritten(tmp_path: Path) -> None:
    data = written(tmp_path)
    (tmp_path / log.LOG_FILE).write_bytes(data[:-3])
    with BlockLog(tmp_path) as opened:
        assert opened.recover() == BLOCKS[:2]
        opened.append(3, b"again")
    assert read_blocks(tmp_path) == (*BLOCKS[:2], b"again")


def test_a_tail_whose_pages_never_reached_the_disk_is_cut_off(tmp_path: Path) -> None:
    data = written(tmp_path)
    (tmp_path / log.LOG_FILE).write_bytes(data + bytes(4_096))
    assert recovered(tmp_path) == BLOCKS
    data[-20:] = bytes(20)
    (tmp_path / log.LOG_FILE).write_bytes(data)
    assert recovered(tmp_path) == BLOCKS[:2]


@given(st.data())
def test_a_flipped_bit_anywhere_is_refused_by_the_number_of_its_record(draw: st.DataObject) -> None:
    records = [log._record(number, block) for number, block in enumerate(BLOCKS, start=1)]
    data = bytearray(b"".join(records))
    at = draw.draw(st.integers(min_value=0, max_value=len(data) - 1))
    data[at] ^= 1 << draw.draw(st.integers(min_value=0, max_value=7))
    ends = [sum(map(len, records[: count + 1])) for count in range(len(records))]
    number = next(count for count, end in enumerate(ends, start=1) if at < end)
    with pytest.raises(BlockRecordDamagedError) as caught:
        list(scan(bytes(data)))
    assert caught.value.number == number
    assert f"block {number} " in str(caught.value)


def test_damage_is_not_cut_off(tmp_path: Path) -> None:
    data = written(tmp_path)
    data[30] ^= 1
    (tmp_path / log.LOG_FILE).write_bytes(data)
    with BlockLog(tmp_path) as opened, pytest.raises(BlockRecordDamagedError):
        opened.recover()
    assert (tmp_path / log.LOG_FILE).read_bytes() == data


def test_a_swapped_pair_of_records_is_refused() -> None:
    one, two = log._record(1, b"a"), log._record(2, b"b")
    with pytest.raises(BlockRecordDamagedError, match="it says it is number 2"):
        list(scan(two + one))


def test_after_a_failed_write_the_log_takes_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with BlockLog(tmp_path) as opened:
        opened.append(1, b"kept")
        with monkeypatch.context() as patch:
            patch.setattr(log.os, "fdatasync", _fail)
            with pytest.raises(OSError, match="no space"):
                opened.append(2, b"lost")
        with pytest.raises(LogUnusableError):
            opened.append(2, b"lost")
    assert read_blocks(tmp_path) == (b"kept",)


def _fail(_descriptor: int) -> None:
    raise OSError("no space")


def test_a_second_lock_on_the_directory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_LOCK_WAIT_S", 0)
    first = DirectoryLock(tmp_path)
    with pytest.raises(DirectoryInUseError):
        DirectoryLock(tmp_path)
    first.release()
    DirectoryLock(tmp_path).release()
