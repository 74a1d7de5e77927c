"""A party takes part only while it is active, and every step has its turn and its interval."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.grid.participating import (
    State,
    Step,
    StepRefusedError,
    Taken,
    check_step,
    state_at,
    takes_part,
)

WISHES = st.lists(st.builds(Taken, st.sampled_from(Step), st.integers(0, 9)), max_size=12)


def accepted(wishes):
    """Return the steps that are taken of those wished for."""
    taken = []
    for wish in wishes:
        try:
            check_step(taken, wish)
        except StepRefusedError:
            continue
        taken.append(wish)
    return taken


def steps(*told):
    return [Taken(Step(step), first) for step, first in told]


class TestAParty:
    def test_of_the_roster_is_active(self):
        assert state_at([], 7) is State.ACTIVE
        assert takes_part([], 7)

    def test_goes_from_request_to_left(self):
        taken = steps(("request", 2), ("confirm", 4), ("leave", 6))
        assert [state_at(taken[:1], n) for n in (1, 2, 3)] == ["active", "requested", "requested"]
        assert [state_at(taken[:2], n) for n in (2, 3, 4)] == ["confirmed", "confirmed", "active"]
        assert [state_at(taken, n) for n in (3, 4, 5, 6, 7)] == [
            "confirmed",
            "leaving",
            "leaving",
            "left",
            "left",
        ]
        assert [takes_part(taken, n) for n in range(1, 8)] == [
            True, False, False, True, True, False, False,
        ]  # fmt: skip

    def test_that_is_refused_may_ask_again(self):
        taken = steps(("request", 1), ("refuse", 2))
        assert state_at(taken, 2) is State.REFUSED
        check_step(taken, Taken(Step.REQUEST, 3))

    @pytest.mark.parametrize(
        ("before", "step"),
        [
            ([], "confirm"),
            ([], "refuse"),
            ([("request", 1)], "request"),
            ([("request", 1)], "leave"),
            ([("request", 1), ("confirm", 2)], "confirm"),
            ([("request", 1), ("refuse", 2)], "confirm"),
            ([("leave", 1)], "leave"),
            ([("leave", 1)], "confirm"),
        ],
    )
    def test_takes_no_step_out_of_turn(self, before, step):
        with pytest.raises(StepRefusedError, match="last step was"):
            check_step(steps(*before), Taken(Step(step), 9))

    def test_takes_no_step_that_counts_before_the_last_one(self):
        with pytest.raises(StepRefusedError, match="from interval 5 on"):
            check_step(steps(("request", 5)), Taken(Step.CONFIRM, 4))

    @given(WISHES, st.integers(0, 9))
    def test_has_a_past_that_no_later_step_changes(self, wishes, now):
        taken = accepted(wishes)
        known = [one for one in taken if one.first_interval <= now]
        for interval in range(now + 1):
            assert takes_part(taken, interval) == takes_part(known, interval)

    @given(WISHES, st.integers(0, 9))
    def test_that_ever_asked_trades_only_after_it_was_confirmed(self, wishes, interval):
        taken = accepted(wishes)
        counting = [one.step for one in taken if one.first_interval <= interval]
        if counting:
            assert takes_part(taken, interval) == (counting[-1] is Step.CONFIRM)
