"""
Keep the blocks on disk: an append-only log, one record per block, durable before it is visible.

A record is a header (magic, number, length, CRC-32 of these), the block in RLP, and a BLAKE2b
digest of all of it. A record cut short by a crash can only be the last one and was never
acknowledged, so it is cut off. Anything else that does not fit is damage and is refused by its
number: the log never drops a block that somebody was told about.
"""

import fcntl
import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from devnet.genesis import sync_directory
from ledger.errors import Conflict, Integrity

LOG_FILE: Final = "blocks.log"
LOCK_FILE: Final = "lock"

_MAGIC: Final = b"VSNB"
_FIELDS: Final = struct.Struct(">4sQI")
_CRC: Final = struct.Struct(">I")
_HEADER_LENGTH: Final = _FIELDS.size + _CRC.size
_DIGEST_LENGTH: Final = 16
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
        super().__init__("block_record_damaged", f"the record of block {number} is damaged: {why}")
        self.number: Final = number


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
    """The file of blocks, open for appending."""

    def __init__(self, directory: Path) -> None:
        """Open the log in ``directory``, making an empty one if there is none."""
        path = directory / LOG_FILE
        is_new = not path.exists()
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        self._end = os.fstat(self._descriptor).st_size
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

    def recover(self) -> tuple[bytes, ...]:
        """
        Read every block, in order from number 1, and cut off a record that a crash left torn.

        Raises
        ------
        BlockRecordDamagedError
            If a record is damaged, with its number.
        """
        data = os.pread(self._descriptor, self._end, 0)
        blocks = tuple(scan(data))
        kept = sum(_HEADER_LENGTH + len(block) + _DIGEST_LENGTH for block in blocks)
        if kept < self._end:
            os.ftruncate(self._descriptor, kept)
            os.fdatasync(self._descriptor)
            self._end = kept
        return blocks

    def append(self, number: int, block: bytes) -> None:
        """
        Write one record and return when it is on disk.

        Raises
        ------
        LogUnusableError
            If an earlier write failed.
        OSError
            If this write fails; the log then takes no more.
        """
        if not self._usable:
            raise LogUnusableError
        record = _record(number, block)
        try:
            written = 0
            while written < len(record):
                written += os.pwrite(self._descriptor, record[written:], self._end + written)
            os.fdatasync(self._descriptor)
        except OSError:
            self._usable = False
            os.ftruncate(self._descriptor, self._end)
            raise
        self._end += len(record)

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def scan(data: bytes) -> Iterator[bytes]:
    """
    Yield the blocks in ``data``, from number 1 on, up to a torn last record.

    Raises
    ------
    BlockRecordDamagedError
        If a record is damaged, with its number.
    """
    at, number = 0, 1
    while not _is_torn_header(data, at):
        magic, said_number, length = _FIELDS.unpack_from(data, at)
        (crc,) = _CRC.unpack_from(data, at + _FIELDS.size)
        if magic != _MAGIC or crc != zlib.crc32(data[at : at + _FIELDS.size]):
            raise BlockRecordDamagedError(number, "its header does not check")
        if said_number != number:
            raise BlockRecordDamagedError(number, f"it says it is number {said_number}")
        start = at + _HEADER_LENGTH
        end = start + length + _DIGEST_LENGTH
        digest = data[start + length : end]
        if _is_torn_body(data, end, digest):
            return
        if digest != _digest(data[at : start + length]):
            raise BlockRecordDamagedError(number, "its digest does not check")
        yield data[start : start + length]
        at, number = end, number + 1


def read_blocks(directory: Path) -> tuple[bytes, ...]:
    """
    Read the blocks of a directory without touching it; a node may have it open.

    Raises
    ------
    BlockRecordDamagedError
        If a record is damaged, with its number.
    """
    path = directory / LOG_FILE
    return tuple(scan(path.read_bytes())) if path.exists() else ()


def _record(number: int, block: bytes) -> bytes:
    fields = _FIELDS.pack(_MAGIC, number, len(block))
    head = fields + _CRC.pack(zlib.crc32(fields)) + block
    return head + _digest(head)


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_LENGTH).digest()


def _is_torn_header(data: bytes, at: int) -> bool:
    """Say whether at most an unfinished header follows: too short, or never filled (all zero)."""
    rest = len(data) - at
    return rest < _HEADER_LENGTH or not any(data[at:])


def _is_torn_body(data: bytes, end: int, digest: bytes) -> bool:
    """Say whether the record is the last one and its end never reached the disk."""
    return len(data) < end or (len(data) == end and not any(digest))
