"""
Read and verify OCMF records, the signed format of charging-station meters (OCMF 1.4.1).

The text between the first two bars is what the meter signed; it is kept byte for byte. Values are
exact: a register is an integer and its number of decimals, never a float.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ledger.errors import UnverifiedReading
from ledger.units import WattHours

_HEADER: Final = "OCMF"
_PARTS: Final = 3
_BEGIN: Final = frozenset({"B"})
_END: Final = frozenset({"E", "L", "R", "A"})
_INHERITED: Final = ("TM", "TX", "RI", "RU", "RT", "EF", "ST")
_MILLI_WH: Final = {"kWh": 3, "Wh": 0}
_PAGE_DIGITS_MAX: Final = 18
_DECIMALS_MAX: Final = 12
_DEFAULT_ALGORITHM: Final = "ECDSA-secp256r1-SHA256"


class MalformedRecordError(UnverifiedReading):
    """The text is no OCMF record."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_record", detail)


class UnusableEnergyError(UnverifiedReading):
    """The meter itself says that the energy must not be billed."""

    def __init__(self, detail: str) -> None:
        super().__init__("unusable_energy", detail)


class IncompleteRecordError(UnverifiedReading):
    """A record without a begin or an end."""

    def __init__(self, missing: str) -> None:
        super().__init__("incomplete_record", f"the record has no {missing} reading")


class RecordBackwardsError(UnverifiedReading):
    """The end register is below the begin register."""

    def __init__(self, begin: str, end: str) -> None:
        super().__init__("record_backwards", f"the register went from {begin} to {end}")


@dataclass(frozen=True, slots=True)
class OcmfReading:
    """One reading of a record, what it omits taken from the one before."""

    reason: str
    """``TX``: B begin, C charging, E/L/R/A end, and others."""
    time: str
    """``TM`` as written, or the empty string."""
    value: Decimal
    """``RV``, exact, in ``unit``."""
    unit: str
    """``RU``: kWh or Wh."""
    obis: str
    """``RI``, or the empty string."""
    error_flags: str
    """``EF``: E energy unusable, t time unusable."""
    status: str
    """``ST``: G is good."""


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
    """``ID``: whom the session was for."""
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
    parts = text.strip().split("|")
    if len(parts) != _PARTS or parts[0] != _HEADER:
        raise MalformedRecordError("not OCMF|payload|signature")
    payload, signed = _object(parts[1], "payload"), _object(parts[2], "signature")
    page = payload.get("PG")
    if not isinstance(page, str) or page[:1] not in {"T", "F"}:
        raise MalformedRecordError(f"pagination {page!r} is neither T<n> nor F<n>")
    digits = page[1:]
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _PAGE_DIGITS_MAX):
        raise MalformedRecordError(f"pagination {page!r} has no number")
    identity = payload.get("ID", "")
    if not isinstance(identity, str):
        raise MalformedRecordError("ID is no text")
    return OcmfRecord(
        payload=parts[1].encode(),
        pagination_kind=page[0],
        pagination_number=int(digits),
        id_tag=identity,
        readings=_readings(payload.get("RD")),
        algorithm=str(signed.get("SA", _DEFAULT_ALGORITHM)),
        signature=_signature(signed),
    )


def register_pair(record: OcmfRecord) -> tuple[OcmfReading, OcmfReading]:
    """
    Return the first begin reading and the last end reading.

    Raises
    ------
    IncompleteRecordError
        If one is missing.
    UnusableEnergyError
        If the meter flags one as not to be billed.
    """
    begins = [one for one in record.readings if one.reason in _BEGIN]
    ends = [one for one in record.readings if one.reason in _END]
    if not begins:
        raise IncompleteRecordError("begin")
    if not ends:
        raise IncompleteRecordError("end")
    for one in (begins[0], ends[-1]):
        if one.status != "G":
            raise UnusableEnergyError(f"meter status is {one.status!r}")
        if "E" in one.error_flags:
            raise UnusableEnergyError("the meter flags its energy as wrong")
    return begins[0], ends[-1]


def energy_between(begin: OcmfReading, end: OcmfReading) -> WattHours:
    """
    Return the energy from ``begin`` to ``end``: subtracted exactly, floored to Wh once.

    Raises
    ------
    RecordBackwardsError
        If the end lies below the begin.
    """
    difference = in_wh(end) - in_wh(begin)
    if difference < 0:
        raise RecordBackwardsError(f"{begin.value} {begin.unit}", f"{end.value} {end.unit}")
    return WattHours(int(difference))


def in_wh(reading: OcmfReading) -> Decimal:
    """Return a register in Wh, exact."""
    return reading.value.scaleb(_MILLI_WH[reading.unit])


def _object(text: str, what: str) -> Mapping[str, Any]:
    """Parse a JSON object; numbers keep their decimals, a key may stand once."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in pairs}) != len(pairs):
            raise MalformedRecordError(f"a key stands twice in the {what}")
        return dict(pairs)

    try:
        found = json.loads(
            text,
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=once,
        )
    except (json.JSONDecodeError, RecursionError, InvalidOperation) as fault:
        raise MalformedRecordError(f"the {what} is no JSON: {fault}") from fault
    if not isinstance(found, dict):
        raise MalformedRecordError(f"the {what} is no object")
    return found


def _no_constant(text: str) -> Decimal:
    raise MalformedRecordError(f"{text} is no number")


def _readings(given: object) -> tuple[OcmfReading, ...]:
    if not isinstance(given, list) or not given:
        raise MalformedRecordError("RD holds no readings")
    found, before = [], dict.fromkeys(_INHERITED, "")
    for one in given:
        if not isinstance(one, dict):
            raise MalformedRecordError("a reading is no object")
        before |= {name: one[name] for name in _INHERITED if name in one}
        found.append(_reading(one, before))
    return tuple(found)


def _reading(one: Mapping[str, Any], filled: Mapping[str, Any]) -> OcmfReading:
    if not all(isinstance(value, str) for value in filled.values()):
        raise MalformedRecordError("a reading's field is no text")
    if filled["RU"] not in _MILLI_WH:
        raise MalformedRecordError(f"unit {filled['RU']!r} is neither kWh nor Wh")
    return OcmfReading(
        reason=filled["TX"],
        time=filled["TM"],
        value=_value(one.get("RV")),
        unit=filled["RU"],
        obis=filled["RI"],
        error_flags=filled["EF"],
        status=filled["ST"],
    )


def _value(given: object) -> Decimal:
    """Return a register value, a number or a text of one; padding is allowed."""
    text = str(given).strip() if isinstance(given, (str, Decimal)) else ""
    whole, _, decimals = text.partition(".")
    plain = (whole + decimals).isascii() and (whole + decimals).isdigit() and whole
    if not plain or len(decimals) > _DECIMALS_MAX or len(whole) > _PAGE_DIGITS_MAX:
        raise MalformedRecordError(f"register value {given!r} is no plain decimal number")
    return Decimal(text)


def _signature(signed: Mapping[str, Any]) -> bytes:
    data, encoding = signed.get("SD"), signed.get("SE", "hex")
    if not isinstance(data, str) or encoding != "hex":
        raise MalformedRecordError("the signature is not hexadecimal text")
    try:
        return bytes.fromhex(data)
    except ValueError as fault:
        raise MalformedRecordError("the signature is not hexadecimal text") from fault
