"""Verify who signed: meters' keys and what they may say. Checking raises; nothing returns False."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contracts.typed_data import (
    BadSignatureError,
    Domain,
    signing_key,
)
from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours, Watts
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
    revoked: bool = False
    """Whether the calibration authority took it back."""
    register_modulus_wh: WattHours | None = None
    """Where the meter's registers begin again at 0, in Wh, if its maker says so."""


class WrongSignerError(UnverifiedReading):
    """Somebody else signed the reading."""

    def __init__(self, meter_id: str) -> None:
        super().__init__("wrong_signer", f"the signature is not that of meter {meter_id}")


class MeterNotValidError(UnverifiedReading):
    """The key does not count at that instant."""

    def __init__(self, meter_id: str, at_s: int) -> None:
        super().__init__("meter_not_valid", f"meter {meter_id} has no valid key at {at_s}")
        self.at_s: Final = at_s


class WrongCurveError(UnverifiedReading):
    """The meter's key is on a curve that this kind of message does not use."""

    def __init__(self, meter_id: str, curve: Curve) -> None:
        super().__init__("wrong_curve", f"meter {meter_id} signs on {curve}")
        self.curve: Final = curve


class WrongMeterKindError(UnverifiedReading):
    """A meter of this kind does not send such a message."""

    def __init__(self, kind: MeterKind, message: str) -> None:
        super().__init__("wrong_meter_kind", f"a {kind} meter does not sign a {message}")
        self.kind: Final = kind


def verify_reading(domain: Domain, reading: Reading, signature: bytes, key: MeterKey) -> bytes:
    """
    Check that the meter's gateway signed the reading, and return the digest that it signed.

    Raises
    ------
    MeterNotValidError
        If the key does not count at the reading's instant.
    WrongMeterKindError
        If it is a station's key; stations sign OCMF records.
    MalformedReadingError
        If a field does not fit its type.
    WrongCurveError
        If the key is not on secp256k1, on which gateways sign.
    WrongSignerError
        If somebody else signed.
    """
    check_valid(key, reading.meter_id, reading.at_s)
    if key.kind is MeterKind.STATION:
        raise WrongMeterKindError(key.kind, "reading")
    if key.curve is not Curve.SECP256K1:
        raise WrongCurveError(reading.meter_id, key.curve)
    digest = reading_digest(domain, reading)
    try:
        signer = signing_key(digest, signature)
    except BadSignatureError as fault:
        raise WrongSignerError(reading.meter_id) from fault
    if signer != key.public_key:
        raise WrongSignerError(reading.meter_id)
    return digest


def check_valid(key: MeterKey, meter_id: str, at_s: UnixSeconds) -> None:
    """
    Check that the key counts at an instant.

    Raises
    ------
    MeterNotValidError
        If it was revoked, or the instant lies outside its validity.
    """
    if key.revoked or not key.valid_from_s <= at_s < key.valid_until_s:
        raise MeterNotValidError(meter_id, at_s)
