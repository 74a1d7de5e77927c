"""
Read the JSON of OCMF records as the contract does: strictly, and nothing lost (RFC 8259).

The contract reads the same bytes without any library, so this reader refuses whatever two readers
could take for two things: keys with escapes, keys that stand twice if they are read at all, and
nesting that no meter writes.
"""

import json
import re
from dataclasses import dataclass
from typing import Final, cast

from ledger.errors import UnverifiedReading

DEPTH_MAX: Final = 16
"""Objects and arrays that may lie in one another."""

_BLANKS: Final = frozenset(" \t\n\r")
_BLANK: Final = re.compile(r"[ \t\n\r]*")
_PLAIN: Final = r'[^"\\\x00-\x1f]*'
_ESCAPE: Final = r'\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})'
_STRING: Final = re.compile(rf'"({_PLAIN}(?:{_ESCAPE}{_PLAIN})*)"')
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS: Final = {"true": True, "false": False, "null": None}
_LITERAL: Final = re.compile("|".join(_LITERALS))


class MalformedRecordError(UnverifiedReading):
    """The text is no OCMF record."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_record", detail)


@dataclass(frozen=True, slots=True)
class JsonNumber:
    """A number; its decimals are significant, so nothing is made of it here."""

    text: str
    """As the meter wrote it."""


@dataclass(frozen=True, slots=True)
class JsonText:
    """A string."""

    raw: str
    """As it stands between its quotes."""

    @property
    def is_escaped(self) -> bool:
        """Return whether it holds an escape, behind which it could say anything."""
        return "\\" in self.raw

    @property
    def decoded(self) -> str:
        """Return what it says."""
        return cast("str", json.loads(f'"{self.raw}"'))


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object, its members in order; a key may stand twice as long as nobody reads it."""

    members: tuple[tuple[str, object], ...]

    def get(self, key: str) -> object:
        """
        Return the value of a key, or None if it is missing.

        Raises
        ------
        MalformedRecordError
            If the key stands twice.
        """
        found = [value for name, value in self.members if name == key]
        if len(found) > 1:
            raise MalformedRecordError(f"{key} stands twice")
        return found[0] if found else None

    def __contains__(self, key: str) -> bool:
        """Return whether a key stands in it."""
        return any(name == key for name, _ in self.members)


def json_object(text: str, what: str) -> JsonObject:
    """
    Return a JSON object; its values are of this module's types, tuples, booleans and None.

    Raises
    ------
    MalformedRecordError
        If the text is no such object; ``what`` names it.
    """
    reader = _Reader(text, what)
    try:
        text.encode()
    except UnicodeEncodeError as fault:
        raise MalformedRecordError(f"the {what} is no JSON: {fault}") from fault
    found = reader.value(0)
    reader.skip_blank()
    if reader.pos != len(text):
        raise reader.refusal()
    if not isinstance(found, JsonObject):
        raise MalformedRecordError(f"the {what} is no object")
    return found


class _Reader:
    """A walk over one text."""

    def __init__(self, text: str, what: str) -> None:
        self._text: Final = text
        self._what: Final = what
        self.pos = 0

    def refusal(self) -> MalformedRecordError:
        return MalformedRecordError(f"the {self._what} is no JSON at {self.pos}")

    def skip_blank(self) -> None:
        # Meters write few blanks, and looking at one character costs a tenth of a match.
        if self._text[self.pos : self.pos + 1] not in _BLANKS:
            return
        found = _BLANK.match(self._text, self.pos)
        self.pos = found.end() if found else self.pos

    def value(self, depth: int) -> object:
        """Read a value that lies in ``depth`` objects and arrays."""
        self.skip_blank()
        first = self._text[self.pos : self.pos + 1]
        if first == '"':
            return JsonText(self._matched(_STRING)[1])
        if first and first in "{[":
            if depth == DEPTH_MAX:
                raise self.refusal()
            members = self._parts(first, depth + 1)
            return JsonObject(members) if first == "{" else tuple(part for _, part in members)
        if first and first in "tfn":
            return _LITERALS[self._matched(_LITERAL)[0]]
        return JsonNumber(self._matched(_NUMBER)[0])

    def _parts(self, opening: str, depth: int) -> tuple[tuple[str, object], ...]:
        """Read an object, or an array as an object without keys."""
        closing = "}" if opening == "{" else "]"
        self.pos += 1
        found: list[tuple[str, object]] = []
        if self._takes(closing):
            return ()
        while True:
            key = self._key() if opening == "{" else ""
            found.append((key, self.value(depth)))
            if self._takes(closing):
                return tuple(found)
            if not self._takes(","):
                raise self.refusal()

    def _key(self) -> str:
        self.skip_blank()
        key = self._matched(_STRING)[1]
        if "\\" in key:
            raise MalformedRecordError(f"a key of the {self._what} holds an escape")
        if not self._takes(":"):
            raise self.refusal()
        return key

    def _takes(self, mark: str) -> bool:
        self.skip_blank()
        if not self._text.startswith(mark, self.pos):
            return False
        self.pos += 1
        return True

    def _matched(self, pattern: re.Pattern[str]) -> re.Match[str]:
        found = pattern.match(self._text, self.pos)
        if found is None:
            raise self.refusal()
        self.pos = found.end()
        return found
