"""Clearing is the best there is, at one price, and no way of asking changes a share."""

import itertools
from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Order
from settlement.trading.shares import shared_out
from settlement.trading.zones import ZoneTree

GRID = ZoneTree.single()


@dataclass(frozen=True)
class Clearing:
    """What an auction of one zone comes to, side by side."""

    price: int | None
    sold: tuple[tuple[str, int], ...]
    bought: tuple[tuple[str, int], ...]


def clear(offers, bids):
    outcome = Auction().clear(Book(tuple(offers), tuple(bids)), GRID)
    sides = []
    for side in ("seller", "buyer"):
        energy = Counter()
        for trade in outcome.trades:
            energy[getattr(trade, side)] += trade.energy_wh
        sides.append(tuple(sorted(energy.items())))
    return Clearing(outcome.prices.get("feeder"), *sides)


rows = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(1, 40), st.integers(-8, 8)), max_size=6
)


def orders(side, given_rows):
    return [Order(side + name, energy, limit, "feeder") for name, energy, limit in given_rows]


def welfare_of(combination, limits):
    return sum(energy * limit for energy, limit in zip(combination, limits, strict=True))


def best_of_all(offers, bids):
    """The most welfare over every allocation that there is, one by one."""
    fills = [
        itertools.product(*(range(energy + 1) for energy, _ in side)) for side in (offers, bids)
    ]
    cheapest, dearest = {}, {}
    for fill in fills[0]:
        cost = welfare_of(fill, [limit for _, limit in offers])
        cheapest[sum(fill)] = min(cost, cheapest.get(sum(fill), cost))
    for fill in fills[1]:
        value = welfare_of(fill, [limit for _, limit in bids])
        dearest[sum(fill)] = max(value, dearest.get(sum(fill), value))
    return max(dearest[volume] - cheapest[volume] for volume in dearest.keys() & cheapest.keys())


small = st.lists(st.tuples(st.integers(1, 3), st.integers(-3, 3)), max_size=4)


class TestClear:
    @given(small, small)
    @settings(max_examples=150, deadline=None)
    def test_no_allocation_at_all_has_more_welfare(self, offers, bids):
        outcome = clear(
            [Order(f"s{n}", *row, "feeder") for n, row in enumerate(offers)],
            [Order(f"b{n}", *row, "feeder") for n, row in enumerate(bids)],
        )
        paid = sum(bids[int(name[1:])][1] * energy for name, energy in outcome.bought)
        cost = sum(offers[int(name[1:])][1] * energy for name, energy in outcome.sold)
        assert paid - cost == best_of_all(offers, bids)

    @given(small, small)
    @settings(max_examples=300, deadline=None)
    def test_the_price_is_the_midpoint_of_all_prices_that_support_the_allocation(
        self, offers, bids
    ):
        outcome = clear(
            [
                Order(f"s{n}", energy, 3 * limit, "feeder")
                for n, (energy, limit) in enumerate(offers)
            ],
            [Order(f"b{n}", energy, 3 * limit, "feeder") for n, (energy, limit) in enumerate(bids)],
        )
        if outcome.price is None:
            assert not any(offer[1] <= bid[1] for offer in offers for bid in bids)
            return
        sold, bought = dict(outcome.sold), dict(outcome.bought)
        low, high = [], []
        for n, (energy, limit) in enumerate(offers):
            served = sold.get(f"s{n}", 0)
            low += [3 * limit] if served else []
            high += [3 * limit] if served < energy else []
        for n, (energy, limit) in enumerate(bids):
            served = bought.get(f"b{n}", 0)
            high += [3 * limit] if served else []
            low += [3 * limit] if served < energy else []
        assert max(low) <= outcome.price <= min(high)
        assert outcome.price == (max(low) + min(high)) // 2

    @given(rows, rows, st.randoms(use_true_random=False))
    @settings(max_examples=150, deadline=None)
    def test_the_order_of_orders_does_not_matter(self, offers, bids, random):
        once = clear(orders("s", offers), orders("b", bids))
        random.shuffle(offers)
        random.shuffle(bids)
        assert clear(orders("s", offers), orders("b", bids)) == once

    @given(rows, rows, st.data())
    @settings(max_examples=150, deadline=None)
    def test_splitting_an_order_changes_nothing(self, offers, bids, data):
        once = clear(orders("s", offers), orders("b", bids))
        split = []
        for name, energy, limit in bids:
            part = data.draw(st.integers(0, energy))
            split += [(name, part, limit), (name, energy - part, limit)]
        assert clear(orders("s", offers), orders("b", split)) == once
        split = []
        for name, energy, limit in offers:
            part = data.draw(st.integers(0, energy))
            split += [(name, part, limit), (name, energy - part, limit)]
        assert clear(orders("s", split), orders("b", bids)) == once

    @given(rows, rows)
    @settings(max_examples=150, deadline=None)
    def test_nobody_trades_more_than_they_asked_or_beyond_their_limit(self, offers, bids):
        outcome = clear(orders("s", offers), orders("b", bids))
        assert sum(e for _, e in outcome.sold) == sum(e for _, e in outcome.bought)
        for member, energy in outcome.sold:
            willing = sum(
                e for n, e, limit in offers if "s" + n == member and limit <= outcome.price
            )
            assert 0 < energy <= willing
        for member, energy in outcome.bought:
            willing = sum(e for n, e, limit in bids if "b" + n == member and limit >= outcome.price)
            assert 0 < energy <= willing

    @pytest.mark.parametrize(
        ("offers", "bids"),
        [
            ([], []),
            ([Order("s", 5, 1, "feeder")], []),
            ([], [Order("b", 5, 1, "feeder")]),
            ([Order("s", 5, 2, "feeder")], [Order("b", 5, 1, "feeder")]),
            ([Order("s", 0, 1, "feeder")], [Order("b", 5, 2, "feeder")]),
            ([Order("s", -5, 1, "feeder")], [Order("b", 5, 2, "feeder")]),
        ],
    )
    def test_without_limits_that_meet_nothing_is_traded(self, offers, bids):
        assert clear(offers, bids) == Clearing(None, (), ())

    def test_limits_that_just_meet_trade(self):
        outcome = clear([Order("s", 5, 7, "feeder")], [Order("b", 3, 7, "feeder")])
        assert outcome == Clearing(7, (("s", 3),), (("b", 3),))

    @pytest.mark.parametrize(
        ("offers", "bids", "price"),
        [
            # One each: halfway between.
            ([(5, 100)], [(5, 200)], 150),
            # The seller has energy left, so its limit is the price; likewise the buyer's.
            ([(6, 100)], [(5, 200)], 100),
            ([(5, 100)], [(6, 200)], 200),
            # Both are served in full; whoever was left out narrows the interval.
            ([(5, 100), (1, 160)], [(5, 200)], 130),
            ([(5, 100)], [(5, 200), (1, 120)], 160),
            ([(5, 100), (1, 160)], [(5, 200), (1, 120)], 140),
            # Rounded down, below zero too.
            ([(5, 100)], [(5, 201)], 150),
            ([(5, -201)], [(5, -100)], -151),
        ],
    )
    def test_of_a_known_book_gives_this_price(self, offers, bids, price):
        made = clear(
            [Order(f"s{n}", *row, "feeder") for n, row in enumerate(offers)],
            [Order(f"b{n}", *row, "feeder") for n, row in enumerate(bids)],
        )
        assert made.price == price

    def test_at_the_margin_all_share_alike(self):
        outcome = clear(
            [
                Order("first", 10, 1, "feeder"),
                Order("big", 60, 2, "feeder"),
                Order("small", 30, 2, "feeder"),
            ],
            [Order("b", 40, 5, "feeder")],
        )
        assert dict(outcome.sold) == {"first": 10, "big": 20, "small": 10}
        assert outcome.price == 2


class TestProRata:
    @given(
        st.dictionaries(
            st.text("abcdef", min_size=1, max_size=3), st.integers(1, 1_000), min_size=1
        ),
        st.data(),
    )
    @settings(max_examples=200, deadline=None)
    def test_every_share_is_exact_but_for_one_unit_and_none_is_lost(self, wanted, data):
        total = sum(wanted.values())
        energy = data.draw(st.integers(0, total))
        shares = shared_out(energy, wanted)
        assert sum(shares.values()) == energy
        for member, share in shares.items():
            assert wanted[member] * energy // total <= share <= wanted[member]
            assert share * total < wanted[member] * energy + total

    @given(
        st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(1, 50), min_size=2),
        st.data(),
    )
    @settings(max_examples=200, deadline=None)
    def test_the_remainder_goes_to_the_largest_fraction_then_by_member(self, wanted, data):
        total = sum(wanted.values())
        energy = data.draw(st.integers(0, total))
        shares = shared_out(energy, wanted)
        rank = sorted(wanted, key=lambda member: (-(wanted[member] * energy % total), member))
        got_one = [shares[member] - wanted[member] * energy // total for member in rank]
        assert got_one == sorted(got_one, reverse=True)

    def test_of_three_equals_the_first_by_name_gets_the_odd_one(self):
        assert shared_out(10, {"c": 5, "a": 5, "b": 5}) == {"c": 3, "a": 4, "b": 3}
