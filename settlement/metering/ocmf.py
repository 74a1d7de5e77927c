"""
Read OCMF records, the signed format of charging-station meters (OCMF 1.4.1).

The text between the first two bars is what the meter signed; it is kept byte for byte. Values are
exact: a register is an integer and its number of decimals, never a float. A transaction record is
refused here just if the contract refuses it whatever session it is of.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from settlement.metering.ocmf_json import (
    JsonNumber,
    JsonObject,
    JsonText,
    MalformedRecordError,
    json_object,
)

_HEADER: Final = "OCMF"
_PARTS: Final = 3
_TEXT_MAX: Final = 65_536
_COMPARED: Final = ("TX", "RI", "RU", "EF", "ST")
_PAGE: Final = re.compile(r"([TF])([0-9]{1,18})")
_VALUE: Final = re.compile(r" *([0-9]{1,18})(?:\.([0-9]{1,12}))? *")
_DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"
_DER: Final = "application/x-der"
_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class OcmfReading:
    """One reading of a record, what it omits taken from the one before."""

    reason: str
    """``TX``: B begin, C charging, E/L/R/A end, and others."""
    time: str
    """``TM``, or the empty string if it is missing or no text."""
    digits: int | None
    """
    ``RV`` without its point, in ``10 ** -decimals`` of ``unit``; None if it is missing or no plain
    decimal number, which is no fault unless the reading counts.
    """
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
    loss_digits: int | None = None
    """
    ``CL`` without its point: energy lost in the cable since the begin, in ``10 ** -loss_decimals``
    of ``unit``, which ``RV`` holds no more; None if the meter does not compensate.
    """
    loss_decimals: int = 0
    """Number of digits behind the point of ``CL``."""

    def __str__(self) -> str:
        """Return the value as the meter wrote it, with its unit."""
        if self.digits is None:
            return f"no number of {self.unit}"
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
    """``SD``: DER, or r and s one after the other."""
    meter_serial: str = ""
    """``MS``: serial number of the meter, or the empty string."""


@lru_cache(_REMEMBERED)
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
    page = _compared(payload, "PG")
    matched = _PAGE.fullmatch(page) if page is not None else None
    if matched is None:
        raise MalformedRecordError(f"pagination {page!r} is neither T<n> nor F<n>")
    return OcmfRecord(
        payload=parts[1].encode(),
        pagination_kind=matched[1],
        pagination_number=int(matched[2]),
        id_tag=_compared(payload, "ID") or "",
        readings=_readings(payload.get("RD")),
        algorithm=_text(signed, "SA", _DEFAULT_ALGORITHM),
        signature=_signature(signed),
        meter_serial=_serial(payload),
    )


def _readings(given: object) -> tuple[OcmfReading, ...]:
    """Return the readings; what one omits it takes from the one before (OCMF 1.4.1, table 7)."""
    if not isinstance(given, tuple) or not given:
        raise MalformedRecordError("RD holds no readings")
    found, before, time = [], dict.fromkeys(_COMPARED, ""), ""
    for one in given:
        if not isinstance(one, JsonObject):
            raise MalformedRecordError("a reading is no object")
        texts = {name: _compared(one, name) for name in _COMPARED}
        before |= {name: text for name, text in texts.items() if text is not None}
        time = _time(one, time)
        digits, decimals = _value(one.get("RV"))
        loss_digits, loss_decimals = _loss(one)
        found.append(
            OcmfReading(
                reason=before["TX"],
                time=time,
                digits=digits,
                decimals=decimals,
                unit=before["RU"],
                obis=before["RI"],
                error_flags=before["EF"],
                status=before["ST"],
                loss_digits=loss_digits,
                loss_decimals=loss_decimals,
            )
        )
    return tuple(found)


def _compared(given: JsonObject, name: str) -> str | None:
    """Return a text that is compared, or None; an escape in it could hide what it says."""
    if name not in given:
        return None
    value = given.get(name)
    if not isinstance(value, JsonText):
        raise MalformedRecordError(f"{name} is no text")
    if value.is_escaped:
        raise MalformedRecordError(f"{name} holds an escape")
    return value.raw


def _serial(payload: JsonObject) -> str:
    """Return ``MS``, which the contract does not look at: whatever stands there is no fault."""
    found = [value for name, value in payload.members if name == "MS"]
    return found[0].decoded if len(found) == 1 and isinstance(found[0], JsonText) else ""


def _time(given: JsonObject, before: str) -> str:
    """Return ``TM``, which the contract does not look at: whatever stands there is no fault."""
    found = [value for name, value in given.members if name == "TM"]
    if not found:
        return before
    return found[-1].decoded if isinstance(found[-1], JsonText) else ""


def _loss(given: JsonObject) -> tuple[int | None, int]:
    """Return ``CL``, which the contract does not look at: whatever stands there is no fault."""
    found = [value for name, value in given.members if name == "CL"]
    return _value(found[-1]) if found else (None, 0)


def _value(given: object) -> tuple[int | None, int]:
    """Return digits and decimals of a register, a number or a text of one padded with blanks."""
    text = given.raw if isinstance(given, JsonText) else ""
    matched = _VALUE.fullmatch(given.text if isinstance(given, JsonNumber) else text)
    if matched is None:
        return None, 0
    decimals = matched[2] or ""
    return int(matched[1] + decimals), len(decimals)


def _signature(signed: JsonObject) -> bytes:
    """Return ``SD`` decoded, hexadecimal or base64 by ``SE`` (OCMF 1.4.1, table 21)."""
    data, encoding = signed.get("SD"), _text(signed, "SE", "hex")
    if not isinstance(data, JsonText) or encoding not in {"hex", "base64"}:
        raise MalformedRecordError("the signature is neither hexadecimal nor base64 text")
    if _text(signed, "SM", _DER) != _DER:
        raise MalformedRecordError("the signature is not in DER")
    try:
        if encoding == "hex":
            return bytes.fromhex(data.decoded)
        return base64.b64decode(data.decoded, validate=True)
    except (ValueError, binascii.Error) as fault:
        raise MalformedRecordError(f"the signature is no {encoding} text") from fault


def _text(given: JsonObject, name: str, default: str) -> str:
    if name not in given:
        return default
    value = given.get(name)
    if not isinstance(value, JsonText):
        raise MalformedRecordError(f"{name} is no text")
    return value.decoded
