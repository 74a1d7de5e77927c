"""Firm energy is fixed, metered energy follows the meter, and meters equal trades and the rest."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.orders.applying import (
    Limits,
    Net,
    Remainder,
    Wanted,
    positions,
    remainder,
)
from settlement.trading.orders.standing import Side, StandingOrder

LIMITS = Limits(100_000, 250_000)
SUN = Net(1_000, 0)
DARK = Net(0, 1_000)


def sale(key, energy_wh, limit, *, firm=False):
    return StandingOrder(key, Side.SELL, firm, energy_wh, limit)


def purchase(key, energy_wh, limit, *, firm=False):
    return StandingOrder(key, Side.BUY, firm, energy_wh, limit)


def short(wanted):
    return [(one.key, one.energy_wh, one.limit) for one in wanted]


class TestPositions:
    def test_are_the_mandates_without_orders(self):
        assert positions(SUN, LIMITS, ()).offers == (Wanted(1_000, 100_000),)
        assert positions(DARK, LIMITS, ()).bids == (Wanted(1_000, 250_000),)
        assert positions(Net(0, 0), LIMITS, ()) == positions(Net(0, 0), LIMITS, [sale("a", 5, 1)])

    def test_give_metered_orders_what_the_meter_says_and_the_mandate_the_rest(self):
        found = positions(SUN, LIMITS, [sale("a", 600, 150_000)])
        assert short(found.offers) == [("a", 600, 150_000), ("", 400, 100_000)]
        assert found.bids == ()

    def test_give_the_most_willing_metered_order_first(self):
        cheap, dear = sale("b", 700, 90_000), sale("a", 700, 150_000)
        found = positions(SUN, LIMITS, [dear, cheap])
        assert short(found.offers) == [("b", 700, 90_000), ("a", 300, 150_000)]
        eager, slow = purchase("a", 700, 300_000), purchase("b", 700, 200_000)
        found = positions(DARK, LIMITS, [slow, eager])
        assert short(found.bids) == [("a", 700, 300_000), ("b", 300, 200_000)]

    def test_of_equal_limits_take_the_lower_hash_to_sell_and_the_higher_to_buy(self):
        for one, other in (("a", "b"), ("b", "a")):
            found = positions(SUN, LIMITS, [sale(one, 700, 9), sale(other, 700, 9)])
            assert short(found.offers) == [("a", 700, 9), ("b", 300, 9)]
            found = positions(DARK, LIMITS, [purchase(one, 700, 9), purchase(other, 700, 9)])
            assert short(found.bids) == [("b", 700, 9), ("a", 300, 9)]

    def test_sell_what_is_firm_whatever_the_meter_says(self):
        for surplus_wh in (0, 300, 800):
            found = positions(Net(surplus_wh, 0), LIMITS, [sale("a", 800, 150_000, firm=True)])
            assert short(found.offers) == [("a", 800, 150_000)]
        found = positions(SUN, LIMITS, [sale("a", 800, 150_000, firm=True), sale("b", 50, 1)])
        assert short(found.offers) == [("a", 800, 150_000), ("b", 50, 1), ("", 150, 100_000)]

    def test_keep_partner_and_sun(self):
        wanted = replace(purchase("a", 5, 9), partner="0xab", solar=True)
        found = positions(DARK, LIMITS, [wanted]).bids[0]
        assert (found.partner, found.solar, found.firm) == ("0xab", True, False)

    @pytest.mark.parametrize(("limit", "bids"), [(250_000, []), (250_001, [("", 1_000, 250_000)])])
    def test_never_let_a_deficit_meet_the_members_own_firm_sale(self, limit, bids):
        found = positions(DARK, LIMITS, [sale("a", 800, limit, firm=True)])
        assert short(found.offers) == [("a", 800, limit)]
        assert short(found.bids) == bids

    @pytest.mark.parametrize(("limit", "offers"), [(100_000, []), (99_999, [("", 1_000, 100_000)])])
    def test_never_let_a_surplus_meet_the_members_own_firm_purchase(self, limit, offers):
        found = positions(SUN, LIMITS, [purchase("a", 800, limit, firm=True)])
        assert short(found.bids) == [("a", 800, limit)]
        assert short(found.offers) == offers


limits = st.integers(-400_000, 400_000) | st.sampled_from([-1, 0, 1, 150_000])
energies = st.integers(0, 5_000)
nets = st.one_of(st.builds(Net, energies, st.just(0)), st.builds(Net, st.just(0), energies))
bundles = st.lists(
    st.builds(
        StandingOrder,
        key=st.text("0123456789abcdef", min_size=4, max_size=4),
        side=st.sampled_from(Side),
        firm=st.booleans(),
        energy_wh=st.integers(1, 5_000),
        limit=limits,
    ),
    max_size=8,
    unique_by=lambda one: one.key,
)
mandates = st.builds(Limits, limits, limits)


def apart(orders):
    """Whether no firm orders of the member could meet, as admission sees to."""
    sales = [one.limit for one in orders if one.firm and one.side is Side.SELL]
    purchases = [one.limit for one in orders if one.firm and one.side is Side.BUY]
    return not sales or not purchases or min(sales) > max(purchases)


class TestLaws:
    @given(nets, mandates, bundles, st.randoms(use_true_random=False))
    def test_positions_do_not_depend_on_the_sequence_of_orders(self, net, mandate, orders, random):
        before = positions(net, mandate, orders)
        random.shuffle(orders)
        assert positions(net, mandate, orders) == before

    @given(nets, mandates, bundles)
    def test_nobody_offers_more_than_an_order_says(self, net, mandate, orders):
        found = positions(net, mandate, orders)
        known = {one.key: one for one in orders}
        for side, wanted in ((Side.SELL, found.offers), (Side.BUY, found.bids)):
            for one in wanted:
                assert one.energy_wh > 0
                if one.key:
                    order = known[one.key]
                    assert (order.side, order.limit, order.firm) == (side, one.limit, one.firm)
                    assert one.energy_wh <= order.energy_wh

    @given(nets, mandates, bundles)
    def test_firm_energy_is_fixed(self, net, mandate, orders):
        found = positions(net, mandate, orders)
        fixed = {one.key: one.energy_wh for one in (*found.offers, *found.bids) if one.firm}
        assert fixed == {one.key: one.energy_wh for one in orders if one.firm}

    @given(nets, mandates, bundles)
    def test_what_follows_the_meter_is_what_it_left_after_the_firm(self, net, mandate, orders):
        found = positions(net, mandate, orders)
        firm = {
            side: sum(one.energy_wh for one in orders if one.firm and one.side is side)
            for side in Side
        }
        for wanted, metered_wh, side in (
            (found.offers, net.surplus_wh, Side.SELL),
            (found.bids, net.deficit_wh, Side.BUY),
        ):
            loose = sum(one.energy_wh for one in wanted if not one.firm)
            assert loose <= max(0, metered_wh - firm[side])
            if not firm[Side(1 - side)]:
                assert loose == max(0, metered_wh - firm[side])

    @given(nets, mandates, bundles.filter(apart))
    def test_nobody_can_trade_with_itself(self, net, mandate, orders):
        found = positions(net, mandate, orders)
        if found.offers and found.bids:
            least = min(one.limit for one in found.offers)
            assert least > max(one.limit for one in found.bids)

    @given(nets, mandates, bundles, st.data())
    def test_meters_equal_trades_residual_and_imbalance(self, net, mandate, orders, data):
        found = positions(net, mandate, orders)
        sold_wh, bought_wh = (
            data.draw(st.integers(0, sum(one.energy_wh for one in wanted)))
            for wanted in (found.offers, found.bids)
        )
        rest = remainder(net, sold_wh, bought_wh)
        assert net.surplus_wh - net.deficit_wh == (
            sold_wh
            - bought_wh
            + rest.left_over_wh
            - rest.lacking_wh
            - rest.undelivered_wh
            + rest.unused_wh
        )
        assert min(rest.undelivered_wh, rest.unused_wh) == 0
        if not any(one.firm for one in orders):
            assert (rest.undelivered_wh, rest.unused_wh) == (0, 0)


class TestRemainder:
    def test_buys_what_was_sold_firm_and_is_not_there(self):
        assert remainder(Net(300, 0), 800, 0) == Remainder(0, 0, 500, 0)
        assert remainder(Net(0, 200), 800, 0) == Remainder(0, 200, 800, 0)

    def test_sells_what_was_bought_firm_and_not_used(self):
        assert remainder(Net(0, 300), 0, 800) == Remainder(0, 0, 0, 500)
        assert remainder(Net(200, 0), 0, 800) == Remainder(200, 0, 0, 800)

    def test_is_residual_where_nothing_was_firm(self):
        assert remainder(Net(300, 0), 100, 0) == Remainder(200, 0, 0, 0)
        assert remainder(Net(0, 300), 0, 100) == Remainder(0, 200, 0, 0)

    def test_delivers_first_what_was_bought_and_not_used(self):
        assert remainder(Net(0, 0), 500, 800) == Remainder(0, 0, 0, 300)
        assert remainder(Net(0, 0), 800, 500) == Remainder(0, 0, 300, 0)
