"""Read fields of a document one by one, and say which field is wrong and why."""

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final, TypeVar

from ledger.errors import InvalidRequest

_WHOLE_DIGITS_MAX: Final = 12
_DECIMALS_MAX: Final = 18
_PLAIN_NUMBER: Final = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?")

Choice = TypeVar("Choice", bound=StrEnum)
Value = TypeVar("Value")


class BadTariffFieldError(InvalidRequest):
    """A field of a tariff holds what no tariff may hold."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__("bad_tariff_field", f"{where}: {what}")
        self.where: Final = where
        self.what: Final = what


class MissingTariffFieldError(InvalidRequest):
    """A tariff lacks a field without which it has no meaning."""

    def __init__(self, where: str) -> None:
        super().__init__("missing_tariff_field", f"{where} is missing")
        self.where: Final = where


class UnknownTariffFieldError(InvalidRequest):
    """A tariff has a field that OCPI 2.2.1 and 2.3.0 do not know; it might change the price."""

    def __init__(self, where: str) -> None:
        super().__init__("unknown_tariff_field", f"{where} is no field of OCPI 2.2.1 or 2.3.0")
        self.where: Final = where


class InexactTariffNumberError(InvalidRequest):
    """A number came as binary floating point, which has already lost what was written."""

    def __init__(self, where: str) -> None:
        super().__init__(
            "inexact_tariff_number", f"{where}: read JSON with exact decimals (loads_tariff)"
        )
        self.where: Final = where


class Fields:
    """The fields of one object of the document; those that nobody asked for are unknown."""

    def __init__(self, document: object, where: str) -> None:
        """
        Take the object at ``where``.

        Raises
        ------
        BadTariffFieldError
            If it is no object with texts as names.
        """
        if not isinstance(document, Mapping):
            raise BadTariffFieldError(where or "tariff", "is no object")
        if not all(isinstance(name, str) for name in document):
            raise BadTariffFieldError(where or "tariff", "has a name that is no text")
        self._left: Final[dict[str, object]] = dict(document)
        self._where: Final = where

    def path(self, name: str) -> str:
        """Return where the field of that name is."""
        return f"{self._where}.{name}" if self._where else name

    def take(self, name: str, read: Callable[[object, str], Value]) -> Value | None:
        """Return an optional field, read; null is as good as absent."""
        value = self._left.pop(name, None)
        return None if value is None else read(value, self.path(name))

    def require(self, name: str, read: Callable[[object, str], Value]) -> Value:
        """
        Return a field that must be there, read.

        Raises
        ------
        MissingTariffFieldError
            If it is absent or null.
        """
        found = self.take(name, read)
        if found is None:
            raise MissingTariffFieldError(self.path(name))
        return found

    def has(self, name: str) -> bool:
        """Return whether a field is there that nobody asked for yet."""
        return self._left.get(name) is not None

    def end(self) -> None:
        """
        Make sure that every field was asked for.

        Raises
        ------
        UnknownTariffFieldError
            If one was not; the first by name.
        """
        unknown = sorted(self._left)
        if unknown:
            raise UnknownTariffFieldError(self.path(unknown[0]))


def number(value: object, where: str) -> Decimal:
    """
    Return a number that is not negative, exactly as it was written.

    Raises
    ------
    InexactTariffNumberError
        If it is a binary floating point number.
    BadTariffFieldError
        If it is no plain number, below zero, or has more than 12 digits before or 18 after the
        point.
    """
    if type(value).__name__ == "float":
        raise InexactTariffNumberError(where)
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise BadTariffFieldError(where, f"{value!r} is no number")
    if isinstance(value, str) and _PLAIN_NUMBER.fullmatch(value) is None:
        raise BadTariffFieldError(where, f"{value[:40]!r} is no plain decimal number")
    try:
        found = Decimal(value)
    except InvalidOperation as fault:
        raise BadTariffFieldError(where, f"{value!r} is no number") from fault
    return _bounded(found, where)


def _bounded(found: Decimal, where: str) -> Decimal:
    if not found.is_finite():
        raise BadTariffFieldError(where, f"{found} is no number")
    exponent = found.as_tuple().exponent
    finest = exponent if isinstance(exponent, int) else 0
    too_fine = finest < -_DECIMALS_MAX
    if found and (found.adjusted() >= _WHOLE_DIGITS_MAX or too_fine):
        raise BadTariffFieldError(where, "has more than 12 digits before or 18 after the point")
    if found < 0:
        raise BadTariffFieldError(where, f"{found} is below zero")
    return found or Decimal(0)


def whole(value: object, where: str) -> int:
    """Return a whole number that is not negative; ``300.0`` is one."""
    found = number(value, where)
    if found != found.to_integral_value():
        raise BadTariffFieldError(where, f"{found} is no whole number")
    return int(found)


def text(longest: int) -> Callable[[object, str], str]:
    """Return a reader of texts of at most ``longest`` characters, at least one."""

    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or not value.strip():
            raise BadTariffFieldError(where, f"{value!r} is no text")
        if len(value) > longest or not value.isprintable():
            raise BadTariffFieldError(where, f"is no printable text of up to {longest} characters")
        return value

    return read


def matching(pattern: str, what: str) -> Callable[[object, str], str]:
    """Return a reader of texts of one form."""
    compiled = re.compile(pattern)

    def read(value: object, where: str) -> str:
        if not isinstance(value, str) or compiled.fullmatch(value) is None:
            raise BadTariffFieldError(where, f"{value!r} is no {what}")
        return value

    return read


def choice(kind: type[Choice]) -> Callable[[object, str], Choice]:
    """Return a reader of the values of an enumeration."""

    def read(value: object, where: str) -> Choice:
        if not isinstance(value, str) or value not in {str(one) for one in kind}:
            known = ", ".join(kind)
            raise BadTariffFieldError(where, f"{value!r} is none of {known}")
        return kind(value)

    return read


def several(read: Callable[[object, str], Value]) -> Callable[[object, str], tuple[Value, ...]]:
    """Return a reader of lists whose items ``read`` reads."""

    def read_all(value: object, where: str) -> tuple[Value, ...]:
        if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
            raise BadTariffFieldError(where, "is no list")
        return tuple(read(one, f"{where}[{index}]") for index, one in enumerate(value))

    return read_all
