"""
Show the details of a trace step: quantities with their unit, everything else as it is.

The unit is the last part of a name, as everywhere in the system (``_wh``, ``_micros``, ``_s``).
"""

import json
from collections.abc import Mapping
from typing import Final

from api.web.formats import Json, Voice, show

_BY_UNIT: Final = (
    ("_micros_per_kwh", "price"),
    ("Micros", "money"),
    ("_micros", "money"),
    ("energyWh", "kwh_exact"),
    ("_wh", "kwh_exact"),
    ("_at_s", "instant"),
    ("_s", "instant"),
)
_LONGEST_INSTANT_DIGITS: Final = 10
_FIGURES: Final = ("money", "kwh_exact")


def facts(voice: Voice, detail: Mapping[str, Json]) -> list[tuple[str, str, str]]:
    """Return name, value as stored, and value with its unit or the empty string, in order."""
    named = _named(detail).items()
    return [
        (shown, _stored(value), _spoken(voice, name, value))
        for shown, (name, value) in zip(detail, named, strict=True)
    ]


def figure(voice: Voice, detail: Mapping[str, Json]) -> str:
    """Return the one quantity that says most about a step, money before energy, or nothing."""
    for wanted in _FIGURES:
        for name, value in _named(detail).items():
            if _format(name, value) == wanted:
                return _spoken(voice, name, value)
    return ""


def _named(detail: Mapping[str, Json]) -> dict[str, Json]:
    """Give a transfer's amount the unit of the ledger that its accounts are in."""
    unit = {"eur": "_micros", "wh": "_wh"}.get(str(detail.get("debit", "")).partition("/")[0], "")
    return {name + unit if name == "amount" else name: value for name, value in detail.items()}


def _spoken(voice: Voice, name: str, value: Json) -> str:
    kind = _format(name, value)
    return "" if kind is None else show(voice, f"{kind} value", {"value": value}) or ""


def _format(name: str, value: Json) -> str | None:
    """Return the format of a quantity by its name, or None if it is none."""
    digits = str(value).removeprefix("-")
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit()):
        return None
    found = next((kind for ending, kind in _BY_UNIT if name.endswith(ending)), None)
    if found == "instant" and len(digits) > _LONGEST_INSTANT_DIGITS:
        return None
    return found


def _stored(value: Json) -> str:
    """Return a JSON value as text; a string stands for itself."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
