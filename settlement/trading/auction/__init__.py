"""
The zone-priced auction: most welfare over the tree of zones, one price a zone (decision 0011).

A library finds an optimal flow. Everything that is published follows from what all optima share,
so that no result depends on which of them the library found.
"""

from settlement.trading.auction.clearing import Auction

__all__ = ["Auction"]
