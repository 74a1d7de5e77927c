"""
Turn what was metered and what a member wants into what it offers and bids for.

Firm orders come first, whatever the meter says. What the meter left after those of its side goes to
metered orders, the most willing first, each up to its energy; what no order covers goes by the
mandate. What was sold firm and not delivered, or bought firm and not used, is a deviation.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.orders.standing import Side, StandingOrder


@dataclass(frozen=True, slots=True)
class Net:
    """What a member's meters say of an interval; one of the two is 0."""

    surplus_wh: WattHours
    """Energy left over, in Wh."""
    deficit_wh: WattHours
    """Energy lacking, in Wh."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the mandate says of an interval."""

    sell_not_below: MicrosPerKilowattHour
    """Least energy price to sell at."""
    buy_not_above: MicrosPerKilowattHour
    """Most for energy, toll and levy, before VAT."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Energy that a member offers, or bids for, at one limit."""

    energy_wh: WattHours
    """How much, in Wh, above zero."""
    limit: MicrosPerKilowattHour
    """As in the order or the mandate."""
    key: str = ""
    """Struct hash of the order as hex, or empty for the mandate."""
    firm: bool = False
    """Whether the meter has no say in it."""
    partner: str = ""
    """Wallet to trade with if quantity and price are the same, or empty."""
    solar: bool = False
    """Of a bid: from the sun, if quantity and price are the same."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Both sides of a member in an interval, in the order in which its funds are for them."""

    offers: tuple[Wanted, ...]
    """To sell: firm, metered, mandate."""
    bids: tuple[Wanted, ...]
    """To buy: firm, metered, mandate."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What is between a member's meters and its trades; the residual supplier settles it."""

    left_over_wh: WattHours
    """Metered surplus that nobody bought, in Wh: residual, the supplier takes it."""
    lacking_wh: WattHours
    """Metered deficit that nobody sold, in Wh: residual, the supplier gives it."""
    undelivered_wh: WattHours
    """Sold firm and not there, in Wh: imbalance, the supplier gives it."""
    unused_wh: WattHours
    """Bought firm and not used, in Wh: imbalance, the supplier takes it."""


def positions(net: Net, limits: Limits, orders: Iterable[StandingOrder]) -> Positions:
    """
    Return what a member offers and bids for; the same for any order of ``orders``.

    Nobody trades with itself: what could meet the member's own firm order on the other side, toll
    and levy being nothing, is not put into the book.
    """
    known = sorted(orders, key=lambda one: (one.limit, one.key))
    sales = [one for one in known if one.side is Side.SELL]
    purchases = [one for one in reversed(known) if one.side is Side.BUY]
    offers = _side(net.surplus_wh, limits.sell_not_below, sales)
    bids = _side(net.deficit_wh, limits.buy_not_above, purchases)
    least = min((one.limit for one in offers if one.firm), default=None)
    most = max((one.limit for one in bids if one.firm), default=None)
    return Positions(
        offers=tuple(one for one in offers if one.firm or most is None or one.limit > most),
        bids=tuple(one for one in bids if one.firm or least is None or one.limit < least),
    )


def remainder(net: Net, sold_wh: WattHours, bought_wh: WattHours) -> Remainder:
    """
    Return what the supplier settles, so that meters = trades + residual + imbalance.

    Energy that was bought firm and not used delivers first what was sold firm and is not there.
    """
    undelivered_wh = max(0, sold_wh - net.surplus_wh)
    unused_wh = max(0, bought_wh - net.deficit_wh)
    own_wh = min(undelivered_wh, unused_wh)
    return Remainder(
        left_over_wh=WattHours(max(0, net.surplus_wh - sold_wh)),
        lacking_wh=WattHours(max(0, net.deficit_wh - bought_wh)),
        undelivered_wh=WattHours(undelivered_wh - own_wh),
        unused_wh=WattHours(unused_wh - own_wh),
    )


def _side(
    metered_wh: WattHours, mandate_limit: MicrosPerKilowattHour, orders: Sequence[StandingOrder]
) -> list[Wanted]:
    """Return one side; ``orders`` are of it, the most willing first."""
    firm = [_wanted(one, one.energy_wh) for one in orders if one.firm]
    left_wh = max(0, metered_wh - sum(one.energy_wh for one in firm))
    metered = []
    for one in orders:
        energy_wh = 0 if one.firm else min(left_wh, one.energy_wh)
        if energy_wh:
            metered.append(_wanted(one, WattHours(energy_wh)))
            left_wh -= energy_wh
    rest = [Wanted(WattHours(left_wh), mandate_limit)] if left_wh else []
    return [*firm, *metered, *rest]


def _wanted(order: StandingOrder, energy_wh: WattHours) -> Wanted:
    return Wanted(
        energy_wh=energy_wh,
        limit=order.limit,
        key=order.key,
        firm=order.firm,
        partner=order.partner,
        solar=order.solar,
    )
