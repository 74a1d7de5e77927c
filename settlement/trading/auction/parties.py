"""Who sells and who buys, and who met whom, as columns."""

from dataclasses import dataclass

from settlement.trading.auction.columns import Column


@dataclass(frozen=True, slots=True, eq=False)
class Party:
    """All that sell, or all that buy, in the order in which they meet others."""

    orders: Column
    """Row of an order of each row's member, zone and wish among those served."""
    members: Column
    """Rank of each row's member by name."""
    zones: Column
    """Place of each row's zone in the tree."""
    left_wh: Column
    """What each row has yet to trade, in Wh; counted down."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Who met whom, where, for how much; a pair may appear more than once."""

    sellers: Column
    """Row of the seller."""
    buyers: Column
    """Row of the buyer."""
    energies_wh: Column
    """Energy, in Wh."""
    meetings: Column
    """Place of the zone in which their paths meet."""
