"""What is counted is what the register says, once it says it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.homes.counting import NOTHING, counted, profile_wh
from settlement.metering.homes.flags import Flag

DAY_S = 86_400


class TestCounted:
    def test_is_the_register_at_the_end_less_the_register_before(self):
        found = counted(1_000, 1_250, 0, None)
        assert (found.energy_wh, found.ahead_wh, found.flags) == (250, 0, Flag.NONE)

    def test_is_nothing_for_a_silent_register_that_nobody_estimates(self):
        found = counted(1_000, None, 0, None)
        assert (found.energy_wh, found.ahead_wh, found.flags) == (0, 0, Flag.MISSING)

    def test_is_nothing_for_a_register_that_never_said_where_it_begins(self):
        assert counted(None, 1_000, 0, None) == counted(None, None, 0, 70) == NOTHING
        assert NOTHING.flags == Flag.MISSING

    def test_is_the_estimate_for_a_silent_register_and_notes_how_far_it_went_ahead(self):
        found = counted(1_000, None, 30, 70)
        assert (found.energy_wh, found.ahead_wh) == (70, 100)
        assert found.flags == Flag.MISSING | Flag.PROFILE

    def test_takes_up_the_rest_when_the_register_speaks_again(self):
        assert counted(1_000, 1_250, 100, None).energy_wh == 150

    def test_waits_for_the_register_if_the_estimate_was_too_high(self):
        found = counted(1_000, 1_080, 100, None)
        assert (found.energy_wh, found.ahead_wh) == (0, 20)

    def test_goes_through_zero_where_the_register_begins_again(self):
        assert counted(9_990, 15, 0, None, 10_000).energy_wh == 25
        assert counted(9_990, 15, 5, None, 10_000).energy_wh == 20

    @given(
        st.lists(
            st.tuples(st.integers(0, 500), st.booleans(), st.integers(0, 900)),
            min_size=1,
            max_size=30,
        ),
        st.integers(0, 9_999),
        st.sampled_from([None, 10_000]),
    )
    @settings(deadline=None)
    def test_never_loses_nor_doubles_a_watt_hour(self, steps, begin, modulus):
        """Whatever was silent and however wrong the estimates: counted = said + still ahead."""
        total, last, ahead, true = 0, begin, 0, begin
        for energy, silent, estimate in steps:
            true += energy
            said = None if silent else (true if modulus is None else true % modulus)
            if said is not None and modulus is not None and true - begin >= modulus:
                return  # a register that goes round unseen says nothing that could be checked
            found = counted(last, said, ahead, estimate, modulus)
            assert found.energy_wh >= 0
            total += found.energy_wh
            ahead = found.ahead_wh
            if said is not None:
                last = said
                assert total == true - begin + ahead


SAID = {0: 100, 900: 130, 6 * DAY_S: 900, 6 * DAY_S + 900: 990}


class TestProfileWh:
    def test_takes_the_same_interval_of_the_day_before(self):
        assert profile_wh(SAID.get, 7 * DAY_S, 7 * DAY_S + 900) == 90

    def test_takes_the_week_before_if_the_day_before_is_not_whole(self):
        said = {at_s: wh for at_s, wh in SAID.items() if at_s != 6 * DAY_S + 900}
        assert profile_wh(said.get, 7 * DAY_S, 7 * DAY_S + 900) == 30

    def test_finds_nothing_where_neither_was_said(self):
        assert profile_wh(SAID.get, 3 * DAY_S, 3 * DAY_S + 900) is None

    def test_goes_through_zero_too(self):
        said = {0: 9_990, 900: 15}
        assert profile_wh(said.get, DAY_S, DAY_S + 900, 10_000) == 25
