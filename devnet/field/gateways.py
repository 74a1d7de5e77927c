"""
Sign readings as home gateways and the feeder-head meter do, and send them over HTTP.

A reading is EIP-712 typed data (``Reading``), signed with the gateway's secp256k1 key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import httpx2

from contracts.typed_data import Domain, digest, sign
from devnet.field.events import FeederReading, HomeReadings
from devnet.field.keys import MeterKey
from ledger.errors import VoisinError
from ledger.units import UnixSeconds, WattHours

READINGS_PATH: Final = "/api/readings"
_STATUSES: Final = frozenset({"accepted", "replayed", "refused"})


class Register(IntEnum):
    """Cumulative registers of a meter, numbered as the typed data is."""

    IMPORT = 0
    EXPORT = 1
    GENERATION = 2


class Quality(IntEnum):
    """How a reading came about, numbered as the typed data is."""

    MEASURED = 0
    ESTIMATED = 1


class ReadingsNotTakenError(VoisinError):
    """The service did not answer a batch of readings as it should."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__("readings_not_taken", f"HTTP {status}: {body}", transient=True)
        self.status: Final = status


@dataclass(frozen=True, slots=True)
class Reading:
    """A register's value at an instant."""

    meter_id: bytes
    """Id of the meter, 32 bytes."""
    register: Register
    """Which register."""
    at_s: UnixSeconds
    """When it was read."""
    sequence: int
    """Number of the reading in its register."""
    energy_wh: WattHours
    """Energy since installation, in Wh."""
    quality: Quality = Quality.MEASURED
    """How it came about."""


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading and its gateway's signature."""

    reading: Reading
    """What is signed."""
    signature: bytes
    """r, s, v: 65 bytes."""

    def as_json(self) -> dict[str, object]:
        """Return the reading as the API takes it."""
        reading = self.reading
        return {
            "meter_id": "0x" + reading.meter_id.hex(),
            "register": reading.register.name.lower(),
            "at_s": reading.at_s,
            "sequence": reading.sequence,
            "energy_wh": reading.energy_wh,
            "quality": reading.quality.name.lower(),
            "signature": "0x" + self.signature.hex(),
        }


@dataclass(frozen=True, slots=True)
class ReadingAnswer:
    """What the service made of one reading."""

    status: str
    """``accepted``, ``replayed`` or ``refused``."""
    code: str | None
    """Why it was refused."""
    detail: str | None
    """The same for people."""


def sign_reading(reading: Reading, key: MeterKey, domain: Domain) -> SignedReading:
    """Sign ``reading`` with ``key`` (EIP-712, type ``Reading``)."""
    values: Mapping[str, object] = {
        "meterId": reading.meter_id,
        "register": int(reading.register),
        "at": reading.at_s,
        "sequence": reading.sequence,
        "energyWh": reading.energy_wh,
        "quality": int(reading.quality),
    }
    return SignedReading(reading, sign(digest(domain, "Reading", values), key.private_key))


def sign_home(event: HomeReadings, key: MeterKey, domain: Domain) -> tuple[SignedReading, ...]:
    """Return the home's three registers, signed by its gateway."""
    return _sign_registers(
        event, key, domain, (event.import_wh, event.export_wh, event.generation_wh)
    )


def sign_feeder(event: FeederReading, key: MeterKey, domain: Domain) -> tuple[SignedReading, ...]:
    """Return the feeder head's two registers, signed by its meter."""
    return _sign_registers(event, key, domain, (event.import_wh, event.export_wh))


def readings_body(readings: Sequence[SignedReading]) -> dict[str, object]:
    """Return the body of ``POST /api/readings``."""
    return {"readings": [reading.as_json() for reading in readings]}


async def post_readings(
    client: httpx2.AsyncClient, readings: Sequence[SignedReading]
) -> tuple[ReadingAnswer, ...]:
    """
    Send ``readings`` in one request and return the service's answer to each, in their order.

    Sending the same readings again changes nothing (law L6).

    Raises
    ------
    ReadingsNotTakenError
        If the answer is no answer to these readings; the same bytes may be sent again.
    """
    response = await client.post(READINGS_PATH, json=readings_body(readings))
    if response.status_code != httpx2.codes.OK:
        raise ReadingsNotTakenError(response.status_code, response.text)
    answers = response.json().get("readings", [])
    if len(answers) != len(readings) or any(a.get("status") not in _STATUSES for a in answers):
        raise ReadingsNotTakenError(response.status_code, response.text)
    return tuple(ReadingAnswer(a["status"], a.get("code"), a.get("detail")) for a in answers)


def _sign_registers(
    event: HomeReadings | FeederReading,
    key: MeterKey,
    domain: Domain,
    registers_wh: Sequence[WattHours],
) -> tuple[SignedReading, ...]:
    return tuple(
        sign_reading(
            Reading(key.meter_id, Register(n), event.at_s, event.sequence, energy_wh), key, domain
        )
        for n, energy_wh in enumerate(registers_wh)
    )
