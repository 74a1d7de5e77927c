"""Say what a meter's register reads at an instant, and what of it is signed."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from contracts.typed_data import (
    Domain,
    TypedDataError,
    digest,
    digest_of_words,
    type_hash,
    words_of,
)
from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours

_TYPE: Final = "Reading"
_METER_ID_BYTES: Final = 32


class Register(IntEnum):
    """Which of a meter's registers."""

    IMPORT = 0
    EXPORT = 1
    GENERATION = 2


class Quality(IntEnum):
    """How a value came about."""

    MEASURED = 0
    ESTIMATED = 1
    SUBSTITUTED = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """One register at one instant."""

    meter_id: str
    """keccak256 of the serial number, 0x-prefixed."""
    register: Register
    """Which register."""
    at_s: UnixSeconds
    """Instant, in Unix seconds."""
    sequence: int
    """Number of the reading in its register; rises."""
    energy_wh: WattHours
    """Energy since installation, in Wh."""
    quality: Quality
    """Measured, estimated by the gateway, or put in a faulty one's place by who runs the meter."""


class MalformedReadingError(UnverifiedReading):
    """A reading that no gateway can have signed, a register below zero for one."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_reading", detail)


def reading_digest(domain: Domain, reading: Reading) -> bytes:
    """
    Return what the gateway signs, 32 bytes (EIP-712, decision 0003).

    Raises
    ------
    MalformedReadingError
        If a field does not fit its type.
    """
    at_s, sequence, energy_wh = reading.at_s, reading.sequence, reading.energy_wh
    meter = _meter_bytes(reading.meter_id)
    if meter is None or not type(at_s) is type(sequence) is type(energy_wh) is int:
        return _any_digest(domain, reading)
    try:
        words = words_of(_TYPE).pack(
            type_hash(_TYPE),
            meter,
            reading.register,
            at_s,
            sequence,
            energy_wh,
            reading.quality,
        )
    except struct.error:
        return _any_digest(domain, reading)
    return digest_of_words(domain, words)


def _meter_bytes(meter_id: str) -> bytes | None:
    """Return the 32 bytes of a meter id, or None if it is not written as gateways do."""
    if not meter_id.startswith("0x"):
        return None
    try:
        raw = bytes.fromhex(meter_id[2:])
    except ValueError:
        return None
    return raw if len(raw) == _METER_ID_BYTES and len(meter_id) == 2 + 2 * len(raw) else None


def _any_digest(domain: Domain, reading: Reading) -> bytes:
    """Return the digest by the general encoding, which says which field does not fit."""
    values = {
        "meterId": reading.meter_id,
        "register": int(reading.register),
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": int(reading.quality),
    }
    try:
        return digest(domain, _TYPE, values)
    except TypedDataError as fault:
        raise MalformedReadingError(str(fault)) from fault
