"""The book offers what was measured and asks for no more than a member can pay."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.units import cost_floor
from settlement.pricing.billing import vat_on
from settlement.trading.book import Fees, Position, affordable, bid_of, book_of, offer_of
from settlement.trading.outcome import Order
from settlement.trading.zones import ZoneTree

FEES = Fees(levy=5_000, vat_bp=2_000)
GRID = ZoneTree.single(local_toll=30_000)
energies = st.integers(0, 100_000)
limits = st.integers(1, 2_000_000)
rates = st.integers(0, 10_000)
funds = st.integers(0, 10**9)


def position(surplus=0, deficit=0, sell=90_000, buy=180_000, spendable=10**9):
    return Position("0x" + "aa" * 20, "feeder", surplus, deficit, sell, buy, spendable)


class TestAffordable:
    @given(energies, limits, rates, funds)
    @settings(max_examples=300, deadline=None)
    def test_is_the_most_that_the_funds_pay_for(self, energy, limit, vat_bp, spendable):
        most = affordable(energy, limit, vat_bp, spendable)
        unit = limit * (10_000 + vat_bp)
        assert 0 <= most <= energy
        assert most * unit <= spendable * 10_000_000
        assert most == energy or (most + 1) * unit > spendable * 10_000_000

    @pytest.mark.parametrize("limit", [0, -1, -500_000])
    def test_is_everything_if_it_costs_nothing(self, limit):
        assert affordable(7_000, limit, 2_000, 0) == 7_000

    @pytest.mark.parametrize(
        ("spendable", "most"), [(0, 0), (239, 0), (240, 1), (479, 1), (480, 2), (10**6, 1_000)]
    )
    def test_counts_the_vat(self, spendable, most):
        assert affordable(1_000, 200_000, 2_000, spendable) == most


class TestOfferOf:
    def test_offers_all_surplus_at_the_members_limit(self):
        assert offer_of(position(surplus=500)) == Order("0x" + "aa" * 20, 500, 90_000, "feeder")

    def test_is_none_without_surplus(self):
        assert offer_of(position(deficit=500)) is None

    @pytest.mark.parametrize("sell", [0, 90_000])
    def test_needs_no_funds_at_a_price_that_is_paid_to_it(self, sell):
        assert offer_of(position(surplus=500, sell=sell, spendable=0)).energy_wh == 500

    def test_offers_nothing_it_would_have_to_pay_for_and_cannot(self):
        assert offer_of(position(surplus=500, sell=-100_000, spendable=0)) is None

    @given(
        st.integers(1, 10**5), st.integers(-(10**6), -1), st.integers(0, 10**7), st.integers(0, 100)
    )
    @settings(max_examples=200, deadline=None)
    def test_can_pay_whatever_the_negative_price_comes_to(self, surplus, sell, spendable, percent):
        offer = offer_of(position(surplus=surplus, sell=sell, spendable=spendable))
        if offer is not None:
            assert offer.limit == sell
            assert -cost_floor(offer.energy_wh, sell * percent // 100) <= spendable


class TestBidOf:
    def test_bids_for_the_deficit_with_toll_and_levy_taken_off(self):
        assert bid_of(position(deficit=500), FEES, GRID) == Order(
            "0x" + "aa" * 20, 500, 145_000, "feeder"
        )

    def test_is_none_without_deficit_or_without_funds(self):
        assert bid_of(position(surplus=500), FEES, GRID) is None
        assert bid_of(position(deficit=500, spendable=0), FEES, GRID) is None

    def test_leaves_what_it_cannot_pay_to_the_supplier(self):
        assert bid_of(position(deficit=500, spendable=216 * 100), FEES, GRID).energy_wh == 100
        assert bid_of(position(deficit=500, spendable=216 * 100 - 1), FEES, GRID).energy_wh == 99

    def test_bids_below_zero_if_the_fees_alone_exceed_the_limit(self):
        assert bid_of(position(deficit=500, buy=20_000), FEES, GRID).limit == -15_000

    @given(
        st.integers(1, 10**5),
        st.integers(0, 10**6),
        st.integers(0, 10**7),
        st.tuples(
            st.builds(Fees, st.integers(0, 10**5), rates, st.integers(0, 10**5)),
            st.integers(0, 10**5),
        ),
        st.lists(st.integers(1, 100), min_size=1, max_size=5),
        st.integers(0, 100),
    )
    @settings(max_examples=300, deadline=None)
    def test_can_pay_energy_fees_and_vat_however_it_is_served(
        self, deficit, buy, spendable, asked, parts, percent
    ):
        """At every price from zero to its limit, from any number of sellers."""
        fees, toll = asked
        bid = bid_of(
            position(deficit=deficit, buy=buy, spendable=spendable),
            fees,
            ZoneTree.single(local_toll=toll),
        )
        if bid is None or bid.limit < 0:
            return
        price = bid.limit * percent // 100
        shares = [bid.energy_wh * part // sum(parts) for part in parts]
        cost = sum(cost_floor(share, price) for share in shares)
        energy = sum(shares)
        base = cost + sum(cost_floor(energy, one) for one in (toll, fees.levy, fees.platform))
        assert base + vat_on(base, fees.vat_bp) <= spendable


class TestBookOf:
    def test_keeps_a_micro_for_each_rounding_where_a_price_may_be_below_zero(self):
        """Each payment is rounded down on its own: a buyer may get a micro less of each seller."""
        sellers = [position(surplus=1, sell=-1) for _ in range(3)]
        poor = position(deficit=100, buy=50_000, spendable=60 * 2 + 2 * 3 + 3)
        assert [bid.energy_wh for bid in book_of([*sellers, poor], FEES, GRID).bids] == [2]
        poorer = position(deficit=100, buy=50_000, spendable=60 * 2 + 2 * 3 + 2)
        assert [bid.energy_wh for bid in book_of([*sellers, poorer], FEES, GRID).bids] == [1]

    def test_keeps_nothing_where_no_price_can_be_below_zero(self):
        poor = position(deficit=100, buy=50_000, spendable=60 * 2)
        assert [bid.energy_wh for bid in book_of([poor], FEES, GRID).bids] == [2]
        asked = position(surplus=1, sell=-1)
        assert [bid.energy_wh for bid in book_of([asked, poor], FEES, GRID).bids] == [1]
