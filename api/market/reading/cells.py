"""
Read the tables of a folder, CSV or Parquet, column by column.

Whatever is wrong is named by file, row and column. In CSV a row is a line of the file; in Parquet,
which has no lines, it is the number of the row, from 1 on.
"""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, TypeVar

import pyarrow as pa
from pyarrow import parquet

from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds

_PARQUET: Final = ".parquet"
_FIRST_ROW: Final = 1

Value = TypeVar("Value")
_UNREADABLE: Final = (ValueError, TypeError, KeyError, InvalidOperation)
"""What a parser raises of a cell that is not what it should be."""


class FolderError(InvalidRequest):
    """A file of a folder does not say what it should."""

    def __init__(self, code: str, place: str, detail: str) -> None:
        super().__init__(code, f"{place}: {detail}")


class FolderFileError(FolderError):
    """A file is not there, or is not what its name says."""

    def __init__(self, file: str, detail: str) -> None:
        super().__init__("folder_file", file, detail)


class FolderColumnsError(FolderError):
    """A table lacks a column, or has one that nothing reads."""

    def __init__(self, file: str, column: str, detail: str) -> None:
        super().__init__("folder_columns", f"{file}, column {column}", detail)


class FolderRowError(FolderError):
    """A row has more or fewer cells than the table has columns."""

    def __init__(self, file: str, row: int, cells: int, columns: int) -> None:
        super().__init__("folder_row", f"{file}, row {row}", f"{cells} cells for {columns} columns")


class FolderCellError(FolderError):
    """A cell cannot be read as what its column holds, or contradicts others."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__("folder_cell", place, detail)


@dataclass(frozen=True, slots=True)
class Table:
    """A table, by column."""

    file: str
    """Name of the file."""
    columns: Mapping[str, Sequence[Any]]
    """Cells: text from CSV, values from Parquet."""
    rows: Sequence[int]
    """Number of each row, as people count."""

    def has(self, column: str) -> bool:
        """Say whether there is such a column."""
        return column in self.columns

    def place(self, column: str, row: int) -> str:
        """Return where a cell is, for people."""
        return f"{self.file}, row {self.rows[row]}, column {column}"

    def wrong(self, column: str, row: int, detail: str) -> FolderCellError:
        """Return the error of one cell."""
        return FolderCellError(self.place(column, row), detail)

    def read(self, column: str, wanted: str, parse: Callable[[Any], Value]) -> list[Value]:
        """
        Return all cells of a column, parsed.

        Raises
        ------
        FolderCellError
            If one is not what is wanted; names the first.
        """
        cells = self.columns[column]
        try:
            return [parse(cell) for cell in cells]
        except _UNREADABLE:
            pass
        for row, cell in enumerate(cells):
            try:
                parse(cell)
            except _UNREADABLE as fault:
                shown = "empty" if cell in {None, ""} else repr(cell)
                raise self.wrong(column, row, f"{shown} is not {wanted}") from fault
        raise FolderColumnsError(self.file, column, f"is not {wanted}")


def read_table(
    folder: Path, file: str, needed: Sequence[str], allowed: Sequence[str] = ()
) -> Table:
    """
    Read one table; every column must be needed or allowed.

    Raises
    ------
    FolderError
        If the file cannot be read, a column is missing or unknown, or a row is too short or long.
    """
    path = folder / file
    if not path.is_file():
        raise FolderFileError(file, "the file is not there")
    table = _parquet(path, file) if path.suffix == _PARQUET else _csv(path, file)
    for column in needed:
        if column not in table.columns:
            raise FolderColumnsError(file, column, "the column is missing")
    for column in table.columns:
        if column not in {*needed, *allowed}:
            known = ", ".join((*needed, *allowed))
            raise FolderColumnsError(file, column, f"no such column; there may be {known}")
    return table


def _csv(path: Path, file: str) -> Table:
    lines: list[int] = []
    found: list[list[str]] = []
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = next(reader, [])
            for cells in reader:
                if len(cells) != len(header):
                    raise FolderRowError(file, reader.line_num, len(cells), len(header))
                lines.append(reader.line_num)
                found.append(cells)
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise FolderFileError(file, f"no CSV in UTF-8: {fault}") from fault
    if len(set(header)) != len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise FolderColumnsError(file, twice, "two columns have this name")
    columns = list(zip(*found, strict=True)) if found else [() for _ in header]
    return Table(file, dict(zip(header, columns, strict=True)), lines)


def _parquet(path: Path, file: str) -> Table:
    try:
        table = parquet.read_table(path)
        columns = {name: _values(table.column(name)) for name in table.column_names}
    except (OSError, pa.ArrowException) as fault:
        raise FolderFileError(file, f"no Parquet: {fault}") from fault
    return Table(file, columns, range(_FIRST_ROW, table.num_rows + 1))


def _values(column: pa.ChunkedArray) -> list[Any]:
    """Return a column's values; instants that name their time zone as Unix seconds."""
    kind = column.type
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        seconds = column.cast(pa.timestamp("s", tz=kind.tz))
        return [Instant(value) for value in seconds.cast(pa.int64()).to_pylist()]
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    found: list[Any] = column.to_pylist()
    return found


class Instant(int):
    """Unix seconds that a Parquet file holds as an instant, not as a bare number."""

    __slots__ = ()


def name(cell: Any) -> str:  # noqa: ANN401 - whatever a file holds
    """Return a name: printable, not empty, without blanks at its ends."""
    if not isinstance(cell, str) or not cell or not cell.isprintable() or cell != cell.strip():
        raise ValueError(cell)
    return cell


def whole(cell: Any) -> int:  # noqa: ANN401 - whatever a file holds
    """Return a whole number, 0 or more."""
    if isinstance(cell, int) and not isinstance(cell, bool | Instant):
        value = cell
    elif isinstance(cell, str) and cell.isascii() and cell.isdigit():
        value = int(cell)
    else:
        raise ValueError(cell)
    if not 0 <= value < 2**63:
        raise ValueError(cell)
    return value


def instant(cell: Any) -> UnixSeconds:  # noqa: ANN401 - whatever a file holds
    """Return an instant that says its offset from UTC, to the second."""
    if isinstance(cell, Instant):
        return UnixSeconds(int(cell))
    if not isinstance(cell, str):
        raise TypeError(cell)
    found = datetime.fromisoformat(cell)
    if found.utcoffset() is None or found.microsecond:
        raise ValueError(cell)
    return UnixSeconds((found - _EPOCH) // _SECOND)


_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_SECOND: Final = timedelta(seconds=1)
INSTANT: Final = "an instant with its offset from UTC, to the second"
WHOLE: Final = "a whole number, 0 or more"
NAME: Final = "a name"
MONEY: Final = "an amount with at most 6 decimals"


def micros(cell: Any) -> int:  # noqa: ANN401 - whatever a file holds
    """Return an amount of money, in micros, exactly; decimal text, as floats are not exact."""
    if isinstance(cell, Decimal):
        amount = cell
    elif isinstance(cell, str):
        amount = Decimal(cell)
    else:
        raise TypeError(cell)
    scaled = amount.scaleb(6)
    if not scaled.is_finite() or scaled != scaled.to_integral_value():
        raise ValueError(cell)
    return int(scaled)
