"""Explain what a sharing key gave, and what became of the rest."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.explaining.reasons import Explanation, Reason
from settlement.trading.mechanisms.paths import edges_between
from settlement.trading.mechanisms.sharing import Shared, Sharing
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import ZoneTree


def explain_shared(
    book: Book,
    tree: ZoneTree,
    sharing: Sharing,
    shared: Shared,
    rest: Sequence[Explanation] | None,
) -> tuple[Explanation, ...]:
    """
    Return one explanation for each order, offers first, in the book's order.

    ``rest`` explains what the key left, or is None if nothing takes it.
    """
    waiting = iter(rest) if rest is not None else None
    keyed = _Keyed(book, tree, sharing, shared)
    sides = (
        (Side.SELL, book.offers, shared.fills.offers),
        (Side.BUY, book.bids, shared.fills.bids),
    )
    explanations = []
    for side, orders, fills in sides:
        for order, fill in zip(orders, fills, strict=True):
            if fill == order.energy_wh:
                explanations.append(keyed.part(side, order, fill))
            elif waiting is None:
                explanations.append(keyed.left(side, order, fill))
            else:
                explanations.append(keyed.joined(order, fill, next(waiting)))
    return tuple(explanations)


@dataclass(frozen=True, slots=True)
class _Keyed:
    """What the explanations of a key are made from."""

    book: Book
    tree: ZoneTree
    sharing: Sharing
    shared: Shared

    def part(self, side: Side, order: Order, fill_wh: WattHours) -> Explanation:
        """Explain an order that the key served; if in part, nothing more was there."""
        numbers = self._own(order) | self._part(fill_wh)
        return Explanation(side, order, Reason.KEY_SHARE, numbers, fill_wh)

    def joined(self, order: Order, fill_wh: WattHours, rest: Explanation) -> Explanation:
        """Explain an order that the key served in part, if at all, and then the rest of it."""
        served = WattHours(fill_wh + rest.served_wh)
        done = served == order.energy_wh or rest.reason is Reason.NO_COUNTERPARTY
        reason = Reason.KEY_SHARE if fill_wh and done else rest.reason
        key = self._part(fill_wh) if fill_wh else {}
        numbers = {**rest.numbers, **self._own(order), **key}
        return replace(rest, order=order, reason=reason, numbers=numbers, served_wh=served)

    def left(self, side: Side, order: Order, fill_wh: WattHours) -> Explanation:
        """Explain an order that the key did not serve in full and nothing else takes."""
        price = self.sharing.price
        numbers = self._own(order) | {"price_per_kwh": price, "tolls_per_kwh": 0}
        if (order.limit < price) if side is Side.BUY else (order.limit > price):
            return Explanation(side, order, _beyond(side), numbers, fill_wh)
        divided = self._behind_a_cap(side, order)
        if divided:
            edge, tolls = divided
            gain = order.limit - price - tolls if side is Side.BUY else price - order.limit
            numbers |= {"tolls_per_kwh": tolls, "gain_per_kwh": gain, "shadow_per_kwh": 0}
            return Explanation(side, order, Reason.CAP_BINDS, numbers, fill_wh, edge)
        return self._among_neighbors(side, order, fill_wh, numbers)

    def _among_neighbors(
        self, side: Side, order: Order, fill_wh: WattHours, numbers: dict[str, int]
    ) -> Explanation:
        """Explain an order that accepts the price by what no cap divides from it."""
        others = self.book.offers if side is Side.BUY else self.book.bids
        near = [toll for other, toll in self._met(side, order, others) if self._joins(order, other)]
        if any(toll <= order.limit - self.sharing.price for toll in near) or (
            near and side is Side.SELL
        ):
            return self.part(side, order, fill_wh)
        if near:
            numbers |= {"tolls_per_kwh": min(near)}
            return Explanation(side, order, _beyond(side), numbers, fill_wh)
        return Explanation(side, order, Reason.NO_COUNTERPARTY, self._own(order), fill_wh)

    def _behind_a_cap(self, side: Side, order: Order) -> tuple[str, MicrosPerKilowattHour] | None:
        """
        Return the first edge with a cap before a zone that still has what suits the order.

        What a key leaves and suits an order always lies behind a cap: the key would have shared it.
        """
        others = self.shared.rest.offers if side is Side.BUY else self.shared.rest.bids
        spare = order.limit - self.sharing.price
        suited = [
            (toll, other.zone)
            for other, toll in self._met(side, order, others)
            if side is Side.SELL or toll <= spare
        ]
        if not suited:
            return None
        toll, zone = min(suited)
        up, down = edges_between(self.tree, order.zone, zone)
        return next(name for name in (*up, *down) if self._has_cap(name)), toll

    def _met(
        self, side: Side, order: Order, others: Sequence[Order]
    ) -> Iterator[tuple[Order, MicrosPerKilowattHour]]:
        """Return who of the other side accepts the price, with the tolls between."""
        for other in others:
            toll = self.tree.edge_tolls(order.zone, other.zone)
            spare = other.limit - self.sharing.price
            if (spare <= 0) if side is Side.BUY else (spare >= toll):
                yield other, toll

    def _joins(self, order: Order, other: Order) -> bool:
        """Return whether no cap is between two orders."""
        up, down = edges_between(self.tree, order.zone, other.zone)
        return not any(self._has_cap(name) for name in (*up, *down))

    def _has_cap(self, name: str) -> bool:
        zone = self.tree.zones[self.tree.index[name]]
        return zone.import_cap_wh is not None or zone.export_cap_wh is not None

    def _own(self, order: Order) -> dict[str, int]:
        return {"energy_wh": order.energy_wh, "limit_per_kwh": order.limit}

    def _part(self, fill_wh: WattHours) -> dict[str, int]:
        return {"key_wh": fill_wh, "key_price_per_kwh": self.sharing.price}


def _beyond(side: Side) -> Reason:
    return Reason.LIMIT_BELOW_PRICE if side is Side.BUY else Reason.LIMIT_ABOVE_PRICE
