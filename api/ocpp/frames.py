"""
Read and write the frames of OCPP-J: calls, results and errors in JSON arrays.

What is wrong with a frame is said with the error codes of OCPP-J, which differ between 1.6 and 2.x
(OCPP-J 1.6 section 4.2.3; OCPP 2.1 part 4 section 4.3).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from ledger.errors import InvalidRequest

CALL: Final = 2
RESULT: Final = 3
ERROR: Final = 4
RESULT_ERROR: Final = 5
SEND: Final = 6

UNKNOWN_ID: Final = "-1"
"""Message id of an answer to a frame whose own cannot be read."""

_CALL_ITEMS: Final = 4
_RESULT_ITEMS: Final = 3
_ERROR_ITEMS: Final = 4
_ID_CHARACTERS: Final = 36
_DEPTH_MAX: Final = 64
_SHOWN_CHARACTERS: Final = 64
_DESCRIPTION_CHARACTERS: Final = 255
_ESCAPED_NUL: Final = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
"""The character NUL as JSON writes it; behind a backslash of its own it is plain text."""

Payload = dict[str, Any]
"""What a message carries, as JSON has it."""


class Version(StrEnum):
    """A version of OCPP."""

    V16 = "1.6"
    V201 = "2.0.1"
    V21 = "2.1"


class MalformedFrameError(InvalidRequest):
    """A station sent something that is not an OCPP message, or not one that fits its schema."""

    def __init__(self, reply_code: str, detail: str, message_id: object = UNKNOWN_ID) -> None:
        super().__init__("malformed_frame", f"{reply_code}: {detail}")
        self.reply: Final = write_error(message_id, reply_code, detail)


@dataclass(frozen=True, slots=True)
class Call:
    """A request."""

    message_id: str
    """The sender's id of it, which the answer repeats."""
    action: str
    """What is asked or told."""
    payload: Payload
    """The arguments."""
    confirmed: bool = True
    """Whether an answer is expected; OCPP 2.1 knows messages without (``SEND``)."""


@dataclass(frozen=True, slots=True)
class Result:
    """An answer to a request."""

    message_id: str
    """Id of the request."""
    payload: Payload
    """The answer."""


@dataclass(frozen=True, slots=True)
class CallFault:
    """A request was refused."""

    message_id: str
    """Id of the request."""
    code: str
    """Why, as OCPP-J names it."""
    description: str
    """Why, for people."""


Message = Call | Result | CallFault


def read_frame(text: str, version: Version) -> Message:
    """
    Return the message of a frame.

    JSON is read strictly: no ``NaN``, no lone surrogates, no character that databases cannot keep.

    Raises
    ------
    MalformedFrameError
        If it is none; the error carries what to answer.
    """
    items = _read_array(text, version)
    kind = items[0]
    if kind == CALL or (kind == SEND and version is Version.V21):
        return _read_call(items, version)
    if kind == RESULT:
        return _read_result(items)
    if kind == ERROR or (kind == RESULT_ERROR and version is Version.V21):
        return _read_error(items)
    code = "PropertyConstraintViolation" if version is Version.V16 else "MessageTypeNotSupported"
    raise MalformedFrameError(
        code, f"{kind!r:.{_SHOWN_CHARACTERS}} is no message type", _id_of(items)
    )


def _read_array(text: str, version: Version) -> list[Any]:
    broken = "FormationViolation" if version is Version.V16 else "RpcFrameworkError"
    if "\0" in text or ("\\u0000" in text and _ESCAPED_NUL.search(text)):
        raise MalformedFrameError(broken, "the frame contains the character NUL")
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as fault:
        raise MalformedFrameError(broken, f"the frame is no JSON: {fault}") from fault
    if not isinstance(items, list) or not items:
        raise MalformedFrameError(broken, "the frame is no JSON array with a message type")
    # Who opens few brackets nests little, and need not be looked at.
    if text.count("{") + text.count("[") > _DEPTH_MAX and _is_deep(items):
        detail = f"the frame is nested deeper than {_DEPTH_MAX} levels"
        raise MalformedFrameError("FormatViolation", detail, _id_of(items))
    return items


def _is_deep(value: list[Any]) -> bool:
    """Return whether JSON is nested deeper than any OCPP message."""
    level: list[Any] = [value]
    depth = 0
    while level:
        depth += 1
        inside = [one.values() if isinstance(one, dict) else one for one in level]
        level = [one for each in inside for one in each if isinstance(one, dict | list)]
        if depth > _DEPTH_MAX:
            return True
    return False


def _read_call(items: list[Any], version: Version) -> Call:
    message_id = _id_of(items)
    if not isinstance(message_id, str) or not 0 < len(message_id) <= _ID_CHARACTERS:
        raise MalformedFrameError(
            "ProtocolError", f"a message id is 1 to {_ID_CHARACTERS} characters", message_id
        )
    if len(items) != _CALL_ITEMS:
        raise MalformedFrameError(
            "ProtocolError", f"a call has {_CALL_ITEMS} items, not {len(items)}", message_id
        )
    _, _, action, payload = items
    if not isinstance(action, str):
        raise MalformedFrameError("FormatViolation", "the action is no text", message_id)
    if not isinstance(payload, dict):
        code = "TypeConstraintViolation" if version is Version.V16 else "FormatViolation"
        raise MalformedFrameError(code, "the payload is no object", message_id)
    return Call(message_id, action, payload, confirmed=items[0] == CALL)


def _read_result(items: list[Any]) -> Result:
    if len(items) != _RESULT_ITEMS or not isinstance(items[2], dict):
        raise MalformedFrameError("ProtocolError", "a result has an id and a payload")
    return Result(str(items[1]), items[2])


def _read_error(items: list[Any]) -> CallFault:
    if len(items) < _ERROR_ITEMS:
        raise MalformedFrameError("ProtocolError", "an error has an id, a code and a description")
    return CallFault(str(items[1]), str(items[2]), str(items[3]))


def _id_of(items: list[Any]) -> object:
    """Return what stands in the place of the message id, if it can be repeated."""
    scalar = len(items) > 1 and isinstance(items[1], str | int | float)
    return items[1] if scalar else UNKNOWN_ID


def write_call(message_id: str, action: str, payload: Mapping[str, Any]) -> str:
    """Return the frame of a request."""
    return orjson.dumps([CALL, message_id, action, payload]).decode()


def write_result(message_id: str, payload: Mapping[str, Any]) -> str:
    """Return the frame of an answer."""
    return orjson.dumps([RESULT, message_id, payload]).decode()


def write_error(message_id: object, code: str, description: str) -> str:
    """Return the frame that refuses a request."""
    cut = description[:_DESCRIPTION_CHARACTERS]
    return orjson.dumps([ERROR, message_id, code, cut, {}]).decode()
