"""What every mechanism takes and gives: a book of orders in, trades and prices out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True)
class Order:
    """What a member offers, or bids for, in one zone, up to a limit."""

    member: str
    """Who."""
    energy_wh: WattHours
    """How much, in Wh, above zero."""
    limit: MicrosPerKilowattHour
    """Energy price limit: toll, levy and fees taken off a bid's; may be negative."""
    zone: str
    """Where."""
    key: str = ""
    """Hash of the signed order as hex, or empty for the mandate."""
    partner: str = ""
    """Member to trade with if quantity and price are the same, or empty."""
    solar: bool = False
    """Of an offer: made by the sun. Of a bid: wants that, quantity and price being the same."""


@dataclass(frozen=True, slots=True)
class Book:
    """All orders of an interval, in any order."""

    offers: tuple[Order, ...]
    """To sell."""
    bids: tuple[Order, ...]
    """To buy. Limits are energy prices in the buyer's zone: its local toll is taken off."""


@dataclass(frozen=True, slots=True)
class Trade:
    """Energy that one member sold to another, at a price and over a path."""

    seller: str
    """Who sold."""
    buyer: str
    """Who bought."""
    energy_wh: WattHours
    """How much, in Wh."""
    price: MicrosPerKilowattHour
    """Energy price that the seller gets, per kWh."""
    seller_zone: str
    """Zone it came from."""
    buyer_zone: str
    """Zone it went to."""
    toll: MicrosPerKilowattHour
    """Local toll of the buyer's zone and edge tolls of the path, per kWh."""
    congestion: MicrosPerKilowattHour
    """What binding caps on the path add, per kWh; not negative."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """What crossed the edge from a zone to its parent."""

    zone: str
    """Zone below the edge."""
    export_wh: WattHours
    """Energy that left, in Wh; 0 if energy came in."""
    import_wh: WattHours
    """Energy that came in, in Wh; 0 if energy left."""
    export_shadow: MicrosPerKilowattHour
    """What one more kWh of export cap would be worth; 0 if the cap does not bind."""
    import_shadow: MicrosPerKilowattHour
    """What one more kWh of import cap would be worth; 0 if the cap does not bind."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who sold to whom, and the prices that support it."""

    trades: tuple[Trade, ...]
    """By seller, then buyer, one for each pair and path and price."""
    prices: Mapping[str, MicrosPerKilowattHour]
    """Energy price of each zone in which somebody traded at the zone's price."""
    crossings: tuple[Crossing, ...]
    """Edges that something crossed, or would have if they were not closed, in the tree's order."""

    @property
    def traded_wh(self) -> WattHours:
        """Sold between neighbors, in Wh."""
        return WattHours(sum(trade.energy_wh for trade in self.trades))


class Mechanism(Protocol):
    """A rule of trading, given as data so that a settlement can be computed again."""

    def clear(self, book: Book, tree: ZoneTree) -> Outcome:
        """Return the trades of a book; the same for any order of orders and zones."""
        ...
