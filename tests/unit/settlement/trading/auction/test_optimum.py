"""The auction is the optimum, by every way of computing it, and depends on no solver."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.auction import Auction, clearing
from settlement.trading.auction.errors import NotClearedError
from settlement.trading.auction.flow import Flow, optimal_flow
from settlement.trading.auction.prices import Support
from settlement.trading.outcome import Book, Crossing, Order, Outcome
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.auction.books import bought, markets, sold, welfare
from tests.unit.settlement.trading.auction.oracle import Optimum, program_welfare


class TestNoOutcome:
    @given(markets())
    @settings(max_examples=120, deadline=None)
    def test_has_more_welfare_and_none_as_good_trades_more(self, market):
        book, tree = market
        outcome, best = Auction().clear(book, tree), Optimum(book, tree)
        assert welfare(book, tree, outcome) == best.welfare
        assert outcome.traded_wh == best.volume_wh

    @given(markets(limit=300_000, energy_max=5_000))
    @settings(max_examples=60, deadline=None)
    def test_beats_the_linear_program(self, market):
        book, tree = market
        assert welfare(book, tree, Auction().clear(book, tree)) == program_welfare(book, tree)


class TestThePrice:
    @given(markets(limit=12))
    @settings(max_examples=120, deadline=None)
    def test_is_the_middle_of_all_that_support_the_outcome_rounded_down(self, market):
        book, tree = market
        bounds = Optimum(book, tree).bounds()
        for zone, price in Auction().clear(book, tree).prices.items():
            low, high = bounds[zone]
            assert price == (low + high) // 2

    @given(markets(limit=12))
    @settings(max_examples=100, deadline=None)
    def test_is_there_for_each_zone_in_which_somebody_traded(self, market):
        outcome = Auction().clear(*market)
        traded = {zone for _, zone in (*sold(outcome), *bought(outcome))}
        assert list(outcome.prices) == [
            zone.name for zone in market[1].zones if zone.name in traded
        ]


class TestTheOutcome:
    @given(markets(wishing=True), st.sampled_from([1, 0, -1]))
    @settings(max_examples=120, deadline=None)
    def test_does_not_depend_on_which_optimum_the_solver_finds(self, market, most):
        book, tree = market
        expected = Auction().clear(book, tree)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clearing, "optimal_flow", lambda _: Optimum(book, tree, most).flow())
            assert Auction().clear(book, tree) == expected

    @given(markets(wishing=True), st.randoms(use_true_random=False))
    @settings(max_examples=100, deadline=None)
    def test_does_not_depend_on_the_order_of_orders_and_zones(self, market, random):
        book, tree = market
        shuffled = [list(rows) for rows in (book.offers, book.bids, tree.zones)]
        for rows in shuffled:
            random.shuffle(rows)
        offers, bids, zones = shuffled
        again = Auction().clear(Book(tuple(offers), tuple(bids)), ZoneTree.of(zones))
        assert again == Auction().clear(book, tree)

    @given(markets(wishing=True), st.data())
    @settings(max_examples=100, deadline=None)
    def test_does_not_change_when_orders_are_split(self, market, data):
        book, tree = market

        def split(rows):
            for one in rows:
                part = data.draw(st.integers(0, one.energy_wh))
                for energy in (part, one.energy_wh - part):
                    yield Order(one.member, energy, one.limit, one.zone, "", one.partner, one.solar)

        again = Auction().clear(Book(tuple(split(book.offers)), tuple(split(book.bids))), tree)
        assert again == Auction().clear(book, tree)

    @given(markets(), st.integers(0, 4), st.sampled_from([-1, 1]))
    @settings(max_examples=100, deadline=None)
    def test_that_is_not_optimal_is_refused_whatever_the_solver_says(self, market, at, step):
        book, tree = market

        def shifted(market_):
            flow = optimal_flow(market_)
            exported = list(flow.exported_wh)
            exported[at % len(exported)] += step
            return Flow(flow.sold_wh * 0, flow.bought_wh, tuple(exported))

        expected = Auction().clear(book, tree)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clearing, "optimal_flow", shifted)
            try:
                outcome = Auction().clear(book, tree)
            except NotClearedError:
                return
        assert welfare(book, tree, outcome) == welfare(book, tree, expected)

    def test_without_support_is_refused(self, monkeypatch):
        tree = ZoneTree.single()
        book = Book((Order("s", 5, 1, "feeder"),), (Order("b", 5, 9, "feeder"),))
        monkeypatch.setattr(clearing, "supporting_prices", lambda *_: Support((12,), (12,), (12,)))
        with pytest.raises(NotClearedError, match="5 Wh leave feeder"):
            Auction().clear(book, tree)


NOTHING = Outcome((), {}, ())


class TestWithoutAnythingToTrade:
    @pytest.mark.parametrize(
        ("offers", "bids"),
        [
            ((), ()),
            ((Order("s", 5, 1, "r"),), ()),
            ((), (Order("b", 5, 1, "r"),)),
            ((Order("s", 5, 2, "r"),), (Order("b", 5, 1, "r"),)),
            ((Order("s", 0, 1, "r"),), (Order("b", 5, 2, "r"),)),
            ((Order("s", -5, 1, "r"),), (Order("b", 5, 2, "r"),)),
            ((Order("s", 5, 1, "r"),), (Order("b", 5, 1, "a"),)),
        ],
    )
    def test_the_outcome_is_empty(self, offers, bids):
        tree = ZoneTree.of((Zone("r"), Zone("a", "r", edge_toll=1)))
        assert Auction().clear(Book(offers, bids), tree) == NOTHING

    def test_a_closed_edge_keeps_neighbors_apart_and_says_what_it_would_be_worth(self):
        tree = ZoneTree.of((Zone("r"), Zone("a", "r", edge_toll=3, import_cap_wh=0)))
        book = Book((Order("s", 5, 1, "r"),), (Order("b", 5, 9, "a"),))
        assert Auction().clear(book, tree) == Outcome((), {}, (Crossing("a", 0, 0, 0, 5),))

    @pytest.mark.parametrize(("cap", "way"), [("import", 1), ("export", -1)])
    def test_the_first_wh_through_a_closed_edge_is_worth_what_it_takes_from_others(self, cap, way):
        # In r any price from 1 to 7 would do; a Wh that left it would be lacking to who pays 7,
        # and one that came in would do without who asks 1.
        tree = ZoneTree.of((Zone("r"), Zone("a", "r", **{f"{cap}_cap_wh": 0})))
        apart = Order("x", 5, 9 if way > 0 else -1, "a")
        offers, bids = (Order("s", 5, 1, "r"),), (Order("b", 5, 7, "r"),)
        book = Book(offers, (*bids, apart)) if way > 0 else Book((*offers, apart), bids)
        (crossing,) = Auction().clear(book, tree).crossings
        assert getattr(crossing, f"{cap}_shadow") == 2
        assert (crossing.export_wh, crossing.import_wh) == (0, 0)
