"""Pay-as-bid moves what the auction moves; each buyer pays its own limit and not a micro more."""

from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.auction import Auction
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.outcome import Book, Order, Trade
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.books import markets, shuffled, split, tolls

STREET = ZoneTree.of((Zone("street", local_toll=7), Zone("yard", "street", edge_toll=2)))


def by_pair(trades):
    moved = {}
    for t in trades:
        path = (t.seller, t.buyer, t.seller_zone, t.buyer_zone, t.toll)
        moved[path] = moved.get(path, 0) + t.energy_wh
    return moved


class TestPayAsBid:
    @given(markets())
    def test_moves_what_the_auction_moves_over_the_same_edges(self, market):
        tree, book = market
        auction, ours = Auction().clear(book, tree), PayAsBid().clear(book, tree)
        assert by_pair(ours.trades) == by_pair(auction.trades)
        assert ours.crossings == auction.crossings
        assert ours.prices == {}

    @given(markets())
    def test_each_buyer_pays_its_own_limits_its_highest_bids_first(self, market):
        tree, book = market
        paid = {}
        for t in PayAsBid().clear(book, tree).trades:
            limit = t.price + tolls(tree, t.seller_zone, t.buyer_zone)
            mine = paid.setdefault((t.buyer, t.buyer_zone), {})
            mine[limit] = mine.get(limit, 0) + t.energy_wh
            assert t.congestion == 0
        for (buyer, zone), levels in paid.items():
            bids = {}
            for order in book.bids:
                if (order.member, order.zone) == (buyer, zone):
                    bids[order.limit] = bids.get(order.limit, 0) + order.energy_wh
            served = sorted(levels, reverse=True)
            assert served == sorted(bids, reverse=True)[: len(served)]
            assert all(levels[limit] == bids[limit] for limit in served[:-1])
            assert levels[served[-1]] <= bids[served[-1]]

    @given(markets())
    def test_no_seller_gets_less_than_the_limit_of_any_offer_it_sold(self, market):
        tree, book = market
        sold = {}
        for t in PayAsBid().clear(book, tree).trades:
            prices = sold.setdefault((t.seller, t.seller_zone), [])
            prices += [t.price] * t.energy_wh
        for (seller, zone), prices in sold.items():
            limits = sorted(
                limit
                for order in book.offers
                for limit in [order.limit] * order.energy_wh
                if (order.member, order.zone) == (seller, zone)
            )
            assert max(limits[: len(prices)]) <= min(prices)

    @given(markets(), st.data())
    def test_does_not_depend_on_the_order_in_which_anything_is_told(self, market, data):
        tree, book = market
        other_tree, other_book = shuffled(data.draw, market)
        assert PayAsBid().clear(other_book, other_tree) == PayAsBid().clear(book, tree)

    @given(markets(), st.data())
    def test_an_order_cut_in_two_changes_nothing(self, market, data):
        tree, book = market
        cut = Book(split(data.draw, book.offers), split(data.draw, book.bids))
        assert PayAsBid().clear(cut, tree) == PayAsBid().clear(book, tree)

    def test_cuts_a_trade_where_the_buyers_limit_changes(self):
        offers = (Order("s", 10, 1, "street"), Order("t", 10, 2, "yard"))
        bids = (Order("b", 4, 20, "street"), Order("b", 9, 15, "street"))
        assert PayAsBid().clear(Book(offers, bids), STREET).trades == (
            Trade("s", "b", 6, 15, "street", "street", 7, 0),
            Trade("s", "b", 4, 20, "street", "street", 7, 0),
            Trade("t", "b", 3, 13, "yard", "street", 9, 0),
        )
