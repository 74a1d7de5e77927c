"""Tables of sessions as spreadsheets read them: exact, in two languages, and never a formula."""

import csv
import io
import zipfile
from decimal import Decimal
from fractions import Fraction

import openpyxl
import pytest

from api.documents.sheets import csv_lines, xlsx_parts
from settlement.charging.documents.facts import Evidence, Finality, Transaction
from settlement.charging.documents.table import COLUMNS
from tests.unit.settlement.documents.samples import evidence, facts, record_of

EVIL = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "=1")


def read_csv(rows, language="en"):
    text = b"".join(csv_lines(rows, language)).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text, newline="")))


def read_xlsx(rows, language="en"):
    book = openpyxl.load_workbook(io.BytesIO(b"".join(xlsx_parts(rows, language))))
    heads, *lines = book.active.iter_rows()
    names = [one.value for one in heads]
    return [dict(zip(names, line, strict=True)) for line in lines]


class TestCsv:
    def test_has_the_columns_that_owners_ask_for(self):
        (row,) = read_csv([facts(sun_wh=Fraction(18_729, 3))])
        shown = {column.key: row[column.headings[0]] for column in COLUMNS}
        assert shown == {
            "created": "2017-05-08 07:00:00-07:00",
            "finished": "2017-05-08 09:30:00-07:00",
            "station": "CA-314",
            "identifier": "AB12",
            "driver": "0x" + "bb" * 20,
            "meterStart": "4430.127",
            "meterStop": "4448.856",
            "chargedEnergy": "18.729",
            "chargeDuration": "2:30:00",
            "solarPercentage": "33.3",
            "price": "7.686149",
            "pricePerKWh": "0.410388",
            "vat": "1.281025",
            "deposit": "10",
            "refund": "2.313851",
            "invoiced": "0",
            "currency": "EUR",
            "state": "closed",
            "finality": "final",
            "transaction": "0x" + "02" * 32,
            "signedBy": "meter",
            "tariff": facts().tariff.fingerprint,
            "session": "0x" + "0123456789abcdef" * 4,
        }

    def test_speaks_french(self):
        (row,) = read_csv([facts()], "fr")
        assert row["Énergie chargée (kWh)"] == "18.729"
        assert set(row) == {column.headings[1] for column in COLUMNS}

    @pytest.mark.parametrize("text", EVIL)
    def test_holds_nothing_that_a_spreadsheet_would_run(self, text):
        (row,) = read_csv([facts(station_id=text, id_tag=text)])
        assert row["Station"] == row["Identifier (idTag)"] == f"'{text}"

    def test_leaves_numbers_numbers(self):
        lines = [facts(settlement=Transaction(None, None, Finality.SENT))]
        (row,) = read_csv(lines)
        assert (row["Transaction"], row["Sun (%)"]) == ("", "")
        assert Decimal(row["Refund"]) == Decimal("2.313851")

    def test_keeps_every_digit_of_the_meter(self):
        kept = evidence(record_of(begin="4430.1270", end="4448.8560"))
        (row,) = read_csv([facts(evidence=kept)])
        assert row["Meter start (kWh)"] == "4430.1270"

    def test_comes_piece_by_piece(self):
        seen = []

        def rows():
            for n in range(3):
                seen.append(n)
                yield facts()

        parts = csv_lines(rows(), "en")
        next(parts)
        assert seen == [0]
        assert sum(1 for _ in parts) == 3

    def test_is_a_table_with_headings_if_there_are_no_sessions(self):
        assert read_csv([]) == []


class TestXlsx:
    def test_says_what_the_csv_says(self):
        rows = [facts(), facts(evidence=Evidence("0x", "", None, None, None, None))]
        for cells, texts in zip(read_xlsx(rows), read_csv(rows), strict=True):
            for name, text in texts.items():
                cell = cells[name]
                if cell.data_type == "n" and cell.value is not None:
                    assert Decimal(repr(cell.value)) == Decimal(text)
                else:
                    assert (cell.value or "") == text

    @pytest.mark.parametrize("text", EVIL[:4])
    def test_holds_no_formula(self, text):
        (row,) = read_xlsx([facts(station_id=text)])
        assert (row["Station"].data_type, row["Station"].value) == ("s", text)

    def test_has_amounts_as_numbers_exact_to_the_digit(self):
        content = b"".join(xlsx_parts([facts()], "en"))
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            sheet = book.read("xl/worksheets/sheet1.xml").decode()
        assert "<v>7.686149</v>" in sheet
        assert "<v>4430.127</v>" in sheet

    def test_is_the_same_bytes_each_time(self):
        assert b"".join(xlsx_parts([facts()], "fr")) == b"".join(xlsx_parts([facts()], "fr"))

    def test_speaks_french(self):
        (row,) = read_xlsx([facts()], "fr")
        assert row["Borne"].value == "CA-314"
