"""An order is taken in time, without another firm one in its way, and within the cap."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.orders.admission import (
    ORDERS_MAX,
    OrderBeyondCapError,
    OrderExpiredError,
    OrderTooLateError,
    OverlappingFirmOrdersError,
    Purse,
    TooManyOrdersError,
    check_cap,
    check_count,
    check_overlap,
    check_time,
    last_counting,
    worst_cost,
)
from settlement.trading.orders.signed import NOBODY, IntervalOrder

LENGTH_S = 900
PURCHASE = IntervalOrder(
    "0x" + "aa" * 20, 1, 1, 100, 103, 1_500, 180_000, NOBODY, False, 103 * LENGTH_S, 0, nonce=7
)


def purse(cap_micros, *, gives=0, takes=0):
    return Purse(cap_micros, 2_000, gives, takes)


SALE = dataclasses.replace(PURCHASE, side=0, limit=180_001, nonce=8)


def changed(**changes):
    return dataclasses.replace(PURCHASE, **changes)


class TestCheckTime:
    def test_takes_an_order_up_to_the_last_second_before_its_first_interval(self):
        check_time(PURCHASE, 100 * LENGTH_S - 1, LENGTH_S)

    @pytest.mark.parametrize("at_s", [100 * LENGTH_S, 101 * LENGTH_S, 103 * LENGTH_S - 1])
    def test_refuses_it_once_that_has_begun(self, at_s):
        with pytest.raises(OrderTooLateError) as caught:
            check_time(PURCHASE, at_s, LENGTH_S)
        assert caught.value.code == "order_too_late"

    @pytest.mark.parametrize("at_s", [103 * LENGTH_S, 2**40])
    def test_refuses_it_once_it_has_expired(self, at_s):
        with pytest.raises(OrderExpiredError) as caught:
            check_time(PURCHASE, at_s, LENGTH_S)
        assert caught.value.code == "order_expired"

    @pytest.mark.parametrize("expires_at_s", [0, 50, 100 * LENGTH_S])
    def test_refuses_one_that_would_count_for_nothing(self, expires_at_s):
        with pytest.raises(OrderExpiredError):
            check_time(changed(expires_at_s=expires_at_s), 0, LENGTH_S)
        check_time(changed(expires_at_s=100 * LENGTH_S + 1), 0, LENGTH_S)


class TestLastCounting:
    @pytest.mark.parametrize(
        ("expires_at_s", "last"),
        [
            (100 * LENGTH_S + 1, 100),
            (101 * LENGTH_S, 100),
            (101 * LENGTH_S + 1, 101),
            (103 * LENGTH_S + 1, 103),
            (2**40, 103),
        ],
    )
    def test_is_the_last_that_begins_before_it_expires(self, expires_at_s, last):
        assert last_counting(changed(expires_at_s=expires_at_s), LENGTH_S) == last


class TestCheckCount:
    def test_takes_as_many_orders_as_are_allowed(self):
        check_count(ORDERS_MAX - 1)
        with pytest.raises(TooManyOrdersError) as caught:
            check_count(ORDERS_MAX)
        assert caught.value.code == "too_many_orders"


class TestCheckOverlap:
    @pytest.mark.parametrize(("first", "last"), [(90, 100), (102, 200), (101, 101), (90, 200)])
    def test_refuses_two_firm_orders_for_one_interval(self, first, last):
        other = changed(first_interval=first, last_interval=last, expires_at_s=2**40, nonce=9)
        with pytest.raises(OverlappingFirmOrdersError, match="order 9 ") as caught:
            check_overlap(PURCHASE, [other], LENGTH_S)
        assert caught.value.code == "overlapping_firm_orders"

    @pytest.mark.parametrize(("first", "last"), [(90, 99), (103, 200), (104, 200)])
    def test_takes_firm_orders_side_by_side_where_the_one_expires(self, first, last):
        other = changed(first_interval=first, last_interval=last, expires_at_s=2**40, nonce=9)
        check_overlap(PURCHASE, [other], LENGTH_S)
        check_overlap(other, [PURCHASE], LENGTH_S)

    def test_takes_metered_orders_beside_firm_ones(self):
        metered = changed(quantity=0, nonce=9)
        check_overlap(PURCHASE, [metered], LENGTH_S)
        check_overlap(metered, [PURCHASE], LENGTH_S)

    def test_takes_a_sale_beside_a_purchase_that_cannot_meet_it(self):
        check_overlap(PURCHASE, [SALE], LENGTH_S)
        check_overlap(SALE, [PURCHASE], LENGTH_S)

    def test_refuses_a_sale_that_the_members_own_purchase_could_meet(self):
        sale = dataclasses.replace(SALE, limit=180_000)
        for one, other in ((PURCHASE, sale), (sale, PURCHASE)):
            with pytest.raises(OverlappingFirmOrdersError):
                check_overlap(one, [other], LENGTH_S)


class TestCheckCap:
    def test_refuses_a_firm_purchase_beyond_the_cap(self):
        # 1.5 kWh at 0.18 EUR and 20 % VAT.
        assert worst_cost(PURCHASE, purse(0)) == 324_000
        check_cap(PURCHASE, purse(324_000))
        with pytest.raises(OrderBeyondCapError) as caught:
            check_cap(PURCHASE, purse(323_999))
        assert caught.value.code == "order_beyond_cap"

    def test_leaves_metered_orders_to_the_settlement(self):
        check_cap(changed(quantity=0), purse(0))

    def test_asks_of_a_sale_what_its_seller_owes_if_nothing_is_there(self):
        """Else somebody sells what it has not, is paid for it at once, and owes the supplier."""
        check_cap(SALE, purse(450_000, gives=300_000))
        with pytest.raises(OrderBeyondCapError):
            check_cap(SALE, purse(449_999, gives=300_000))

    def test_asks_of_a_sale_what_its_seller_may_have_to_pay_too(self):
        sale = dataclasses.replace(SALE, limit=-10_001)
        check_cap(sale, purse(15_002))
        with pytest.raises(OrderBeyondCapError):
            check_cap(sale, purse(15_001))
        check_cap(sale, purse(465_002, gives=300_000))
        with pytest.raises(OrderBeyondCapError):
            check_cap(sale, purse(465_001, gives=300_000))

    def test_asks_of_a_purchase_what_it_may_cost_not_to_use_it(self):
        check_cap(PURCHASE, purse(339_000, takes=-10_000))
        with pytest.raises(OrderBeyondCapError):
            check_cap(PURCHASE, purse(338_999, takes=-10_000))
        check_cap(PURCHASE, purse(324_000, takes=10_000))

    @given(st.integers(0, 1), st.integers(-(2**31), 2**31 - 1), st.integers(1, 2**40), st.data())
    def test_covers_every_price_within_the_limit(self, side, limit, energy_wh, data):
        order = changed(side=side, limit=limit, energy_wh=energy_wh)
        low, high = (limit, 2**31) if side == 0 else (-(2**31), limit)
        price = data.draw(st.integers(low, high))
        vat_bp = data.draw(st.integers(0, 10_000)) if side else 0
        paid = (price if side else -price) * energy_wh * (10_000 + vat_bp)
        assert worst_cost(order, Purse(0, vat_bp, 0, 0)) * 10_000 * 1_000 >= paid
