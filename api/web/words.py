"""
Find the words of a page in the language its reader asked for.

A catalog is one flat JSON object per language. Both languages have the same keys; a test says so.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

LANGUAGES: Final = ("en", "fr")
"""Languages there is a catalog for; the first is the fallback."""

LIVE_GROUPS: Final = ("live.", "month.", "number.", "unit.", "weekday.", "word.")
"""Prefixes of the keys that the script needs as well."""

_FOLDER: Final = Path(__file__).parent / "i18n"
_PLACE: Final = re.compile(r"\{(\w+)\}")
_WHOLE_QUALITY: Final = 1_000
_QUALITY: Final = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)")


@dataclass(frozen=True, slots=True)
class Words:
    """One language's catalog."""

    language: str
    """ISO 639-1 code."""
    table: Mapping[str, str]
    """Text by key."""

    def text(self, key: str, **values: str) -> str:
        """
        Return the text of ``key`` with its places filled.

        Raises
        ------
        KeyError
            If the catalog has no such key, or a place no value: a programmer's mistake.
        """
        return _PLACE.sub(lambda place: values[place[1]], self.table[key])

    def word(self, group: str, name: str) -> str:
        """Return the word for ``name`` in ``group``, or ``name`` itself if it has none."""
        return self.table.get(f"word.{group}.{name}", name)

    def live(self) -> dict[str, str]:
        """Return the part of the catalog that the script needs."""
        return {key: text for key, text in self.table.items() if key.startswith(LIVE_GROUPS)}


@cache
def words_in(language: str) -> Words:
    """Return the catalog of ``language``, one of ``LANGUAGES``."""
    return Words(language, json.loads((_FOLDER / f"{language}.json").read_text("utf-8")))


def choose_language(asked: str | None, remembered: str | None, accepted: str) -> str:
    """
    Return the language of a page: the one asked for, else remembered, else accepted.

    Parameters
    ----------
    asked
        Value of ``?lang=``, if any.
    remembered
        Value of the cookie, if any.
    accepted
        The ``Accept-Language`` header (RFC 9110 §12.5.4), or the empty string.
    """
    for choice in (asked, remembered):
        if choice in LANGUAGES:
            return choice
    best = max(LANGUAGES, key=lambda language: _weight(language, accepted))
    return best if _weight(best, accepted) else LANGUAGES[0]


def _weight(language: str, accepted: str) -> int:
    """Return how much ``language`` is wanted, in thousandths; the first of equals wins."""
    weights = [0]
    for item in accepted.split(","):
        tag, _, parameters = item.strip().partition(";")
        if tag.strip().lower().partition("-")[0] == language:
            weights.append(_thousandths(parameters.strip()))
    return max(weights)


def _thousandths(parameters: str) -> int:
    """Return a quality value as thousandths; none given means wanted in full."""
    if not parameters:
        return _WHOLE_QUALITY
    found = _QUALITY.fullmatch(parameters.replace(" ", ""))
    return int(found[1].replace(".", "").ljust(4, "0")) if found else 0
