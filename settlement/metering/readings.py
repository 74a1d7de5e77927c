"""Say what a meter's register reads at an instant, and what of it is signed."""

from dataclasses import dataclass
from enum import IntEnum

from contracts.typed_data import Domain, TypedDataError, digest
from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours


class Register(IntEnum):
    """Which of a meter's registers."""

    IMPORT = 0
    EXPORT = 1
    GENERATION = 2


class Quality(IntEnum):
    """How a value came about."""

    MEASURED = 0
    ESTIMATED = 1


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
    """Measured, or estimated by the gateway."""


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
    values = {
        "meterId": reading.meter_id,
        "register": int(reading.register),
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": int(reading.quality),
    }
    try:
        return digest(domain, "Reading", values)
    except TypedDataError as fault:
        raise MalformedReadingError(str(fault)) from fault
