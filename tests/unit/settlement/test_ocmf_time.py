"""Time is billed just if the meter counted it itself, from begin to end."""

import dataclasses

import pytest

from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_energy import IncompleteRecordError
from settlement.metering.ocmf_time import clock_status, is_synchronized, time_is_billable

TIME = "2018-07-24T13:22:04,000+0200"


def reading(reason, status="S", **changes):
    plain = OcmfReading(
        reason=reason,
        time=f"{TIME} {status}".strip(),
        digits=1,
        decimals=0,
        unit="kWh",
        obis="1-b:1.8.0",
        error_flags="",
        status="G",
    )
    return dataclasses.replace(plain, **changes)


def record(*readings):
    return OcmfRecord(b"{}", "T", 1, "tag", readings, "ECDSA-secp256r1-SHA256", b"")


class TestTimeIsBillable:
    @pytest.mark.parametrize("begin", ["S", "R", "I", "U", ""])
    @pytest.mark.parametrize("end", ["S", "R", "I", "U", ""])
    def test_just_if_both_ends_are_synchronized_or_relative(self, begin, end):
        counted = {begin, end} <= {"S", "R"}
        assert time_is_billable(record(reading("B", begin), reading("E", end))) is counted

    @pytest.mark.parametrize("flagged", ["B", "E"])
    def test_not_if_the_meter_flags_the_time_of_either_end(self, flagged):
        ends = (reading(one, error_flags="t" * (one == flagged)) for one in "BE")
        assert not time_is_billable(record(*ends))

    def test_not_if_the_power_failed_in_between(self):
        assert not time_is_billable(record(reading("B"), reading("P"), reading("E")))

    def test_if_the_car_paused_in_between(self):
        assert time_is_billable(record(reading("B"), reading("S"), reading("E")))

    def test_asks_for_a_begin_and_an_end(self):
        with pytest.raises(IncompleteRecordError):
            time_is_billable(record(reading("B")))


class TestClockStatus:
    @pytest.mark.parametrize("status", ["S", "R", "I", "U"])
    def test_is_what_the_meter_says(self, status):
        assert clock_status(reading("B", status)) == status

    @pytest.mark.parametrize("time", ["", TIME, f"{TIME} X"])
    def test_is_unknown_if_it_says_nothing_that_the_format_has(self, time):
        assert clock_status(reading("B", time=time)) == "U"

    def test_is_synchronized_unless_flagged(self):
        assert is_synchronized(reading("B"))
        assert not is_synchronized(reading("B", "R"))
        assert not is_synchronized(reading("B", error_flags="t"))
