"""Energy times price, rounded by name, the same above and below zero."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.units import NegativeEnergyError, cost_ceil, cost_floor

energies = st.integers(0, 10**12)
prices = st.integers(-(2**31), 2**31 - 1)


class TestCostFloor:
    @given(energies, prices)
    @settings(deadline=None)
    def test_floors_the_magnitude_and_keeps_the_sign(self, energy, price):
        exact = Fraction(energy * price, 1_000)
        cost = cost_floor(energy, price)
        assert 0 <= abs(exact) - abs(cost) < 1
        assert cost * price >= 0

    @given(energies, prices)
    @settings(deadline=None)
    def test_is_the_same_amount_in_both_directions(self, energy, price):
        assert cost_floor(energy, -price) == -cost_floor(energy, price)

    @given(energies, energies, prices)
    @settings(deadline=None)
    def test_of_parts_is_never_more_than_of_the_whole(self, one, other, price):
        whole = abs(cost_floor(one + other, price))
        parts = abs(cost_floor(one, price)) + abs(cost_floor(other, price))
        assert 0 <= whole - parts <= 1

    @pytest.mark.parametrize(
        ("energy", "price", "cost"),
        [
            (1_000, 391_700, 391_700),
            (1, 999, 0),
            (1, 1_000, 1),
            (3, 1_999, 5),
            (3, -1_999, -5),
            (1, -999, 0),
            (0, -1, 0),
            (5, 0, 0),
        ],
    )
    def test_of_small_amounts_is_this(self, energy, price, cost):
        assert cost_floor(energy, price) == cost


class TestCostCeil:
    @given(energies, prices)
    @settings(deadline=None)
    def test_ceils_the_magnitude_and_keeps_the_sign(self, energy, price):
        exact = Fraction(energy * price, 1_000)
        cost = cost_ceil(energy, price)
        assert 0 <= abs(cost) - abs(exact) < 1
        assert cost * price >= 0

    @given(energies, prices)
    @settings(deadline=None)
    def test_is_the_floor_or_one_more(self, energy, price):
        exact = energy * price % 1_000 == 0
        assert abs(cost_ceil(energy, price)) - abs(cost_floor(energy, price)) == (not exact)

    @pytest.mark.parametrize(
        ("energy", "price", "cost"),
        [(1, 1, 1), (1, -1, -1), (1_000, 7, 7), (0, 7, 0), (3, 1_999, 6)],
    )
    def test_of_small_amounts_is_this(self, energy, price, cost):
        assert cost_ceil(energy, price) == cost


@pytest.mark.parametrize("function", [cost_floor, cost_ceil])
@pytest.mark.parametrize("price", [-5, 0, 5])
def test_energy_below_zero_has_no_cost(function, price):
    with pytest.raises(NegativeEnergyError) as caught:
        function(-1, price)
    assert caught.value.energy_wh == -1
    assert caught.value.code == "negative_energy"
