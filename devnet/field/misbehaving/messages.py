"""
Make bad messages of a station out of good ones, in OCPP 1.6 and 2.x.

Each is wrong in one respect only. A message sent twice, in another order or under another message
id needs no maker here: ``Terminal.send`` sends whatever it is given.
"""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from devnet.field.stations.notes import UNKNOWN_NUMBER, Message, SignedValue
from devnet.field.stations.speech2 import signed_type
from devnet.field.stations.speech16 import signed_document

BAD_VALUES: Final[tuple[object, ...]] = (
    "NaN",
    -1,
    "-1",
    "",
    "12,5",
    "1e400",
    "twelve",
    None,
    True,
    [],
)
"""What real meters wrote where a register belongs."""

_REGISTERS: Final = ("meterStart", "meterStop")
_VALUES: Final = ("meterValue", "transactionData")
_SECOND_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"


def without_number(message: Message) -> Message:
    """Return a 1.6 message of a transaction whose number never arrived: -1."""
    return _with(message, transactionId=UNKNOWN_NUMBER)


def with_tag(message: Message, id_tag: str) -> Message:
    """Return the same message of another idTag."""
    if "idToken" in message.payload:
        return _with(message, idToken={"idToken": id_tag, "type": "Central"})
    return _with(message, idTag=id_tag)


def with_seq_no(message: Message, seq_no: int) -> Message:
    """Return a 2.x message with another number in its transaction."""
    return _with(message, seqNo=seq_no)


def with_other_content(message: Message) -> Message:
    """Return a message about the same thing that says something else: a watt-hour more."""
    more = {key: message.payload[key] + 1 for key in _REGISTERS if key in message.payload}
    return _map_values(_with(message, **more), _one_more)


def with_register(message: Message, value: object) -> Message:
    """Return a message whose unsigned values are all ``value``, whatever that is."""
    told = {key: value for key in _REGISTERS if key in message.payload}
    return _map_values(_with(message, **told), lambda sampled: {**sampled, "value": value})


def with_placeholder(message: Message, register_wh: int) -> Message:
    """Return a message whose unsigned registers are all ``register_wh``, in the right form."""
    told = {key: register_wh for key in _REGISTERS if key in message.payload}

    def change(sampled: Mapping[str, Any]) -> Mapping[str, Any]:
        is_text = isinstance(sampled["value"], str)
        return {**sampled, "value": str(register_wh) if is_text else register_wh}

    return _map_values(_with(message, **told), change)


def with_clock(message: Message, by_s: int) -> Message:
    """Return the message of a station whose clock is ``by_s`` seconds ahead, or behind."""
    return _map_times(message, lambda at: at + timedelta(seconds=by_s))


def from_1970(message: Message) -> Message:
    """Return the message of a station whose clock was never set."""
    return _map_times(message, lambda at: at.replace(year=1970, month=1, day=1))


def in_year_14(message: Message) -> Message:
    """Return a message of the year 0014, as a real data set has on every row."""
    return _map_times(message, lambda at: at.replace(year=14), "00%y-%m-%dT%H:%M:%SZ")


def unsigned(message: Message) -> Message:
    """Return the message without its signed values."""
    return signed_by(message, ())


def signed_by(message: Message, signed: tuple[SignedValue, ...]) -> Message:
    """Return the message with other signed values in the place of its own."""
    for field in _VALUES:
        if field in message.payload:
            kept = [one for one in message.payload[field] if not _is_signed(one)]
            at = message.payload["timestamp"] if not kept else kept[0]["timestamp"]
            is_2x = message.action == "TransactionEvent"
            new = [_signed_2x(one, at) if is_2x else _signed_16(one, at) for one in signed]
            return _with(message, **{field: [*kept, *new]})
    return message


def not_json(message: Message) -> str:
    """Return a frame that says NaN as a number, which JSON does not know."""
    frame = [2, "not-json", message.action, with_register(message, float("nan")).payload]
    return json.dumps(frame)


def _with(message: Message, **changed: object) -> Message:
    return Message(message.action, {**message.payload, **changed})


def _map_values(
    message: Message, change: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Message:
    """Change every unsigned sampled value."""
    changed = {}
    for field in set(_VALUES) & set(message.payload):
        changed[field] = [
            one
            if _is_signed(one)
            else {**one, "sampledValue": [change(sampled) for sampled in one["sampledValue"]]}
            for one in message.payload[field]
        ]
    return _with(message, **changed)


def _map_times(
    message: Message, change: Callable[[datetime], datetime], written: str = _SECOND_FORMAT
) -> Message:
    """Change every instant of the station's clock; what the meter signed stays as it is."""

    def changed(text: str) -> str:
        return change(datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z")).strftime(written)

    fields: dict[str, object] = {}
    if "timestamp" in message.payload:
        fields["timestamp"] = changed(message.payload["timestamp"])
    for field in set(_VALUES) & set(message.payload):
        fields[field] = [
            {**one, "timestamp": changed(one["timestamp"])} for one in message.payload[field]
        ]
    return _with(message, **fields)


def _one_more(sampled: Mapping[str, Any]) -> Mapping[str, Any]:
    value = sampled["value"]
    return {**sampled, "value": str(int(value) + 1) if isinstance(value, str) else value + 1}


def _is_signed(meter_value: Mapping[str, Any]) -> bool:
    return any(
        sampled.get("format") == "SignedData" or "signedMeterValue" in sampled
        for sampled in meter_value["sampledValue"]
    )


def _signed_16(value: SignedValue, at: str) -> dict[str, object]:
    sampled = {
        "value": signed_document(value),
        "context": value.context,
        "format": "SignedData",
        "measurand": "Energy.Active.Import.Register",
    }
    return {"timestamp": at, "sampledValue": [sampled]}


def _signed_2x(value: SignedValue, at: str) -> dict[str, object]:
    sampled = {
        "value": 0,
        "context": value.context,
        "measurand": "Energy.Active.Import.Register",
        "signedMeterValue": signed_type(value),
        "unitOfMeasure": {"unit": "Wh"},
    }
    return {"timestamp": at, "sampledValue": [sampled]}
