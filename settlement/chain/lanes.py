"""
Pack what a run moves as the TradeLedger takes it: 23 bytes for the four lanes of a slot.

An entry is the number of the slot (3 bytes) and four deltas of 5 bytes in micros, in two's
complement. Entries ascend by slot; a slot in which nothing moves has none.
"""

from collections.abc import Mapping
from typing import Final

from ledger.errors import Integrity

LANES: Final = 4
"""Accounts in a slot."""
CENT: Final = 10_000
"""Micros of a cent; the contract keeps caps in whole cents."""
EXIT_WAIT_S: Final = 7 * 86_400
"""The longest that the contract makes a request wait for the settler, in seconds."""
_RUNS_PER_PERIOD: Final = 2
_HOUR_S: Final = 3_600

_SLOT_BYTES: Final = 3
_DELTA_BYTES: Final = 5
ENTRY_BYTES: Final = _SLOT_BYTES + LANES * _DELTA_BYTES
"""Length of an entry."""
_DELTA_MAX: Final = 2 ** (8 * _DELTA_BYTES - 1) - 1


class DeltaTooLargeError(Integrity):
    """A run moves more in one account than an entry can say."""

    def __init__(self, lane: int, micros: int) -> None:
        super().__init__("delta_too_large", f"a run moves {micros} micros in lane {lane}")


def runs_kept(settlement_s: int) -> int:
    """
    Return of how many runs the contract keeps the root: a week's periods, corrected once.

    Where periods are longer than an hour, as many as a week has hours, corrected once.
    """
    return _RUNS_PER_PERIOD * EXIT_WAIT_S // min(settlement_s, _HOUR_S)


def pack(deltas: Mapping[int, int]) -> bytes:
    """
    Return the entries of a run.

    Parameters
    ----------
    deltas
        Micros by the account's number.

    Raises
    ------
    DeltaTooLargeError
        If a delta does not fit into 40 bits.
    """
    for lane, micros in deltas.items():
        if abs(micros) > _DELTA_MAX:
            raise DeltaTooLargeError(lane, micros)
    slots = sorted({lane // LANES for lane, micros in deltas.items() if micros})
    return b"".join(_entry(slot, deltas) for slot in slots)


def unpack(entries: bytes) -> dict[int, int]:
    """Return what each account's number is moved by, in micros; an untouched lane is left out."""
    found = {}
    for begin in range(0, len(entries), ENTRY_BYTES):
        entry = entries[begin : begin + ENTRY_BYTES]
        slot = int.from_bytes(entry[:_SLOT_BYTES])
        for index in range(LANES):
            first = _SLOT_BYTES + index * _DELTA_BYTES
            micros = int.from_bytes(entry[first : first + _DELTA_BYTES], signed=True)
            if micros:
                found[slot * LANES + index] = micros
    return found


def _entry(slot: int, deltas: Mapping[int, int]) -> bytes:
    lanes = range(slot * LANES, (slot + 1) * LANES)
    moved = (deltas.get(lane, 0).to_bytes(_DELTA_BYTES, signed=True) for lane in lanes)
    return slot.to_bytes(_SLOT_BYTES) + b"".join(moved)
