"""Damage the block log of a copy, and see that the node notices or that nothing told is lost."""

import contextlib
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devnet.node.chain import Devnet
from devnet.store.log import LOG_FILE, BlockRecordDamagedError, Record, read_records
from devnet.store.records import BlockRecord
from ledger.clock import SystemClock
from ledger.errors import Integrity
from scripts.campaigns.senders import GENESIS

_BITS: Final = 8
_PAGE: Final = 4_096


class DamageMissedError(Integrity):
    """Damage was not noticed, or was looked for in the wrong place."""

    def __init__(self, what: str) -> None:
        super().__init__("damage_missed", what)


@dataclass(slots=True)
class DamageTally:
    """What damaged copies came to."""

    torn: int = 0
    """Copies whose last record was cut short, or whose end was all zero."""
    cut_off: int = 0
    """Of these, how many opened at the block before; the others were refused by number."""
    flipped: int = 0
    """Copies with one flipped bit anywhere."""
    refused: int = 0
    """Of these, how many were refused by the number of the right record."""


def tear(directory: Path, rng: random.Random, tally: DamageTally) -> None:
    """
    Cut the last record short, as if its write had been under way, or leave zeros for its end.

    Raises
    ------
    DamageMissedError
        If the chain opens anywhere but at the block before, or another record is blamed.
    """
    records = list(read_records(directory))
    last = records[-1]
    path = directory / LOG_FILE
    data = path.read_bytes()[: rng.randrange(last.place.offset, last.place.end)]
    path.write_bytes(data + bytes(rng.choice((0, 0, 1, _PAGE))))
    tally.torn += 1
    try:
        found = _open(directory)
    except BlockRecordDamagedError as refused:
        if refused.number != last.number:
            raise DamageMissedError(f"record {last.number} torn: {refused}") from refused
        return
    if found != _head_after(records[:-1]):
        raise DamageMissedError(f"record {last.number} torn, but the head is {found}")
    tally.cut_off += 1


def flip(directory: Path, rng: random.Random, tally: DamageTally) -> None:
    """
    Flip one bit anywhere in the log.

    Raises
    ------
    DamageMissedError
        If the chain opens, or another record is blamed.
    """
    records = list(read_records(directory))
    path = directory / LOG_FILE
    data = bytearray(path.read_bytes())
    at = rng.randrange(records[-1].place.end)
    data[at] ^= 1 << rng.randrange(_BITS)
    path.write_bytes(data)
    tally.flipped += 1
    hit = next(record.number for record in records if at < record.place.end)
    try:
        found = _open(directory)
    except BlockRecordDamagedError as refused:
        if refused.number != hit:
            raise DamageMissedError(f"record {hit} changed: {refused}") from refused
        tally.refused += 1
        return
    raise DamageMissedError(f"record {hit} changed, but the chain opens at {found}")


def _open(directory: Path) -> str:
    """Return the head of the chain, as the node sees it."""
    with contextlib.closing(Devnet.open(directory, GENESIS, SystemClock())) as node:
        return node.head_hash if node.head_number else ""


def _head_after(records: list[Record]) -> str:
    """Return the hash of the last block, as 0x hex; nothing if there is none after block 0."""
    if not records:
        return ""
    block_hash, _ = BlockRecord.decode(records[-1].payload).header()
    return "0x" + block_hash.hex()
