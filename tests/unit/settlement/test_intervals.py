"""Intervals are half-open, number the hours without gaps and divide them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.intervals import BadIntervalLengthError, end_s, interval_of, start_s

LENGTHS = [n for n in range(1, 3_601) if 3_600 % n == 0]
instants = st.integers(-(10**10), 10**11)


class TestIntervalOf:
    @given(instants, st.sampled_from(LENGTHS))
    @settings(deadline=None)
    def test_holds_its_instant(self, instant, length):
        interval = interval_of(instant, length)
        assert start_s(interval, length) <= instant < end_s(interval, length)

    @given(st.integers(-(10**6), 10**8), st.sampled_from(LENGTHS))
    @settings(deadline=None)
    def test_its_start_belongs_to_it_and_its_end_to_the_next(self, interval, length):
        assert interval_of(start_s(interval, length), length) == interval
        assert interval_of(end_s(interval, length) - 1, length) == interval
        assert interval_of(end_s(interval, length), length) == interval + 1

    @given(st.integers(-(10**6), 10**8), st.sampled_from(LENGTHS))
    @settings(deadline=None)
    def test_one_ends_where_the_next_begins(self, interval, length):
        assert end_s(interval, length) == start_s(interval + 1, length)
        assert end_s(interval, length) - start_s(interval, length) == length

    @given(instants, st.sampled_from(LENGTHS))
    @settings(deadline=None)
    def test_every_hour_begins_an_interval(self, instant, length):
        hour = instant // 3_600 * 3_600
        assert start_s(interval_of(hour, length), length) == hour

    def test_counts_from_the_first_of_january_1970(self):
        assert interval_of(0, 900) == 0
        assert interval_of(-1, 900) == -1
        # 2019-05-06T00:00:00Z
        assert interval_of(1_557_100_800, 900) == 1_730_112


class TestLength:
    @pytest.mark.parametrize("length", [0, -900, -1, 7, 901, 1_000, 3_601, 7_200])
    @pytest.mark.parametrize("function", [interval_of, start_s, end_s])
    def test_that_does_not_divide_the_hour_is_refused(self, function, length):
        with pytest.raises(BadIntervalLengthError) as caught:
            function(5, length)
        assert caught.value.length_s == length
        assert caught.value.code == "bad_interval_length"
