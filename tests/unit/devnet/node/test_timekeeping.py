import pytest
from hypothesis import given
from hypothesis import strategies as st

from devnet.genesis import ClockProfile
from devnet.node.timekeeping import MAX_LEAD_S, Timekeeper, TimeTravelError
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds

START_S = 1_000

# How far the clock moves before each of some blocks, in seconds; mostly not at all.
MOVES_S = st.lists(st.sampled_from([0, 0, 0, 0, 0, 1, 2, 30]), max_size=60)


def at(now_s: int = START_S) -> ReplayClock:
    return ReplayClock(UnixSeconds(now_s))


def moved(clock: ReplayClock, seconds: int) -> None:
    clock.set(UnixSeconds(clock.now_s() + seconds))


def discrete(clock: ReplayClock) -> Timekeeper:
    return Timekeeper(clock, ClockProfile.DISCRETE)


def wall(clock: ReplayClock) -> Timekeeper:
    return Timekeeper(clock, ClockProfile.WALL)


def mined(keeper: Timekeeper, parent_s: int) -> int:
    """Make a block and return its time."""
    time_s = keeper.next_s(parent_s)
    keeper.mined()
    return time_s


class TestNextS:
    def test_is_the_clock_s_if_that_is_later_than_the_parent(self) -> None:
        assert discrete(at(500)).next_s(100) == 500
        assert wall(at(500)).next_s(100) == 500

    def test_is_a_second_after_the_parent_if_the_clock_stands_still(self) -> None:
        assert discrete(at(500)).next_s(500) == 501
        assert discrete(at(500)).next_s(700) == 701

    @given(MOVES_S, st.sampled_from(ClockProfile))
    def test_rises_from_block_to_block(self, moves_s: list[int], profile: ClockProfile) -> None:
        clock, parent_s = at(), START_S
        keeper = Timekeeper(clock, profile)
        for move_s in moves_s:
            moved(clock, move_s)
            time_s = mined(keeper, parent_s)
            assert time_s > parent_s
            assert time_s >= clock.now_s()
            parent_s = time_s

    @given(st.data())
    def test_rises_whatever_is_done_to_a_discrete_chain(self, draw: st.DataObject) -> None:
        clock, parent_s = at(), START_S
        keeper = discrete(clock)
        for _ in range(draw.draw(st.integers(1, 30))):
            deed = draw.draw(st.sampled_from(["clock", "advance", "set", "mine", "mine"]))
            seconds = draw.draw(st.integers(0, 100))
            if deed == "clock":
                moved(clock, seconds)
            elif deed == "advance":
                earliest_s = max(parent_s, clock.now_s()) + seconds
                assert clock.now_s() + keeper.advance(seconds, parent_s) >= earliest_s
            elif deed == "set":
                keeper.set_next(parent_s + 1 + seconds, parent_s)
                assert keeper.next_s(parent_s) == parent_s + 1 + seconds
            else:
                time_s = mined(keeper, parent_s)
                assert time_s > parent_s
                parent_s = time_s


class TestWaitS:
    @given(MOVES_S)
    def test_keeps_a_wall_chain_within_its_lead(self, moves_s: list[int]) -> None:
        clock, parent_s = at(), START_S
        keeper = wall(clock)
        for move_s in moves_s:
            moved(clock, move_s)
            wait_s = keeper.wait_s(parent_s)
            # It says exactly how long: a second less would be too soon.
            assert wait_s == 0 or parent_s + 1 - (clock.now_s() + wait_s - 1) > MAX_LEAD_S
            moved(clock, wait_s)
            assert keeper.wait_s(parent_s) == 0
            parent_s = mined(keeper, parent_s)
            assert parent_s - clock.now_s() <= MAX_LEAD_S

    def test_lets_a_few_blocks_come_at_once(self) -> None:
        clock, parent_s, at_once = at(), START_S - 1, 0
        keeper = wall(clock)
        while not keeper.wait_s(parent_s):
            parent_s = mined(keeper, parent_s)
            at_once += 1
        assert at_once == MAX_LEAD_S + 1
        assert keeper.wait_s(parent_s) == 1

    def test_says_how_long_a_block_far_ahead_has_to_wait(self) -> None:
        assert wall(at()).wait_s(START_S + 100) == 101 - MAX_LEAD_S

    @given(st.integers(0, 10**9))
    def test_is_nothing_on_a_discrete_chain(self, parent_s: int) -> None:
        assert discrete(at()).wait_s(parent_s) == 0


class TestAdvance:
    def test_moves_every_later_block(self) -> None:
        clock = at()
        keeper = discrete(clock)
        assert keeper.advance(60, START_S) == 60
        assert mined(keeper, START_S) == START_S + 60
        moved(clock, 10)
        assert mined(keeper, START_S + 60) == START_S + 70

    def test_counts_from_the_last_block_if_that_leads(self) -> None:
        keeper = discrete(at())
        keeper.advance(60, START_S + 500)
        assert keeper.next_s(START_S + 500) == START_S + 560

    def test_adds_up(self) -> None:
        keeper = discrete(at())
        keeper.advance(60, START_S)
        assert keeper.advance(30, START_S) == 90

    def test_by_nothing_moves_nothing(self) -> None:
        keeper = discrete(at())
        assert keeper.advance(0, START_S) == 0
        assert keeper.next_s(START_S) == START_S + 1

    def test_does_not_go_back(self) -> None:
        with pytest.raises(TimeTravelError, match="time goes forward only"):
            discrete(at()).advance(-1, START_S)

    def test_does_not_move_the_wall_clock(self) -> None:
        with pytest.raises(TimeTravelError, match="keeps the wall clock's time") as caught:
            wall(at()).advance(1, START_S)
        assert caught.value.code == "time_travel"


class TestSetNext:
    def test_is_for_one_block_and_time_goes_on_from_there(self) -> None:
        clock = at()
        keeper = discrete(clock)
        keeper.set_next(START_S + 1_000, START_S)
        assert mined(keeper, START_S) == START_S + 1_000
        moved(clock, 5)
        assert mined(keeper, START_S + 1_000) == START_S + 1_005

    def test_may_lie_before_the_clock(self) -> None:
        keeper = discrete(at())
        keeper.set_next(START_S - 50, START_S - 100)
        assert mined(keeper, START_S - 100) == START_S - 50
        assert keeper.next_s(START_S - 50) == START_S

    def test_gives_way_to_a_block_that_came_meanwhile(self) -> None:
        keeper = discrete(at())
        keeper.set_next(START_S + 1, START_S)
        assert keeper.next_s(START_S + 9) == START_S + 10

    def test_is_refused_if_it_is_not_later_than_the_last_block(self) -> None:
        with pytest.raises(TimeTravelError, match="1000 is not later than the last block's 1000"):
            discrete(at()).set_next(START_S, START_S)

    def test_is_refused_on_the_wall_clock(self) -> None:
        with pytest.raises(TimeTravelError, match="start a discrete one"):
            wall(at()).set_next(START_S + 1, START_S)
