"""The example on the page about the market is what the auction makes of it."""

from pathlib import Path

from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import Zone, ZoneTree

PAGE = Path(__file__).parents[5] / "docs" / "explanation" / "market.md"


def tables():
    """The rows of every table of the page, by the table's head."""
    found, head = {}, None
    for line in PAGE.read_text().splitlines():
        cells = tuple(cell.strip().replace(",", "") for cell in line.strip("|").split("|"))
        if not line.startswith("|"):
            head = None
        elif head is None:
            head = cells
            found[head] = []
        elif not cells[0].startswith("---"):
            found[head].append(tuple(int(cell) if cell.isdigit() else cell for cell in cells))
    return found


def orders(rows, wanted):
    return tuple(
        Order(member, energy, limit, zone)
        for member, side, zone, energy, limit in rows
        if side == wanted
    )


class TestThePage:
    def test_says_what_the_auction_says(self):
        grid, book, prices, crossings, trades = tables().values()
        tree = ZoneTree.of(
            Zone(name, above or None, *(None if cell == "" else cell for cell in rest))
            for name, above, *rest in grid
        )
        outcome = Auction().clear(Book(orders(book, "offer"), orders(book, "bid")), tree)
        assert list(outcome.prices.items()) == prices
        assert crossings == [
            (one.zone, one.export_wh, one.import_wh, one.export_shadow, one.import_shadow)
            for one in outcome.crossings
        ]
        assert trades == [
            (one.seller, one.buyer, one.energy_wh, one.price, one.toll, one.congestion)
            for one in outcome.trades
        ]
