"""A fiscal record is the part of one session in one interval, by a clock that is set."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.charging.records import ForeignRecordError, UnbindableRecordError
from settlement.charging.slices import NotASliceError, slice_of
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import RecordBackwardsError, UnusableEnergyError
from settlement.metering.ocmf_json import MalformedRecordError
from settlement.metering.ocmf_time import instant_s

TAG = "0123456789ABCDEF0123"
TEN = 1_557_136_800
"""2019-05-06T10:00:00Z."""


def stamp(at_s, status="S", offset_minutes=0, millis=0):
    local = datetime.fromtimestamp(at_s, UTC).astimezone(
        timezone(timedelta(minutes=offset_minutes))
    )
    return f"{local:%Y-%m-%dT%H:%M:%S},{millis:03d}{local:%z} {status}"


def mark(at_s, digits, **more):
    fields = {
        "reason": "C",
        "time": stamp(at_s),
        "decimals": 3,
        "unit": "kWh",
        "obis": "1-b:1.8.0",
        "error_flags": "",
        "status": "G",
        **more,
    }
    return OcmfReading(digits=digits, **fields)


def record(*readings, **changes):
    whole = OcmfRecord(
        payload=b"{}",
        pagination_kind="F",
        pagination_number=3,
        id_tag=TAG,
        readings=readings or (mark(TEN + 60, 5_000), mark(TEN + 900, 6_234)),
        algorithm="ECDSA-secp256r1-SHA256",
        signature=b"",
    )
    return dataclasses.replace(whole, **changes)


def sliced(made, interval_s=900):
    return slice_of(made, interval_s=interval_s, id_tag=TAG)


class TestSliceOf:
    def test_says_page_interval_time_and_energy(self):
        assert dataclasses.astuple(sliced(record())) == (
            3,
            TEN // 900,
            TEN + 60,
            TEN + 900,
            1_234,
        )

    @given(st.integers(0, 899), st.data())
    @settings(max_examples=60, deadline=None)
    def test_takes_every_part_of_an_interval_up_to_its_end(self, begin, data):
        until = data.draw(st.integers(begin, 900))
        made = sliced(record(mark(TEN + begin, 0), mark(TEN + until, 7)))
        assert (made.interval, made.begin_s, made.end_s) == (TEN // 900, TEN + begin, TEN + until)

    @given(st.integers(0, 899), st.integers(901, 5_000))
    @settings(max_examples=60, deadline=None)
    def test_refuses_what_reaches_into_the_next_interval(self, begin, until):
        with pytest.raises(NotASliceError, match="not within one interval"):
            sliced(record(mark(TEN + begin, 0), mark(TEN + until, 7)))

    def test_puts_what_begins_at_a_border_into_the_later_interval(self):
        made = sliced(record(mark(TEN + 900, 0), mark(TEN + 900, 0)))
        assert made.interval == TEN // 900 + 1

    def test_follows_the_length_of_the_community(self):
        across = record(mark(TEN + 60, 0), mark(TEN + 1_000, 7))
        assert sliced(across, interval_s=1_800).interval == TEN // 1_800
        with pytest.raises(NotASliceError):
            sliced(across)

    def test_refuses_time_that_runs_backwards(self):
        with pytest.raises(NotASliceError, match="not within one interval"):
            sliced(record(mark(TEN + 61, 0), mark(TEN + 60, 7)))

    def test_refuses_a_transaction_record(self):
        with pytest.raises(NotASliceError, match="not a fiscal") as caught:
            sliced(record(pagination_kind="T"))
        assert caught.value.code == "not_a_slice"

    @pytest.mark.parametrize("count", [0, 1, 3])
    def test_refuses_any_other_number_of_readings(self, count):
        readings = tuple(mark(TEN + n, n) for n in range(count))
        with pytest.raises(NotASliceError, match="two readings"):
            sliced(record(readings=readings))

    @pytest.mark.parametrize(
        "second",
        [{"obis": "1-b:2.8.0"}, {"unit": "W"}, {"unit": ""}, {"unit": "s"}],
        ids=str,
    )
    @pytest.mark.parametrize("swapped", [False, True])
    def test_refuses_two_registers_and_what_is_no_energy(self, second, swapped):
        readings = [mark(TEN, 0), mark(TEN + 1, 1, **second)]
        if swapped:
            readings.reverse()
        with pytest.raises(NotASliceError, match="one energy register"):
            sliced(record(*readings))

    def test_takes_one_register_in_two_units(self):
        made = sliced(record(mark(TEN, 5_000), mark(TEN + 1, 5_001, decimals=0, unit="Wh")))
        assert made.energy_wh == 1

    @pytest.mark.parametrize("which", [0, 1])
    @pytest.mark.parametrize("flaw", [{"time": stamp(TEN, "U")}, {"error_flags": "t"}], ids=str)
    def test_refuses_a_clock_that_was_never_set(self, which, flaw):
        readings = [mark(TEN, 0), mark(TEN + 1, 1)]
        readings[which] = dataclasses.replace(readings[which], **flaw)
        with pytest.raises(NotASliceError, match="does not know the time"):
            sliced(record(*readings))

    @pytest.mark.parametrize("status", ["S", "R", "I"])
    def test_takes_every_clock_that_was(self, status):
        begin, end = (mark(TEN + n, n, time=stamp(TEN + n, status)) for n in (0, 1))
        assert sliced(record(begin, end)).begin_s == TEN

    @pytest.mark.parametrize("flaw", [{"status": "N"}, {"error_flags": "E"}], ids=str)
    def test_refuses_energy_that_the_meter_flags(self, flaw):
        with pytest.raises(UnusableEnergyError):
            sliced(record(mark(TEN, 0), mark(TEN + 1, 1, **flaw)))

    def test_refuses_a_register_that_runs_backwards(self):
        with pytest.raises(RecordBackwardsError):
            sliced(record(mark(TEN, 1), mark(TEN + 1, 0)))

    def test_refuses_a_record_of_nobody_or_of_another(self):
        with pytest.raises(UnbindableRecordError):
            sliced(record(id_tag=""))
        with pytest.raises(ForeignRecordError):
            sliced(record(id_tag=TAG.lower()))

    def test_refuses_a_reading_without_time(self):
        with pytest.raises(MalformedRecordError):
            sliced(record(mark(TEN, 0, time=""), mark(TEN + 1, 1)))


class TestInstant:
    @given(
        st.integers(0, 4_000_000_000),
        st.integers(-14 * 60, 14 * 60),
        st.integers(0, 999),
        st.sampled_from("SRIU"),
    )
    @settings(max_examples=100, deadline=None)
    def test_is_read_in_any_offset_and_drops_fractions(self, at_s, offset, millis, status):
        reading = mark(0, 0, time=stamp(at_s, status, offset, millis))
        assert instant_s(reading) == at_s

    def test_of_the_formats_own_example_is_this(self):
        assert instant_s(mark(0, 0, time="2018-07-24T13:22:04,000+0200 S")) == 1_532_431_324

    def test_of_the_hour_that_comes_twice_tells_the_two_apart(self):
        """In Paris on 27 October 2019, 02:30 came twice."""
        summer, winter = (f"2019-10-27T02:30:00,000+0{hours}00 S" for hours in (2, 1))
        assert instant_s(mark(0, 0, time=winter)) - instant_s(mark(0, 0, time=summer)) == 3_600

    @pytest.mark.parametrize(
        "time",
        [
            "",
            " ",
            "S",
            "2019-05-06",
            "2019-05-06T10:00:00,000 S",
            "2019-05-06T10:00:00+0000 S",
            "2019-05-06 10:00:00,000+0000 S",
            "2019-02-29T10:00:00,000+0000 S",
            "2019-05-06T24:00:00,000+0000 S",
            "2019-05-06T10:00:61,000+0000 S",
            "2019-05-06T10:00:00,000+9900 S",
            "1557136800",
        ],
    )
    def test_that_says_no_time_is_refused(self, time):
        with pytest.raises(MalformedRecordError, match="no instant"):
            instant_s(mark(0, 0, time=time))
