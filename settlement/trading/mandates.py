"""A member's standing limits, signed once (EIP-712 ``Mandate``, decision 0003)."""

from dataclasses import dataclass
from typing import Final

from contracts.typed_data import (
    BadSignatureError,
    Domain,
    TypedDataError,
    digest,
    hash_struct,
    signer_of,
)
from ledger.errors import InvalidRequest, NotAuthenticated
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds

_MINUTES_PER_DAY: Final = 1_440
_BANDS_MAX: Final = 8


class BadMandateError(InvalidRequest):
    """Bands that leave a gap or overlap, or a validity that never is."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_mandate", detail)


class MandateNotSignedError(NotAuthenticated):
    """Somebody else signed the mandate."""

    def __init__(self, member: str) -> None:
        super().__init__("mandate_not_signed", f"the mandate is not signed by {member}")


@dataclass(frozen=True, slots=True)
class Band:
    """Limits for a part of the local day."""

    from_minute: int
    """First minute of the day, 0 to 1439."""
    until_minute: int
    """First minute after it, up to 1440."""
    sell_not_below: MicrosPerKilowattHour
    """Least energy price to sell at."""
    buy_not_above: MicrosPerKilowattHour
    """Most to pay for energy, toll and levy, before VAT."""


@dataclass(frozen=True, slots=True)
class Mandate:
    """Standing limits of one member."""

    member: str
    """Wallet, lower case."""
    bands: tuple[Band, ...]
    """Bands that cover the day."""
    cap_micros: Micros
    """Most the member may be debited per interval."""
    valid_from_s: UnixSeconds
    """First instant it counts, in Unix seconds."""
    valid_until_s: UnixSeconds
    """First instant it counts no more, in Unix seconds."""
    nonce: int
    """A higher one replaces a lower one."""


def mandate_hash(mandate: Mandate) -> bytes:
    """Return the struct hash of a mandate, 32 bytes: the order hash in the settlement leaf."""
    return hash_struct("Mandate", _values(mandate))


def verify_mandate(domain: Domain, mandate: Mandate, signature: bytes) -> None:
    """
    Check that the member signed the mandate and that it makes sense.

    Raises
    ------
    BadMandateError
        If its bands do not cover the day once, or its validity is empty.
    MandateNotSignedError
        If somebody else signed.
    """
    check_mandate(mandate)
    try:
        signed = digest(domain, "Mandate", _values(mandate))
    except TypedDataError as fault:
        raise BadMandateError(str(fault)) from fault
    try:
        signer = signer_of(signed, signature)
    except BadSignatureError as fault:
        raise MandateNotSignedError(mandate.member) from fault
    if "0x" + signer.hex() != mandate.member:
        raise MandateNotSignedError(mandate.member)


def band_at(mandate: Mandate, at_s: UnixSeconds, utc_offset_minutes: int) -> Band:
    """Return the band in force at an instant, local time being UTC plus a fixed offset."""
    minute = (at_s // 60 + utc_offset_minutes) % _MINUTES_PER_DAY
    return next(b for b in mandate.bands if b.from_minute <= minute < b.until_minute)


def check_mandate(mandate: Mandate) -> None:
    """
    Check that a mandate makes sense, whoever signed it.

    Raises
    ------
    BadMandateError
        If its bands do not cover the day once, or its validity is empty.
    """
    if mandate.valid_from_s >= mandate.valid_until_s:
        raise BadMandateError("the mandate is never valid")
    if not 1 <= len(mandate.bands) <= _BANDS_MAX:
        raise BadMandateError(f"{len(mandate.bands)} bands, not 1 to {_BANDS_MAX}")
    minute = 0
    for band in mandate.bands:
        if band.from_minute != minute or band.until_minute <= minute:
            raise BadMandateError(f"a gap or overlap at minute {minute}")
        minute = band.until_minute
    if minute != _MINUTES_PER_DAY:
        raise BadMandateError(f"the day ends at minute {minute}")


def _values(mandate: Mandate) -> dict[str, object]:
    return {
        "member": mandate.member,
        "bands": [
            {
                "fromMinute": band.from_minute,
                "untilMinute": band.until_minute,
                "sellNotBelow": band.sell_not_below,
                "buyNotAbove": band.buy_not_above,
            }
            for band in mandate.bands
        ],
        "capMicros": mandate.cap_micros,
        "validFrom": mandate.valid_from_s,
        "validUntil": mandate.valid_until_s,
        "nonce": mandate.nonce,
    }
