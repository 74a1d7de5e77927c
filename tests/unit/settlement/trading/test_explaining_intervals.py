"""All that a member wanted is explained, what never reached the book included."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.exact import Language
from settlement.trading.explaining.interval import explain_interval, not_in_force
from settlement.trading.explaining.reasons import Reason
from settlement.trading.explaining.sentences import sentence
from settlement.trading.orders.standing import Side, StandingOrder
from settlement.trading.outcome import Order
from settlement.trading.settle import settle
from tests.unit.settlement.test_settle import FEES, TOLL, inputs, member, members_of

BESIDE = TOLL + FEES.levy
SELLER, BUYER = member(1, exported=3_000), member(2, imported=2_000)


def reasons(told):
    return [(one.side.name, one.reason, one.served_wh) for one in told]


def standing(key, side, energy, limit=100_000, *, firm=False):
    return StandingOrder(key, side, firm, energy, limit)


class TestExplainInterval:
    def test_explains_mandates_by_member(self):
        told = explain_interval(inputs(BUYER, SELLER))
        assert reasons(told) == [
            ("SELL", Reason.AT_THE_MARGIN, 2_000),
            ("BUY", Reason.SERVED, 2_000),
        ]
        assert told[1].numbers["limit_per_kwh"] == 180_000 - BESIDE

    @pytest.mark.parametrize(
        ("caps", "reason"),
        [
            ({}, Reason.CLAMPED_TO_FUNDS),
            ({BUYER.account: 100_000}, Reason.CLAMPED_TO_CAP),
            ({BUYER.account: 100_001}, Reason.CLAMPED_TO_FUNDS),
        ],
    )
    def test_says_of_a_bid_cut_to_what_can_be_paid_by_what(self, caps, reason):
        poor = replace(BUYER, spendable_micros=100_000)
        _, bid = explain_interval(inputs(SELLER, poor), caps)
        # 100,000 micros pay for 462 Wh at a limit of 180,000 per kWh with 20 % VAT.
        assert (bid.reason, bid.served_wh) == (reason, 462)
        assert bid.numbers["offered_wh"] == 462
        assert bid.numbers["energy_wh"] == 2_000
        assert "0.462 kWh of 2 kWh, as far as" in sentence(bid)

    def test_says_of_a_bid_without_any_funds_that_they_were_missing(self):
        _, bid = explain_interval(inputs(SELLER, replace(BUYER, spendable_micros=0)))
        assert (bid.reason, bid.served_wh) == (Reason.CLAMPED_TO_FUNDS, 0)
        assert bid.order.energy_wh == 2_000

    def test_keeps_the_reason_of_a_cut_bid_that_the_price_left_out(self):
        modest = replace(member(3, imported=2_000, buy=100_000), spendable_micros=100_000)
        _, bid = explain_interval(inputs(SELLER, BUYER, modest))[1:]
        assert bid.reason is Reason.LIMIT_BELOW_PRICE
        assert bid.numbers["offered_wh"] == 833

    def test_names_orders_of_which_nothing_reached_the_book(self):
        orders = (
            standing("aa", Side.SELL, 3_000),
            standing("bb", Side.SELL, 500, 120_000),
            standing("cc", Side.BUY, 10, 99_999, firm=True),
            standing("dd", Side.BUY, 7),
        )
        told = explain_interval(inputs(replace(SELLER, orders=orders), BUYER))
        known = {one.order.key: one.reason for one in told if one.order.key}
        assert known == {
            "aa": Reason.AT_THE_MARGIN,
            "bb": Reason.NOTHING_METERED,
            "cc": Reason.LIMIT_BELOW_PRICE,
            "dd": Reason.NOTHING_METERED,
        }

    def test_names_orders_that_would_meet_the_members_own(self):
        orders = (
            standing("aa", Side.SELL, 1_000, 90_000),
            standing("bb", Side.BUY, 10, 150_000, firm=True),
        )
        told = explain_interval(inputs(replace(SELLER, orders=orders), BUYER))
        known = {one.order.key: one.reason for one in told if one.order.member == SELLER.account}
        assert known["aa"] is Reason.OWN_ORDER

    def test_says_that_there_is_no_mandate(self):
        alone = replace(SELLER, limits=None, orders=(standing("aa", Side.SELL, 5),))
        told = explain_interval(inputs(alone, BUYER))
        assert reasons(told) == [
            ("SELL", Reason.NO_MANDATE, 0),
            ("BUY", Reason.NO_COUNTERPARTY, 0),
        ]

    @given(members_of, st.sampled_from(Language))
    def test_serves_what_the_settlement_settles(self, members, language):
        known = inputs(*members)
        settled = settle(known)
        sold, bought = {}, {}
        for one in explain_interval(known):
            side = sold if one.side is Side.SELL else bought
            side[one.order.member] = side.get(one.order.member, 0) + one.served_wh
            assert sentence(one, language)
        for trade in settled.trades:
            sold[trade.seller] -= trade.energy_wh
            bought[trade.buyer] -= trade.energy_wh
        assert not any(sold.values())
        assert not any(bought.values())


class TestNotInForce:
    @pytest.mark.parametrize("reason", [Reason.EXPIRED, Reason.OUTSIDE_HOURS])
    @pytest.mark.parametrize("side", Side)
    def test_says_why_and_when(self, side, reason):
        order = Order("0x1", 700, 5, "feeder")
        one = not_in_force(side, order, reason, at_s=900, until_s=450)
        assert (one.reason, one.served_wh) == (reason, 0)
        assert (one.numbers["at_s"], one.numbers["until_s"]) == (900, 450)
        assert "0.7 kWh" in sentence(one)
