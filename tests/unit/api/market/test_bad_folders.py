"""Whatever is wrong in a folder is named by file, row and column, or by key; never a traceback."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.unit.api.market.folders import COMMUNITY, METERS, READINGS, market_run, write

INTERVALS = "meter,start,load_wh,pv_wh\n"


def replaced(text, old, new):
    assert old in text
    return text.replace(old, new, 1)


def refusal(folder, *options):
    code, shown = market_run(folder, *options)
    assert code == 1
    assert "Traceback" not in shown
    return " ".join(shown.split())


SETTINGS = {
    'id = "lane"\n': ("", "folder_value: community.toml, community.id: is missing"),
    'id = "lane"': ('ident = "lane"', "folder_value: community.toml, community.ident: no such key"),
    'currency = "EUR"': ("currency = 3", "community.currency: 3 is not a name"),
    "interval_s = 900": ("interval_s = 700", "community.interval_s: 700 is not a length"),
    '"Europe/Paris"': ('"Europe/Atlantis"', "community.time_zone: 'Europe/Atlantis' is not"),
    'local_toll = "0.02"': ('local_toll = "-0.02"', "zones: zone feeder has a toll below zero"),
    "[[zones]]": ("[zones]", "zones: is not a list of tables [[zones]]"),
    'levy = "0.01"': ('levy = "0.0000001"', "fees.levy: '0.0000001' is not an amount"),
    "vat_bp = 2000": ("vat_bp = 20000", "fees.vat_bp: 20000 is not 0 to 10,000"),
    'buys = "0.05"\n': ("", "residual.buys: is missing"),
    'sells = "0.25"': ('sells = "much"', "residual.sells: 'much' is not an amount"),
    'sells = "0.25"\n': ("", "residual: needs one of sells and sells_file"),
    'kind = "auction"': ('kind = "lottery"', "mechanism.kind: 'lottery' is not one of auction"),
    'name = "bo"': ('name = "ana"', "members[2].name: ana is there twice"),
    'cap = "5"': ('cap = "-5"', "members[1].cap: is below zero"),
    'buy_not_above = "0.20"': ('buy_not_above = "4000"', "members[1].buy_not_above: is beyond"),
    'name = "ana"': ('name = "ana"\nzone = "moon"', "members[1].zone: there is no zone moon"),
    '[[members]]\nname = "ana"': (
        '[[members]\nname = "ana"',
        "folder_file: community.toml: no TOML",
    ),
}


@pytest.mark.parametrize("old", SETTINGS)
def test_a_wrong_key_is_named(tmp_path, old):
    new, expected = SETTINGS[old]
    folder = write(tmp_path, community=replaced(COMMUNITY, old, new))
    assert expected in refusal(folder)


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ('[{from = "00:00", until = "12:00"}]', "bands[1].sell_not_below: is missing"),
        (
            '[{from = "00:00", until = "12:00", sell_not_below = "0", buy_not_above = "1"}]',
            "bands: the day ends at minute 720",
        ),
        (
            '[{from = "25:00", until = "24:00", sell_not_below = "0", buy_not_above = "1"}]',
            "bands[1].from: '25:00' is not a time of day",
        ),
    ],
)
def test_bands_that_leave_a_gap_are_named(tmp_path, bands, expected):
    community = replaced(COMMUNITY, 'name = "ana"', f'name = "ana"\nbands = {bands}')
    assert expected in refusal(write(tmp_path, community=community))


METER_FAULTS = {
    "a-load,ana,load,9000": ("a-load,ana,load", "folder_row: meters.csv, row 3: 3 cells for 4"),
    "meter,member": ("meter,owner", "folder_columns: meters.csv, column member: the column is"),
    "kind,rated_w": ("kind,watts", "folder_columns: meters.csv, column watts: no such column"),
    "a-roof,ana,pv": ("a-roof,ana,sun", "meters.csv, row 2, column kind: 'sun' is not one of"),
    "a-roof,ana,": ("a-roof,eve,", "row 2, column member: community.toml has no member eve"),
    "a-load,": ("a-roof,", "meters.csv, row 3, column meter: a-roof was there before"),
    "pv,9000": ("pv,lots", "meters.csv, row 2, column rated_w: 'lots' is not a power in W"),
}


@pytest.mark.parametrize("old", METER_FAULTS)
def test_a_wrong_meter_is_named(tmp_path, old):
    new, expected = METER_FAULTS[old]
    assert expected in refusal(write(tmp_path, meters=replaced(METERS, old, new)))


READING_FAULTS = {
    "a-roof,export,2026-06-01T10:15:00Z,2500": (
        "a-roof,export,2026-06-01T10:15:00Z,900",
        "folder_cell: readings.csv, row 6, column wh: the register of a-roof went back",
    ),
    "10:15:00Z,2500": (
        "10:15:00Z,25000",
        "row 6, column wh: 24000 Wh in 900 s is more than 9000 W",
    ),
    "a-roof,export,2026-06-01T10:15:00Z": (
        "a-roof,export,2026-06-01T10:00:00Z",
        "row 6, column at: a-roof has two readings of one instant",
    ),
    "a-load,import,2026-06-01T10:15:00Z,600": (
        "a-load,import,2026-06-01T10:15:00,600",
        "row 7, column at: '2026-06-01T10:15:00' is not an instant with its offset",
    ),
    "b-main,import,2026-06-01T10:15:00Z,1070": (
        "b-main,import,2026-06-01T10:15:00Z,1e3",
        "row 8, column wh: '1e3' is not a whole number",
    ),
    "b-main,export,2026-06-01T10:15:00Z,0": (
        "b-main,export,2026-06-01T10:15:00Z,-1",
        "row 9, column wh: '-1' is not a whole number",
    ),
    "a-load,import,2026-06-01T10:00:00Z": (
        "c-load,import,2026-06-01T10:00:00Z",
        "row 3, column meter: meters.csv has no meter c-load",
    ),
    "a-roof,export,2026-06-01T10:00:00Z": (
        "a-roof,import,2026-06-01T10:00:00Z",
        "row 2, column register: a pv meter has no such register",
    ),
    "meter,register,at,wh": (
        "meter,register,at,pv_wh",
        "folder_columns: readings.csv, column wh: the column is missing",
    ),
}


@pytest.mark.parametrize("old", READING_FAULTS)
def test_a_wrong_reading_is_named(tmp_path, old):
    new, expected = READING_FAULTS[old]
    assert expected in refusal(write(tmp_path, readings=replaced(READINGS, old, new)))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("b-main,2026-06-01T10:07:00Z,1,2\n", "row 2, column start: no interval of 900 s starts"),
        ("a-roof,2026-06-01T10:00:00Z,1,2\n", "row 2, column load_wh: a-roof is a pv meter"),
        ("b-main,2026-06-01T10:00:00Z,1,2\n" * 2, "row 3, column start: b-main has this interval"),
        ("b-main,2026-06-01T10:00:00Z,,2\n", "row 2, column load_wh: empty is not a whole number"),
    ],
)
def test_a_wrong_interval_is_named(tmp_path, rows, expected):
    assert expected in refusal(write(tmp_path, readings=INTERVALS + rows))


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("meter,start,load_wh,pv_wh,import_wh", "column import_wh: does not go together with"),
        ("meter,register,at,wh,pv_wh", "column pv_wh: does not go together with"),
        ("meter,start,load_wh", "column wh: the column is missing"),
        ("meter,start,wh,wh", "column wh: two columns have this name"),
        ("meter,start,wh,sun", "column sun: no such column"),
    ],
)
def test_columns_that_do_not_go_together_are_named(tmp_path, header, expected):
    row = ",".join(["b-main", "2026-06-01T10:00:00Z", "1", "2", "3"][: header.count(",") + 1])
    assert expected in refusal(write(tmp_path, readings=f"{header}\n{row}\n"))


def test_the_row_of_a_parquet_file_is_named(tmp_path):
    folder = write(tmp_path)
    columns = {
        "meter": ["b-main", "b-main"],
        "start": pa.array([0, 900], pa.timestamp("s", tz="UTC")),
        "import_wh": [5, -5],
        "export_wh": [0, 0],
    }
    parquet.write_table(pa.table(columns), folder / "readings.parquet")
    assert "readings.parquet, row 2, column import_wh: -5 is not" in refusal(folder)


def test_instants_of_a_parquet_file_must_say_their_time_zone(tmp_path):
    folder = write(tmp_path)
    columns = {
        "meter": ["b-main"],
        "start": pa.array([0], pa.timestamp("s")),
        "import_wh": [5],
        "export_wh": [0],
    }
    parquet.write_table(pa.table(columns), folder / "readings.parquet")
    assert "row 1, column start" in refusal(folder)


def test_a_file_that_is_no_parquet_is_named(tmp_path):
    folder = write(tmp_path)
    (folder / "readings.parquet").write_bytes(b"nothing of the kind")
    assert "folder_file: readings.parquet: no Parquet" in refusal(folder)


@pytest.mark.parametrize("name", ["community.toml", "meters.csv", "readings.csv"])
def test_a_file_that_is_not_there_is_named(tmp_path, name):
    folder = write(tmp_path)
    (folder / name).unlink()
    assert f"folder_file: {name}" in refusal(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    assert "there is no such folder" in refusal(tmp_path / "none")


def test_text_that_is_not_utf_8_is_refused(tmp_path):
    folder = write(tmp_path)
    (folder / "meters.csv").write_bytes("meter,member,kind\né,ana,pv\n".encode("latin-1"))
    assert "folder_file: meters.csv: no CSV in UTF-8" in refusal(folder)


def test_a_member_that_is_not_there_is_named(tmp_path):
    assert "folder_member: community.toml has no member eve" in refusal(
        write(tmp_path), "--member", "eve"
    )


@pytest.mark.parametrize("text", ["yesterday", "2026-06-01T10:00:00"])
def test_a_bad_instant_is_named(tmp_path, text):
    assert f"bad_instant: '{text}' is no day" in refusal(write(tmp_path), "--from", text)


def test_a_span_without_readings_is_refused(tmp_path):
    assert "nothing_to_settle" in refusal(write(tmp_path), "--from", "2030-01-01")


def test_readings_without_a_whole_interval_are_refused(tmp_path):
    one_instant = "".join(READINGS.splitlines(keepends=True)[:5])
    assert "nothing_to_settle" in refusal(write(tmp_path, readings=one_instant))


def test_a_missing_residual_price_is_named(tmp_path):
    folder = write(
        tmp_path, community=replaced(COMMUNITY, 'sells = "0.25"', 'sells_file = "retail.csv"')
    )
    (folder / "retail.csv").write_text("start,price_per_kwh\n2026-06-01T09:45:00Z,0.2\n")
    assert "residual_price_missing" in refusal(folder)
    (folder / "retail.csv").write_text("start,price_per_kwh\n2026-06-01T09:45:01Z,0.2\n")
    assert "retail.csv, row 2, column start" in refusal(folder)
