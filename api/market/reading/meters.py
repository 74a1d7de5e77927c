"""Read ``meters.csv``: which meter is whose, what it measures, and with which key it signs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from api.market.reading.cells import NAME, Table, name, read_table, whole
from ledger.units import UnixSeconds, Watts
from settlement.engine.batch.model import MeterKind
from settlement.metering.signatures import Curve, MeterKey
from settlement.metering.signatures import MeterKind as KeyKind

FILE: Final = "meters.csv"
_KEY_BYTES: Final = 64
_ALWAYS_S: Final = UnixSeconds(2**62)
_ANY_POWER_W: Final = Watts(2**40)


@dataclass(frozen=True, slots=True)
class MeterRow:
    """One meter of the folder."""

    serial: str
    """Serial number."""
    member: str
    """Member it belongs to."""
    kind: MeterKind
    """What it measures."""
    rated_w: Watts | None
    """Most power it can carry, in W, or None if nobody says."""
    key: MeterKey | None
    """Key that signs its readings, or None."""


def read_meters(folder: Path, members: frozenset[str]) -> dict[str, MeterRow]:
    """
    Return the folder's meters, by serial number.

    Raises
    ------
    FolderError
        If the file is not as documented, or names a member that ``community.toml`` does not.
    """
    table = read_table(folder, FILE, ("meter", "member", "kind"), ("rated_w", "key"))
    serials, owners = table.read("meter", NAME, name), table.read("member", NAME, name)
    kinds = table.read("kind", f"one of {', '.join(MeterKind)}", MeterKind)
    rated = _optional(table, "rated_w", "a power in W, or empty", _rated)
    keys = _optional(table, "key", "x and y of a secp256k1 key as 128 hex digits", _key)
    found: dict[str, MeterRow] = {}
    for row, serial in enumerate(serials):
        if serial in found:
            raise table.wrong("meter", row, f"{serial} was there before")
        if owners[row] not in members:
            raise table.wrong("member", row, f"community.toml has no member {owners[row]}")
        public_key, rated_w = keys[row], rated[row]
        key = None if public_key is None else _meter_key(public_key, rated_w)
        found[serial] = MeterRow(serial, owners[row], kinds[row], rated_w, key)
    return found


def _optional(table: Table, column: str, wanted: str, parse: Any) -> list[Any]:  # noqa: ANN401
    if not table.has(column):
        return [None] * len(table.rows)
    return table.read(column, wanted, lambda cell: parse(cell) if cell else None)


def _rated(cell: object) -> Watts:
    return Watts(whole(cell))


def _key(cell: str) -> bytes:
    raw = bytes.fromhex(cell.removeprefix("0x"))
    if len(raw) != _KEY_BYTES:
        raise ValueError(cell)
    return raw


def _meter_key(public_key: bytes, rated_w: Watts | None) -> MeterKey:
    return MeterKey(
        curve=Curve.SECP256K1,
        public_key=public_key,
        kind=KeyKind.GATEWAY,
        rated_power_w=_ANY_POWER_W if rated_w is None else rated_w,
        valid_from_s=UnixSeconds(0),
        valid_until_s=_ALWAYS_S,
    )
