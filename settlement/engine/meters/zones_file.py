"""
Read the zones of a grid from a community's TOML: one ``[[zones]]`` table for each.

Tolls are decimal strings in the community's currency per kWh, exact to the micro; caps are whole Wh
per interval. Without such a table the grid is one zone.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.zones import BadZonesError, Zone, ZoneTree

_MICROS: Final = 1_000_000
_TEXTS: Final = ("name", "parent")
_TOLLS: Final = ("local_toll", "edge_toll")
_CAPS: Final = ("import_cap_wh", "export_cap_wh")


def zones_of(document: Mapping[str, Any]) -> ZoneTree | None:
    """
    Return the zones that a community's document names, or None if it names none.

    Raises
    ------
    BadZonesError
        If a table has an unknown key or an impossible value, or the zones are no tree.
    """
    tables = document.get("zones")
    if tables is None:
        return None
    if not isinstance(tables, list) or not all(isinstance(one, dict) for one in tables):
        raise BadZonesError("zones are not written as [[zones]] tables")
    return ZoneTree.of(_zone(one) for one in tables)


def _zone(table: Mapping[str, Any]) -> Zone:
    for key in table:
        if key not in (*_TEXTS, *_TOLLS, *_CAPS):
            raise BadZonesError(f"unknown key {key}")
    return Zone(
        name=_text(table, "name") or "",
        parent=_text(table, "parent"),
        local_toll=_toll(table, "local_toll"),
        edge_toll=_toll(table, "edge_toll"),
        import_cap_wh=_cap(table, "import_cap_wh"),
        export_cap_wh=_cap(table, "export_cap_wh"),
    )


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise BadZonesError(f"{key} {value!r} is not a name")
    return value


def _toll(table: Mapping[str, Any], key: str) -> MicrosPerKilowattHour:
    value = table.get(key, "0")
    try:
        micros = Decimal(value) * _MICROS if isinstance(value, str) else None
    except InvalidOperation:
        micros = None
    if micros is None or not micros.is_finite() or micros != micros.to_integral_value():
        raise BadZonesError(f"{key} {value!r} is not an amount in whole micros")
    return MicrosPerKilowattHour(int(micros))


def _cap(table: Mapping[str, Any], key: str) -> WattHours | None:
    value = table.get(key)
    if value is not None and type(value) is not int:
        raise BadZonesError(f"{key} {value!r} is not a whole number of Wh")
    return None if value is None else WattHours(value)
