"""What cannot be cleared exactly is refused by name; what is just within is cleared exactly."""

import pytest

from settlement.trading.auction import Auction, columns, flow
from settlement.trading.auction.columns import ENERGY_MAX, PRICE_MAX
from settlement.trading.auction.errors import (
    BookOutOfRangeError,
    NotClearedError,
    UnknownZoneError,
)
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.trading.auction.books import welfare
from tests.unit.settlement.trading.auction.oracle import Optimum

ONE = ZoneTree.single("z")
FINE = Order("s", 5, 1, "z")


def clear(offers, bids, tree=ONE):
    return Auction().clear(Book(tuple(offers), tuple(bids)), tree)


class TestABook:
    @pytest.mark.parametrize(
        ("order", "said"),
        [
            (Order("b", ENERGY_MAX + 1, 1, "z"), "energy_wh is larger"),
            (Order("b", 2**70, 1, "z"), "energy_wh has more than 64 bits"),
            (Order("b", 5, PRICE_MAX + 1, "z"), "limit is larger"),
            (Order("b", 5, -PRICE_MAX - 1, "z"), "limit is larger"),
            (Order("b", 5, 2**70, "z"), "limit has more than 64 bits"),
        ],
    )
    def test_with_an_order_out_of_range_is_refused(self, order, said):
        with pytest.raises(BookOutOfRangeError, match=said) as refused:
            clear([FINE], [order])
        assert refused.value.code == "book_out_of_range"
        with pytest.raises(BookOutOfRangeError, match=said):
            clear([order], [FINE])

    @pytest.mark.parametrize("toll", ["local_toll", "edge_toll"])
    def test_over_a_toll_out_of_range_is_refused(self, toll):
        tree = ZoneTree.of((Zone("r"), Zone("a", "r", **{toll: PRICE_MAX + 1})))
        with pytest.raises(BookOutOfRangeError, match="toll"):
            clear([FINE], [FINE], tree)

    def test_of_too_many_orders_is_refused(self, monkeypatch):
        monkeypatch.setattr(columns, "ORDERS_MAX", 2)
        clear([FINE, FINE], [FINE])
        with pytest.raises(BookOutOfRangeError, match="3 orders on one side"):
            clear([FINE, FINE, FINE], [FINE])

    def test_with_an_order_nowhere_is_refused(self):
        with pytest.raises(UnknownZoneError, match="no zone moon") as refused:
            clear([FINE], [Order("b", 5, 9, "moon")])
        assert refused.value.code == "unknown_zone"

    def test_that_the_solver_gives_up_is_refused(self, monkeypatch):
        class GivesUp(flow.SimpleMinCostFlow):
            def solve(self):
                return self.BAD_RESULT

        monkeypatch.setattr(flow, "SimpleMinCostFlow", GivesUp)
        with pytest.raises(NotClearedError, match="BAD_RESULT") as refused:
            clear([FINE], [Order("b", 5, 9, "z")])
        assert refused.value.code == "market_not_cleared"

    def test_at_the_edge_of_the_range_is_cleared_exactly(self):
        tree = ZoneTree.of(
            (
                Zone("r"),
                *(
                    Zone(f"z{at}", "r", PRICE_MAX, PRICE_MAX if at % 2 else 0)
                    for at in range(1, 40)
                ),
            )
        )
        most = PRICE_MAX
        book = Book(
            tuple(
                Order(f"s{at}", ENERGY_MAX - at, -most + at % 3, f"z{at % 39 + 1}")
                for at in range(80)
            ),
            tuple(
                Order(f"b{at}", ENERGY_MAX - 2 * at, most - at % 5, f"z{at * 7 % 39 + 1}")
                for at in range(80)
            ),
        )
        outcome, best = Auction().clear(book, tree), Optimum(book, tree)
        assert welfare(book, tree, outcome) == best.welfare
        assert outcome.traded_wh == best.volume_wh
