"""A local day has as many intervals as the clocks give it."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.intervals import BadIntervalLengthError, start_s
from settlement.metering.local_time import (
    LocalTime,
    UnknownTimeZoneError,
    intervals_of_day,
    local_day,
    time_zone,
)

PARIS = LocalTime(0, time_zone("Europe/Paris"))
LORD_HOWE = LocalTime(0, time_zone("Australia/Lord_Howe"))
SIERRA = LocalTime(-420)


def at(text):
    return int(datetime.fromisoformat(text).timestamp())


class TestIntervalsOfDay:
    @pytest.mark.parametrize(
        ("local", "day", "length_s", "count"),
        [
            (PARIS, date(2026, 3, 28), 900, 96),
            (PARIS, date(2026, 3, 29), 900, 92),
            (PARIS, date(2026, 3, 29), 3_600, 23),
            (PARIS, date(2026, 10, 25), 900, 100),
            (PARIS, date(2026, 10, 25), 3_600, 25),
            (PARIS, date(2026, 10, 25), 300, 300),
            (LORD_HOWE, date(2026, 4, 5), 900, 98),
            (LORD_HOWE, date(2026, 10, 4), 900, 94),
            (SIERRA, date(2026, 3, 29), 900, 96),
        ],
    )
    def test_counts_what_the_clocks_show(self, local, day, length_s, count):
        found = intervals_of_day(local, day, length_s)
        assert len(found) == count
        assert list(found) == list(range(found[0], found[0] + count))

    def test_begins_at_local_midnight(self):
        first = intervals_of_day(PARIS, date(2026, 3, 29), 900)[0]
        assert start_s(first, 900) == at("2026-03-29T00:00:00+01:00")
        after = intervals_of_day(PARIS, date(2026, 3, 30), 900)[0]
        assert start_s(after, 900) == at("2026-03-30T00:00:00+02:00")

    def test_puts_an_hour_that_begins_before_midnight_into_the_day_before(self):
        """Lord Howe's winter is UTC+10:30, so that hours begin at half past."""
        first = intervals_of_day(LORD_HOWE, date(2026, 7, 1), 3_600)[0]
        assert start_s(first, 3_600) == at("2026-07-01T00:30:00+10:30")

    def test_leaves_out_a_day_that_never_was(self):
        """Samoa went from 29 to 31 December 2011."""
        samoa = LocalTime(0, time_zone("Pacific/Apia"))
        assert intervals_of_day(samoa, date(2011, 12, 30), 900) == ()

    @given(
        st.sampled_from([PARIS, LORD_HOWE, SIERRA, LocalTime(0, time_zone("America/St_Johns"))]),
        st.dates(date(2012, 1, 1), date(2036, 12, 31)),
        st.sampled_from([900, 1_800, 3_600]),
    )
    @settings(deadline=None, max_examples=60)
    def test_gives_every_interval_to_one_day(self, local, day, length_s):
        today = intervals_of_day(local, day, length_s)
        tomorrow = intervals_of_day(local, day + timedelta(days=1), length_s)
        assert tomorrow[0] == today[-1] + 1
        assert {local_day(local, one, length_s) for one in today} == {day}

    def test_refuses_a_length_that_does_not_divide_the_hour(self):
        with pytest.raises(BadIntervalLengthError):
            intervals_of_day(PARIS, date(2026, 3, 29), 420)


class TestLocalTime:
    @pytest.mark.parametrize(
        ("instant", "minute"),
        [
            ("2026-03-29T00:59:00+00:00", 119),
            ("2026-03-29T01:00:00+00:00", 180),
            ("2026-10-25T00:30:00+00:00", 150),
            ("2026-10-25T01:30:00+00:00", 150),
            ("2026-10-25T02:00:00+00:00", 180),
        ],
    )
    def test_skips_an_hour_in_spring_and_repeats_one_in_autumn(self, instant, minute):
        assert PARIS.minute_of(at(instant)) == minute

    def test_keeps_to_a_fixed_offset(self):
        assert SIERRA.offset_minutes(at("2026-07-01T00:00:00+00:00")) == -420
        assert SIERRA.day_of(at("2026-07-01T06:59:00+00:00")) == date(2026, 6, 30)

    @given(st.integers(0, 2_100_000_000), st.sampled_from([PARIS, LORD_HOWE, SIERRA]))
    @settings(deadline=None)
    def test_shows_what_a_clock_shows(self, at_s, local):
        zone = local.zone
        shown = (
            datetime.fromtimestamp(at_s, zone)
            if zone
            else datetime.fromtimestamp(at_s, UTC) + timedelta(minutes=local.utc_offset_minutes)
        )
        assert local.minute_of(at_s) == shown.hour * 60 + shown.minute
        assert local.day_of(at_s) == shown.date()


class TestTimeZone:
    @pytest.mark.parametrize(
        "name",
        ["", "Paris", "Europe", "Europe/Atlantis", "../zoneinfo/UTC", "/etc/localtime", "zone.tab"],
    )
    def test_refuses_what_is_no_zone(self, name):
        with pytest.raises(UnknownTimeZoneError) as caught:
            time_zone(name)
        assert caught.value.code == "unknown_time_zone"

    def test_does_not_ask_the_machine(self, monkeypatch):
        monkeypatch.setenv("PYTHONTZPATH", "/nowhere")
        time_zone.cache_clear()
        assert time_zone("Europe/Paris").key == "Europe/Paris"
