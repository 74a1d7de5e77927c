"""What a meter can have measured, to the last Wh and second; and what a clock may say."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.charging.plausibility import (
    BrokenRegisterError,
    RegisterOverlapsError,
    RegisterWrappedError,
    SerialChangedError,
    check_goes_on,
    check_metered_time,
    check_serial,
    check_wrap,
    clock_fault,
    shown_register,
    trusted_start,
    wrapped_energy,
)
from settlement.charging.records import MeteredSpan, judge_record
from settlement.metering.ocmf import OcmfReading
from settlement.metering.validation import ImplausiblePowerError
from tests.unit.settlement.test_records import CONTEXT, mark, record

TURN_WH = 10_000_000
HOUR_S, RATED_W = 3_600, 22_000
CARRIED_WH = 23_100
"""22 kW for an hour, and 5 %."""


def at(clock, reason="B"):
    return OcmfReading(
        reason=reason,
        time=clock,
        digits=0,
        decimals=0,
        unit="Wh",
        obis="1-b:1.8.0",
        error_flags="",
        status="G",
    )


class TestCheckGoesOn:
    @given(previous=st.integers(0, 10**9), more=st.integers(0, 10**9))
    def test_takes_whatever_lies_above_the_last_end(self, previous, more):
        check_goes_on(previous + more, previous, None, elapsed_s=0, rated_power_w=0)

    @given(previous=st.integers(1, 10**9), less=st.integers(1, 10**9))
    def test_refuses_whatever_lies_below_it(self, previous, less):
        begin = max(previous - less, 0)
        with pytest.raises(BrokenRegisterError):
            check_goes_on(begin, previous, None, elapsed_s=HOUR_S, rated_power_w=RATED_W)

    def test_takes_a_turn_that_the_maker_declares(self):
        check_goes_on(5, TURN_WH - 5, TURN_WH, elapsed_s=HOUR_S, rated_power_w=RATED_W)

    def test_refuses_a_begin_of_zero_that_no_turn_explains(self):
        with pytest.raises(BrokenRegisterError) as caught:
            check_goes_on(0, 909_948, TURN_WH, elapsed_s=HOUR_S, rated_power_w=RATED_W)
        assert caught.value.code == "broken_register"

    def test_asks_nothing_of_a_meter_that_has_no_past(self):
        check_goes_on(0, None, None, elapsed_s=0, rated_power_w=0)


class TestCheckWrap:
    def test_names_a_turn_that_fits_through_the_meter(self):
        begin = TURN_WH - 1
        with pytest.raises(RegisterWrappedError, match=f"{CARRIED_WH} Wh"):
            check_wrap(begin, CARRIED_WH - 1, TURN_WH, elapsed_s=HOUR_S, rated_power_w=RATED_W)

    def test_says_nothing_of_one_wh_more(self):
        check_wrap(TURN_WH - 1, CARRIED_WH, TURN_WH, elapsed_s=HOUR_S, rated_power_w=RATED_W)

    @given(begin=st.integers(0, TURN_WH - 1), drawn=st.integers(0, TURN_WH - 1))
    def test_adds_up_what_was_drawn(self, begin, drawn):
        end = (begin + drawn) % TURN_WH
        turned = begin + drawn >= TURN_WH
        assert wrapped_energy(begin, end, TURN_WH) == (drawn if turned else None)

    @pytest.mark.parametrize(("begin", "turn"), [(10, None), (TURN_WH, TURN_WH), (9, 9)])
    def test_explains_nothing_without_a_modulus_above_the_register(self, begin, turn):
        assert wrapped_energy(begin, 1, turn) is None


class TestCheckMeteredTime:
    BEGIN = at("2018-07-24T13:00:00,000+0200 S")
    END = at("2018-07-24T13:59:59,900+0200 S", "E")

    def test_takes_what_the_meter_can_carry_in_its_own_time(self):
        check_metered_time(self.BEGIN, self.END, CARRIED_WH, RATED_W)

    def test_refuses_one_wh_more(self):
        with pytest.raises(ImplausiblePowerError):
            check_metered_time(self.BEGIN, self.END, CARRIED_WH + 1, RATED_W)

    @pytest.mark.parametrize("status", ["U", "I", "R", ""])
    def test_asks_no_clock_that_is_not_synchronized(self, status):
        end = at(f"2018-07-24T13:00:01,000+0200 {status}", "E")
        check_metered_time(self.BEGIN, end, 10**6, RATED_W)


class TestCheckSerial:
    def test_refuses_another_meter(self):
        with pytest.raises(SerialChangedError) as caught:
            check_serial("B", "A")
        assert caught.value.code == "serial_changed"

    @pytest.mark.parametrize(("found", "enrolled"), [("A", "A"), ("", "A"), ("A", "")])
    def test_takes_the_same_and_asks_nothing_of_none(self, found, enrolled):
        check_serial(found, enrolled)


class TestSpans:
    """The record of the context begins at 100,000 Wh on page 9 and ends at 107,250 Wh."""

    def judged(self, *spans):
        return judge_record(
            record(mark("B", 10_000), mark("E", 10_725)),
            dataclasses.replace(CONTEXT, previous_end_wh=None, spans=spans),
        )

    def test_that_touch_are_taken(self):
        self.judged(MeteredSpan(8, 90_000, 100_000), MeteredSpan(10, 107_250, 107_251))

    def test_that_reach_into_the_begin_break_the_register(self):
        with pytest.raises(BrokenRegisterError):
            self.judged(MeteredSpan(8, 90_000, 100_001))

    def test_that_begin_before_the_end_overlap(self):
        with pytest.raises(RegisterOverlapsError) as caught:
            self.judged(MeteredSpan(10, 107_249, 108_000))
        assert caught.value.code == "register_overlaps"


class TestClock:
    NOW_S, OPENED_S = 1_000_000, 900_000

    @pytest.mark.parametrize(
        ("told_s", "fault"),
        [
            (1_000_300, None),
            (1_000_301, "clock_ahead"),
            (899_700, None),
            (899_699, "clock_behind"),
            (0, "clock_behind"),
            (950_000, None),
        ],
    )
    def test_may_be_five_minutes_off(self, told_s, fault):
        assert clock_fault(told_s, opened_s=self.OPENED_S, now_s=self.NOW_S) == fault

    @given(told=st.integers(-(10**12), 10**12))
    def test_never_starts_a_session_before_it_was_opened_nor_after_now(self, told):
        start = trusted_start(told, opened_s=self.OPENED_S, now_s=self.NOW_S)
        assert self.OPENED_S <= start <= self.NOW_S
        assert start == told or not self.OPENED_S <= told <= self.NOW_S


@pytest.mark.parametrize(("told", "shown"), [(None, None), (-1, None), (0, 0), (7, 7)])
def test_a_register_that_is_not_known_is_not_shown(told, shown):
    assert shown_register(told) == shown
