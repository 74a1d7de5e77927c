"""A lot is certified once, never beyond what was measured, and traced whole into the cars."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.origin.cars import drawn_by_sessions
from settlement.trading.origin.lots import Lot, certified_wh, covered
from settlement.trading.shares import shared_out

NAMES = st.sampled_from([f"home-{n}" for n in range(6)])
ENERGY = st.integers(0, 5_000)
WEIGHTS = st.dictionaries(NAMES, ENERGY, min_size=1).filter(lambda found: sum(found.values()))
SALES = st.dictionaries(
    st.tuples(NAMES, st.sampled_from([f"buyer-{n}" for n in range(4)])), st.integers(1, 5_000)
)
LOTS = st.lists(ENERGY, max_size=6).map(
    lambda energies: [
        Lot(f"0x{n:02x}", f"home-{n}", "operator", energy, energy)
        for n, energy in enumerate(energies)
    ]
)
SESSIONS = st.dictionaries(st.sampled_from("abcdef"), ENERGY)


class TestSharingOut:
    @given(st.integers(0, 10_000), WEIGHTS)
    def test_gives_all_and_within_one_of_the_exact_share(self, total, weights):
        shares = shared_out(total, weights)
        whole = sum(weights.values())
        assert sum(shares.values()) == total
        for name, share in shares.items():
            assert abs(share * whole - total * weights[name]) < whole

    @given(WEIGHTS, st.data())
    def test_gives_nobody_more_than_its_weight_if_there_is_enough(self, weights, data):
        total = data.draw(st.integers(0, sum(weights.values())))
        assert all(share <= weights[name] for name, share in shared_out(total, weights).items())

    @given(st.integers(0, 10_000), WEIGHTS)
    def test_depends_on_no_order(self, total, weights):
        backwards = dict(reversed(weights.items()))
        assert shared_out(total, backwards) == shared_out(total, weights)

    def test_gives_what_is_over_to_the_largest_remainder(self):
        assert shared_out(1, {"a": 1, "b": 2}) == {"a": 0, "b": 1}
        assert shared_out(10, {"a": 1, "b": 3, "c": 3}) == {"a": 2, "b": 4, "c": 4}

    def test_breaks_ties_by_name(self):
        assert shared_out(1, {"b": 1, "a": 1}) == {"a": 1, "b": 0}

    def test_refuses_to_give_to_nobody(self):
        with pytest.raises(ValueError, match="weights of nothing"):
            shared_out(1, {"a": 0})


class TestALot:
    @given(SALES, st.data())
    def test_is_never_certified_beyond_what_was_made_or_taken(self, sold, data):
        surplus = {seller: data.draw(ENERGY) for seller, _ in sold}
        deficit = {buyer: data.draw(ENERGY) for _, buyer in sold}
        found = covered(sold, surplus, deficit)
        made, taken = Counter(), Counter()
        for (seller, buyer), energy in found.items():
            assert 0 <= energy <= sold[seller, buyer]
            made[seller] += energy
            taken[buyer] += energy
        assert all(energy <= surplus[seller] for seller, energy in made.items())
        assert all(energy <= deficit[buyer] for buyer, energy in taken.items())

    @given(SALES)
    def test_is_certified_whole_if_the_meters_bear_it_out(self, sold):
        surplus, deficit = Counter(), Counter()
        for (seller, buyer), energy in sold.items():
            surplus[seller] += energy
            deficit[buyer] += energy
        assert covered(sold, surplus, deficit) == sold

    def test_is_cut_pro_rata_where_a_firm_seller_made_less(self):
        sold = {("home", "a"): 2_000, ("home", "b"): 1_000}
        found = covered(sold, {"home": 1_500}, {"a": 2_000, "b": 1_000})
        assert found == {("home", "a"): 1_000, ("home", "b"): 500}

    def test_of_a_seller_without_a_meter_certifies_nothing(self):
        assert covered({("home", "a"): 10}, {}, {"a": 10}) == {("home", "a"): 0}


class TestTheSunInCars:
    @given(LOTS, SESSIONS)
    def test_is_what_the_operator_bought_once(self, lots, sessions):
        drawn = drawn_by_sessions(lots, sessions)
        of_lot = Counter()
        for session, parts in drawn.items():
            assert sum(part.energy_wh for part in parts) <= sessions[session]
            for part in parts:
                assert part.energy_wh > 0
                of_lot[part.lot.leaf] += part.energy_wh
        total = min(certified_wh(lots), sum(sessions.values()))
        assert sum(of_lot.values()) == total
        if total == certified_wh(lots):
            assert of_lot == Counter({lot.leaf: lot.covered_wh for lot in lots})

    @given(LOTS, SESSIONS)
    def test_depends_on_no_order(self, lots, sessions):
        backwards = dict(reversed(sessions.items()))
        assert drawn_by_sessions(lots[::-1], backwards) == drawn_by_sessions(lots, sessions)

    def test_is_shared_pro_rata(self):
        lots = [Lot("0x1", "home-1", "operator", 3_000, 3_000)]
        drawn = drawn_by_sessions(lots, {"a": 8_000, "b": 4_000})
        assert {name: parts[0].energy_wh for name, parts in drawn.items()} == {
            "a": 2_000,
            "b": 1_000,
        }
