"""
Write and sign OCMF records as a station's meter does (OCMF 1.4.1).

A record is ``OCMF|<payload>|<signature>``; the signature is over the exact payload bytes. This
writer shares nothing with the reader in ``settlement``: two implementations have to agree.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import coincurve
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from devnet.field.events import FiscalSlice, SessionStops
from devnet.field.keys import Curve, MeterKey
from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds, WattHours

IMPORT_REGISTER: Final = "1-b:1.8.0"
_ALGORITHMS: Final = {
    Curve.SECP256K1: "ECDSA-secp256k1-SHA256",
    Curve.SECP256R1: "ECDSA-secp256r1-SHA256",
}
_WH_PER_KWH: Final = 1_000

SignPayload = Callable[[bytes], bytes]
"""Sign the SHA-256 of a payload; return the signature in DER."""


class RecordTextError(InvalidRequest):
    """A text cannot stand in an OCMF record: ``|`` separates its sections (OCMF 1.4.1, JSON)."""

    def __init__(self, text: str) -> None:
        super().__init__("ocmf_text", f"{text!r} cannot stand in an OCMF record")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a meter showed at an instant, and what it says of itself (OCMF 1.4.1, table 7)."""

    at_s: UnixSeconds
    """When, by the meter's clock."""
    reason: str
    """``TX``: B begin, C course, E end, and so on."""
    register_wh: WattHours
    """Import register, in Wh; a broken one may show less than nothing."""
    clock: str = "S"
    """Standing of the clock: S synchronized, R relative, I informative, U unknown."""
    flags: str = ""
    """``EF``: E if the energy, t if the time cannot be used to bill."""
    state: str = "G"
    """``ST``: G good, or what is wrong with the meter."""


class OcmfMeter:
    """A station's signing meter. Signatures are deterministic (RFC 6979), so replays are too."""

    def __init__(self, key: MeterKey, station: str) -> None:
        self._key: Final = key
        self._station: Final = station
        self._sign: Final = _signer(key)

    def fiscal_record(self, part: FiscalSlice, id_tag: str) -> str:
        """
        Return the signed record ``F<page>`` of one slice of a session.

        Both readings carry ``TX`` ``C``: the slice lies inside a transaction, so unlike a fiscal
        record outside one it names the user (OCMF 1.4.1, table 4).

        Raises
        ------
        RecordTextError
            If the idTag holds a ``|``.
        """
        begin, end = Shown(part.begin_s, "C", part.begin_wh), Shown(part.end_s, "C", part.end_wh)
        return self.record(f"F{part.page}", id_tag, (begin, end))

    def transaction_record(self, stop: SessionStops, id_tag: str) -> str:
        """
        Return the signed record ``T<page>`` of a whole session, its begin and its end.

        Raises
        ------
        RecordTextError
            If the idTag holds a ``|``.
        """
        whole = FiscalSlice(stop.page, stop.begin_s, stop.at_s, stop.begin_wh, stop.end_wh)
        return self.whole_record(whole, id_tag)

    def whole_record(self, whole: FiscalSlice, id_tag: str, end: str = "E") -> str:
        """
        Return the signed record ``T<page>`` of a session from its begin to its end.

        ``end`` says why it ended, as ``TX`` does: ``E``, or ``P`` where the power was lost.

        Raises
        ------
        RecordTextError
            If the idTag holds a ``|``.
        """
        begin = Shown(whole.begin_s, "B", whole.begin_wh)
        return self.record(f"T{whole.page}", id_tag, (begin, Shown(whole.end_s, end, whole.end_wh)))

    def begin_record(self, page: int, at_s: UnixSeconds, register_wh: WattHours, tag: str) -> str:
        """
        Return the signed record ``T<page>`` of a begin alone; its session's end is yet to come.

        Raises
        ------
        RecordTextError
            If the idTag holds a ``|``.
        """
        return self.record(f"T{page}", tag, (Shown(at_s, "B", register_wh),))

    def record(self, page: str, id_tag: str, shown: tuple[Shown, ...]) -> str:
        """
        Return the signed record ``page`` of whatever the meter showed, plausible or not.

        Raises
        ------
        RecordTextError
            If the idTag holds a ``|``.
        """
        if "|" in id_tag:
            raise RecordTextError(id_tag)
        head = {
            "FV": "1.4",
            "GI": "Voisin field station",
            "GS": self._station,
            "PG": page,
            "MV": "Voisin",
            "MM": "Field meter",
            "MS": self._key.serial,
            "IS": True,
            "IL": "VERIFIED",
            "IF": ["OCPP_AUTH"],
            "IT": "CENTRAL",
            "ID": id_tag,
        }
        opening = json.dumps(head, separators=(",", ":")).removesuffix("}")
        payload = f'{opening},"RD":[{",".join(map(_reading, shown))}]}}'
        signature = {
            "SA": _ALGORITHMS[self._key.curve],
            "SD": self._sign(payload.encode()).hex().upper(),
        }
        return f"OCMF|{payload}|{json.dumps(signature, separators=(',', ':'))}"


def ocmf_instant(at_s: UnixSeconds) -> str:
    """Return an instant as OCMF writes it, in UTC, from a synchronized clock (table 7, ``TM``)."""
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%S,000+0000 S")


def _reading(shown: Shown) -> str:
    # RV is written from integers: its decimals are significant and no float may touch them.
    sign = "-" if shown.register_wh < 0 else ""
    whole, rest = divmod(abs(shown.register_wh), _WH_PER_KWH)
    at = ocmf_instant(shown.at_s).removesuffix("S") + shown.clock
    return (
        f'{{"TM":"{at}","TX":"{shown.reason}","RV":{sign}{whole}.{rest:03d},'
        f'"RI":"{IMPORT_REGISTER}","RU":"kWh","EF":"{shown.flags}","ST":"{shown.state}"}}'
    )


def _signer(key: MeterKey) -> SignPayload:
    if key.curve is Curve.SECP256K1:
        koblitz = coincurve.PrivateKey(key.private_key)
        return lambda payload: koblitz.sign(hashlib.sha256(payload).digest(), hasher=None)
    secret = ec.derive_private_key(int.from_bytes(key.private_key), ec.SECP256R1())
    algorithm = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
    return lambda payload: secret.sign(payload, algorithm)
