"""Every watt-hour of a meter is one community's or none's, however time is cut."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.homes.shares import (
    WHOLE,
    FactorsBeyondWholeError,
    Slots,
    check_factors,
    share_wh,
    slots_of,
)

METER = "0x" + "aa" * 32


@st.composite
def factors(draw):
    """Factors of up to five communities that sum to at most 10,000."""
    cuts = sorted(draw(st.lists(st.integers(0, 10_000), max_size=5)))
    parts = [end - begin for begin, end in zip([0, *cuts], cuts, strict=False)]
    names = draw(st.permutations(["ash", "birch", "cedar", "elm", "fir"]))
    return dict(zip(names, parts, strict=False))


registers = st.lists(st.integers(0, 60_000), min_size=2, max_size=8).map(sorted)


class TestShareWh:
    @given(factors(), registers)
    @settings(deadline=None)
    def test_sums_over_communities_never_exceed_the_meter_in_any_interval(self, shared, marks):
        for begin, end in itertools.pairwise(marks):
            shares = [share_wh(slots_of(shared, name), begin, end) for name in shared]
            assert all(0 <= one <= end - begin for one in shares)
            assert sum(shares) <= end - begin

    @given(factors(), registers)
    @settings(deadline=None)
    def test_adds_up_over_time_whatever_the_intervals_are_cut_like(self, shared, marks):
        for name in shared:
            slots = slots_of(shared, name)
            cut = [share_wh(slots, *pair) for pair in itertools.pairwise(marks)]
            assert sum(cut) == share_wh(slots, marks[0], marks[-1])

    @given(st.lists(factors(), min_size=2, max_size=4), registers)
    @settings(deadline=None)
    def test_sums_never_exceed_the_meter_though_factors_change_all_the_time(self, changing, marks):
        total = 0
        for place, (begin, end) in enumerate(itertools.pairwise(marks)):
            now = changing[place % len(changing)]
            total += sum(share_wh(slots_of(now, name), begin, end) for name in now)
        assert total <= marks[-1] - marks[0]

    @given(factors(), st.integers(0, 60_000), st.integers(0, 3_000))
    @settings(deadline=None)
    def test_counts_what_numbering_watt_hours_one_by_one_counts(self, shared, begin, energy):
        for name in shared:
            slots = slots_of(shared, name)
            one_by_one = sum(
                slots.first <= number * 3_819 % 10_000 < slots.end
                for number in range(begin + 1, begin + energy + 1)
            )
            assert share_wh(slots, begin, begin + energy) == one_by_one

    @given(factors(), st.integers(0, 10**9))
    @settings(deadline=None)
    def test_stays_within_5_wh_of_the_factor(self, shared, register):
        for name, factor in shared.items():
            ideal, rest = divmod(register * factor, 10_000)
            share = share_wh(slots_of(shared, name), 0, register)
            assert ideal - 5 < share < ideal + 5 + bool(rest)

    @given(st.integers(0, 10**12), st.integers(1, 10_000))
    def test_gives_exactly_the_factor_of_each_10_000_wh(self, begin, factor):
        slots = slots_of({"ash": 10_000 - factor, "birch": factor}, "birch")
        assert share_wh(slots, begin, begin + 10_000) == factor

    def test_gives_everything_or_nothing_without_looking_at_slots(self):
        assert share_wh(WHOLE, 7, 1_234_567) == 1_234_560
        assert share_wh(Slots(0, 0), 7, 1_234_567) == 0


class TestSlotsOf:
    def test_puts_communities_side_by_side_by_name(self):
        shared = {"cedar": 1_000, "ash": 2_500, "birch": 4_000}
        assert slots_of(shared, "ash") == Slots(0, 2_500)
        assert slots_of(shared, "birch") == Slots(2_500, 6_500)
        assert slots_of(shared, "cedar") == Slots(6_500, 7_500)

    def test_gives_a_community_without_a_factor_nothing(self):
        found = slots_of({"ash": 2_500}, "birch")
        assert found.first == found.end


class TestCheckFactors:
    def test_takes_factors_up_to_the_whole(self):
        check_factors(METER, {"ash": 6_000, "birch": 4_000}, 900)
        check_factors(METER, {}, 900)

    def test_refuses_a_basis_point_more(self):
        with pytest.raises(FactorsBeyondWholeError) as caught:
            check_factors(METER, {"ash": 6_000, "birch": 4_001}, 900)
        assert caught.value.code == "factors_beyond_whole"
        assert "10001" in str(caught.value)
