"""
Read which tariff each station has: OCPI Tariff objects, in a TOML file or named by it.

::

    [[tariffs]]
    stations = ["CA-314", "CA-315"]
    file = "evening.json"

    [[tariffs]]
    stations = ["CA-316"]
    ocpi = '''{"id": "night", "currency": "EUR", "elements": [...]}'''

A station that no entry names has the community's price and fee.
"""

import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final

from ledger.errors import InvalidRequest
from settlement.engine.bills.tariffs import of_document

_SOURCES: Final = frozenset({"file", "ocpi"})


class BadCatalogError(InvalidRequest):
    """A list of tariffs that says too little, too much, or two things of one station."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__("bad_tariff_catalog", f"{where}: {what}")


def read_catalog(text: str, currency: str, read: Callable[[str], str]) -> Mapping[str, str]:
    """
    Return OCPI Tariff objects, JSON, by station.

    Parameters
    ----------
    text
        The TOML.
    currency
        The community's, ISO 4217; its token is of no other.
    read
        Returns the text of a file that the TOML names.

    Raises
    ------
    BadCatalogError
        If it cannot be read, or names a station twice.
    InvalidRequest
        If a tariff is none, as ``loads_tariff`` says.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadCatalogError("tariffs", f"no TOML: {fault}") from fault
    found: dict[str, str] = {}
    for place, entry in enumerate(_entries(document)):
        where = f"tariffs[{place}]"
        stations, body = _entry(entry, where, read)
        if of_document(body).ocpi.currency != currency:
            raise BadCatalogError(where, f"a tariff is in {currency}, the community's currency")
        for station in stations:
            if station in found:
                raise BadCatalogError(where, f"{station} has a tariff already")
            found[station] = body
    return found


def _entries(document: Mapping[str, Any]) -> list[Any]:
    unknown = document.keys() - {"tariffs"}
    entries = document.get("tariffs", [])
    if unknown or not isinstance(entries, list):
        raise BadCatalogError("tariffs", "a list of tables [[tariffs]] and nothing else")
    return entries


def _entry(entry: object, where: str, read: Callable[[str], str]) -> tuple[tuple[str, ...], str]:
    """Return the stations of an entry and the document that it has or names."""
    if not isinstance(entry, dict):
        raise BadCatalogError(where, "is no table")
    sources = _SOURCES & entry.keys()
    if len(sources) != 1 or entry.keys() != {"stations"} | sources:
        raise BadCatalogError(where, "has stations, and either file or ocpi")
    (source,) = sources
    stations, given = entry["stations"], entry[source]
    are_names = isinstance(stations, list) and all(isinstance(one, str) for one in stations)
    if not are_names or not stations or not isinstance(given, str):
        raise BadCatalogError(where, "stations are a list of names, file and ocpi are texts")
    return tuple(stations), read(given) if source == "file" else given
