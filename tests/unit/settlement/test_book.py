"""The book offers what was measured and asks for no more than a member can pay."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.units import cost_floor
from settlement.pricing.billing import vat_on
from settlement.trading.book import Fees, Position, affordable, book_of
from settlement.trading.orders.applying import Limits, Net
from settlement.trading.orders.standing import Side, StandingOrder
from settlement.trading.outcome import Order
from settlement.trading.zones import ZoneTree

FEES = Fees(levy=5_000, vat_bp=2_000)
GRID = ZoneTree.single(local_toll=30_000)
energies = st.integers(0, 100_000)
limits = st.integers(1, 2_000_000)
rates = st.integers(0, 10_000)
funds = st.integers(0, 10**9)


MEMBER = "0x" + "aa" * 20


def position(surplus=0, deficit=0, spendable=10**9, orders=(), **limits):
    asked = {"sell_not_below": 90_000, "buy_not_above": 180_000} | limits
    net = Net(surplus, deficit)
    return Position(MEMBER, "feeder", net, Limits(**asked), spendable, orders)


def order(side, energy, limit, key="01", **more):
    return StandingOrder(key, side, more.pop("firm", False), energy, limit, **more)


def offers_of(*positions):
    return book_of(positions, FEES, GRID).offers


def bids_of(*positions, fees=FEES, tree=GRID):
    return book_of(positions, fees, tree).bids


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


class TestOffers:
    def test_are_all_surplus_at_the_members_limit(self):
        assert offers_of(position(surplus=500)) == (Order(MEMBER, 500, 90_000, "feeder"),)

    def test_are_none_without_surplus(self):
        assert offers_of(position(deficit=500)) == ()

    @pytest.mark.parametrize("sell", [0, 90_000])
    def test_need_no_funds_at_a_price_that_is_paid_to_it(self, sell):
        [offer] = offers_of(position(surplus=500, sell_not_below=sell, spendable=0))
        assert offer.energy_wh == 500

    def test_are_nothing_that_it_would_have_to_pay_for_and_cannot(self):
        assert offers_of(position(surplus=500, sell_not_below=-100_000, spendable=0)) == ()

    @given(
        st.integers(1, 10**5), st.integers(-(10**6), -1), st.integers(0, 10**7), st.integers(0, 100)
    )
    @settings(max_examples=200, deadline=None)
    def test_can_be_paid_whatever_the_negative_price_comes_to(
        self, surplus, sell, spendable, percent
    ):
        for offer in offers_of(position(surplus, 0, spendable, sell_not_below=sell)):
            assert offer.limit == sell
            assert -cost_floor(offer.energy_wh, sell * percent // 100) <= spendable

    def test_carry_what_the_order_wishes(self):
        wish = order(Side.SELL, 200, 70_000, partner="0xbb")
        sunny = dataclasses.replace(position(surplus=500, orders=(wish,)), solar=True)
        assert offers_of(sunny) == (
            Order(MEMBER, 200, 70_000, "feeder", "01", "0xbb", solar=True),
            Order(MEMBER, 300, 90_000, "feeder", solar=True),
        )


class TestBids:
    def test_are_the_deficit_with_toll_and_fees_taken_off(self):
        assert bids_of(position(deficit=500)) == (Order(MEMBER, 500, 145_000, "feeder"),)
        fees = Fees(levy=5_000, vat_bp=2_000, platform=1_000)
        assert bids_of(position(deficit=500), fees=fees)[0].limit == 144_000

    def test_are_none_without_deficit_or_without_funds(self):
        assert bids_of(position(surplus=500)) == ()
        assert bids_of(position(deficit=500, spendable=0)) == ()

    def test_leave_what_cannot_be_paid_to_the_supplier(self):
        assert bids_of(position(deficit=500, spendable=216 * 100))[0].energy_wh == 100
        assert bids_of(position(deficit=500, spendable=216 * 100 - 1))[0].energy_wh == 99

    def test_are_below_zero_if_the_fees_alone_exceed_the_limit(self):
        assert bids_of(position(deficit=500, buy_not_above=20_000))[0].limit == -15_000

    def test_share_the_funds_in_the_order_of_willingness(self):
        wish = order(Side.BUY, 60, 200_000)
        rich, poor = 240 * 60 + 216 * 40, 240 * 60 + 216 * 5
        for spendable, energies in ((rich, [60, 40]), (poor, [60, 5]), (240 * 7, [7])):
            found = bids_of(position(deficit=100, spendable=spendable, orders=(wish,)))
            assert [bid.energy_wh for bid in found] == energies

    def test_of_a_firm_order_do_not_follow_the_meter(self):
        wish = order(Side.BUY, 700, 200_000, firm=True)
        assert [bid.energy_wh for bid in bids_of(position(deficit=100, orders=(wish,)))] == [700]

    def test_are_nobodys_who_has_no_mandate(self):
        nobody = Position(MEMBER, "feeder", Net(0, 500), None, 10**9)
        assert bids_of(nobody) == ()

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
    def test_can_be_paid_with_fees_and_vat_however_they_are_served(
        self, deficit, buy, spendable, asked, parts, percent
    ):
        """At every price from zero to its limit, from any number of sellers."""
        fees, toll = asked
        tree = ZoneTree.single(local_toll=toll)
        buyer = position(0, deficit, spendable, buy_not_above=buy)
        for bid in bids_of(buyer, fees=fees, tree=tree):
            if bid.limit < 0:
                continue
            price = bid.limit * percent // 100
            shares = [bid.energy_wh * part // sum(parts) for part in parts]
            cost = sum(cost_floor(share, price) for share in shares)
            energy = sum(shares)
            base = cost + sum(cost_floor(energy, one) for one in (toll, fees.levy, fees.platform))
            assert base + vat_on(base, fees.vat_bp) <= spendable

    def test_keep_a_micro_for_each_rounding_where_a_price_may_be_below_zero(self):
        """Each payment is rounded down on its own: a buyer may get a micro less of each seller."""
        sellers = [
            dataclasses.replace(position(surplus=1, sell_not_below=-1), member=f"s{n}")
            for n in range(3)
        ]
        for spare, energy in ((3, 2), (2, 1)):
            spendable = 60 * 2 + 2 * 3 + spare
            poor = position(deficit=100, buy_not_above=50_000, spendable=spendable)
            assert [bid.energy_wh for bid in bids_of(*sellers, poor)] == [energy]

    def test_keep_nothing_where_no_price_can_be_below_zero(self):
        poor = position(deficit=100, buy_not_above=50_000, spendable=60 * 2)
        assert [bid.energy_wh for bid in bids_of(poor)] == [2]
