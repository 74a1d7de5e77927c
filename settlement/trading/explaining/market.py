"""Explain a book: the auction's prices say why, after what a sharing key gave."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.explaining.keyed import explain_shared
from settlement.trading.explaining.quotes import Quote, Quotes
from settlement.trading.explaining.reasons import Explanation, NotExplainedError, Reason
from settlement.trading.mechanisms.fills import Fills, Place, fills_of
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Book, Mechanism, Order, Outcome
from settlement.trading.zones import ZoneTree


def explain_book(book: Book, tree: ZoneTree, mechanism: Mechanism) -> tuple[Explanation, ...]:
    """
    Return one explanation for each order, offers first, in the book's order.

    Computed from the book anew: the mechanism clears it as it did, so nothing has to be kept.

    Raises
    ------
    NotExplainedError
        If the mechanism left an order unserved that its own prices would serve.
    """
    if isinstance(mechanism, Sharing):
        shared = mechanism.share(book, tree)
        rest = explain_book(shared.rest, tree, mechanism.then) if mechanism.then else None
        return explain_shared(book, tree, mechanism, shared, rest)
    outcome = mechanism.clear(book, tree)
    priced = mechanism.auction.clear(book, tree) if isinstance(mechanism, PayAsBid) else outcome
    return tuple(_Explaining.of(book, tree, priced, outcome).all())


@dataclass(frozen=True, slots=True)
class _Explaining:
    """What an auction's explanations are made from."""

    book: Book
    fills: Fills
    sellers: Quotes
    buyers: Quotes
    received: Mapping[Place, MicrosPerKilowattHour]
    levels: Mapping[tuple[Side, str, int], tuple[int, int]]

    @classmethod
    def of(cls, book: Book, tree: ZoneTree, priced: Outcome, outcome: Outcome) -> "_Explaining":
        """Return what explains ``outcome``, whose quantities are those of ``priced``."""
        fills = fills_of(book, priced.trades)
        received: dict[Place, MicrosPerKilowattHour] = {}
        if outcome is not priced:
            for one in outcome.trades:
                place = (one.seller, one.seller_zone)
                received[place] = min(received.get(place, one.price), one.price)
        return cls(
            book=book,
            fills=fills,
            sellers=Quotes.of(Side.SELL, book, fills, priced, tree),
            buyers=Quotes.of(Side.BUY, book, fills, priced, tree),
            received=received,
            levels=_levels(book, fills),
        )

    def all(self) -> Iterator[Explanation]:
        """Return the explanations of offers, then of bids."""
        sides = (
            (self.sellers, self.book.offers, self.fills.offers),
            (self.buyers, self.book.bids, self.fills.bids),
        )
        for quotes, orders, fills in sides:
            for order, fill in zip(orders, fills, strict=True):
                if fill == order.energy_wh:
                    yield self._served(quotes, order, fill)
                else:
                    yield self._unserved(quotes, order, fill)

    def _served(self, quotes: Quotes, order: Order, fill_wh: WattHours) -> Explanation:
        """Explain an order served in full: at the zone's price, or at what pay-as-bid gave."""
        price = quotes.prices[order.zone]
        if self.received:
            seller = quotes.side is Side.SELL
            price = self.received[order.member, order.zone] if seller else order.limit
        return _explanation(quotes.side, order, Reason.SERVED, fill_wh, price_per_kwh=price)

    def _unserved(self, quotes: Quotes, order: Order, fill_wh: WattHours) -> Explanation:
        """Explain an order served in part or not: by a cap, by its limit, or by nobody there."""
        behind = self._behind_a_cap(quotes, order, fill_wh)
        if behind:
            return behind
        willing, quote = quotes.willing(order), quotes.traded(order.zone)
        if quote is None:
            return self._alone(quotes, order)
        at: dict[str, int] = {"price_per_kwh": quote.price, "tolls_per_kwh": quote.tolls}
        if willing == quote.cost:
            asked, served = self.levels[quotes.side, order.zone, order.limit]
            at |= {"level_wh": asked, "level_served_wh": served}
            return _explanation(quotes.side, order, Reason.AT_THE_MARGIN, fill_wh, **at)
        if willing > quote.cost:
            raise NotExplainedError(order)
        reason = Reason.LIMIT_BELOW_PRICE if quotes.side is Side.BUY else Reason.LIMIT_ABOVE_PRICE
        return _explanation(quotes.side, order, reason, fill_wh, **at)

    def _behind_a_cap(self, quotes: Quotes, order: Order, fill_wh: WattHours) -> Explanation | None:
        """Explain an order that the price beyond a reached cap suits."""
        quote = quotes.elsewhere(order.zone)
        if quote is None or not _suits(quotes, quote, order):
            return None
        edge = quotes.reached_cap(quote, order.zone)
        if edge is None:
            return None
        explained = _explanation(
            quotes.side,
            order,
            Reason.CAP_BINDS,
            fill_wh,
            price_per_kwh=quote.price,
            tolls_per_kwh=quote.tolls,
            shadow_per_kwh=edge.shadow,
            gain_per_kwh=quotes.willing(order) - quote.cost,
        )
        return Explanation(
            explained.side, order, explained.reason, explained.numbers, fill_wh, edge.zone
        )

    def _alone(self, quotes: Quotes, order: Order) -> Explanation:
        """Explain an order where nobody traded, by the best limit of the other side."""
        known = (quotes.at_home(order.zone), quotes.elsewhere(order.zone))
        best = min((quote for quote in known if quote), default=None)
        numbers = {"best_per_kwh": best.price, "tolls_per_kwh": best.tolls} if best else {}
        return _explanation(quotes.side, order, Reason.NO_COUNTERPARTY, WattHours(0), **numbers)


def _suits(quotes: Quotes, quote: Quote, order: Order) -> bool:
    """Whether a price would surely serve the order; a waiting limit also if it is the same."""
    gain = quotes.willing(order) - quote.cost
    return gain > 0 or (gain == 0 and quote.zone not in quotes.prices)


def _levels(book: Book, fills: Fills) -> dict[tuple[Side, str, int], tuple[int, int]]:
    """Return what was asked for and served at each limit of each zone, in Wh."""
    levels: dict[tuple[Side, str, int], tuple[int, int]] = {}
    sides: tuple[tuple[Side, Sequence[Order], Sequence[WattHours]], ...] = (
        (Side.SELL, book.offers, fills.offers),
        (Side.BUY, book.bids, fills.bids),
    )
    for side, orders, served in sides:
        for order, fill in zip(orders, served, strict=True):
            key = (side, order.zone, order.limit)
            asked, before = levels.get(key, (0, 0))
            levels[key] = (asked + order.energy_wh, before + fill)
    return levels


def _explanation(
    side: Side, order: Order, reason: Reason, served_wh: WattHours, **numbers: int
) -> Explanation:
    own = {"energy_wh": order.energy_wh, "limit_per_kwh": order.limit}
    return Explanation(side, order, reason, own | numbers, served_wh)
