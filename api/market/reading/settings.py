"""Take values out of ``community.toml``; whatever is wrong is named by its key."""

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar

from api.market.reading.cells import MONEY, FolderError, FolderFileError, micros, name, whole

FILE: Final = "community.toml"
_REQUIRED: Final = object()

Value = TypeVar("Value")


class FolderValueError(FolderError):
    """A key of ``community.toml`` is missing, unknown, or not what it should be."""

    def __init__(self, key: str, detail: str) -> None:
        super().__init__("folder_value", f"{FILE}, {key}", detail)


def read_settings(folder: Path) -> "Section":
    """
    Return the whole file as one section.

    Raises
    ------
    FolderFileError
        If it is not there, or is no TOML.
    """
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
        # Decimals are read exactly; a float would not be.
        return Section("", tomllib.loads(text, parse_float=Decimal))
    except FileNotFoundError as fault:
        raise FolderFileError(FILE, "the file is not there") from fault
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise FolderFileError(FILE, f"no TOML: {fault}") from fault


@dataclass(frozen=True, slots=True)
class Section:
    """A table of the file."""

    place: str
    """Where it is, for people; empty for the whole file."""
    values: Mapping[str, Any]
    """What it says."""

    def key(self, key: str) -> str:
        """Return where a key is, for people."""
        return f"{self.place}.{key}" if self.place else key

    def only(self, *keys: str) -> None:
        """
        Refuse any other key.

        Raises
        ------
        FolderValueError
            If there is one.
        """
        for key in self.values:
            if key not in keys:
                raise FolderValueError(
                    self.key(key), f"no such key; there may be {', '.join(keys)}"
                )

    def has(self, key: str) -> bool:
        """Say whether the key is there."""
        return key in self.values

    def section(self, key: str, *, optional: bool = False) -> "Section":
        """
        Return a table within.

        Raises
        ------
        FolderValueError
            If it is not there, or no table.
        """
        if optional and key not in self.values:
            return Section(self.key(key), {})
        found = self._value(key)
        if not isinstance(found, dict):
            raise FolderValueError(self.key(key), "is not a table")
        return Section(self.key(key), found)

    def sections(self, key: str) -> Iterator["Section"]:
        """
        Yield the tables of a list.

        Raises
        ------
        FolderValueError
            If it is not there, or something else.
        """
        found = self._value(key)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise FolderValueError(self.key(key), f"is not a list of tables [[{key}]]")
        for number, one in enumerate(found, start=1):
            yield Section(f"{self.key(key)}[{number}]", one)

    def text(self, key: str, default: Any = _REQUIRED) -> str:  # noqa: ANN401 - or a default
        """Return a name."""
        return self.parsed(key, "a name", name, default)

    def count(self, key: str, default: Any = _REQUIRED) -> int:  # noqa: ANN401 - or a default
        """Return a whole number, 0 or more."""
        return self.parsed(key, "a whole number, 0 or more", whole, default)

    def money(self, key: str, default: Any = _REQUIRED) -> int:  # noqa: ANN401 - or a default
        """Return an amount or a price, in micros."""
        return self.parsed(key, MONEY, _money, default)

    def parsed(
        self,
        key: str,
        wanted: str,
        parse: Callable[[Any], Value],
        default: Any = _REQUIRED,  # noqa: ANN401 - of the key's type, or None
    ) -> Value:
        """
        Return what a key holds, or the default if there is one.

        Raises
        ------
        FolderValueError
            If it is missing without a default, or is not what is wanted.
        """
        if key not in self.values and default is not _REQUIRED:
            return default  # type: ignore[no-any-return]  # the caller's own
        found = self._value(key)
        try:
            return parse(found)
        except (ValueError, TypeError, InvalidOperation, KeyError) as fault:
            raise FolderValueError(self.key(key), f"{found!r} is not {wanted}") from fault

    def _value(self, key: str) -> Any:  # noqa: ANN401 - TOML holds values of many types
        if key not in self.values:
            raise FolderValueError(self.key(key), "is missing")
        return self.values[key]


def _money(value: object) -> int:
    """Return micros of text, a decimal or a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return micros(str(value))
    return micros(value)
