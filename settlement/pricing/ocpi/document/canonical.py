"""
Write a value in one fixed form, so that two parties can compare it by one hash.

JSON, keys in order, no blanks, ASCII. Numbers are texts in plain decimal notation without zeros
that say nothing; what is absent or empty is left out.
"""

import json
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal
from enum import Enum


def canonical_bytes(value: object) -> bytes:
    """Return a dataclass of decimals, texts, dates, tuples and further ones as fixed bytes."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":")).encode()


def plain_decimal(number: Decimal) -> str:
    """Return a number in plain notation: ``2.50`` and ``25e-1`` are both ``2.5``."""
    text = format(number, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def _plain(value: object) -> object:
    if is_dataclass(value):
        named = {one.name: getattr(value, one.name, None) for one in fields(value) if one.init}
        kept = {name: _plain(one) for name, one in named.items()}
        return {name: one for name, one in kept.items() if one not in (None, [], {})}
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    if isinstance(value, AbstractSet):
        return sorted(str(one) for one in value)
    return _plain_single(value)


def _plain_single(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return plain_decimal(value)
    return value.isoformat() if isinstance(value, date) else value
