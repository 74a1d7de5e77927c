"""What every outcome of the auction keeps, over trees, caps, tolls, ties and prices below zero."""

from collections import Counter
from dataclasses import replace

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.auction.books import bought, is_sorted, markets, path, sold
from tests.unit.settlement.trading.auction.one_zone import OneZone
from tests.unit.settlement.trading.auction.oracle import Optimum

FEW = settings(max_examples=100, deadline=None)


def price_paid(tree, trade):
    """What the buyer pays for energy in its zone, its local toll left out."""
    local = tree.zones[tree.index[trade.buyer_zone]].local_toll
    return trade.price + trade.toll - local + trade.congestion


class TestATrade:
    @given(markets(wishing=True))
    @FEW
    def test_gives_sellers_their_limit_and_takes_no_more_than_buyers_allow(self, market):
        book, tree = market
        outcome = Auction().clear(book, tree)
        for trade in outcome.trades:
            assert trade.energy_wh > 0
            assert trade.price == outcome.prices[trade.seller_zone]
            assert price_paid(tree, trade) == outcome.prices[trade.buyer_zone]
        self.are_within(sold(outcome), book.offers, outcome.prices, 1)
        self.are_within(bought(outcome), book.bids, outcome.prices, -1)

    def are_within(self, served, orders, prices, sign):
        """Who would gain is served in full, who would lose is not, and nobody beyond its orders."""
        places = {(one.member, one.zone) for one in orders} | set(served)
        for member, zone in places:
            if zone not in prices:
                assert served[member, zone] == 0
                continue
            gains = [
                (sign * (prices[zone] - one.limit), one.energy_wh)
                for one in orders
                if (one.member, one.zone) == (member, zone)
            ]
            least = sum(energy for gain, energy in gains if gain > 0)
            most = sum(energy for gain, energy in gains if gain >= 0)
            assert least <= served[member, zone] <= most

    @given(markets(wishing=True))
    @FEW
    def test_pays_the_toll_of_its_path_and_what_full_cables_add(self, market):
        _, tree = market
        outcome = Auction().clear(*market)
        shadows = {one.zone: one for one in outcome.crossings}
        for trade in outcome.trades:
            assert trade.toll == tree.path_toll(trade.seller_zone, trade.buyer_zone)
            assert trade.congestion == sum(
                shadows[zone].export_shadow if way == "up" else shadows[zone].import_shadow
                for zone, way in path(tree, trade.seller_zone, trade.buyer_zone)
            )
            assert trade.congestion >= 0

    @given(markets(wishing=True))
    @FEW
    def test_is_there_once_for_each_pair_and_path_by_seller_and_buyer(self, market):
        trades = Auction().clear(*market).trades
        assert is_sorted(
            [
                (
                    one.seller,
                    one.buyer,
                    market[1].index[one.seller_zone],
                    market[1].index[one.buyer_zone],
                )
                for one in trades
            ]
        )

    @given(markets())
    @FEW
    def test_ends_an_order_so_that_there_are_fewer_than_members_and_zones(self, market):
        outcome = Auction().clear(*market)
        assert len(outcome.trades) <= max(0, len(sold(outcome)) + len(bought(outcome)) - 1)


class TestACrossing:
    @given(markets(wishing=True))
    @FEW
    def test_is_what_trades_carry_and_none_goes_both_ways(self, market):
        _, tree = market
        outcome = Auction().clear(*market)
        carried = Counter()
        for trade in outcome.trades:
            for edge in path(tree, trade.seller_zone, trade.buyer_zone):
                carried[edge] += trade.energy_wh
        crossed = [one for one in outcome.crossings if one.export_wh or one.import_wh]
        assert [one.zone for one in crossed] == [
            zone.name
            for zone in tree.zones
            if carried[zone.name, "up"] or carried[zone.name, "down"]
        ]
        for one in outcome.crossings:
            assert one.export_wh == carried[one.zone, "up"]
            assert one.import_wh == carried[one.zone, "down"]
            assert not (one.export_wh and one.import_wh)

    @given(markets())
    @FEW
    def test_stays_within_caps_and_costs_only_where_they_bind(self, market):
        _, tree = market
        for one in Auction().clear(*market).crossings:
            zone = tree.zones[tree.index[one.zone]]
            for crossed, cap, shadow in (
                (one.export_wh, zone.export_cap_wh, one.export_shadow),
                (one.import_wh, zone.import_cap_wh, one.import_shadow),
            ):
                assert shadow >= 0
                assert cap is None or crossed <= cap
                assert shadow == 0 or crossed == cap

    @given(markets())
    @FEW
    def test_earns_what_its_shadow_price_says(self, market):
        outcome = Auction().clear(*market)
        assert sum(one.energy_wh * one.congestion for one in outcome.trades) == sum(
            one.export_wh * one.export_shadow + one.import_wh * one.import_shadow
            for one in outcome.crossings
        )

    @given(markets())
    @FEW
    def test_that_has_room_lets_prices_differ_by_no_more_than_its_toll(self, market):
        _, tree = market
        outcome = Auction().clear(*market)
        crossed = {one.zone: one.export_wh - one.import_wh for one in outcome.crossings}
        for zone in tree.zones[1:]:
            if {zone.name, zone.parent} <= set(outcome.prices):
                rise = outcome.prices[zone.parent] - outcome.prices[zone.name]
                out = crossed.get(zone.name, 0)
                if zone.export_cap_wh is None or out < zone.export_cap_wh:
                    assert rise <= zone.edge_toll
                if zone.import_cap_wh is None or -out < zone.import_cap_wh:
                    assert -rise <= zone.edge_toll


class TestAShadowPrice:
    @given(markets(limit=9), st.data())
    @settings(max_examples=100, deadline=None)
    def test_is_what_one_more_wh_of_a_cap_is_worth_at_least_and_one_less_at_most(
        self, market, data
    ):
        book, tree = market
        caps = [
            (zone.name, cap)
            for zone in tree.zones[1:]
            for cap in ("export", "import")
            if getattr(zone, f"{cap}_cap_wh") is not None
        ]
        assume(caps)
        name, cap = data.draw(st.sampled_from(caps))
        found = [one for one in Auction().clear(book, tree).crossings if one.zone == name]
        shadow = getattr(found[0], f"{cap}_shadow") if found else 0
        less, same, more = (best(book, tree, name, f"{cap}_cap_wh", step) for step in (-1, 0, 1))
        assert more - same <= shadow
        if less is None:
            assert shadow == more - same
        else:
            assert shadow <= same - less


def best(book, tree, name, cap, step):
    """The most welfare if a cap were larger by a step; none if it would be below zero."""
    size = getattr(tree.zones[tree.index[name]], cap) + step
    if size < 0:
        return None
    other = (replace(one, **{cap: size}) if one.name == name else one for one in tree.zones)
    return Optimum(book, ZoneTree.of(other)).welfare


class TestOneZone:
    @given(markets(limit=9, zones_max=1))
    @FEW
    def test_clears_as_sorting_and_sweeping_does(self, market):
        book, tree = market
        assert Auction().clear(book, tree) == OneZone().clear(book, tree)

    @given(markets(limit=9))
    @FEW
    def test_is_what_a_tree_without_tolls_and_caps_comes_to(self, market):
        book, tree = market
        free = ZoneTree.of(Zone(zone.name, zone.parent) for zone in tree.zones)
        together = Book(
            tuple(moved(one, "feeder") for one in book.offers),
            tuple(moved(one, "feeder") for one in book.bids),
        )
        apart, whole = (
            Auction().clear(book, free),
            Auction().clear(together, ZoneTree.single()),
        )
        assert apart.traded_wh == whole.traded_wh
        assert set(apart.prices.values()) == set(whole.prices.values())


def moved(order, zone):
    return Order(order.member, order.energy_wh, order.limit, zone)


class TestTheTwoSides:
    @given(markets(limit=2))
    @FEW
    def test_are_treated_alike(self, market):
        """With limits negated and cables turned around, who sold buys as much."""
        book, tree = market
        turned = Book(tuple(map(negated, book.bids)), tuple(map(negated, book.offers)))
        back = ZoneTree.of(
            replace(zone, import_cap_wh=zone.export_cap_wh, export_cap_wh=zone.import_cap_wh)
            for zone in tree.zones
        )
        outcome, mirror = Auction().clear(book, tree), Auction().clear(turned, back)
        assert (sold(mirror), bought(mirror)) == (bought(outcome), sold(outcome))


def negated(order):
    return replace(order, limit=-order.limit)
