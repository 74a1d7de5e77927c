"""Write the grid operator's tables: totals of zones, coefficients of metering points."""

import csv
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from api.documents.sheets import text_cell
from settlement.engine.grid.coefficients import Allocation
from settlement.engine.grid.totals import ZoneTotal

PARQUET_TYPE: Final = "application/vnd.apache.parquet"
_GROUP_ROWS: Final = 50_000
_PART_BYTES: Final = 65_536
_MILLIONTHS: Final = -6

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table."""

    name: str
    """Its heading."""
    type: pa.DataType
    """Its type in Parquet."""
    value: Callable[[Row], Any]
    """What stands in it: an integer, a decimal, a text, an instant, a truth value or None."""


_TEXT, _WHOLE, _TRUTH = pa.string(), pa.int64(), pa.bool_()
_INSTANT: Final = pa.timestamp("s", tz="UTC")
_COEFFICIENT: Final = pa.decimal128(7, -_MILLIONTHS)


def _instant(at_s: int) -> datetime:
    return datetime.fromtimestamp(at_s, UTC)


ALLOCATION: Final[tuple[Column[Allocation], ...]] = (
    Column("begin", _INSTANT, lambda one: _instant(one.begin_s)),
    Column("end", _INSTANT, lambda one: _instant(one.end_s)),
    Column("metering_point", _TEXT, lambda one: one.share.meter),
    Column("party", _TEXT, lambda one: one.party),
    Column("zone", _TEXT, lambda one: one.zone),
    Column("direction", _TEXT, lambda one: one.share.direction.value),
    Column("total_wh", _WHOLE, lambda one: one.share.total_wh),
    Column("allotted_wh", _WHOLE, lambda one: one.share.offered_wh),
    Column("covered_wh", _WHOLE, lambda one: one.share.covered_wh),
    Column("left_wh", _WHOLE, lambda one: one.share.left_wh),
    Column(
        "coefficient",
        _COEFFICIENT,
        lambda one: Decimal(one.share.coefficient_ppm).scaleb(_MILLIONTHS),
    ),
    Column("estimated", _TRUTH, lambda one: one.estimated),
    Column("run", _WHOLE, lambda one: one.run),
)
"""What a metering point shared (``docs/reference/exports.md``)."""

TOTALS: Final[tuple[Column[ZoneTotal], ...]] = (
    Column("begin", _INSTANT, lambda one: _instant(one.begin_s)),
    Column("interval", _WHOLE, lambda one: one.interval),
    Column("zone", _TEXT, lambda one: one.zone),
    Column("imports_wh", _WHOLE, lambda one: one.imports_wh),
    Column("exports_wh", _WHOLE, lambda one: one.exports_wh),
    Column("bought_wh", _WHOLE, lambda one: one.bought_wh),
    Column("sold_wh", _WHOLE, lambda one: one.sold_wh),
    Column("residual_import_wh", _WHOLE, lambda one: one.residual_import_wh),
    Column("residual_export_wh", _WHOLE, lambda one: one.residual_export_wh),
    Column("edge_import_wh", _WHOLE, lambda one: one.edge_import_wh),
    Column("edge_export_wh", _WHOLE, lambda one: one.edge_export_wh),
    Column("losses_wh", _WHOLE, lambda one: one.losses_wh),
    Column("import_cap_wh", _WHOLE, lambda one: one.import_cap_wh),
    Column("export_cap_wh", _WHOLE, lambda one: one.export_cap_wh),
    Column("import_shadow", _WHOLE, lambda one: one.import_shadow),
    Column("export_shadow", _WHOLE, lambda one: one.export_shadow),
    Column("price", _WHOLE, lambda one: one.price),
    Column("estimated", _WHOLE, lambda one: one.estimated),
    Column("run", _WHOLE, lambda one: one.run),
)
"""What a zone did in an interval (``docs/reference/exports.md``)."""


def csv_parts(columns: tuple[Column[Row], ...], rows: Iterable[Row]) -> Iterator[bytes]:
    """Return a table as CSV (RFC 4180): UTF-8, integers whole, instants in RFC 3339."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([column.name for column in columns])
    for row in rows:
        writer.writerow([_cell(column.value(row)) for column in columns])
        if buffer.tell() >= _PART_BYTES:
            yield buffer.getvalue().encode()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue().encode()


def parquet_parts(columns: tuple[Column[Row], ...], rows: Iterable[Row]) -> Iterator[bytes]:
    """Return a table as Parquet: integers and decimals, never a float; written as rows come."""
    schema = pa.schema([pa.field(column.name, column.type) for column in columns])
    with tempfile.TemporaryFile() as file:
        with pq.ParquetWriter(file, schema) as writer:
            waiting = iter(rows)
            while group := tuple(islice(waiting, _GROUP_ROWS)):
                arrays = [
                    pa.array([column.value(row) for row in group], column.type)
                    for column in columns
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        file.seek(0)
        while part := file.read(_PART_BYTES):
            yield part


def json_rows(columns: tuple[Column[Row], ...], rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return a table as JSON values; instants are RFC 3339."""
    return [{column.name: _plain(column.value(row)) for column in columns} for row in rows]


def _plain(value: object) -> object:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def _cell(value: object) -> str:
    plain = _plain(value)
    if isinstance(plain, bool):
        return str(plain).lower()
    if isinstance(plain, int):
        return str(plain)
    return text_cell(plain if isinstance(plain, Decimal) or plain is None else str(plain))
