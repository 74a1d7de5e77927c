"""The book that markets are measured with, of any size, over a grid whose cables are full."""

import random
from dataclasses import replace
from typing import Final

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction import Auction
from settlement.trading.outcome import Book, Crossing, Order
from settlement.trading.zones import Zone, ZoneTree

SEED: Final = 20_261_122
PRICES: Final = (50_000, 300_000)
ENERGIES_WH: Final = (1, 5_000)
ZONES: Final = 31
"""A binary tree of five levels."""

_QUARTERS: Final = 4
_EVERY: Final = 2
_LOCAL_TOLL: Final = MicrosPerKilowattHour(5_000)
_EDGE_TOLLS: Final = (1_000, 10_000)


def book(count: int) -> Book:
    """
    Return a book of ``count`` orders, half of them bids, one a member, of uniform price and energy.

    Three quarters of the offers are in zones of odd number and three quarters of the bids in the
    others, as where some streets have roofs and others have not; else hardly anything would cross.
    """
    drawn = random.Random(SEED)  # noqa: S311
    return Book(_side(drawn, count // 2, 1), _side(drawn, count // 2, 0))


def grid() -> ZoneTree:
    """Return the zones, with tolls, without caps."""
    drawn = random.Random(SEED)  # noqa: S311
    edges = [MicrosPerKilowattHour(drawn.randint(*_EDGE_TOLLS)) for _ in range(ZONES)]
    return ZoneTree.of(
        Zone(
            _name(at),
            _name((at - 1) // 2) if at else None,
            _LOCAL_TOLL,
            edges[at] if at else MicrosPerKilowattHour(0),
        )
        for at in range(ZONES)
    )


def full(tree: ZoneTree, orders: Book) -> ZoneTree:
    """Return the zones with every other edge allowed half of what this book would carry over it."""
    crossed = {one.zone: one for one in Auction().clear(orders, tree).crossings}
    return ZoneTree.of(
        _halved(zone, crossed[zone.name]) if at % _EVERY == 0 and zone.name in crossed else zone
        for at, zone in enumerate(tree.zones)
    )


def _side(drawn: random.Random, count: int, parity: int) -> tuple[Order, ...]:
    return tuple(
        Order(
            member=f"0x{drawn.getrandbits(160):040x}",
            energy_wh=WattHours(drawn.randint(*ENERGIES_WH)),
            limit=MicrosPerKilowattHour(drawn.randint(*PRICES)),
            zone=_name(_place(drawn, parity)),
        )
        for _ in range(count)
    )


def _place(drawn: random.Random, parity: int) -> int:
    """Return a zone, of the given parity in three of four cases."""
    odd = parity if drawn.randrange(_QUARTERS) else 1 - parity
    return 2 * drawn.randrange(ZONES // 2 + (not odd)) + odd


def _halved(zone: Zone, crossed: Crossing) -> Zone:
    if crossed.export_wh:
        return replace(zone, export_cap_wh=WattHours(crossed.export_wh // 2))
    return replace(zone, import_cap_wh=WattHours(crossed.import_wh // 2))


def _name(at: int) -> str:
    return f"zone-{at:02d}"
