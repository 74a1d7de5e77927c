"""Lines say who owes whom; they sum to zero and each kind has its payee and its rail."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.book import Fees
from settlement.trading.lines import (
    Institutions,
    Kind,
    Line,
    Rail,
    Sale,
    community_lines,
    deltas,
    remainder_lines,
    sales_of,
)
from settlement.trading.orders.applying import Remainder
from settlement.trading.outcome import Trade

INSTITUTIONS = Institutions("grid", "state", "supplier", "platform")
TOLL = 30_000
FEES = Fees(levy=5_000, vat_bp=2_000)

sides = st.lists(st.integers(1, 5_000), min_size=1, max_size=6)


def named(side, energies):
    return tuple((f"{side}{n}", energy) for n, energy in enumerate(energies))


def balanced(sold, bought):
    """Cut both sides to the same total."""
    volume = min(sum(sold), sum(bought))
    cut = []
    for side in (sold, bought):
        left, kept = volume, []
        for energy in side:
            kept.append(min(energy, left))
            left -= kept[-1]
        cut.append([energy for energy in kept if energy])
    return named("s", cut[0]), named("b", cut[1])


markets = st.builds(balanced, sides, sides)
prices = st.integers(-500_000, 500_000)
rates = st.integers(0, 50_000)
fees_of = st.builds(Fees, rates, st.integers(0, 10_000), rates)


def pair(sold, bought):
    """Pair both sides in order, Wh by Wh."""
    units = [[name for name, energy in side for _ in range(energy)] for side in (sold, bought)]
    pairs = Counter(zip(*units, strict=True))
    return [(seller, buyer, energy) for (seller, buyer), energy in pairs.items()]


def sold_at(pairs, price, toll=TOLL, congestion=0):
    return [Trade(s, b, energy, price, "z", "z", toll, congestion) for s, b, energy in pairs]


def lines_of(trades, fees=FEES):
    return community_lines(trades, sales_of(trades), fees, INSTITUTIONS)


class TestSales:
    def test_of_one_pair_are_one_rounded_once_and_priced_in_the_mean(self):
        trades = [*sold_at([("s", "b", 3)], 500), *sold_at([("s", "b", 5)], 1_100)]
        assert sales_of(trades) == (Sale("s", "b", 8, (1_500 + 5_500) // 8, 7),)

    def test_that_several_prices_pay_off_to_less_than_nothing_are_rounded_towards_it(self):
        trades = [*sold_at([("s", "b", 3)], -1_500), *sold_at([("s", "b", 1)], 100)]
        assert [sale.amount_micros for sale in sales_of(trades)] == [-4]


class TestCommunityLines:
    def test_of_one_trade_are_energy_toll_congestion_levy_platform_and_vat(self):
        fees = Fees(levy=5_000, vat_bp=2_000, platform=1_000)
        assert lines_of(sold_at([("s", "b", 2_500)], 100_000, 30_000, 4_000), fees) == (
            Line("b", "s", Kind.ENERGY, Rail.CHAIN, 2_500, 100_000, 250_000),
            Line("b", "grid", Kind.TOLL, Rail.CHAIN, 2_500, 30_000, 75_000),
            Line("b", "grid", Kind.CONGESTION, Rail.CHAIN, 2_500, 4_000, 10_000),
            Line("b", "state", Kind.LEVY, Rail.CHAIN, 2_500, 5_000, 12_500),
            Line("b", "platform", Kind.PLATFORM, Rail.CHAIN, 2_500, 1_000, 2_500),
            Line("b", "state", Kind.VAT, Rail.CHAIN, 2_500, 0, 70_000),
        )

    @given(markets, prices, fees_of, rates, rates)
    @settings(max_examples=200, deadline=None)
    def test_round_once_for_each_pair_and_once_for_each_buyer(
        self, market, price, fees, toll, congestion
    ):
        trades = sold_at(pair(*market), price, toll, congestion)
        lines = lines_of(trades, fees)
        energy = [one for one in lines if one.kind is Kind.ENERGY]
        assert sorted(one.amount_micros for one in energy) == sorted(
            one.energy_wh * abs(price) // 1_000 for one in trades
        )
        for buyer, wh in market[1]:
            owed = {one.kind: one.amount_micros for one in lines if one.payer == buyer}
            rated = {
                Kind.TOLL: toll,
                Kind.CONGESTION: congestion,
                Kind.LEVY: fees.levy,
                Kind.PLATFORM: fees.platform,
            }
            asked = {kind: wh * rate // 1_000 for kind, rate in rated.items()}
            signed = 1 if price >= 0 else -1
            cost = sum(
                signed * (t.energy_wh * abs(price) // 1_000) for t in trades if t.buyer == buyer
            )
            asked[Kind.VAT] = max(0, cost + sum(asked.values())) * fees.vat_bp // 10_000
            assert {kind: owed.get(kind, 0) for kind in asked} == asked

    def test_add_up_a_path_exactly_before_they_round(self):
        trades = [
            *sold_at([("s", "b", 1)], 0, toll=600),
            *sold_at([("t", "b", 1)], 0, toll=1_500),
        ]
        (toll,) = [one for one in lines_of(trades, Fees(0, 0)) if one.kind is Kind.TOLL]
        assert (toll.energy_wh, toll.price, toll.amount_micros) == (2, 1_050, 2)

    @given(markets, prices, fees_of)
    @settings(max_examples=200, deadline=None)
    def test_sum_to_zero_on_the_chain_rail(self, market, price, fees):
        lines = lines_of(sold_at(pair(*market), price, congestion=77), fees)
        moved = deltas(lines)
        assert sum(amount for _, amount in moved) == 0
        assert {one.rail for one in lines} == {Rail.CHAIN}
        assert all(one.amount_micros >= 0 for one in lines)

    @given(markets, prices, fees_of)
    @settings(max_examples=100, deadline=None)
    def test_pay_every_kind_to_its_payee(self, market, price, fees):
        payees = {
            Kind.TOLL: "grid",
            Kind.CONGESTION: "grid",
            Kind.LEVY: "state",
            Kind.PLATFORM: "platform",
            Kind.VAT: "state",
        }
        for one in lines_of(sold_at(pair(*market), price, congestion=77), fees):
            if one.kind is Kind.ENERGY:
                assert one.payer[0] + one.payee[0] == ("bs" if price >= 0 else "sb") or (
                    one.amount_micros == 0
                )
            else:
                assert (one.payer[0], one.payee) == ("b", payees[one.kind])
                assert one.amount_micros > 0

    def test_at_a_negative_price_the_seller_pays_and_the_magnitude_is_floored(self):
        lines = lines_of(sold_at([("s", "b", 3)], -1_500, toll=0), Fees(0, 2_000))
        assert lines == (Line("s", "b", Kind.ENERGY, Rail.CHAIN, 3, -1_500, 4),)

    def test_no_vat_is_owed_on_less_than_nothing(self):
        lines = lines_of(sold_at([("s", "b", 1_000)], -40_000))
        assert [one.kind for one in lines] == [Kind.ENERGY, Kind.TOLL, Kind.LEVY]

    def test_without_fees_there_are_no_lines_of_them(self):
        lines = lines_of(sold_at([("s", "b", 1_000)], 1, toll=0), Fees(0, 0))
        assert [one.kind for one in lines] == [Kind.ENERGY]


SIDES = {"b": Remainder(0, 500, 0, 0), "s": Remainder(1_500, 0, 0, 0)}


class TestRemainderLines:
    def test_are_the_suppliers_and_on_the_invoice_rail(self):
        assert remainder_lines(SIDES, (60_000, 300_000), "supplier") == (
            Line("supplier", "s", Kind.RESIDUAL, Rail.INVOICE, 1_500, 60_000, 90_000),
            Line("b", "supplier", Kind.RESIDUAL, Rail.INVOICE, 500, 300_000, 150_000),
        )

    def test_of_firm_orders_are_imbalance_beside_what_the_meter_left(self):
        both = {"m": Remainder(0, 200, undelivered_wh=1_000, unused_wh=0)}
        unused = {"n": Remainder(300, 0, undelivered_wh=0, unused_wh=700)}
        assert remainder_lines(both | unused, (60_000, 300_000), "supplier") == (
            Line("supplier", "n", Kind.RESIDUAL, Rail.INVOICE, 300, 60_000, 18_000),
            Line("m", "supplier", Kind.RESIDUAL, Rail.INVOICE, 200, 300_000, 60_000),
            Line("supplier", "n", Kind.IMBALANCE, Rail.INVOICE, 700, 60_000, 42_000),
            Line("m", "supplier", Kind.IMBALANCE, Rail.INVOICE, 1_000, 300_000, 300_000),
        )

    def test_change_ends_at_a_negative_price(self):
        assert remainder_lines(SIDES, (-60_001, -1), "supplier") == (
            Line("s", "supplier", Kind.RESIDUAL, Rail.INVOICE, 1_500, -60_001, 90_001),
            Line("b", "supplier", Kind.RESIDUAL, Rail.INVOICE, 500, -1, 0),
        )

    def test_do_not_depend_on_the_order_of_members(self):
        turned = dict(reversed(SIDES.items()))
        assert remainder_lines(turned, (1, 2), "supplier") == remainder_lines(
            SIDES, (1, 2), "supplier"
        )


class TestDeltas:
    @given(
        st.lists(
            st.builds(
                Line,
                st.sampled_from("abc"),
                st.sampled_from("xyz"),
                st.sampled_from(Kind),
                st.sampled_from(Rail),
                st.just(1),
                st.just(1),
                st.integers(0, 100),
            )
        )
    )
    @settings(deadline=None)
    def test_are_what_the_chain_lines_come_to(self, lines):
        moved = dict(deltas(lines))
        chain = [one for one in lines if one.rail is Rail.CHAIN]
        for account in "abcxyz":
            came = sum(one.amount_micros for one in chain if one.payee == account)
            went = sum(one.amount_micros for one in chain if one.payer == account)
            assert moved.get(account, 0) == came - went
        assert sum(moved.values()) == 0

    @pytest.mark.parametrize("amount", [0, 5])
    def test_name_no_account_that_comes_out_even_and_are_in_order(self, amount):
        lines = [
            Line("b", "a", Kind.ENERGY, Rail.CHAIN, 1, 1, amount),
            Line("a", "b", Kind.ENERGY, Rail.CHAIN, 1, 1, amount),
            Line("d", "c", Kind.ENERGY, Rail.CHAIN, 1, 1, 3),
        ]
        assert deltas(lines) == (("c", 3), ("d", -3))
