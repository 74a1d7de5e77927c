"""
Read the demonstration's week: homes, retail prices and charging stays, as the CSV files say them.

Every cell is checked while it is read; what is wrong is named by file, line and column. Energies
stay whole Wh; prices become micros exactly, by ``Decimal``. Origin and licences are in
``data/README.md``.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

from ledger.errors import InvalidRequest
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours, Watts

DATA: Final = Path(__file__).parent / "data"
HOMES_FILE: Final = "sierra/week_2017-05-08.csv"
RETAIL_FILE: Final = "sierra/week_2017-05-08_tariff.csv"
STAYS_FILE: Final = "acn/week_2017-05-08.csv"
HOUR_S: Final = 3_600

_HOME_COLUMNS: Final = ("meter", "start_utc", "start_local", "load_wh", "pv_wh", "pv_kw")
_RETAIL_COLUMNS: Final = ("start_utc", "start_local", "retail_usd_per_kwh", "kg_co2_per_kwh")
_STAY_COLUMNS: Final = (
    "session",
    "site",
    "station",
    "arrival_utc",
    "departure_utc",
    "declared_departure_utc",
    "requested_wh",
    "delivered_wh",
    "declared_by_driver",
)
_MILLION: Final = 1_000_000
_THOUSAND: Final = 1_000

Value = TypeVar("Value")


class DataFileError(InvalidRequest):
    """A data file does not say what it should."""

    def __init__(self, code: str, file: str, line: int, column: str, detail: str) -> None:
        place = f"{file}, line {line}" + (f", column {column}" if column else "")
        super().__init__(code, f"{place}: {detail}")
        self.file: Final = file
        self.line: Final = line
        self.column: Final = column


class FileUnreadableError(DataFileError):
    """A data file is not there, or is no CSV in UTF-8."""

    def __init__(self, file: str, line: int, fault: Exception) -> None:
        super().__init__("data_file_unreadable", file, line, "", str(fault))


class ColumnMissingError(DataFileError):
    """A data file lacks a column."""

    def __init__(self, file: str, column: str) -> None:
        super().__init__("data_column_missing", file, 1, column, "the column is missing")


class CellCountError(DataFileError):
    """A row has more or fewer cells than the file has columns."""

    def __init__(self, file: str, line: int, cells: int, columns: int) -> None:
        super().__init__("data_cell_count", file, line, "", f"{cells} cells for {columns} columns")


class UnreadableCellError(DataFileError):
    """A cell cannot be read as what its column holds."""

    def __init__(self, row: "_Row", column: str, wanted: str) -> None:
        detail = f"{row.cells[column]!r} is not {wanted}"
        super().__init__("data_cell_unreadable", row.file, row.line, column, detail)


class NegativeCellError(DataFileError):
    """An energy, power or price is below zero."""

    def __init__(self, row: "_Row", column: str) -> None:
        detail = f"{row.cells[column]} is below zero"
        super().__init__("data_negative", row.file, row.line, column, detail)


class DepartureError(DataFileError):
    """A car leaves no later than it came."""

    def __init__(self, row: "_Row") -> None:
        detail = f"not after the arrival at {row.cells['arrival_utc']}"
        super().__init__("data_departure", row.file, row.line, "departure_utc", detail)


class DuplicateRowError(DataFileError):
    """Two rows say the same thing twice."""

    def __init__(self, row: "_Row", column: str) -> None:
        detail = f"{row.cells[column]} was said before"
        super().__init__("data_duplicate", row.file, row.line, column, detail)


class RowOrderError(DataFileError):
    """A row is earlier than the one before it."""

    def __init__(self, row: "_Row", column: str) -> None:
        detail = f"{row.cells[column]} is earlier than the row before"
        super().__init__("data_order", row.file, row.line, column, detail)


class HourMissingError(DataFileError):
    """An hour of the week is missing, for a home or for all."""

    def __init__(self, file: str, line: int, detail: str) -> None:
        super().__init__("data_hour_missing", file, line, "start_utc", detail)


class StationBusyError(DataFileError):
    """Two stays overlap at one station."""

    def __init__(self, file: str, line: int, station: str) -> None:
        detail = f"{station} is still occupied by the stay before"
        super().__init__("data_station_busy", file, line, "arrival_utc", detail)


@dataclass(frozen=True, slots=True)
class HomeHour:
    """What one home used and made in one hour."""

    home: str
    """Name of the home, ``home-01``."""
    start_s: UnixSeconds
    """First instant of the hour."""
    load_wh: WattHours
    """Energy used, in Wh."""
    pv_wh: WattHours
    """Solar energy made, in Wh."""
    pv_rated_w: Watts
    """Nominal power of the panels, in W."""


@dataclass(frozen=True, slots=True)
class RetailHour:
    """What the grid's energy cost in one hour."""

    start_s: UnixSeconds
    """First instant of the hour."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """Retail price; the source's dollars are read as euros."""
    carbon_mg_per_kwh: int
    """Carbon intensity of the grid, in mg of CO2 per kWh."""


@dataclass(frozen=True, slots=True)
class ChargingStay:
    """One car at one station, from plugging in to leaving."""

    session: str
    """Id of the session in the source."""
    station: str
    """Name of the station, ``CA-314``."""
    arrival_s: UnixSeconds
    """Instant of plugging in."""
    departure_s: UnixSeconds
    """Instant of leaving, after the arrival."""
    declared_departure_s: UnixSeconds
    """When the driver said they would leave."""
    requested_wh: WattHours
    """Energy the driver asked for, in Wh."""
    delivered_wh: WattHours
    """Energy the car took, in Wh."""
    declared_by_driver: bool
    """Whether a driver declared anything; else requested is what was delivered."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The whole week."""

    home_hours: tuple[HomeHour, ...]
    """By hour, then by home; every home in every hour."""
    retail_hours: tuple[RetailHour, ...]
    """One per hour, the same hours as the homes'."""
    stays: tuple[ChargingStay, ...]
    """By arrival."""

    @property
    def first_s(self) -> UnixSeconds:
        """First instant of the data."""
        return self.retail_hours[0].start_s

    @property
    def end_s(self) -> UnixSeconds:
        """First instant after the last hour."""
        return UnixSeconds(self.retail_hours[-1].start_s + HOUR_S)

    @property
    def homes(self) -> tuple[str, ...]:
        """Names of the homes, sorted."""
        return tuple(sorted({hour.home for hour in self.home_hours}))

    @property
    def stations(self) -> tuple[str, ...]:
        """Names of the stations, sorted."""
        return tuple(sorted({stay.station for stay in self.stays}))


def load_dataset(folder: Path = DATA) -> Dataset:
    """
    Read and check the week in ``folder``.

    Raises
    ------
    DataFileError
        If a file, a column, a cell, a row or an hour is missing or wrong; names the place.
    """
    home_hours = _home_hours(folder)
    retail_hours = _retail_hours(folder)
    stays = _stays(folder)
    if {hour.start_s for hour in home_hours} != {hour.start_s for hour in retail_hours}:
        raise HourMissingError(RETAIL_FILE, 0, f"its hours are not those of {HOMES_FILE}")
    return Dataset(home_hours, retail_hours, stays)


@dataclass(frozen=True, slots=True)
class _Row:
    file: str
    line: int
    cells: Mapping[str, str]

    def read(self, column: str, wanted: str, parse: Callable[[str], Value]) -> Value:
        try:
            return parse(self.cells[column])
        except (ValueError, InvalidOperation) as fault:
            raise UnreadableCellError(self, column, wanted) from fault

    def name(self, column: str) -> str:
        return self.read(column, "a name", _name)

    def instant(self, column: str) -> UnixSeconds:
        return self.read(column, "an instant with its offset from UTC, to the second", _instant)

    def count(self, column: str) -> int:
        value = self.read(column, "a whole number", _whole)
        if value < 0:
            raise NegativeCellError(self, column)
        return value

    def scaled(self, column: str, scale: int) -> int:
        value = self.read(column, f"in {scale}ths exactly", lambda cell: _exact(cell, scale))
        if value < 0:
            raise NegativeCellError(self, column)
        return value

    def truth(self, column: str) -> bool:
        return self.read(column, "True or False", lambda cell: ("False", "True").index(cell) == 1)


def _name(cell: str) -> str:
    if not cell or not cell.isascii() or not cell.isprintable():
        raise ValueError(cell)
    return cell


def _whole(cell: str) -> int:
    if not cell.isascii() or not cell.removeprefix("-").isdigit():
        raise ValueError(cell)
    return int(cell)


def _instant(cell: str) -> UnixSeconds:
    instant = datetime.fromisoformat(cell)
    if instant.utcoffset() != timedelta(0) or instant.microsecond:
        raise ValueError(cell)
    return UnixSeconds(int(instant.timestamp()))


def _exact(cell: str, scale: int) -> int:
    scaled = Decimal(cell) * scale
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(cell)
    return int(scaled)


def _rows(folder: Path, file: str, columns: Sequence[str]) -> Iterator[_Row]:
    lines = 0
    try:
        with (folder / file).open(encoding="utf-8", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            for column in columns:
                if column not in header:
                    raise ColumnMissingError(file, column)
            for cells in reader:
                lines = reader.line_num
                if len(cells) != len(header):
                    raise CellCountError(file, lines, len(cells), len(header))
                yield _Row(file, lines, dict(zip(header, cells, strict=True)))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise FileUnreadableError(file, lines, fault) from fault


def _home_hours(folder: Path) -> tuple[HomeHour, ...]:
    hours: list[HomeHour] = []
    by_start: dict[UnixSeconds, dict[str, int]] = {}
    for row in _rows(folder, HOMES_FILE, _HOME_COLUMNS):
        hour = HomeHour(
            home=row.name("meter"),
            start_s=row.instant("start_utc"),
            load_wh=WattHours(row.count("load_wh")),
            pv_wh=WattHours(row.count("pv_wh")),
            pv_rated_w=Watts(row.scaled("pv_kw", _THOUSAND)),
        )
        seen = by_start.setdefault(hour.start_s, {})
        if hour.home in seen:
            raise DuplicateRowError(row, "meter")
        if hours and hour.start_s < hours[-1].start_s:
            raise RowOrderError(row, "start_utc")
        seen[hour.home] = row.line
        hours.append(hour)
    _check_hours(HOMES_FILE, [(start, max(seen.values())) for start, seen in by_start.items()])
    everybody = {hour.home for hour in hours}
    for start_s, seen in by_start.items():
        for home in sorted(everybody - set(seen)):
            last = max(seen.values())
            raise HourMissingError(HOMES_FILE, last, f"{home} has no row for instant {start_s}")
    return tuple(sorted(hours, key=lambda hour: (hour.start_s, hour.home)))


def _retail_hours(folder: Path) -> tuple[RetailHour, ...]:
    hours: list[RetailHour] = []
    lines: list[int] = []
    for row in _rows(folder, RETAIL_FILE, _RETAIL_COLUMNS):
        hour = RetailHour(
            start_s=row.instant("start_utc"),
            price_micros_per_kwh=MicrosPerKilowattHour(row.scaled("retail_usd_per_kwh", _MILLION)),
            carbon_mg_per_kwh=row.scaled("kg_co2_per_kwh", _MILLION),
        )
        if hours and hour.start_s == hours[-1].start_s:
            raise DuplicateRowError(row, "start_utc")
        if hours and hour.start_s < hours[-1].start_s:
            raise RowOrderError(row, "start_utc")
        hours.append(hour)
        lines.append(row.line)
    starts = [hour.start_s for hour in hours]
    _check_hours(RETAIL_FILE, list(zip(starts, lines, strict=True)))
    return tuple(hours)


def _check_hours(file: str, hours: Sequence[tuple[UnixSeconds, int]]) -> None:
    """Refuse an empty file and hours that do not follow one another on the hour."""
    if not hours:
        raise HourMissingError(file, 1, "there is no hour at all")
    if hours[0][0] % HOUR_S:
        raise HourMissingError(file, hours[0][1], "the first row does not start on the hour")
    for (before_s, _), (start_s, line) in pairwise(hours):
        if start_s != before_s + HOUR_S:
            raise HourMissingError(file, line, f"the hour after instant {before_s} is missing")


def _stays(folder: Path) -> tuple[ChargingStay, ...]:
    stays: list[ChargingStay] = []
    sessions: set[str] = set()
    free_from_s: dict[str, UnixSeconds] = {}
    for row in _rows(folder, STAYS_FILE, _STAY_COLUMNS):
        stay = ChargingStay(
            session=row.name("session"),
            station=row.name("station"),
            arrival_s=row.instant("arrival_utc"),
            departure_s=row.instant("departure_utc"),
            declared_departure_s=row.instant("declared_departure_utc"),
            requested_wh=WattHours(row.count("requested_wh")),
            delivered_wh=WattHours(row.count("delivered_wh")),
            declared_by_driver=row.truth("declared_by_driver"),
        )
        if stay.departure_s <= stay.arrival_s:
            raise DepartureError(row)
        if stay.session in sessions:
            raise DuplicateRowError(row, "session")
        if stays and stay.arrival_s < stays[-1].arrival_s:
            raise RowOrderError(row, "arrival_utc")
        if stay.arrival_s < free_from_s.get(stay.station, stay.arrival_s):
            raise StationBusyError(row.file, row.line, stay.station)
        free_from_s[stay.station] = stay.departure_s
        sessions.add(stay.session)
        stays.append(stay)
    return tuple(stays)
