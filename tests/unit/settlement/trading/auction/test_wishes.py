"""Wishes choose who trades with whom, and nothing else."""

from dataclasses import replace

import pytest
from hypothesis import given, settings

from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.auction.books import bought, markets, sold

ONE = ZoneTree.single("z")
STREETS = ZoneTree.of((Zone("r"), Zone("a", "r"), Zone("b", "r")))


def plain(orders):
    return tuple(replace(one, partner="", solar=False) for one in orders)


def offer(member, energy, zone="z", **wish):
    return Order(member, energy, 10, zone, **wish)


def bid(member, energy, zone="z", **wish):
    return Order(member, energy, 30, zone, **wish)


def pairs(offers, bids, tree=ONE):
    outcome = Auction().clear(Book(tuple(offers), tuple(bids)), tree)
    return [(one.seller, one.buyer, one.energy_wh) for one in outcome.trades]


class TestAWish:
    @given(markets(wishing=True))
    @settings(max_examples=100, deadline=None)
    def test_changes_neither_quantity_nor_price(self, market):
        book, tree = market
        wished = Auction().clear(book, tree)
        without = Auction().clear(Book(plain(book.offers), plain(book.bids)), tree)
        assert (sold(wished), bought(wished)) == (sold(without), bought(without))
        assert wished.prices == without.prices
        assert wished.crossings == without.crossings

    def test_for_a_partner_is_granted(self):
        offers = [offer("s1", 5), offer("s2", 5)]
        assert pairs(offers, [bid("b1", 5), bid("b2", 5)]) == [("s1", "b1", 5), ("s2", "b2", 5)]
        expected = [("s1", "b2", 5), ("s2", "b1", 5)]
        assert pairs(offers, [bid("b1", 5, partner="s2"), bid("b2", 5)]) == expected
        assert pairs(offers, [bid("b1", 5), bid("b2", 5, partner="s1")]) == expected
        wishing = [offer("s1", 5), offer("s2", 5, partner="b1")]
        assert pairs(wishing, [bid("b1", 5), bid("b2", 5)]) == expected

    def test_of_both_goes_before_that_of_one(self):
        offers = [offer("s1", 5, partner="b2"), offer("s2", 5)]
        bids = [bid("b1", 5, partner="s1"), bid("b2", 5, partner="s1")]
        assert pairs(offers, bids) == [("s1", "b2", 5), ("s2", "b1", 5)]

    def test_of_a_buyer_goes_before_that_of_a_seller(self):
        offers = [offer("s1", 5, partner="b2"), offer("s2", 5)]
        bids = [bid("b1", 5, partner="s1"), bid("b2", 5)]
        assert pairs(offers, bids) == [("s1", "b1", 5), ("s2", "b2", 5)]

    def test_for_the_sun_is_granted_after_partners(self):
        offers = [offer("s1", 5), offer("s2", 5, solar=True)]
        bids = [bid("b1", 5), bid("b2", 5, solar=True)]
        assert pairs(offers, bids) == [("s1", "b1", 5), ("s2", "b2", 5)]
        bids = [bid("b1", 5, solar=True), bid("b2", 5)]
        assert pairs(offers, bids) == [("s1", "b2", 5), ("s2", "b1", 5)]
        bids = [bid("b1", 5, solar=True), bid("b2", 5, partner="s2")]
        assert pairs(offers, bids) == [("s1", "b1", 5), ("s2", "b2", 5)]

    def test_for_the_sun_takes_from_one_roof_after_the_other(self):
        offers = [offer("s1", 2, solar=True), offer("s2", 2, solar=True), offer("s3", 5)]
        bids = [bid("b1", 3, solar=True), bid("b2", 3, solar=True), bid("b3", 3)]
        assert pairs(offers, bids) == [
            ("s1", "b1", 2),
            ("s2", "b1", 1),
            ("s2", "b2", 1),
            ("s3", "b2", 2),
            ("s3", "b3", 3),
        ]

    def test_that_nobody_can_grant_is_served_like_any_other(self):
        bids = [bid("b1", 5, partner="s9"), bid("b2", 5)]
        assert pairs([offer("s1", 10)], bids) == [("s1", "b1", 5), ("s1", "b2", 5)]

    def test_waits_until_its_path_meets_the_partner_s(self):
        offers = [offer("s1", 5, "a"), offer("s2", 5, "b")]
        bids = [bid("b1", 5, "a", partner="s2"), bid("b2", 5, "a")]
        assert pairs(offers, bids, STREETS) == [("s1", "b2", 5), ("s2", "b1", 5)]

    @pytest.mark.parametrize("partner", ["", "s2"])
    def test_of_one_order_does_not_bind_the_member_s_other(self, partner):
        bids = [bid("b1", 4, partner=partner), bid("b1", 4), bid("b2", 8)]
        outcome = Auction().clear(Book((offer("s1", 8), offer("s2", 8)), tuple(bids)), ONE)
        assert sum(t.energy_wh for t in outcome.trades if t.buyer == "b1") == 8
