"""Keys share among all who accept the price, until nobody who does lacks what is there."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.auction.errors import UnknownZoneError
from settlement.trading.mechanisms.fills import fills_of
from settlement.trading.mechanisms.keys import (
    BadKeyError,
    DynamicKey,
    HybridKey,
    MatrixKey,
    StaticKey,
)
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.outcome import Book, Order, Trade
from settlement.trading.shares import shared_out
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.books import (
    NAMES,
    PRICE,
    is_uncapped,
    markets,
    shuffled,
    split,
    tolls,
)

BUYERS = ["b" + name for name in NAMES]
STREET = ZoneTree.single("street", local_toll=7)


@st.composite
def rows(draw):
    weights = draw(st.dictionaries(st.sampled_from(BUYERS), st.integers(0, 9), max_size=5))
    whole = draw(st.integers(0, 10_000))
    return shared_out(whole, weights) if any(weights.values()) else weights


@st.composite
def keys(draw):
    sellers = ["s" + name for name in NAMES]
    return draw(
        st.builds(StaticKey, rows())
        | st.just(DynamicKey())
        | st.builds(HybridKey, rows())
        | st.builds(MatrixKey, st.dictionaries(st.sampled_from(sellers), rows()))
    )


def sharing(key, then=None):
    return Sharing(PRICE, key, then)


def energies(trades, who):
    sums = {}
    for trade in trades:
        sums[getattr(trade, who)] = sums.get(getattr(trade, who), 0) + trade.energy_wh
    return sums


def offer(member, energy, limit=0, zone="street"):
    return Order(member, energy, limit, zone)


def bid(member, energy, limit=9, zone="street"):
    return Order(member, energy, limit, zone)


class TestEveryKey:
    @given(markets(), keys())
    def test_no_neighbor_lacks_what_another_has_left_if_both_accept_the_price(self, market, key):
        tree, book = market
        rest = sharing(key).share(book, tree).rest
        for given_offer in rest.offers:
            for given_bid in rest.bids:
                zones = (tree, given_offer.zone, given_bid.zone)
                if is_uncapped(*zones) and given_offer.limit <= PRICE:
                    assert given_bid.limit < PRICE + tolls(*zones)

    @given(markets(), keys())
    def test_nobody_trades_more_than_it_has_or_needs_or_beyond_its_limit(self, market, key):
        tree, book = market
        shared = sharing(key).share(book, tree)
        for trade in shared.trades:
            assert trade.energy_wh > 0
            assert trade.price == PRICE
            assert trade.congestion == 0
            assert is_uncapped(tree, trade.seller_zone, trade.buyer_zone)
            assert trade.toll == tree.path_toll(trade.seller_zone, trade.buyer_zone)
        for orders, fills in ((book.offers, shared.fills.offers), (book.bids, shared.fills.bids)):
            for order, fill in zip(orders, fills, strict=True):
                assert 0 <= fill <= order.energy_wh
        assert all(
            order.limit <= PRICE
            for order, fill in zip(book.offers, shared.fills.offers, strict=True)
            if fill
        )

    @given(markets(), keys())
    def test_each_buyer_finds_bids_that_cover_price_and_tolls_of_what_it_gets(self, market, key):
        tree, book = market
        shared = sharing(key).share(book, tree)
        for place in {(trade.buyer, trade.buyer_zone) for trade in shared.trades}:
            mine = [t for t in shared.trades if (t.buyer, t.buyer_zone) == place]
            for least in {tolls(tree, t.seller_zone, t.buyer_zone) for t in mine}:
                dear = sum(
                    t.energy_wh for t in mine if tolls(tree, t.seller_zone, t.buyer_zone) >= least
                )
                covered = sum(
                    fill
                    for order, fill in zip(book.bids, shared.fills.bids, strict=True)
                    if (order.member, order.zone) == place and order.limit >= PRICE + least
                )
                assert dear <= covered

    @given(markets(), keys())
    def test_what_orders_are_filled_with_is_what_was_traded(self, market, key):
        tree, book = market
        shared = sharing(key).share(book, tree)
        for orders, fills, who, zone in (
            (book.offers, shared.fills.offers, "seller", "seller_zone"),
            (book.bids, shared.fills.bids, "buyer", "buyer_zone"),
        ):
            filled, traded = {}, {}
            for order, fill in zip(orders, fills, strict=True):
                place = (order.member, order.zone)
                filled[place] = filled.get(place, 0) + fill
            for trade in shared.trades:
                place = (getattr(trade, who), getattr(trade, zone))
                traded[place] = traded.get(place, 0) + trade.energy_wh
            assert {place: fill for place, fill in filled.items() if fill} == traded

    @given(markets(), keys(), st.data())
    def test_does_not_depend_on_the_order_in_which_anything_is_told(self, market, key, data):
        tree, book = market
        other_tree, other_book = shuffled(data.draw, market)
        once = sharing(key).clear(book, tree)
        assert sharing(key).clear(other_book, other_tree) == once

    @given(markets(), keys(), st.data())
    def test_an_order_cut_in_two_changes_nothing(self, market, key, data):
        tree, book = market
        cut = Book(split(data.draw, book.offers), split(data.draw, book.bids))
        assert sharing(key).clear(cut, tree) == sharing(key).clear(book, tree)

    @given(markets(), keys())
    def test_sellers_of_a_zone_supply_in_proportion_to_what_they_have(self, market, key):
        tree, book = market
        if isinstance(key, MatrixKey):
            key = DynamicKey()
        trades = sharing(key).share(book, tree).trades
        for zone in tree.zones:
            capacity = {}
            for order in book.offers:
                if order.zone == zone.name and order.limit <= PRICE:
                    capacity[order.member] = capacity.get(order.member, 0) + order.energy_wh
            sold = energies([t for t in trades if t.seller_zone == zone.name], "seller")
            if sold:
                fair = shared_out(sum(sold.values()), capacity)
                assert sold == {name: energy for name, energy in fair.items() if energy}

    @given(markets(capped=False), keys())
    @settings(max_examples=50)
    def test_crossings_are_what_trades_move_over_each_edge(self, market, key):
        tree, book = market
        outcome = sharing(key).clear(book, tree)
        known = {one.zone: one for one in outcome.crossings}
        for zone in tree.zones[1:]:
            below = {z.name for z in tree.zones if zone.name in lineage(tree, z.name)}
            out = sum(t.energy_wh for t in outcome.trades if t.seller_zone in below)
            into = sum(t.energy_wh for t in outcome.trades if t.buyer_zone in below)
            crossing = known.get(zone.name)
            net = crossing.export_wh - crossing.import_wh if crossing else 0
            assert net == out - into


def lineage(tree, name):
    zone = tree.zones[tree.index[name]]
    return [name, *(lineage(tree, zone.parent) if zone.parent else [])]


HOMES = (bid("b1", 1_000), bid("b2", 20_000))


class TestAStaticKey:
    def test_offers_again_what_a_neighbor_does_not_need(self):
        book = Book((offer("s", 10_000),), HOMES)
        outcome = sharing(StaticKey({"b1": 5_000, "b2": 5_000})).clear(book, STREET)
        assert outcome.trades == (
            Trade("s", "b1", 1_000, PRICE, "street", "street", 7, 0),
            Trade("s", "b2", 9_000, PRICE, "street", "street", 7, 0),
        )
        assert outcome.prices == {"street": PRICE}
        assert outcome.crossings == ()

    def test_serves_who_has_no_part_after_all_who_have_one(self):
        book = Book((offer("s", 10),), (bid("b1", 6), bid("b2", 6), bid("b3", 12)))
        outcome = sharing(StaticKey({"b1": 100})).clear(book, STREET)
        assert energies(outcome.trades, "buyer") == {"b1": 6, "b2": 1, "b3": 3}

    @pytest.mark.parametrize("parts", [{}, {"b1": 0, "b2": 0}, {"nobody": 10_000}])
    def test_without_a_part_for_anybody_is_a_dynamic_one(self, parts):
        book = Book((offer("s", 10_000),), HOMES)
        dynamic = sharing(DynamicKey()).clear(book, STREET)
        assert sharing(StaticKey(parts)).clear(book, STREET) == dynamic


class TestADynamicKey:
    def test_shares_by_the_need_of_the_same_interval(self):
        book = Book((offer("s", 7),), (bid("b1", 4), bid("b2", 10)))
        outcome = sharing(DynamicKey()).clear(book, STREET)
        assert energies(outcome.trades, "buyer") == {"b1": 2, "b2": 5}

    def test_serves_everybody_in_full_if_there_is_enough(self):
        book = Book((offer("s1", 30), offer("s2", 10)), (bid("b1", 4), bid("b2", 10)))
        outcome = sharing(DynamicKey()).clear(book, STREET)
        assert energies(outcome.trades, "buyer") == {"b1": 4, "b2": 10}
        assert energies(outcome.trades, "seller") == {"s1": 11, "s2": 3}


class TestAHybridKey:
    def test_gives_the_parts_first_and_the_rest_by_what_is_still_needed(self):
        book = Book((offer("s", 100),), (bid("b1", 30), bid("b2", 80), bid("b3", 40)))
        outcome = sharing(HybridKey({"b1": 2_000, "b2": 2_000})).clear(book, STREET)
        # 20 and 20 by their parts; 60 remain for needs of 10, 60 and 40: 5.45, 32.73 and 21.82.
        assert energies(outcome.trades, "buyer") == {"b1": 25, "b2": 53, "b3": 22}


class TestAMatrixKey:
    KEY = MatrixKey({"s1": {"b1": 10_000}, "s2": {"b1": 5_000, "b2": 5_000}})

    def test_gives_each_producers_parts_and_offers_the_rest_again(self):
        book = Book((offer("s1", 8), offer("s2", 8)), (bid("b1", 6), bid("b2", 9)))
        outcome = sharing(self.KEY).clear(book, STREET)
        # Offered to b1: 8 and 4 for a need of 6, so 4 and 2; s2 has 2 more for b2, s1 4 for all.
        assert {(t.seller, t.buyer): t.energy_wh for t in outcome.trades} == {
            ("s1", "b1"): 4,
            ("s1", "b2"): 3,
            ("s2", "b1"): 2,
            ("s2", "b2"): 6,
        }

    def test_takes_from_each_producer_as_its_part_of_the_whole_says(self):
        book = Book((offer("s1", 10), offer("s2", 10)), (bid("b1", 10),))
        key = MatrixKey({"s1": {"b1": 3_000}, "s2": {"b1": 10_000}})
        # Offered 3 and 10 for a need of 10: 2.3 and 7.7.
        assert energies(sharing(key).clear(book, STREET).trades, "seller") == {"s1": 2, "s2": 8}

    def test_offers_again_in_the_row_before_anybody_else_is_asked(self):
        book = Book((offer("s1", 10),), (bid("b1", 1), bid("b2", 20), bid("b3", 20)))
        key = MatrixKey({"s1": {"b1": 5_000, "b2": 5_000}})
        assert energies(sharing(key).clear(book, STREET).trades, "buyer") == {"b1": 1, "b2": 9}

    def test_shares_what_has_no_row_by_need(self):
        book = Book((offer("s9", 7),), (bid("b1", 4), bid("b2", 10)))
        outcome = sharing(self.KEY).clear(book, STREET)
        assert energies(outcome.trades, "buyer") == {"b1": 2, "b2": 5}


class TestWhoTakesPart:
    @pytest.mark.parametrize(
        ("offers", "bids"),
        [
            ((), ()),
            ((offer("s", 5),), ()),
            ((), (bid("b", 5),)),
            ((offer("s", 5, PRICE + 1),), (bid("b", 5),)),
            ((offer("s", 5),), (bid("b", 5, PRICE - 1),)),
        ],
    )
    def test_is_nobody_where_one_side_is_missing_or_refuses_the_price(self, offers, bids):
        outcome = sharing(DynamicKey()).clear(Book(offers, bids), STREET)
        assert (outcome.trades, outcome.prices, outcome.crossings) == ((), {}, ())

    def test_is_who_accepts_the_price_to_the_micro(self):
        book = Book((offer("s", 5, PRICE),), (bid("b", 5, PRICE),))
        assert sharing(DynamicKey()).clear(book, STREET).traded_wh == 5

    def test_is_nobody_in_a_zone_that_is_not_there(self):
        with pytest.raises(UnknownZoneError, match="no zone attic"):
            sharing(DynamicKey()).clear(Book((offer("s", 5, zone="attic"),), ()), STREET)

    def test_is_nobody_with_an_order_for_nothing(self):
        book = Book((offer("s", 0), offer("t", 4)), (bid("b", 0), bid("c", 3)))
        trades = sharing(DynamicKey()).clear(book, STREET).trades
        assert [(t.seller, t.buyer, t.energy_wh) for t in trades] == [("t", "c", 3)]

    def test_is_no_neighbor_behind_a_cap(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", import_cap_wh=100)))
        book = Book((offer("s", 5),), (bid("b", 5, zone="yard"),))
        assert sharing(DynamicKey()).clear(book, tree).trades == ()

    def test_pays_the_tolls_of_its_own_path_within_its_limit(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", edge_toll=2)))
        offers = (offer("s", 4), offer("t", 4, zone="yard"))
        bids = (bid("b", 8, PRICE + 1, "yard"), bid("c", 8, PRICE + 2, "yard"))
        outcome = sharing(DynamicKey()).clear(Book(offers, bids), tree)
        far = [trade for trade in outcome.trades if trade.seller_zone == "street"]
        assert [(trade.buyer, trade.energy_wh, trade.toll) for trade in far] == [("c", 4, 2)]
        assert energies(outcome.trades, "buyer") == {"b": 2, "c": 6}

    def test_is_asked_again_where_others_took_from_farther_away(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", edge_toll=2)))
        offers = (offer("s", 5), offer("t", 5, zone="yard"))
        bids = (bid("b", 5, zone="yard"), bid("c", 5, PRICE))
        outcome = sharing(DynamicKey()).clear(Book(offers, bids), tree)
        # The street offers b 3 and c 2, the yard b 5; b takes what is near, so c has 3 more.
        assert energies(outcome.trades, "buyer") == {"b": 5, "c": 5}


class TestWhoMeetsWhom:
    TREE = ZoneTree.of((Zone("street"), Zone("yard", "street"), Zone("lane", "street")))

    def test_is_who_lives_near_before_who_lives_far(self):
        offers = (offer("s", 5, zone="yard"), offer("t", 5, zone="lane"))
        bids = (bid("b", 5, zone="lane"), bid("c", 5, zone="yard"))
        trades = sharing(DynamicKey()).clear(Book(offers, bids), self.TREE).trades
        assert [(t.seller, t.buyer, t.energy_wh) for t in trades] == [("s", "c", 5), ("t", "b", 5)]

    def test_is_nobody_from_a_zone_whose_tolls_it_refuses(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", edge_toll=2)))
        offers = (offer("s", 4), offer("t", 4, zone="yard"))
        bids = (bid("b", 8, PRICE + 2, "yard"), bid("c", 8, PRICE + 1, "yard"))
        trades = sharing(DynamicKey()).clear(Book(offers, bids), tree).trades
        assert [(t.seller, t.buyer, t.energy_wh) for t in trades] == [
            ("s", "b", 4),
            ("t", "b", 2),
            ("t", "c", 2),
        ]

    def test_is_a_partner_before_others_without_a_change_of_quantity(self):
        offers = (offer("s", 5), offer("t", 5))
        bids = (bid("b", 5), Order("c", 5, 9, "street", partner="s"))
        trades = sharing(DynamicKey()).clear(Book(offers, bids), STREET).trades
        assert [(t.seller, t.buyer, t.energy_wh) for t in trades] == [("s", "c", 5), ("t", "b", 5)]

    def test_is_the_sun_for_who_wants_it(self):
        offers = (offer("s", 5), Order("t", 5, 0, "street", solar=True))
        bids = (Order("b", 5, 9, "street", solar=True), bid("c", 5))
        trades = sharing(DynamicKey()).clear(Book(offers, bids), STREET).trades
        assert [(t.seller, t.buyer) for t in trades] == [("s", "c"), ("t", "b")]

    @given(markets(capped=False))
    @settings(max_examples=50)
    def test_is_no_more_pairs_than_rows_where_all_accept_all(self, market):
        tree, book = market
        willing = Book(
            tuple(replace(order, limit=PRICE) for order in book.offers),
            tuple(replace(order, limit=PRICE + 99) for order in book.bids),
        )
        trades = sharing(DynamicKey()).share(willing, tree).trades
        rows = {(t.seller, t.seller_zone) for t in trades} | {
            (t.buyer, t.buyer_zone) for t in trades
        }
        assert len(trades) <= len(rows)


class TestWhatAKeyLeaves:
    def test_is_offered_at_the_highest_and_bid_for_at_the_lowest_limits(self):
        offers = (offer("s", 4, 1), offer("s", 4, 2))
        bids = (bid("b", 4, 9), bid("b", 4, 8))
        scarce = sharing(DynamicKey()).share(Book(offers, (bid("b", 5),)), STREET)
        assert scarce.rest == Book((offer("s", 3, 2),), ())
        scarce = sharing(DynamicKey()).share(Book((offer("s", 5),), bids), STREET)
        assert scarce.rest == Book((), (bid("b", 3, 8),))

    def test_goes_to_the_auction_with_all_that_refuse_the_price(self):
        offers = (offer("s", 10, PRICE), offer("t", 10, PRICE + 2))
        bids = (bid("b", 6, PRICE), bid("c", 12, PRICE + 4))
        key = StaticKey({"b": 10_000})
        outcome = sharing(key, Auction()).clear(Book(offers, bids), STREET)
        assert [(t.seller, t.buyer, t.energy_wh, t.price) for t in outcome.trades] == [
            ("s", "b", 6, PRICE),
            ("s", "c", 4, PRICE),
            ("t", "c", 8, PRICE + 2),
        ]
        assert outcome.prices == {"street": PRICE + 2}


class TestABadKey:
    @pytest.mark.parametrize("kind", [StaticKey, HybridKey, lambda row: MatrixKey({"s": row})])
    @pytest.mark.parametrize(
        ("parts", "said"),
        [({"a": -1}, "part of a is -1"), ({"a": 9_000, "b": 1_001}, "10001 basis points")],
    )
    def test_is_refused_by_name(self, kind, parts, said):
        with pytest.raises(BadKeyError, match=said):
            kind(parts)


class TestFillsOf:
    def test_serves_the_best_limit_first_and_one_limit_in_proportion(self):
        bids = (
            Order("b", 5, 4, "street", "k1"),
            Order("b", 5, 9, "street", "k2"),
            Order("b", 15, 4, "street", "k3"),
        )
        trade = Trade("s", "b", 13, 2, "street", "street", 0, 0)
        assert fills_of(Book((), bids), (trade,)).bids == (2, 5, 6)
