"""Verify who signed: meters' keys and what they may say. Checking raises; nothing returns False."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.typed_data import (
    BadSignatureError,
    Domain,
    address_of_public_key,
    signer_of,
)
from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, Watts
from settlement.metering.readings import Reading, reading_digest


class Curve(StrEnum):
    """Elliptic curve of a meter's key."""

    SECP256K1 = "secp256k1"
    SECP256R1 = "secp256r1"


class MeterKind(StrEnum):
    """What a meter measures."""

    STATION = "station"
    GATEWAY = "gateway"
    FEEDER_HEAD = "feeder"


@dataclass(frozen=True, slots=True)
class MeterKey:
    """The key that speaks for a meter, and how far it may."""

    curve: Curve
    """Its curve."""
    public_key: bytes
    """x and y, 32 bytes each."""
    kind: MeterKind
    """What the meter measures."""
    rated_power_w: Watts
    """Most power the meter can carry, in W."""
    valid_from_s: UnixSeconds
    """First instant its signature counts, in Unix seconds."""
    valid_until_s: UnixSeconds
    """First instant it counts no more, in Unix seconds."""


class WrongSignerError(UnverifiedReading):
    """Somebody else signed the reading."""

    def __init__(self, meter_id: str) -> None:
        super().__init__("wrong_signer", f"the signature is not that of meter {meter_id}")


class MeterNotValidError(UnverifiedReading):
    """The key does not count at that instant."""

    def __init__(self, meter_id: str, at_s: int) -> None:
        super().__init__("meter_not_valid", f"meter {meter_id} has no valid key at {at_s}")


class WrongCurveError(UnverifiedReading):
    """The meter's key is on a curve that this kind of message does not use."""

    def __init__(self, meter_id: str, curve: Curve) -> None:
        super().__init__("wrong_curve", f"meter {meter_id} signs on {curve}")
        self.curve: Final = curve


def verify_reading(domain: Domain, reading: Reading, signature: bytes, key: MeterKey) -> None:
    """
    Check that the meter's gateway signed the reading.

    Raises
    ------
    MeterNotValidError
        If the key does not count at the reading's instant.
    WrongCurveError
        If the key is not on secp256k1, on which gateways sign.
    WrongSignerError
        If somebody else signed.
    """
    if not key.valid_from_s <= reading.at_s < key.valid_until_s:
        raise MeterNotValidError(reading.meter_id, reading.at_s)
    if key.curve is not Curve.SECP256K1:
        raise WrongCurveError(reading.meter_id, key.curve)
    try:
        signer = signer_of(reading_digest(domain, reading), signature)
    except BadSignatureError as fault:
        raise WrongSignerError(reading.meter_id) from fault
    if signer != address_of_public_key(key.public_key):
        raise WrongSignerError(reading.meter_id)
