"""Every order has one explanation, and the numbers in it prove it."""

import re
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.exact import Language
from settlement.trading.explaining.market import explain_book
from settlement.trading.explaining.reasons import Explanation, NotExplainedError, Reason
from settlement.trading.explaining.sentences import sentence
from settlement.trading.explaining.words import WORDS
from settlement.trading.mechanisms.keys import DynamicKey, StaticKey
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Book, Order, Outcome, Trade
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.books import PRICE, is_uncapped, markets, path, tolls

LANE = ZoneTree.of(
    (Zone("street", local_toll=1), Zone("yard", "street", edge_toll=2, import_cap_wh=5))
)
MECHANISMS = (
    Auction(),
    PayAsBid(),
    Sharing(PRICE, StaticKey({"ba": 5_000})),
    Sharing(PRICE, StaticKey({"ba": 5_000}), Auction()),
    Sharing(PRICE, DynamicKey(), Sharing(PRICE + 1, DynamicKey(), PayAsBid())),
)


def sign(side):
    return 1 if side is Side.BUY else -1


def gain_at(one, price, path_tolls):
    """What a kWh would leave to the order at a price beyond tolls; below zero if it would not."""
    return sign(one.side) * (one.order.limit - price) - path_tolls


def is_full(tree, outcome, name, *, export):
    zone = tree.zones[tree.index[name]]
    crossed = {c.zone: c.export_wh if export else c.import_wh for c in outcome.crossings}
    return (zone.export_cap_wh if export else zone.import_cap_wh) == crossed.get(name, 0)


class TestEveryOrder:
    @given(markets(), st.sampled_from(MECHANISMS))
    def test_has_exactly_one_explanation(self, market, mechanism):
        tree, book = market
        told = explain_book(book, tree, mechanism)
        assert [one.order for one in told] == [*book.offers, *book.bids]
        sides = [Side.SELL] * len(book.offers) + [Side.BUY] * len(book.bids)
        assert [one.side for one in told] == sides

    @given(markets(), st.sampled_from(MECHANISMS))
    def test_is_said_to_have_traded_what_its_member_traded(self, market, mechanism):
        tree, book = market
        trades = mechanism.clear(book, tree).trades
        told = {}
        for one in explain_book(book, tree, mechanism):
            assert 0 <= one.served_wh <= one.order.energy_wh
            place = (one.side, one.order.member, one.order.zone)
            told[place] = told.get(place, 0) + one.served_wh
        moved = dict.fromkeys(told, 0)
        for trade in trades:
            moved[Side.SELL, trade.seller, trade.seller_zone] += trade.energy_wh
            moved[Side.BUY, trade.buyer, trade.buyer_zone] += trade.energy_wh
        assert told == moved

    @given(markets(), st.sampled_from(MECHANISMS), st.sampled_from(Language))
    def test_has_one_sentence_without_a_gap(self, market, mechanism, language):
        tree, book = market
        for one in explain_book(book, tree, mechanism):
            said = sentence(one, language)
            assert said.endswith(".")
            assert "{" not in said


class TestTheNumbersOfAnAuction:
    @given(markets())
    def test_prove_its_reasons(self, market):
        tree, book = market
        outcome = Auction().clear(book, tree)
        for one in explain_book(book, tree, Auction()):
            self.prove(one, tree, outcome)

    def prove(self, one, tree, outcome):
        numbers = one.numbers
        assert numbers["energy_wh"] == one.order.energy_wh
        assert numbers["limit_per_kwh"] == one.order.limit
        if one.reason is Reason.SERVED:
            assert one.served_wh == one.order.energy_wh
            assert numbers["price_per_kwh"] == outcome.prices[one.order.zone]
            assert gain_at(one, numbers["price_per_kwh"], 0) >= 0
            return
        assert one.served_wh < one.order.energy_wh
        if one.reason in (Reason.LIMIT_BELOW_PRICE, Reason.LIMIT_ABOVE_PRICE):
            assert one.reason is (
                Reason.LIMIT_BELOW_PRICE if one.side is Side.BUY else Reason.LIMIT_ABOVE_PRICE
            )
            assert one.served_wh == 0
            assert gain_at(one, numbers["price_per_kwh"], numbers["tolls_per_kwh"]) < 0
            assert numbers["price_per_kwh"] in outcome.prices.values()
        elif one.reason is Reason.AT_THE_MARGIN:
            assert gain_at(one, numbers["price_per_kwh"], numbers["tolls_per_kwh"]) == 0
            assert numbers["level_served_wh"] < numbers["level_wh"]
        elif one.reason is Reason.NO_COUNTERPARTY:
            assert outcome.trades == ()
            if "best_per_kwh" in numbers:
                assert gain_at(one, numbers["best_per_kwh"], numbers["tolls_per_kwh"]) < 0
        else:
            assert one.reason is Reason.CAP_BINDS
            self.prove_cap(one, tree, outcome)

    def prove_cap(self, one, tree, outcome):
        """Beyond a reached cap on the way there is a price, or a waiting limit, that suits."""
        numbers = one.numbers
        gain = gain_at(one, numbers["price_per_kwh"], numbers["tolls_per_kwh"])
        assert gain == numbers["gain_per_kwh"] >= 0
        beyond = []
        for zone in tree.zones:
            ends = (zone.name, one.order.zone)
            up, down = path(tree, *(ends if one.side is Side.BUY else ends[::-1]))
            on_the_way = one.edge in up or one.edge in down
            same_way = on_the_way and tolls(tree, *ends) == numbers["tolls_per_kwh"]
            price = outcome.prices.get(zone.name)
            waits = price is None and gain >= 0
            serves = price == numbers["price_per_kwh"] and gain > 0
            if same_way and (waits or serves):
                beyond.append(is_full(tree, outcome, one.edge, export=one.edge in up))
        assert any(beyond)

    @given(markets())
    def test_say_the_shadow_price_that_is_published(self, market):
        tree, book = market
        outcome = Auction().clear(book, tree)
        known = {c.zone: {0, c.export_shadow, c.import_shadow} for c in outcome.crossings}
        for one in explain_book(book, tree, Auction()):
            if one.reason is Reason.CAP_BINDS:
                assert one.numbers["shadow_per_kwh"] in known.get(one.edge, {0})


class TestTheNumbersOfAKey:
    @given(markets())
    def test_prove_its_reasons(self, market):
        tree, book = market
        mechanism = Sharing(PRICE, StaticKey({"ba": 5_000}))
        rest = mechanism.share(book, tree).rest
        for one in explain_book(book, tree, mechanism):
            others = rest.offers if one.side is Side.BUY else rest.bids
            suited = [other for other in others if self.suits(tree, one, other)]
            if one.served_wh == one.order.energy_wh:
                assert one.reason is Reason.KEY_SHARE
            elif one.reason is Reason.CAP_BINDS:
                assert any(
                    not is_uncapped(tree, one.order.zone, other.zone)
                    and one.edge in chain(*path(tree, one.order.zone, other.zone))
                    for other in suited
                )
            else:
                assert not suited
            if one.reason in (Reason.LIMIT_BELOW_PRICE, Reason.LIMIT_ABOVE_PRICE):
                assert gain_at(one, PRICE, one.numbers["tolls_per_kwh"]) < 0

    def suits(self, tree, one, other):
        toll = tolls(tree, one.order.zone, other.zone)
        offer, bid = (other, one.order) if one.side is Side.BUY else (one.order, other)
        return offer.limit <= PRICE and bid.limit >= PRICE + toll


def explained(mechanism, offers, bids, tree=LANE):
    return explain_book(Book(offers, bids), tree, mechanism)


def told(one):
    return one.reason, one.served_wh


class TestAnExample:
    def test_of_a_cap_that_binds_names_its_edge_and_what_it_is_worth(self):
        offers = (Order("s", 100, 10, "street"),)
        bids = (Order("b", 20, 50, "yard"), Order("c", 20, 11, "street"))
        _, behind, free = explained(Auction(), offers, bids)
        assert told(behind) == (Reason.CAP_BINDS, 5)
        assert behind.edge == "yard"
        assert behind.numbers == {
            "energy_wh": 20,
            "limit_per_kwh": 50,
            "price_per_kwh": 10,
            "tolls_per_kwh": 2,
            "shadow_per_kwh": 38,
            "gain_per_kwh": 38,
        }
        assert told(free) == (Reason.SERVED, 20)
        assert sentence(behind) == (
            "Bought 0.005 kWh of 0.02 kWh: beyond the edge of yard its limit 0.00005 EUR/kWh suits"
            " the price 0.00001 EUR/kWh, tolls 0.000002 EUR/kWh, but the grid operator's cap lets"
            " no more over (worth of one more kWh: 0.000038 EUR/kWh)."
        )

    def test_of_a_closed_edge_where_nobody_trades(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", import_cap_wh=0)))
        offer, bid = explained(
            Auction(), (Order("s", 9, 1, "street"),), (Order("b", 9, 5, "yard"),), tree
        )
        assert [one.reason for one in (offer, bid)] == [Reason.CAP_BINDS] * 2
        assert (bid.edge, bid.numbers["price_per_kwh"]) == ("yard", 1)
        assert (offer.edge, offer.numbers["price_per_kwh"]) == ("yard", 5)

    def test_of_a_closed_edge_between_equal_limits(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", import_cap_wh=0)))
        offers, bids = (Order("s", 9, 5, "street"),), (Order("b", 9, 5, "yard"),)
        sides = explained(Auction(), offers, bids, tree)
        assert [one.reason for one in sides] == [Reason.CAP_BINDS] * 2
        assert [one.numbers["gain_per_kwh"] for one in sides] == [0, 0]

    def test_of_a_way_over_two_edges_names_the_one_whose_cap_is_reached(self):
        tree = ZoneTree.of(
            (Zone("street"), Zone("yard", "street"), Zone("shed", "yard", import_cap_wh=0))
        )
        bids = (Order("y", 10, 9, "yard"), Order("b", 10, 9, "shed"))
        _, free, behind = explained(Auction(), (Order("s", 99, 1, "street"),), bids, tree)
        assert told(free) == (Reason.SERVED, 10)
        assert (told(behind), behind.edge) == ((Reason.CAP_BINDS, 0), "shed")

    def test_of_the_margin_counts_what_was_asked_and_what_was_there(self):
        bids = (Order("b", 10, 4, "street"), Order("c", 20, 4, "street"))
        _, first, second = explained(Auction(), (Order("s", 12, 1, "street"),), bids)
        assert told(first) == (Reason.AT_THE_MARGIN, 4)
        assert told(second) == (Reason.AT_THE_MARGIN, 8)
        assert (second.numbers["level_wh"], second.numbers["level_served_wh"]) == (30, 12)

    def test_of_nobody_to_trade_with(self):
        (alone,) = explained(Auction(), (Order("s", 12, 1, "street"),), ())
        assert told(alone) == (Reason.NO_COUNTERPARTY, 0)
        assert "best_per_kwh" not in alone.numbers

    def test_of_limits_that_do_not_meet_says_the_best_of_the_other_side(self):
        offers = (Order("s", 12, 9, "street"), Order("t", 12, 11, "street"))
        bids = (Order("b", 12, 8, "street"), Order("c", 12, 7, "street"))
        sides = explained(Auction(), offers, bids)
        assert [one.reason for one in sides] == [Reason.NO_COUNTERPARTY] * 4
        assert [one.numbers["best_per_kwh"] for one in sides] == [8, 8, 9, 9]

    def test_of_pay_as_bid_says_what_each_side_pays_or_gets(self):
        bids = (Order("b", 4, 20, "street"), Order("c", 4, 15, "street"))
        offer, first, second = explained(PayAsBid(), (Order("s", 8, 1, "street"),), bids)
        assert [one.numbers["price_per_kwh"] for one in (offer, first, second)] == [15, 20, 15]

    def test_of_a_key_and_then_the_auction(self):
        mechanism = Sharing(PRICE, StaticKey({"b": 10_000}), Auction())
        offers = (Order("s", 10, PRICE, "street"),)
        bids = (Order("b", 6, 9, "street"), Order("c", 9, 8, "street"), Order("d", 1, 2, "street"))
        offer, first, second, third = explained(mechanism, offers, bids)
        assert told(offer) == (Reason.KEY_SHARE, 10)
        assert told(first) == (Reason.KEY_SHARE, 6)
        assert told(second) == (Reason.KEY_SHARE, 4)
        assert told(third) == (Reason.NO_COUNTERPARTY, 0)

    def test_of_a_price_that_an_order_refuses(self):
        mechanism = Sharing(PRICE, DynamicKey())
        offers = (Order("s", 5, PRICE + 1, "street"), Order("t", 5, 0, "street"))
        bids = (Order("b", 5, PRICE - 1, "street"), Order("c", 4, PRICE, "street"))
        reasons = [one.reason for one in explained(mechanism, offers, bids)]
        assert reasons == [
            Reason.LIMIT_ABOVE_PRICE,
            Reason.KEY_SHARE,
            Reason.LIMIT_BELOW_PRICE,
            Reason.KEY_SHARE,
        ]


class TestAnExampleOfAKey:
    def test_of_a_neighbor_whose_toll_is_too_high(self):
        tree = ZoneTree.of((Zone("street"), Zone("yard", "street", edge_toll=2)))
        offers, bids = (Order("s", 5, 0, "street"),), (Order("b", 5, PRICE + 1, "yard"),)
        offer, bid = explained(Sharing(PRICE, DynamicKey()), offers, bids, tree)
        assert told(offer) == (Reason.NO_COUNTERPARTY, 0)
        assert told(bid) == (Reason.LIMIT_BELOW_PRICE, 0)
        assert (bid.numbers["price_per_kwh"], bid.numbers["tolls_per_kwh"]) == (PRICE, 2)

    def test_of_a_neighbor_behind_a_cap(self):
        offers, bids = (Order("s", 5, 0, "street"),), (Order("b", 5, PRICE + 4, "yard"),)
        sides = explained(Sharing(PRICE, DynamicKey()), offers, bids)
        assert [(told(one), one.edge) for one in sides] == [((Reason.CAP_BINDS, 0), "yard")] * 2
        assert [one.numbers["gain_per_kwh"] for one in sides] == [PRICE, 2]


class TestAnOutcomeThatNoRuleGives:
    def test_is_not_explained_away(self):
        class Unfair:
            def clear(self, _book, _tree):
                trade = Trade("s", "b", 1, 2, "street", "street", 1, 0)
                return Outcome((trade,), {"street": 2}, ())

        with pytest.raises(NotExplainedError, match="why s was not served"):
            explained(Unfair(), (Order("s", 5, 0, "street"),), (Order("b", 1, 9, "street"),))


class TestTheWords:
    def test_are_the_same_reasons_with_the_same_numbers_in_every_language(self):
        english, french = (WORDS[language] for language in (Language.EN, Language.FR))
        assert english.keys() == french.keys()
        for key, template in english.items():
            names = re.findall(r"{(\w+)}", template)
            assert sorted(names) == sorted(re.findall(r"{(\w+)}", french[key]))

    def test_are_there_for_every_reason(self):
        one_sided = {Reason.LIMIT_BELOW_PRICE: {Side.BUY}, Reason.LIMIT_ABOVE_PRICE: {Side.SELL}}
        wanted = {(reason, side) for reason in Reason for side in one_sided.get(reason, Side)}
        assert set(WORDS[Language.EN]) == wanted

    def test_in_french_write_numbers_as_french_does(self):
        order = Order("b", 1_500, 123_456, "street")
        numbers = {"energy_wh": 1_500, "limit_per_kwh": 123_456, "price_per_kwh": 100_000}
        one = Explanation(Side.BUY, order, Reason.SERVED, numbers, 1_500)
        assert sentence(one, Language.FR) == "Tout est acheté : 1,5 kWh à 0,10 EUR/kWh."
        assert sentence(one, Language.EN) == "Bought in full: 1.5 kWh at 0.10 EUR/kWh."
