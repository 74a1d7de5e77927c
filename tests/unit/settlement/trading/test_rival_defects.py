"""Defects that were found in other markets, each as a book that ours clears right."""

from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Order, Outcome
from settlement.trading.zones import ZoneTree
from tests.unit.settlement.trading.auction.books import bought, sold, welfare

ONE = ZoneTree.single("z")


def clear(offers, bids):
    """Clear orders given as member, Wh and limit."""
    return Auction().clear(book(offers, bids), ONE)


def book(offers, bids):
    return Book(
        tuple(Order(*row, "z") for row in offers),
        tuple(Order(*row, "z") for row in bids),
    )


class TestLemlab:
    def test_loses_energy_when_it_adds_up_equal_positions(self):
        # Two equal bids of 1,000 and 2,000 Wh against an offer of 3,000 Wh traded 2,000 Wh.
        outcome = clear([("s", 3_000, 100)], [("b", 1_000, 200), ("b", 2_000, 200)])
        assert outcome.traded_wh == 3_000
        assert outcome == clear([("s", 3_000, 100)], [("b", 3_000, 200)])

    def test_loses_it_between_members_too(self):
        outcome = clear([("s", 3_000, 100)], [("a", 1_000, 200), ("b", 2_000, 200)])
        assert dict(bought(outcome)) == {("a", "z"): 1_000, ("b", "z"): 2_000}

    def test_shuffles_equal_prices(self):
        bids = [(f"b{at}", 100, 200) for at in range(9)]
        first = clear([("s", 500, 100)], bids)
        assert all(clear([("s", 500, 100)], bids[at:] + bids[:at]) == first for at in range(9))
        # 500 Wh over nine equals: 55 each, and one more for the first five by name.
        assert list(bought(first).values()) == [56] * 5 + [55] * 4


class TestGridSingularity:
    OFFERS = (("cheap", 1_000, 50_000), ("dear", 1_000, 200_000))
    BIDS = (("keen", 1_000, 250_000), ("modest", 1_000, 100_000))

    def test_trades_most_instead_of_best(self):
        # Pay-as-bid sorts both sides from the dearest: dear sells to keen and cheap to modest.
        most = 1_000 * (250_000 - 200_000) + 1_000 * (100_000 - 50_000)
        outcome = clear(self.OFFERS, self.BIDS)
        assert welfare(book(self.OFFERS, self.BIDS), ONE, outcome) == 200_000_000 == 2 * most
        assert dict(sold(outcome)) == {("cheap", "z"): 1_000}
        assert dict(bought(outcome)) == {("keen", "z"): 1_000}

    def test_drops_the_order_that_is_served_in_part(self):
        outcome = clear([("s", 1_500, 50_000)], [("a", 1_000, 90_000), ("b", 1_000, 80_000)])
        assert dict(bought(outcome)) == {("a", "z"): 1_000, ("b", "z"): 500}
        assert outcome.prices == {"z": 80_000}


class TestPyMarket:
    def test_crashes_when_nothing_clears(self):
        nothing = Outcome((), {}, ())
        assert clear([], []) == nothing
        assert clear([("s", 1_000, 200_000)], [("b", 1_000, 100_000)]) == nothing
        assert clear([("s", 1_000, 200_000)], []) == nothing
        assert clear([], [("b", 1_000, 100_000)]) == nothing

    def test_leaves_the_last_pair_out_and_pays_sellers_less_than_buyers_pay(self):
        outcome = clear(
            [("s1", 1_000, 50_000), ("s2", 1_000, 90_000)],
            [("b1", 1_000, 200_000), ("b2", 1_000, 110_000)],
        )
        assert outcome.traded_wh == 2_000
        assert {trade.price for trade in outcome.trades} == {100_000}
        assert {trade.congestion + trade.toll for trade in outcome.trades} == {0}
