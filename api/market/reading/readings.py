"""
Read ``readings.csv`` or ``readings.parquet`` into registers.

Two forms, told apart by their columns: registers (what the meter shows at an instant) and intervals
(what was counted from an instant on, as grid operators hand it out). The second is added up to
registers that begin at 0; where a row is missing, the register shows nothing, as if it were silent.
"""

from array import array
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from api.market.reading.cells import (
    INSTANT,
    NAME,
    WHOLE,
    FolderColumnsError,
    FolderFileError,
    Table,
    instant,
    name,
    read_table,
    whole,
)
from api.market.reading.meters import MeterRow
from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds
from settlement.engine.batch.model import REGISTERS, BatchMeter, MeterKind, Series
from settlement.metering.readings import Register
from settlement.metering.validation import check_power

FILES: Final = ("readings.parquet", "readings.csv")
_REGISTER_FORM: Final = ("meter", "register", "at", "wh")
_INTERVAL_FORM: Final = ("meter", "start")
_ENERGY: Final[Mapping[str, tuple[MeterKind, ...]]] = {
    "wh": (MeterKind.LOAD, MeterKind.PV),
    "import_wh": (MeterKind.MAIN,),
    "export_wh": (MeterKind.MAIN,),
    "load_wh": (MeterKind.MAIN,),
    "pv_wh": (MeterKind.MAIN,),
}
_FORMS: Final = (("wh",), ("import_wh", "export_wh"), ("load_wh", "pv_wh"))
_NAMES: Final = {register.name.lower(): register for register in (Register.IMPORT, Register.EXPORT)}
_SIGNATURE_BYTES: Final = 65

Key = tuple[str, Register]


@dataclass(slots=True)
class _Growing:
    """A series while it is read."""

    at_s: "array[int]" = field(default_factory=lambda: array("q"))
    register_wh: "array[int]" = field(default_factory=lambda: array("q"))
    sequences: "array[int]" = field(default_factory=lambda: array("q"))
    estimated: set[int] = field(default_factory=set)
    signatures: list[bytes] = field(default_factory=list)

    def add(self, at_s: int, register_wh: int, *, estimated: bool = False) -> None:
        if estimated:
            self.estimated.add(len(self.at_s))
        self.sequences.append(len(self.at_s))
        self.at_s.append(at_s)
        self.register_wh.append(register_wh)

    def done(self) -> Series:
        return Series(
            self.at_s,
            self.register_wh,
            self.sequences,
            frozenset(self.estimated),
            tuple(self.signatures),
        )


def read_readings(
    folder: Path, meters: Mapping[str, MeterRow], interval_s: int
) -> tuple[BatchMeter, ...]:
    """
    Return the folder's meters with what they measured.

    Raises
    ------
    FolderError
        If there is no such file, or it is not as documented.
    """
    file = next((one for one in FILES if (folder / one).is_file()), None)
    if file is None:
        raise FolderFileError(FILES[-1], "neither readings.csv nor readings.parquet is there")
    optional = ("register", "at", "sequence", "quality", "signature", "start", *_ENERGY)
    table = read_table(folder, file, ("meter",), optional)
    serials = _known(table, meters)
    if table.has("register"):
        series = _registers(table, serials, meters)
    else:
        series = _intervals(table, serials, meters, interval_s)
    return tuple(
        BatchMeter(
            serial=one.serial,
            member=one.member,
            kind=one.kind,
            series={
                register: series[one.serial, register].done()
                for register in REGISTERS[one.kind]
                if (one.serial, register) in series
            },
            key=one.key,
        )
        for one in meters.values()
    )


def _known(table: Table, meters: Mapping[str, MeterRow]) -> list[str]:
    serials = table.read("meter", NAME, name)
    unknown = set(serials) - set(meters)
    if unknown:
        row = next(row for row, serial in enumerate(serials) if serial in unknown)
        raise table.wrong("meter", row, f"meters.csv has no meter {serials[row]}")
    return serials


def _need(table: Table, columns: Iterable[str], allowed: Iterable[str]) -> None:
    """Refuse a form that lacks a column or has one of another form."""
    for column in columns:
        if not table.has(column):
            raise FolderColumnsError(table.file, column, "the column is missing")
    for column in table.columns:
        if column not in {*columns, *allowed}:
            raise FolderColumnsError(
                table.file, column, f"does not go together with {', '.join(columns)}"
            )


def _qualities(table: Table) -> Sequence[bool]:
    """Return for each row whether its value was estimated."""
    if not table.has("quality"):
        return [False] * len(table.rows)
    names = ("measured", "estimated")
    return table.read("quality", "measured or estimated", lambda cell: names.index(cell) == 1)


def _registers(
    table: Table, serials: Sequence[str], meters: Mapping[str, MeterRow]
) -> dict[Key, _Growing]:
    _need(table, _REGISTER_FORM, ("sequence", "quality", "signature"))
    registers = table.read("register", "import or export", lambda cell: _NAMES[name(cell)])
    instants = table.read("at", INSTANT, instant)
    energies = table.read("wh", WHOLE, whole)
    sequences = table.read("sequence", WHOLE, whole) if table.has("sequence") else None
    signatures = _signatures(table)
    estimated = _qualities(table)
    found: dict[Key, _Growing] = defaultdict(_Growing)
    for row in sorted(range(len(serials)), key=instants.__getitem__):
        meter, register = meters[serials[row]], registers[row]
        if register not in REGISTERS[meter.kind]:
            raise table.wrong("register", row, f"a {meter.kind} meter has no such register")
        series = found[meter.serial, register]
        _check_follows(table, row, series, (instants[row], energies[row]), meter)
        series.add(instants[row], energies[row], estimated=estimated[row])
        if sequences is not None:
            if len(series.sequences) > 1 and sequences[row] <= series.sequences[-2]:
                raise table.wrong("sequence", row, "does not rise")
            series.sequences[-1] = sequences[row]
        if meter.key is not None:
            if not signatures[row]:
                raise table.wrong("signature", row, f"{meter.serial} has a key, so it must sign")
            series.signatures.append(signatures[row])
    return found


def _signatures(table: Table) -> Sequence[bytes]:
    if not table.has("signature"):
        return [b""] * len(table.rows)
    return table.read("signature", "a signature of 65 bytes in hex, or empty", _signature)


def _signature(cell: str | None) -> bytes:
    raw = bytes.fromhex((cell or "").removeprefix("0x"))
    if raw and len(raw) != _SIGNATURE_BYTES:
        raise ValueError(cell)
    return raw


def _check_follows(
    table: Table, row: int, series: _Growing, now: tuple[UnixSeconds, int], meter: MeterRow
) -> None:
    """Refuse a register that stands still in time, goes back, or ran faster than it can."""
    if not len(series.at_s):
        return
    at_s, energy_wh = now
    elapsed_s, counted_wh = at_s - series.at_s[-1], energy_wh - series.register_wh[-1]
    if elapsed_s <= 0:
        raise table.wrong("at", row, f"{meter.serial} has two readings of one instant")
    if counted_wh < 0:
        raise table.wrong("wh", row, f"the register of {meter.serial} went back")
    _check_power(table, "wh", row, counted_wh, elapsed_s, meter)


def _check_power(
    table: Table, column: str, row: int, energy_wh: int, elapsed_s: int, meter: MeterRow
) -> None:
    if meter.rated_w is None:
        return
    try:
        check_power(energy_wh, elapsed_s, meter.rated_w)
    except UnverifiedReading as fault:
        raise table.wrong(column, row, str(fault)) from fault


def _intervals(
    table: Table, serials: Sequence[str], meters: Mapping[str, MeterRow], interval_s: int
) -> dict[Key, _Growing]:
    form = next((one for one in _FORMS if all(map(table.has, one))), _FORMS[0])
    _need(table, (*_INTERVAL_FORM, *form), ("quality",))
    starts = table.read("start", INSTANT, instant)
    energies = [table.read(column, WHOLE, whole) for column in form]
    estimated = _qualities(table)
    found: dict[Key, _Growing] = defaultdict(_Growing)
    for row in sorted(range(len(serials)), key=starts.__getitem__):
        meter = meters[serials[row]]
        if meter.kind not in _ENERGY[form[0]]:
            detail = f"{meter.serial} is a {meter.kind} meter, which has no {form[0]}"
            raise table.wrong(form[0], row, detail)
        if meter.key is not None:
            detail = f"{meter.serial} has a key; signed readings are registers, not intervals"
            raise table.wrong("meter", row, detail)
        if starts[row] % interval_s:
            raise table.wrong("start", row, f"no interval of {interval_s} s starts then")
        counted = _counted(form, [column[row] for column in energies], meter.kind)
        for register, energy_wh in counted.items():
            series = found[meter.serial, register]
            if len(series.at_s) and starts[row] < series.at_s[-1]:
                raise table.wrong("start", row, f"{meter.serial} has this interval twice")
            _check_power(table, form[0], row, energy_wh, interval_s, meter)
            _append(
                series, starts[row], starts[row] + interval_s, energy_wh, estimated=estimated[row]
            )
    return found


def _counted(form: Sequence[str], cells: Sequence[int], kind: MeterKind) -> dict[Register, int]:
    """Return what each register counts of a row: what is made and used at once passes no meter."""
    if form[0] == "wh":
        return {REGISTERS[kind][0]: cells[0]}
    first, second = cells
    if form[0] == "load_wh":
        return {
            Register.IMPORT: max(0, first - second),
            Register.EXPORT: max(0, second - first),
        }
    return {Register.IMPORT: first, Register.EXPORT: second}


def _append(series: _Growing, start_s: int, end_s: int, energy_wh: int, *, estimated: bool) -> None:
    """Add an interval; the register begins at 0, and shows nothing where a row is missing."""
    if not len(series.at_s):
        series.add(start_s, 0)
    series.add(end_s, series.register_wh[-1] + energy_wh, estimated=estimated)
