"""
Check payloads against the schemas that the ``ocpp`` library ships.

A compiled validator says whether a payload fits, some two hundred times as fast as the library's
own; only what does not fit goes on to the library's, whose first finding gives the error code.
"""

from functools import cache
from importlib import resources
from typing import Any, Final

import jsonschema_rs
import orjson
from jsonschema.exceptions import ValidationError
from ocpp.messages import get_validator

from api.ocpp.frames import CALL, RESULT, UNKNOWN_ID, MalformedFrameError, Version

_CODES: Final = {
    "type": "TypeConstraintViolation",
    "maxLength": "TypeConstraintViolation",
    "additionalProperties": "FormatViolation",
    "required": "ProtocolError",
}
"""What the library answers for the keyword of a schema that a payload offends."""
_OTHERWISE: Final = "FormatViolation"
_DETAIL_CHARACTERS: Final = 120


def known_actions(version: Version) -> frozenset[str]:
    """Return every action of a version of OCPP, whoever sends it."""
    names = _schema_names(version)
    if version is Version.V16:
        return frozenset(name for name in names if not name.endswith("Response"))
    return frozenset(name.removesuffix("Request") for name in names if name.endswith("Request"))


def check_call(
    version: Version, action: str, payload: object, message_id: str = UNKNOWN_ID
) -> None:
    """
    Check the payload of a request.

    Raises
    ------
    MalformedFrameError
        If it does not fit, with the code that the library gives.
    """
    _check((version, CALL, action), payload, message_id)


def check_result(version: Version, action: str, payload: object) -> None:
    """
    Check the payload of an answer.

    Raises
    ------
    MalformedFrameError
        If it does not fit, with the code that the library gives.
    """
    _check((version, RESULT, action), payload, UNKNOWN_ID)


def _check(schema: tuple[Version, int, str], payload: object, message_id: str) -> None:
    if _compiled(schema).is_valid(payload):
        return
    version, kind, action = schema
    try:
        get_validator(kind, action, version.value).validate(payload)
    except ValidationError as fault:
        code = _CODES.get(str(fault.validator), _OTHERWISE)
        detail = f"{action}: {fault.message[:_DETAIL_CHARACTERS]}"
        raise MalformedFrameError(code, detail, message_id) from fault


@cache
def _compiled(schema: tuple[Version, int, str]) -> Any:  # noqa: ANN401 - a class of the extension
    """Return the validator of a schema; as in the library, formats are not looked at."""
    version, kind, action = schema
    request = "" if version is Version.V16 else "Request"
    name = action + ("Response" if kind == RESULT else request)
    document = orjson.loads(_folder(version).joinpath(f"{name}.json").read_text("utf-8-sig"))
    # The library reads every schema as draft 4, whatever it says of itself.
    document.pop("$schema", None)
    return jsonschema_rs.Draft4Validator(document, validate_formats=False)


@cache
def _schema_names(version: Version) -> tuple[str, ...]:
    return tuple(one.name.removesuffix(".json") for one in _folder(version).iterdir())


def _folder(version: Version) -> Any:  # noqa: ANN401 - a Traversable, which mypy knows by two names
    return resources.files("ocpp").joinpath(f"v{version.value.replace('.', '')}", "schemas")
