"""The domain clock is set from outside and never goes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.clock import ClockWentBackError, ReplayClock, SystemClock


class TestReplayClock:
    def test_stands_still_until_it_is_set(self):
        clock = ReplayClock(100)
        assert [clock.now_s() for _ in range(3)] == [100, 100, 100]
        clock.set(250)
        assert clock.now_s() == 250

    def test_may_be_set_to_the_instant_that_it_shows(self):
        clock = ReplayClock(100)
        clock.set(100)
        assert clock.now_s() == 100

    def test_refuses_to_go_back_and_stays_where_it_was(self):
        clock = ReplayClock(100)
        with pytest.raises(ClockWentBackError, match="at 100, not to be set to 99") as caught:
            clock.set(99)
        assert caught.value.code == "clock_went_back"
        assert clock.now_s() == 100

    @given(st.integers(0, 10**10), st.lists(st.integers(0, 10**10), max_size=20))
    @settings(deadline=None)
    def test_shows_the_latest_instant_that_it_was_ever_set_to(self, start, instants):
        clock, latest = ReplayClock(start), start
        for instant in instants:
            if instant < latest:
                with pytest.raises(ClockWentBackError):
                    clock.set(instant)
            else:
                clock.set(instant)
            latest = max(latest, instant)
            assert clock.now_s() == latest


class TestSystemClock:
    def test_shows_whole_seconds_since_1970(self):
        now = SystemClock().now_s()
        assert type(now) is int
        # Later than 2024, earlier than 2100.
        assert 1_704_067_200 < now < 4_102_444_800
