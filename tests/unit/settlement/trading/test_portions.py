"""Energy is shared out to the last Wh, in proportion, and never beyond a need."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.mechanisms.portions import up_to_need
from settlement.trading.shares import shared_out

claims = st.dictionaries(
    st.sampled_from("abcdefg"), st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=7
)


class TestInProportion:
    def test_gives_what_is_over_to_the_largest_fractions_then_to_the_first_names(self):
        assert shared_out(10, {"c": 1, "b": 1, "a": 1}) == {"a": 4, "b": 3, "c": 3}
        assert shared_out(10, {"a": 5, "b": 6}) == {"a": 5, "b": 5}
        assert shared_out(2, {"a": 1, "b": 2, "c": 2}) == {"a": 0, "b": 1, "c": 1}

    @given(st.integers(0, 500), st.dictionaries(st.text("abc"), st.integers(1, 99), min_size=1))
    def test_nobody_is_a_whole_watt_hour_away_from_the_exact_share(self, energy, weights):
        shares = shared_out(energy, weights)
        assert sum(shares.values()) == energy
        for name, weight in weights.items():
            assert abs(shares[name] - Fraction(energy * weight, sum(weights.values()))) < 1


def exact(energy, claims):
    """The shares of filling all vessels at once, by halving nothing: level after level."""
    waiting = {name: claim for name, claim in claims.items() if claim[0]}
    level = Fraction(0)
    shares = dict.fromkeys(waiting, Fraction(0))
    left = Fraction(energy)
    while left and (open_ := {n: c for n, c in waiting.items() if shares[n] < c[1]}):
        width = sum(weight for weight, _ in open_.values())
        next_full = min(Fraction(need, weight) for weight, need in open_.values())
        rise = min(next_full - level, left / width)
        for name, (weight, _) in open_.items():
            shares[name] += rise * weight
        level += rise
        left -= rise * width
    return shares


class TestUpToNeed:
    @given(st.integers(0, 150), claims)
    def test_is_what_vessels_filled_at_once_hold_to_less_than_a_watt_hour(self, energy, claims):
        weights = {name: weight for name, (weight, _) in claims.items()}
        needs = {name: need for name, (_, need) in claims.items()}
        shares, ideal = up_to_need(energy, weights, needs), exact(energy, claims)
        assert shares.keys() == ideal.keys()
        assert sum(shares.values()) == sum(ideal.values())
        for name, share in shares.items():
            assert abs(share - ideal[name]) < 1
            assert share <= needs[name]

    @pytest.mark.parametrize(
        ("weights", "shares"),
        [
            ({"a": 1, "b": 1}, {"a": 1, "b": 9}),
            ({"a": 0, "b": 1}, {"b": 10}),
            ({"a": 0, "b": 0}, {}),
        ],
    )
    def test_gives_on_what_somebody_does_not_need(self, weights, shares):
        assert up_to_need(10, weights, {"a": 1, "b": 20}) == shares
