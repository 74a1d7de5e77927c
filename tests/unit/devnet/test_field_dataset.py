"""The week's data: its totals to the Wh, and every way in which a file can be wrong."""

import hashlib
import re
import shutil

import pytest

from devnet.field.dataset import (
    DATA,
    HOMES_FILE,
    HOUR_S,
    RETAIL_FILE,
    STAYS_FILE,
    CellCountError,
    ColumnMissingError,
    DataFileError,
    DepartureError,
    DuplicateRowError,
    FileUnreadableError,
    HourMissingError,
    NegativeCellError,
    RowOrderError,
    StationBusyError,
    UnreadableCellError,
    load_dataset,
)
from ledger.errors import InvalidRequest


@pytest.fixture(scope="module")
def week():
    return load_dataset()


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DATA, tmp_path / "data")


def edit(folder, file, change):
    """Rewrite a file's lines; line 1 of the file is ``lines[0]``."""
    lines = (folder / file).read_text().splitlines()
    (folder / file).write_text("\n".join(change(lines)) + "\n")


def set_cell(folder, file, line, column, value):
    def change(lines):
        at = lines[0].split(",").index(column)
        cells = lines[line - 1].split(",")
        cells[at] = value
        return [*lines[: line - 1], ",".join(cells), *lines[line:]]

    edit(folder, file, change)


def drop_line(folder, file, line):
    edit(folder, file, lambda lines: [*lines[: line - 1], *lines[line:]])


class TestTheWeek:
    def test_holds_seventeen_homes_in_every_hour(self, week):
        assert len(week.homes) == 17
        assert len(week.home_hours) == 17 * 168
        assert len(week.retail_hours) == 168
        assert week.end_s - week.first_s == 168 * HOUR_S

    def test_starts_on_monday_at_local_midnight(self, week):
        assert week.first_s == 1_494_226_800  # 2017-05-08T07:00:00Z

    def test_holds_the_sessions_to_the_watt_hour(self, week):
        assert len(week.stays) == 233
        assert len(week.stations) == 42
        assert sum(stay.requested_wh for stay in week.stays) == 3_565_910
        assert sum(stay.delivered_wh for stay in week.stays) == 1_917_881

    def test_lets_no_session_take_more_than_it_asked_for_nor_nothing(self, week):
        assert all(0 < stay.delivered_wh <= stay.requested_wh for stay in week.stays)

    def test_lets_neighbors_alone_trade_402_151_wh_in_96_hours(self, week):
        surplus, deficit = by_hour(week)
        traded = [min(surplus[hour], deficit[hour]) for hour in surplus]
        assert sum(traded) == 402_151
        assert sum(1 for energy in traded if energy) == 96

    def test_has_retail_prices_exact_to_the_micro(self, week):
        assert {hour.price_micros_per_kwh for hour in week.retail_hours} == {210_000, 500_000}
        assert week.retail_hours[0].carbon_mg_per_kwh == 128_683

    def test_keeps_the_nominal_power_of_the_panels(self, week):
        assert {hour.pv_rated_w for hour in week.home_hours} == {4_000, 5_000}

    def test_has_one_car_that_leaves_after_the_last_hour(self, week):
        late = [stay for stay in week.stays if stay.departure_s > week.end_s]
        assert [stay.departure_s for stay in late] == [1_494_858_181]  # 2017-05-15T14:23:01Z

    def test_is_the_data_that_its_readme_describes(self):
        readme = (DATA / "README.md").read_text()
        sums = dict(re.findall(r"^([0-9a-f]{64})  (\S+)$", readme, re.MULTILINE))
        found = {
            hashlib.sha256((DATA / file).read_bytes()).hexdigest(): file
            for file in (HOMES_FILE, RETAIL_FILE, STAYS_FILE)
        }
        assert sums == found

    def test_carries_its_licences(self):
        assert (DATA / "sierra/LICENSE").read_text().startswith("MIT License")
        assert (DATA / "acn/LICENSE").read_text().startswith("Attribution 4.0 International")


def by_hour(week):
    surplus, deficit = {}, {}
    for hour in week.home_hours:
        net = hour.pv_wh - hour.load_wh
        surplus[hour.start_s] = surplus.get(hour.start_s, 0) + max(0, net)
        deficit[hour.start_s] = deficit.get(hour.start_s, 0) + max(0, -net)
    return surplus, deficit


class TestAWrongFile:
    @pytest.mark.parametrize("file", [HOMES_FILE, RETAIL_FILE, STAYS_FILE])
    def test_is_named_when_it_is_missing(self, folder, file):
        (folder / file).unlink()
        with pytest.raises(FileUnreadableError, match=re.escape(file)) as caught:
            load_dataset(folder)
        assert caught.value.code == "data_file_unreadable"

    def test_is_named_when_it_is_no_text(self, folder):
        (folder / RETAIL_FILE).write_bytes(b"start_utc\xff\n")
        with pytest.raises(FileUnreadableError, match=re.escape(RETAIL_FILE)):
            load_dataset(folder)

    def test_is_named_when_it_is_no_csv(self, folder):
        edit(folder, RETAIL_FILE, lambda lines: [lines[0], '"open'])
        with pytest.raises(FileUnreadableError, match=re.escape(RETAIL_FILE)):
            load_dataset(folder)

    @pytest.mark.parametrize(
        ("file", "column"),
        [
            (file, column)
            for file in (HOMES_FILE, RETAIL_FILE, STAYS_FILE)
            for column in (DATA / file).read_text().split("\n", 1)[0].split(",")
        ],
    )
    def test_is_named_with_the_column_that_is_missing(self, folder, file, column):
        edit(folder, file, lambda lines: [lines[0].replace(column, "other", 1), *lines[1:]])
        with pytest.raises(ColumnMissingError) as caught:
            load_dataset(folder)
        assert (caught.value.file, caught.value.line) == (file, 1)
        assert caught.value.column.startswith(column)

    def test_is_refused_when_it_is_empty(self, folder):
        edit(folder, RETAIL_FILE, lambda lines: lines[:1])
        with pytest.raises(HourMissingError, match="no hour at all"):
            load_dataset(folder)

    @pytest.mark.parametrize("cells", ["home-01", "a,b,c,d,e,f,g"])
    def test_is_refused_for_a_row_of_another_length(self, folder, cells):
        edit(folder, HOMES_FILE, lambda lines: [*lines[:4], cells, *lines[5:]])
        with pytest.raises(CellCountError, match="line 5"):
            load_dataset(folder)

    @pytest.mark.parametrize(
        ("file", "column", "value"),
        [
            (HOMES_FILE, "load_wh", "12.5"),
            (HOMES_FILE, "load_wh", ""),
            (HOMES_FILE, "load_wh", "1e3"),
            (HOMES_FILE, "load_wh", "٣"),
            (HOMES_FILE, "pv_wh", "much"),
            (HOMES_FILE, "pv_kw", "4.0005"),
            (HOMES_FILE, "pv_kw", "NaN"),
            (HOMES_FILE, "meter", ""),
            (HOMES_FILE, "start_utc", "2017-05-08 07:00:00"),
            (HOMES_FILE, "start_utc", "2017-05-08 00:00:00-07:00"),
            (HOMES_FILE, "start_utc", "yesterday"),
            (RETAIL_FILE, "retail_usd_per_kwh", "0.2100001"),
            (RETAIL_FILE, "kg_co2_per_kwh", "Infinity"),
            (STAYS_FILE, "delivered_wh", "7 kWh"),
            (STAYS_FILE, "arrival_utc", "2017-05-08 13:38:13.5+00:00"),
            (STAYS_FILE, "declared_by_driver", "yes"),
            (STAYS_FILE, "station", ""),
        ],
    )
    def test_is_refused_for_a_cell_that_is_not_what_its_column_holds(
        self, folder, file, column, value
    ):
        set_cell(folder, file, 3, column, value)
        with pytest.raises(UnreadableCellError) as caught:
            load_dataset(folder)
        assert (caught.value.file, caught.value.line, caught.value.column) == (file, 3, column)
        assert repr(value) in str(caught.value)

    @pytest.mark.parametrize(
        ("file", "column"),
        [
            (HOMES_FILE, "load_wh"),
            (HOMES_FILE, "pv_wh"),
            (HOMES_FILE, "pv_kw"),
            (RETAIL_FILE, "retail_usd_per_kwh"),
            (STAYS_FILE, "requested_wh"),
            (STAYS_FILE, "delivered_wh"),
        ],
    )
    def test_is_refused_for_what_is_below_zero(self, folder, file, column):
        set_cell(folder, file, 2, column, "-1")
        with pytest.raises(NegativeCellError, match=f"line 2, column {column}"):
            load_dataset(folder)

    @pytest.mark.parametrize(
        "departure", ["2017-05-08 13:38:13+00:00", "2017-05-08 13:38:12+00:00"]
    )
    def test_is_refused_for_a_car_that_leaves_no_later_than_it_came(self, folder, departure):
        set_cell(folder, STAYS_FILE, 2, "departure_utc", departure)
        with pytest.raises(DepartureError, match="line 2, column departure_utc"):
            load_dataset(folder)

    @pytest.mark.parametrize("file", [HOMES_FILE, RETAIL_FILE, STAYS_FILE])
    def test_is_refused_for_a_row_that_is_there_twice(self, folder, file):
        edit(folder, file, lambda lines: [*lines[:3], lines[2], *lines[3:]])
        with pytest.raises(DuplicateRowError, match="line 4"):
            load_dataset(folder)

    @pytest.mark.parametrize("file", [RETAIL_FILE, STAYS_FILE])
    def test_is_refused_for_rows_out_of_order(self, folder, file):
        edit(folder, file, lambda lines: [lines[0], lines[2], lines[1], *lines[3:]])
        with pytest.raises(RowOrderError, match="line 3"):
            load_dataset(folder)

    def test_is_refused_for_hours_of_homes_out_of_order(self, folder):
        edit(folder, HOMES_FILE, lambda lines: [lines[0], *lines[18:35], *lines[1:18], *lines[35:]])
        with pytest.raises(RowOrderError, match="line 19"):
            load_dataset(folder)

    def test_is_refused_for_a_home_without_one_hour(self, folder):
        drop_line(folder, HOMES_FILE, 20)
        with pytest.raises(HourMissingError, match="home-02 has no row"):
            load_dataset(folder)

    def test_is_refused_for_an_hour_without_any_home(self, folder):
        edit(folder, HOMES_FILE, lambda lines: [*lines[:18], *lines[35:]])
        with pytest.raises(HourMissingError, match="the hour after"):
            load_dataset(folder)

    def test_is_refused_for_an_hour_without_price(self, folder):
        drop_line(folder, RETAIL_FILE, 5)
        with pytest.raises(HourMissingError, match="line 5"):
            load_dataset(folder)

    def test_is_refused_when_prices_and_homes_cover_other_hours(self, folder):
        drop_line(folder, RETAIL_FILE, 169)
        with pytest.raises(HourMissingError, match="not those of"):
            load_dataset(folder)

    def test_is_refused_when_hours_do_not_start_on_the_hour(self, folder):
        edit(
            folder,
            RETAIL_FILE,
            lambda lines: [lines[0], *(line.replace(":00:00+", ":00:01+") for line in lines[1:])],
        )
        with pytest.raises(HourMissingError, match="on the hour"):
            load_dataset(folder)

    def test_is_refused_for_two_cars_at_one_station(self, folder):
        set_cell(folder, STAYS_FILE, 3, "station", "CA-314")
        with pytest.raises(StationBusyError, match=r"line 3.*CA-314"):
            load_dataset(folder)

    def test_is_always_an_invalid_request_with_a_code(self):
        leaves = DataFileError.__subclasses__()
        assert len(leaves) == 10
        assert issubclass(DataFileError, InvalidRequest)
