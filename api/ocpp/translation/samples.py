"""
Read the meter values of any version of OCPP: energy in Wh, power in W, signed OCMF records.

Versions differ in how a sampled value says its number, its unit and its signature; each hands over
``Sample``s, and the rest is the same. What cannot be read is left out and said.
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final

from api.ocpp.translation.instants import read_instant
from ledger.errors import UnverifiedReading, VoisinError
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.charging.reports import MeterValue

REGISTER: Final = "Energy.Active.Import.Register"
POWER: Final = "Power.Active.Import"
PERIODIC: Final = "Sample.Periodic"
DEFAULT_UNITS: Final = {REGISTER: "Wh", POWER: "W"}

_ENERGY_UNITS: Final = {"Wh": 0, "kWh": 3}
_POWER_UNITS: Final = {"W": 0, "kW": 3}
_OUTLET: Final = "Outlet"
_ENCODING: Final = "ocmf"
_MAGNITUDE_MAX: Final = 15
"""Powers of ten beyond which a number is nonsense: 2^53 is the most that JSON carries exactly."""
_TEXT_CHARACTERS: Final = 64


class UnreadableValueError(UnverifiedReading):
    """A station's meter value, or a part of it, cannot be read; the rest of the message counts."""

    def __init__(self, detail: str) -> None:
        super().__init__("unreadable_value", detail)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sampled value, in the form that no version has."""

    number: object
    """The number: text in 1.6, a JSON number in 2.x."""
    measurand: str
    """What is measured."""
    context: str
    """Why it was measured."""
    unit: str
    """Unit of the number; may carry a power of ten in ``multiplier``."""
    multiplier: int
    """Power of ten that the number is to be multiplied with."""
    whole: bool
    """Whether it is of the outlet and all its phases."""
    signed: Mapping[str, Any] | None
    """Signed meter value, if it is one."""
    plain: bool
    """Whether its number counts: 1.6 has the signed value in the number's place."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What the meter values of a message say."""

    values: tuple[MeterValue, ...]
    """Unsigned values, in order."""
    records: tuple[str, ...]
    """Signed OCMF records, in order."""
    faults: tuple[VoisinError, ...]
    """What could not be read."""


def read_meter_values(
    meter_values: Sequence[Mapping[str, Any]], sample: Callable[[Mapping[str, Any]], Sample]
) -> Readings:
    """Return what ``meter_values`` say; ``sample`` reads a sampled value of the version at hand."""
    values: list[MeterValue] = []
    records: list[str] = []
    faults: list[VoisinError] = []
    for meter_value in meter_values:
        at_s = read_instant(meter_value.get("timestamp"))
        if at_s is None:
            faults.append(UnreadableValueError(f"{_cut(meter_value.get('timestamp'))} is no time"))
        samples = list(_samples(meter_value, sample, faults))
        records += _records(samples, faults)
        if at_s is not None:
            values += _values(at_s, samples, faults)
    return Readings(tuple(values), tuple(records), tuple(faults))


def _samples(
    meter_value: Mapping[str, Any],
    sample: Callable[[Mapping[str, Any]], Sample],
    faults: list[VoisinError],
) -> Iterator[Sample]:
    for raw in meter_value.get("sampledValue") or ():
        try:
            yield sample(raw)
        except UnreadableValueError as fault:
            faults.append(fault)


def _values(
    at_s: UnixSeconds, samples: Sequence[Sample], faults: list[VoisinError]
) -> Iterator[MeterValue]:
    """Return one meter value for each context that says energy or power."""
    registers: dict[str, WattHours] = {}
    powers: dict[str, Watts] = {}
    for one in samples:
        if not (one.plain and one.whole):
            continue
        try:
            if one.measurand == REGISTER:
                registers[one.context] = WattHours(_whole(one, _ENERGY_UNITS))
            elif one.measurand == POWER:
                powers[one.context] = Watts(_whole(one, _POWER_UNITS))
        except UnreadableValueError as fault:
            faults.append(fault)
    for context in dict.fromkeys((*registers, *powers)):
        yield MeterValue(at_s, registers.get(context), powers.get(context), context)


def _whole(sample: Sample, units: Mapping[str, int]) -> int:
    """Return a number in its base unit, rounded down."""
    power = units.get(sample.unit)
    if power is None:
        raise UnreadableValueError(f"{sample.measurand} in {_cut(sample.unit)}")
    number = read_number(sample.number)
    shift = power + sample.multiplier
    if number is None or abs(sample.multiplier) > _MAGNITUDE_MAX:
        raise UnreadableValueError(f"{sample.measurand} is {_cut(sample.number)}")
    if number and number.adjusted() + shift > _MAGNITUDE_MAX:
        raise UnreadableValueError(f"{sample.measurand} is {_cut(sample.number)} {sample.unit}")
    return int(number.scaleb(shift).to_integral_value(ROUND_FLOOR))


def read_number(told: object) -> Decimal | None:
    """Return a decimal number of moderate size, or None if it is none."""
    if not isinstance(told, str | int | Decimal) or isinstance(told, bool):
        return None
    try:
        number = Decimal(told) if len(str(told)) <= _TEXT_CHARACTERS else Decimal("NaN")
    except InvalidOperation:
        return None
    moderate = number.is_finite() and abs(number.adjusted()) <= 2 * _MAGNITUDE_MAX
    return number if moderate else None


def read_whole(told: object) -> int | None:
    """Return a whole number that JSON and the database can carry, or None if it is none."""
    if isinstance(told, bool) or not isinstance(told, int):
        return None
    return told if abs(told) < 10**_MAGNITUDE_MAX else None


def read_exactly(text: str) -> Any:  # noqa: ANN401 - what JSON holds is of any type
    """Return JSON with decimals in place of floats; one that is no number becomes not a number."""
    return json.loads(text, parse_float=_decimal)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("NaN")


def _records(samples: Sequence[Sample], faults: list[VoisinError]) -> Iterator[str]:
    for one in samples:
        if one.signed is None:
            continue
        try:
            yield _opened(one.signed)
        except UnreadableValueError as fault:
            faults.append(fault)


def _opened(signed: Mapping[str, Any]) -> str:
    """
    Return the OCMF record in a signed meter value.

    It is base64 (OCA application note "Signed Meter Values" 1.0, ``SignedMeterValueType``).
    """
    encoding = signed.get("encodingMethod")
    if not isinstance(encoding, str) or encoding.casefold() != _ENCODING:
        raise UnreadableValueError(f"a signed value is encoded as {_cut(encoding)}, not OCMF")
    try:
        text = base64.b64decode(signed["signedMeterData"], validate=True).decode()
    except (KeyError, TypeError, ValueError, binascii.Error) as fault:
        raise UnreadableValueError(f"a signed value cannot be opened: {fault}") from fault
    if "\0" in text:
        raise UnreadableValueError("a signed value contains the character NUL")
    return text


def _cut(told: object) -> str:
    return repr(told)[:_TEXT_CHARACTERS]
