"""The domain clock is set from outside and never goes back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.clock import (
    STEP_BACK_MAX_S,
    ClockBehindError,
    ClockWentBackError,
    ReplayClock,
    SteadyClock,
    SystemClock,
)


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


class Wall:
    """A wall clock that somebody sets."""

    def __init__(self, now_s):
        self.at_s = now_s

    def now_s(self):
        return self.at_s


class TestSteadyClock:
    def test_goes_with_the_wall_clock(self):
        wall = Wall(100)
        clock = SteadyClock(wall, 0)
        assert clock.now_s() == 100
        wall.at_s = 160
        assert clock.now_s() == 160

    @pytest.mark.parametrize("back_s", [1, STEP_BACK_MAX_S])
    def test_stands_still_over_a_small_step_back(self, back_s):
        wall = Wall(100)
        clock = SteadyClock(wall, 0)
        clock.now_s()
        wall.at_s -= back_s
        assert clock.now_s() == 100
        wall.at_s = 101
        assert clock.now_s() == 101

    def test_refuses_a_large_step_back_until_time_has_caught_up(self):
        wall = Wall(100)
        clock = SteadyClock(wall, 0)
        clock.now_s()
        wall.at_s = 100 - STEP_BACK_MAX_S - 1
        with pytest.raises(ClockBehindError) as caught:
            clock.now_s()
        assert caught.value.transient
        wall.at_s = 100
        assert clock.now_s() == 100

    def test_refuses_to_begin_before_what_was_written(self):
        with pytest.raises(ClockBehindError):
            SteadyClock(Wall(100), 101 + STEP_BACK_MAX_S).now_s()
        assert SteadyClock(Wall(100), 100 + STEP_BACK_MAX_S).now_s() == 100

    def test_small_steps_do_not_add_up(self):
        wall = Wall(1_000)
        clock = SteadyClock(wall, 0)
        clock.now_s()
        for _ in range(STEP_BACK_MAX_S):
            wall.at_s -= 1
            assert clock.now_s() == 1_000
        wall.at_s -= 1
        with pytest.raises(ClockBehindError):
            clock.now_s()
