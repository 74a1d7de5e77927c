"""
Keep records in one append-only file that survives ``kill -9``.

A record is a head (magic, index, length, CRC-32 of the three), a payload and a BLAKE2b checksum of
both. ``append`` returns when the disk has the record. What a killed writer leaves is the beginning
of a record at the end of the file, or zeros: that is cut off. Anything else that does not check is
damage to something that was acknowledged: the file is refused, and the record named.
"""

import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import BinaryIO, Final

from devnet.genesis import sync_directory
from ledger.errors import ChainError, Integrity, WrongState

_MAGIC: Final = b"VBLK"
_HEAD: Final = Struct(">4sQI")
_CRC: Final = Struct(">I")
_HEAD_LENGTH: Final = _HEAD.size + _CRC.size
_CHECKSUM_LENGTH: Final = 16
_PAYLOAD_MAX: Final = 2**31
_PART: Final = 2**20


class CorruptRecordError(Integrity):
    """A record of the block log is damaged; nothing is opened, and nothing is cut off."""

    def __init__(self, path: Path, index: int, offset: int, detail: str) -> None:
        super().__init__(
            "corrupt_record",
            f"record {index} of {path}, at byte {offset}, is damaged: {detail}",
        )
        self.path: Final = path
        self.index: Final = index
        """Number of the record, which is the height of its block."""
        self.offset: Final = offset
        """Where it begins in the file, in bytes."""


class LogNotWrittenError(ChainError):
    """The disk did not take a record; nothing of it counts."""

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__("log_not_written", f"{path} cannot be written: {detail}", transient=True)


class LogUnusableError(WrongState):
    """A failed write could not be taken back; the node must be opened anew."""

    def __init__(self, path: Path) -> None:
        super().__init__("log_unusable", f"{path} ends in a write that failed; open it anew")


@dataclass(frozen=True, slots=True)
class Record:
    """One record of the log."""

    index: int
    """Its number, counted from 1: the height of its block."""
    payload: bytes
    """What it holds."""
    end: int
    """Where it ends in the file, in bytes."""


def read_records(path: Path) -> Iterator[Record]:
    """
    Yield the whole records of a log; the beginning of a record at the end is left out.

    Raises
    ------
    CorruptRecordError
        At the first record that does not check.
    """
    if not path.exists():
        return
    size = path.stat().st_size
    with path.open("rb") as file:
        offset = 0
        index = 1
        while True:
            head = file.read(_HEAD_LENGTH)
            if len(head) < _HEAD_LENGTH or _is_blank(file, head):
                return
            length = _checked_head(path, head, index, offset)
            end = offset + _HEAD_LENGTH + length + _CHECKSUM_LENGTH
            if end > size:
                return
            payload = file.read(length)
            if file.read(_CHECKSUM_LENGTH) != _checksum(head, payload):
                raise CorruptRecordError(path, index, offset, "its checksum differs")
            yield Record(index, payload, end)
            offset = end
            index += 1


def _is_blank(file: BinaryIO, head: bytes) -> bool:
    """Tell whether only zeros follow: space that a file system gave and nobody wrote."""
    if any(head):
        return False
    return not any(any(part) for part in iter(lambda: file.read(_PART), b""))


def _checked_head(path: Path, head: bytes, index: int, offset: int) -> int:
    """Return the length of the payload that a head announces."""
    magic, number, length = _HEAD.unpack_from(head)
    if _CRC.unpack_from(head, _HEAD.size)[0] != zlib.crc32(head[: _HEAD.size]):
        raise CorruptRecordError(path, index, offset, "its head does not check")
    if magic != _MAGIC or number != index or length > _PAYLOAD_MAX:
        raise CorruptRecordError(path, index, offset, f"its head says it is record {number}")
    return int(length)


def _checksum(head: bytes, payload: bytes) -> bytes:
    return blake2b(payload, digest_size=_CHECKSUM_LENGTH, key=head).digest()


class BlockLog:
    """The log of one node, open for appending."""

    def __init__(self, path: Path, index: int, end: int) -> None:
        """
        Open the log to append behind record ``index``, which ends at byte ``end``.

        Whatever lies behind is the torn beginning of a record and is cut off.
        """
        self._path: Final = path
        self._index = index
        self._end = end
        self._usable = True
        self._descriptor: Final = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._descriptor).st_size != end:
            os.ftruncate(self._descriptor, end)
        os.fsync(self._descriptor)
        sync_directory(path.parent)

    def append(self, payload: bytes) -> None:
        """
        Write a record; it is on the disk when this returns.

        Raises
        ------
        LogNotWrittenError
            If the disk does not take it; the log is as before.
        LogUnusableError
            If an earlier failure could not be taken back.
        """
        if not self._usable:
            raise LogUnusableError(self._path)
        plain = _HEAD.pack(_MAGIC, self._index + 1, len(payload))
        head = plain + _CRC.pack(zlib.crc32(plain))
        record = head + payload + _checksum(head, payload)
        try:
            written = 0
            while written < len(record):
                written += os.pwrite(self._descriptor, record[written:], self._end + written)
            os.fdatasync(self._descriptor)
        except OSError as fault:
            self._take_back()
            raise LogNotWrittenError(self._path, fault.strerror or str(fault)) from fault
        self._index += 1
        self._end += len(record)

    def _take_back(self) -> None:
        # After a failed sync nobody knows what the disk holds, so the cut must be synced as well.
        self._usable = False
        try:
            os.ftruncate(self._descriptor, self._end)
            os.fsync(self._descriptor)
        except OSError:
            return
        self._usable = True

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)
