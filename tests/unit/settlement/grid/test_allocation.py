"""What a grid operator is told of shares adds up, to the watt-hour and to the millionth."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.allocation.points import (
    WHOLE_PPM,
    AllocationBrokenError,
    Direction,
    Point,
    check_identities,
    shares_of,
)
from settlement.trading.origin.lots import Lot, covered

ENERGY = st.integers(0, 3_000)
PARTIES = [f"0x{n}" for n in range(5)]
POINTS = st.lists(st.tuples(st.sampled_from(PARTIES), ENERGY, ENERGY), min_size=1, max_size=8).map(
    lambda found: [Point(f"m{n}", *one) for n, one in enumerate(found)]
)
PAIRS = st.tuples(st.sampled_from(PARTIES), st.sampled_from(PARTIES)).filter(
    lambda pair: pair[0] != pair[1]
)
SALES = st.dictionaries(PAIRS, st.integers(1, 2_000), max_size=8)


def settled(points, sold):
    """Return lots as a settlement has them: covered by what each party had over or lacked."""
    net = Counter()
    for one in points:
        net[one.account] += one.export_wh - one.import_wh
    surplus = {account: max(0, energy) for account, energy in net.items()}
    deficit = {account: max(0, -energy) for account, energy in net.items()}
    found = covered(sold, surplus, deficit)
    return [
        Lot(f"0x{n:02x}", *pair, sold[pair], found[pair]) for n, pair in enumerate(sorted(sold))
    ]


class TestShares:
    @given(POINTS, SALES)
    def test_keep_the_identities(self, points, sold):
        lots = settled(points, sold)
        shares = shares_of(points, lots)
        given, taken = Counter(), Counter()
        for one in shares:
            assert one.covered_wh <= min(one.total_wh, one.offered_wh)
            side = taken if one.direction is Direction.CONSUMPTION else given
            side[one.account] += one.covered_wh
            assert one.left_wh == one.total_wh - one.covered_wh >= 0
        assert sum(given.values()) == sum(taken.values())
        for account in {one.account for one in points}:
            mine = [one for one in points if one.account == account]
            own = min(sum(one.import_wh for one in mine), sum(one.export_wh for one in mine))
            bought = sum(lot.covered_wh for lot in lots if lot.buyer == account)
            sold_wh = sum(lot.covered_wh for lot in lots if lot.seller == account)
            assert taken[account] == own + bought
            assert given[account] == own + sold_wh

    @given(POINTS, SALES)
    def test_have_coefficients_that_sum_to_one(self, points, sold):
        shares = shares_of(points, settled(points, sold))
        for direction in Direction:
            side = [one for one in shares if one.direction is direction]
            shared = sum(one.covered_wh for one in side)
            assert sum(one.coefficient_ppm for one in side) == (WHOLE_PPM if shared else 0)
            for one in side:
                assert abs(one.coefficient_ppm * shared - WHOLE_PPM * one.covered_wh) <= shared

    @given(POINTS, SALES, st.randoms())
    def test_depend_on_no_order(self, points, sold, chance):
        lots = settled(points, sold)
        again = shares_of(chance.sample(points, len(points)), chance.sample(lots, len(lots)))
        assert again == shares_of(points, lots)

    def test_leave_a_producer_what_nobody_got(self):
        points = [Point("roof", "0xa", 0, 5_000), Point("flat", "0xb", 2_000, 0)]
        roof, flat = sorted(
            shares_of(points, [Lot("0x1", "0xa", "0xb", 2_000, 2_000)]),
            key=lambda one: one.meter,
            reverse=True,
        )
        assert (roof.total_wh, roof.covered_wh, roof.left_wh) == (5_000, 2_000, 3_000)
        assert (flat.total_wh, flat.covered_wh, flat.left_wh) == (2_000, 2_000, 0)
        assert {roof.coefficient_ppm, flat.coefficient_ppm} == {WHOLE_PPM}

    def test_are_divided_among_the_meters_of_a_party(self):
        points = [
            Point("roof", "0xa", 0, 3_000),
            Point("flat", "0xb", 2_000, 0),
            Point("shop", "0xb", 1_000, 0),
        ]
        shares = shares_of(points, [Lot("0x1", "0xa", "0xb", 900, 900)])
        assert [(one.meter, one.covered_wh) for one in shares] == [
            ("flat", 600),
            ("roof", 900),
            ("shop", 300),
        ]

    def test_of_a_firm_buyer_cover_no_more_than_it_took(self):
        points = [Point("roof", "0xa", 0, 3_000), Point("flat", "0xb", 500, 0)]
        flat, roof = shares_of(points, settled(points, {("0xa", "0xb"): 2_000}))
        assert (flat.offered_wh, flat.covered_wh, roof.left_wh) == (2_000, 500, 2_500)

    def test_of_nothing_shared_have_no_coefficients(self):
        (only,) = shares_of([Point("flat", "0xb", 500, 0)], [])
        assert (only.coefficient_ppm, only.covered_wh, only.left_wh) == (0, 0, 500)


class TestTheCheck:
    SHARES = shares_of(
        [Point("roof", "0xa", 0, 5_000), Point("flat", "0xb", 2_000, 0)],
        [Lot("0x1", "0xa", "0xb", 1_500, 1_500)],
    )

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"total_wh": 1_499}, "1499 measured"),
            ({"offered_wh": 1_499}, "1499 allotted"),
            ({"covered_wh": -1}, "covers -1 Wh"),
            ({"covered_wh": 1_400}, "given and taken differ"),
            ({"coefficient_ppm": WHOLE_PPM - 1}, "sum to 999999 millionths"),
        ],
    )
    def test_names_what_does_not_add_up(self, change, said):
        flat, roof = self.SHARES
        with pytest.raises(AllocationBrokenError, match=said):
            check_identities([replace(flat, **change), roof])
