"""Read the JSON of OCMF records: numbers as written, keys once and plain."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import UnverifiedReading

_STRING: Final = re.compile(r'"((?:[^"\\]|\\.)*)"(\s*:)?')


class MalformedRecordError(UnverifiedReading):
    """The text is no OCMF record."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_record", detail)


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number; its decimals are significant, so nothing is made of it here."""

    text: str
    """As the meter wrote it."""


def json_object(text: str, what: str) -> Mapping[str, Any]:
    """
    Return a JSON object, its numbers as ``JsonNumber``.

    A key may stand once and without escapes, so that whoever reads the same bytes another way, the
    contract above all, finds the same keys.

    Raises
    ------
    MalformedRecordError
        If the text is no such object; ``what`` names it.
    """
    _check_keys(text, what)
    try:
        text.encode()
        found = json.loads(
            text,
            parse_float=JsonNumber,
            parse_int=JsonNumber,
            parse_constant=_no_constant,
            object_pairs_hook=_once,
        )
    except (json.JSONDecodeError, UnicodeEncodeError, RecursionError) as fault:
        raise MalformedRecordError(f"the {what} is no JSON: {fault}") from fault
    if not isinstance(found, dict):
        raise MalformedRecordError(f"the {what} is no object")
    return found


def _check_keys(text: str, what: str) -> None:
    if "\\" not in text:
        return
    for string in _STRING.finditer(text):
        if string[2] is not None and "\\" in string[1]:
            raise MalformedRecordError(f"a key of the {what} holds an escape")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedRecordError("a key stands twice")
    return found


def _no_constant(text: str) -> JsonNumber:
    raise MalformedRecordError(f"{text} is no number")
