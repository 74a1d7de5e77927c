"""
Read OCMF records, the signed format of charging-station meters (OCMF 1.4.1).

The text between the first two bars is what the meter signed; it is kept byte for byte. Values are
exact: a register is an integer and its number of decimals, never a float.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from settlement.metering.ocmf_json import JsonNumber, MalformedRecordError, json_object

_HEADER: Final = "OCMF"
_PARTS: Final = 3
_TEXT_MAX: Final = 65_536
_INHERITED: Final = ("TM", "TX", "RI", "RU", "RT", "EF", "ST")
_PAGE: Final = re.compile(r"([TF])([0-9]{1,18})")
_VALUE: Final = re.compile(r" *([0-9]{1,18})(?:\.([0-9]{1,12}))? *")
_DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"
_DER: Final = "application/x-der"


@dataclass(frozen=True, slots=True)
class OcmfReading:
    """One reading of a record, what it omits taken from the one before."""

    reason: str
    """``TX``: B begin, C charging, E/L/R/A end, and others."""
    time: str
    """``TM`` as written, or the empty string."""
    digits: int
    """``RV`` without its point, in ``10 ** -decimals`` of ``unit``."""
    decimals: int
    """Number of digits behind the point; they are significant."""
    unit: str
    """``RU``: kWh, Wh, or the unit of a register that is not of energy."""
    obis: str
    """``RI``: which register, or the empty string."""
    error_flags: str
    """``EF``: E energy unusable, t time unusable."""
    status: str
    """``ST``: G is good."""

    def __str__(self) -> str:
        """Return the value as the meter wrote it, with its unit."""
        whole, rest = divmod(self.digits, 10**self.decimals)
        point = f".{rest:0{self.decimals}d}" if self.decimals else ""
        return f"{whole}{point} {self.unit}"


@dataclass(frozen=True, slots=True)
class OcmfRecord:
    """A record as parsed; the payload is untouched."""

    payload: bytes
    """What was signed, byte for byte."""
    pagination_kind: str
    """``T`` transaction or ``F`` fiscal."""
    pagination_number: int
    """Counter of its kind; rises by one for each record."""
    id_tag: str
    """``ID``: whom the session was for, or the empty string."""
    readings: tuple[OcmfReading, ...]
    """Readings, in order."""
    algorithm: str
    """``SA``, or the format's default."""
    signature: bytes
    """``SD``, DER."""


def parse_record(text: str) -> OcmfRecord:
    """
    Read a record without checking its signature.

    Raises
    ------
    MalformedRecordError
        If the text is no OCMF record, naming what is wrong.
    """
    parts = text[: _TEXT_MAX + 1].strip().split("|")
    if len(text) > _TEXT_MAX or len(parts) != _PARTS or parts[0] != _HEADER:
        raise MalformedRecordError("not OCMF|payload|signature")
    payload, signed = json_object(parts[1], "payload"), json_object(parts[2], "signature")
    page = payload.get("PG")
    matched = _PAGE.fullmatch(page) if isinstance(page, str) else None
    if matched is None:
        raise MalformedRecordError(f"pagination {page!r} is neither T<n> nor F<n>")
    identity = payload.get("ID", "")
    if not isinstance(identity, str):
        raise MalformedRecordError("ID is no text")
    return OcmfRecord(
        payload=parts[1].encode(),
        pagination_kind=matched[1],
        pagination_number=int(matched[2]),
        id_tag=identity,
        readings=_readings(payload.get("RD")),
        algorithm=_text(signed, "SA", _DEFAULT_ALGORITHM),
        signature=_signature(signed),
    )


def _readings(given: object) -> tuple[OcmfReading, ...]:
    if not isinstance(given, list) or not given:
        raise MalformedRecordError("RD holds no readings")
    found, before = [], dict.fromkeys(_INHERITED, "")
    for one in given:
        if not isinstance(one, dict):
            raise MalformedRecordError("a reading is no object")
        before |= {name: _text(one, name, "") for name in _INHERITED if name in one}
        found.append(_reading(one.get("RV"), before))
    return tuple(found)


def _reading(value: object, filled: Mapping[str, str]) -> OcmfReading:
    digits, decimals = _value(value)
    return OcmfReading(
        reason=filled["TX"],
        time=filled["TM"],
        digits=digits,
        decimals=decimals,
        unit=filled["RU"],
        obis=filled["RI"],
        error_flags=filled["EF"],
        status=filled["ST"],
    )


def _value(given: object) -> tuple[int, int]:
    """Return digits and decimals of a register, a number or a text of one padded with blanks."""
    text = given.text if isinstance(given, JsonNumber) else given
    matched = _VALUE.fullmatch(text) if isinstance(text, str) else None
    if matched is None:
        raise MalformedRecordError(f"register value {text!r} is no plain decimal number")
    decimals = matched[2] or ""
    return int(matched[1] + decimals), len(decimals)


def _signature(signed: Mapping[str, Any]) -> bytes:
    """Return ``SD`` decoded, hexadecimal or base64 by ``SE`` (OCMF 1.4.1, table 21)."""
    data, encoding = signed.get("SD"), _text(signed, "SE", "hex")
    if not isinstance(data, str) or encoding not in {"hex", "base64"}:
        raise MalformedRecordError("the signature is neither hexadecimal nor base64 text")
    if _text(signed, "SM", _DER) != _DER:
        raise MalformedRecordError("the signature is not in DER")
    try:
        return bytes.fromhex(data) if encoding == "hex" else base64.b64decode(data, validate=True)
    except (ValueError, binascii.Error) as fault:
        raise MalformedRecordError(f"the signature is no {encoding} text") from fault


def _text(given: Mapping[str, Any], name: str, default: str) -> str:
    value = given.get(name, default)
    if not isinstance(value, str):
        raise MalformedRecordError(f"{name} is no text")
    return value
