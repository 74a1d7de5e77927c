"""
Keep what happened to the chain on disk: an append-only log, durable before it is visible.

A record is a header (magic, kind, number, length, CRC-32 of these), a payload, and a BLAKE2b digest
of all of it. A record cut short by a crash can only be the last one and was never acknowledged, so
it is cut off. Anything else that does not fit is damage and is refused by its number: the log never
drops what somebody was told about. Even going back is a record.
"""

import contextlib
import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from devnet.genesis import sync_directory
from ledger.errors import Conflict, Integrity

LOG_FILE: Final = "blocks.log"
LOCK_FILE: Final = "lock"

_MAGIC: Final = b"VSN2"
_FIELDS: Final = struct.Struct(">4sBQI")
_CRC: Final = struct.Struct(">I")
_HEADER_LENGTH: Final = _FIELDS.size + _CRC.size
_KIND_AT: Final = len(_MAGIC)
_DIGEST_LENGTH: Final = 16
_CHUNK_LENGTH: Final = 1 << 20
_LOCK_WAIT_S: Final = 10
_LOCK_POLL_MS: Final = 50


class DirectoryInUseError(Conflict):
    """Another node has the directory open."""

    def __init__(self, directory: Path) -> None:
        super().__init__("directory_in_use", f"another node has {directory} open")
        self.directory: Final = directory


class BlockRecordDamagedError(Integrity):
    """A record on disk is not what was written."""

    def __init__(self, number: int, why: str) -> None:
        super().__init__(
            "block_record_damaged", f"record {number} of the block log is damaged: {why}"
        )
        self.number: Final = number


class Kind(IntEnum):
    """What a record tells."""

    BLOCK = 1
    """A block was added."""
    REWIND = 2
    """The chain went back."""
    PATCH = 3
    """The newest state was changed by hand."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a payload lies in the file."""

    offset: int
    """Where its record begins, in bytes."""
    length: int
    """Length of the payload, in bytes."""
    number: int
    """Running number of its record, from 1."""

    @property
    def end(self) -> int:
        """Return where the next record begins, in bytes."""
        return self.offset + _HEADER_LENGTH + self.length + _DIGEST_LENGTH


@dataclass(frozen=True, slots=True)
class Record:
    """One record."""

    number: int
    """Running number, from 1."""
    kind: Kind
    """What it tells."""
    place: Place
    """Where its payload lies."""
    payload: bytes
    """What it says."""


_KINDS: Final = frozenset(int(kind) for kind in Kind)


class LogUnusableError(Integrity):
    """A write to the log failed, so what is on disk is not known; reopen the directory."""

    def __init__(self) -> None:
        super().__init__("log_unusable", "an earlier write to the block log failed; reopen it")


class DirectoryLock:
    """The right to write into a directory, held by one process at a time."""

    def __init__(self, directory: Path) -> None:
        """
        Take the lock, trying for up to 10 s.

        Raises
        ------
        DirectoryInUseError
            If another process still has it then.
        """
        self._descriptor = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
        give_up_s = time.monotonic() + _LOCK_WAIT_S
        while not self._try():
            if time.monotonic() >= give_up_s:
                os.close(self._descriptor)
                raise DirectoryInUseError(directory)
            time.sleep(_LOCK_POLL_MS / 1_000)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let others have it."""
        os.close(self._descriptor)


class BlockLog:
    """The file of records, open for appending; one thread appends, any thread reads."""

    def __init__(self, directory: Path, faults: Callable[[str], None] | None = None) -> None:
        """
        Open the log in ``directory``, making an empty one if there is none.

        Parameters
        ----------
        faults
            Told how far a write is: ``before_write``, ``half_written``, ``written``, ``synced``.
            Only for tests: a record is then written in two halves.
        """
        self._faults = faults
        path = directory / LOG_FILE
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = os.fstat(self._descriptor).st_size
        self._number = 0
        self._recovered = self._end == 0
        self._usable = True
        if is_new:
            sync_directory(directory)

    def __enter__(self) -> Self:
        """Return the log itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def recover(self) -> Iterator[Record]:
        """
        Yield every record in order, and at the end cut off one that a crash left torn.

        The file is read as the records are asked for, so it may be larger than the memory.

        Raises
        ------
        BlockRecordDamagedError
            If a record is damaged, with its number.
        """
        kept, number = 0, 0
        for record in scan(_Contents(self._descriptor, self._end)):
            kept, number = record.place.end, record.number
            yield record
        # Appending settles it too, and what was appended since must stay.
        if not self._recovered:
            if kept < self._end:
                os.ftruncate(self._descriptor, kept)
                os.fdatasync(self._descriptor)
            self._end, self._number, self._recovered = kept, number, True

    def append(self, kind: Kind, payload: bytes) -> Place:
        """
        Write one record and return where its payload lies, when it is on disk.

        A log that was not yet read to its end is read first, because its end has to be known.

        Raises
        ------
        BlockRecordDamagedError
            If a record before it is damaged, with its number.
        LogUnusableError
            If an earlier write failed.
        OSError
            If this write fails; the log then takes no more.
        """
        if not self._usable:
            raise LogUnusableError
        if not self._recovered:
            for _ in self.recover():
                pass
        place = Place(self._end, len(payload), self._number + 1)
        # Whatever interrupts the write leaves a log that takes no more.
        self._usable = False
        try:
            self._write(_record(kind, place.number, payload))
        except OSError:
            # The failure to write is the news; a record cut short is cut off at the next opening.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise
        self._end, self._number, self._usable = place.end, place.number, True
        return place

    def _write(self, record: bytes) -> None:
        if self._faults is None:
            self._put(record, self._end)
            os.fdatasync(self._descriptor)
            return
        half = len(record) // 2
        self._faults("before_write")
        self._put(record[:half], self._end)
        self._faults("half_written")
        self._put(record[half:], self._end + half)
        self._faults("written")
        os.fdatasync(self._descriptor)
        self._faults("synced")

    def _put(self, data: bytes, offset: int) -> None:
        """Write all of ``data``; a disk that fills up takes a part first and fails then."""
        written = os.pwrite(self._descriptor, data, offset)
        while written < len(data):
            written += os.pwrite(self._descriptor, data[written:], offset + written)

    def read(self, place: Place) -> bytes:
        """
        Return the payload at ``place``.

        Raises
        ------
        BlockRecordDamagedError
            If the record is not what was written.
        """
        data = os.pread(self._descriptor, place.end - place.offset, place.offset)
        if len(data) != place.end - place.offset:
            raise BlockRecordDamagedError(place.number, "the file ends before it does")
        head = memoryview(data)[:-_DIGEST_LENGTH]
        if data[-_DIGEST_LENGTH:] != _digest(head):
            raise BlockRecordDamagedError(place.number, "its digest does not check")
        return bytes(head[_HEADER_LENGTH:])

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


class _Contents:
    """The bytes of a file, read where they are asked for; another process may shorten it."""

    def __init__(self, descriptor: int, size: int) -> None:
        self._descriptor = descriptor
        self._size = size
        self._chunk = b""
        self._chunk_at = 0

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, wanted: slice) -> bytes:
        start, stop, _ = wanted.indices(self._size)
        begin = start - self._chunk_at
        if begin < 0 or stop - self._chunk_at > len(self._chunk):
            length = max(stop - start, min(_CHUNK_LENGTH, self._size - start))
            self._chunk = os.pread(self._descriptor, length, start)
            self._chunk_at, begin = start, 0
        return self._chunk[begin : begin + stop - start]


def scan(data: bytes | _Contents) -> Iterator[Record]:
    """
    Yield the records in ``data``, from number 1 on, up to a torn last one.

    Raises
    ------
    BlockRecordDamagedError
        If a record is damaged, with its number.
    """
    at, number = 0, 1
    while not _is_torn_header(data, at):
        head = data[at : at + _HEADER_LENGTH]
        place = Place(at, _checked(head, number), number)
        record = data[at : place.end]
        if _is_torn_body(place, record, len(data)):
            return
        checked = memoryview(record)[:-_DIGEST_LENGTH]
        if record[-_DIGEST_LENGTH:] != _digest(checked):
            raise BlockRecordDamagedError(number, "its digest does not check")
        yield Record(number, Kind(head[_KIND_AT]), place, bytes(checked[_HEADER_LENGTH:]))
        at, number = place.end, number + 1


def read_records(directory: Path) -> Iterator[Record]:
    """
    Yield the records of a directory without touching it; a node may have it open.

    Raises
    ------
    BlockRecordDamagedError
        If a record is damaged, with its number.
    """
    path = directory / LOG_FILE
    if path.exists():
        with path.open("rb") as file:
            yield from scan(_Contents(file.fileno(), os.fstat(file.fileno()).st_size))


def _record(kind: Kind, number: int, payload: bytes) -> bytes:
    fields = _FIELDS.pack(_MAGIC, kind, number, len(payload))
    head = fields + _CRC.pack(zlib.crc32(fields)) + payload
    return head + _digest(head)


def _digest(data: bytes | memoryview) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_LENGTH).digest()


def _checked(head: bytes, number: int) -> int:
    """Return the length of the payload that the header of record ``number`` announces."""
    magic, kind, said_number, length = _FIELDS.unpack_from(head)
    (crc,) = _CRC.unpack_from(head, _FIELDS.size)
    if magic != _MAGIC:
        raise BlockRecordDamagedError(number, f"it begins with {magic!r}")
    if crc != zlib.crc32(head[: _FIELDS.size]):
        raise BlockRecordDamagedError(number, "its header does not check")
    if said_number != number:
        raise BlockRecordDamagedError(number, f"it says it is number {said_number}")
    if kind not in _KINDS:
        raise BlockRecordDamagedError(number, f"it is of the unknown kind {kind}")
    return int(length)


def _is_torn_header(data: bytes | _Contents, at: int) -> bool:
    """Say whether at most an unfinished header follows: too short, or never filled (all zero)."""
    head = data[at : at + _HEADER_LENGTH]
    if len(head) < _HEADER_LENGTH:
        return True
    if any(head):
        return False
    # Only a file whose end never reached the disk is all zero from here on.
    starts = range(at, len(data), _CHUNK_LENGTH)
    return not any(data[start : start + _CHUNK_LENGTH].strip(b"\0") for start in starts)


def _is_torn_body(place: Place, record: bytes, size: int) -> bool:
    """Say whether the record is the last one and its end never reached the disk."""
    if len(record) < place.end - place.offset:
        return True
    return size == place.end and not any(record[-_DIGEST_LENGTH:])
