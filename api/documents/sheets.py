"""Write a table of sessions as CSV and as XLSX, row by row, in English or French."""

import csv
import io
import tempfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import xlsxwriter

from settlement.charging.documents.facts import SessionFacts
from settlement.charging.documents.table import COLUMNS, Cell

LANGUAGES: Final = ("en", "fr")
"""Languages of the headings."""
CSV_TYPE: Final = "text/csv; charset=utf-8"
XLSX_TYPE: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BYTE_ORDER_MARK: Final = "\ufeff"
_FORMULA_STARTS: Final = (
    "=",
    "+",
    "-",
    "@",
    "\t",
    "\r",
    "\n",
    "\uff1d",
    "\uff0b",
    "\uff0d",
    "\uff20",
)
_WIDTH: Final = 20
_PART_BYTES: Final = 65_536
_MADE: Final = datetime(2000, 1, 1, tzinfo=UTC)


def csv_lines(rows: Iterable[SessionFacts], language: str) -> Iterator[bytes]:
    """
    Return the table as CSV (RFC 4180), UTF-8 with a mark, which spreadsheets need to see it is.

    Numbers have a point and all their digits. A text that a spreadsheet would take for a formula
    gets an apostrophe before it.
    """
    place = LANGUAGES.index(language)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write(_BYTE_ORDER_MARK)
    writer.writerow([column.headings[place] for column in COLUMNS])
    for row in rows:
        yield _taken(buffer)
        writer.writerow([text_cell(column.cell(row)) for column in COLUMNS])
    yield _taken(buffer)


def xlsx_parts(rows: Iterable[SessionFacts], language: str) -> Iterator[bytes]:
    """
    Return the table as a workbook; amounts are numbers, everything else is text, never a formula.

    The rows go to disk as they come. The same rows give the same bytes.
    """
    place = LANGUAGES.index(language)
    with tempfile.TemporaryFile() as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True})
        book.set_properties({"created": _MADE.replace(tzinfo=None)})
        sheet = book.add_worksheet("Sessions")
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(COLUMNS) - 1, _WIDTH)
        bold = book.add_format({"bold": True})
        for at, column in enumerate(COLUMNS):
            sheet.write_string(0, at, column.headings[place], bold)
        for line, row in enumerate(rows, start=1):
            for at, column in enumerate(COLUMNS):
                found = column.cell(row)
                if isinstance(found, Decimal):
                    sheet.write_number(line, at, found)
                elif found is not None:
                    sheet.write_string(line, at, found)
        book.close()
        file.seek(0)
        while part := file.read(_PART_BYTES):
            yield part


def text_cell(found: Cell) -> str:
    """Return what stands in a cell of a CSV; no text of it is a formula."""
    if isinstance(found, Decimal):
        return f"{found:f}"
    if found is None:
        return ""
    return f"'{found}" if found.startswith(_FORMULA_STARTS) else found


def _taken(buffer: io.StringIO) -> bytes:
    """Return what the buffer holds, and empty it."""
    content = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return content
