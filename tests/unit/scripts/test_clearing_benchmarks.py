"""What clearing is measured with is the book that it says, over a grid whose cables are full."""

import pytest

from scripts.benchmarks.market.clearing import ours
from scripts.benchmarks.market.clearing.books import ENERGIES_WH, PRICES, ZONES, book, full, grid
from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.trading.auction import Auction
from tests.unit.settlement.trading.auction.books import welfare
from tests.unit.settlement.trading.auction.oracle import program_welfare


class TestTheBook:
    def test_is_the_same_each_time_and_half_bids(self):
        assert book(100) == book(100)
        assert (len(book(101).offers), len(book(101).bids)) == (50, 50)

    def test_keeps_to_its_prices_and_energies_and_to_one_order_a_member(self):
        made = book(2_000)
        orders = made.offers + made.bids
        assert len({one.member for one in orders}) == 2_000
        assert {one.zone for one in orders} == {zone.name for zone in grid().zones}
        assert all(PRICES[0] <= one.limit <= PRICES[1] for one in orders)
        assert all(ENERGIES_WH[0] <= one.energy_wh <= ENERGIES_WH[1] for one in orders)


class TestTheGrid:
    def test_is_a_binary_tree_with_a_toll_on_every_edge(self):
        tree = grid()
        assert len(tree.zones) == ZONES
        assert max(tree.depths) == 4
        assert all(zone.edge_toll > 0 for zone in tree.zones[1:])

    def test_has_a_third_of_its_edges_full_and_is_cleared_best(self):
        orders = book(1_000)
        tree = full(grid(), orders)
        outcome = Auction().clear(orders, tree)
        ours._check(outcome)
        assert welfare(orders, tree, outcome) == program_welfare(orders, tree)

    def test_that_is_empty_is_not_measured(self):
        with pytest.raises(BenchmarkInvalidError, match="0 cables are full"):
            ours._check(Auction().clear(book(1_000), grid()))
