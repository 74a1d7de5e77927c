"""A book as columns: what many orders cost little to look at."""

from dataclasses import dataclass
from operator import attrgetter
from typing import Final

import numpy as np
import numpy.typing as npt

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.auction.errors import BookOutOfRangeError, UnknownZoneError
from settlement.trading.outcome import Book, Order
from settlement.trading.zones import ZoneTree

Column = npt.NDArray[np.int64]
"""Whole numbers of one meaning, one a row."""

ORDERS_MAX: Final = 2**20
"""Orders of one side."""
ENERGY_MAX: Final = WattHours(2**40)
"""Energy of one order: all sums of a side stay below 2**60 Wh."""
PRICE_MAX: Final = MicrosPerKilowattHour(2**31 - 1)
"""Size of a limit or a toll: prices are signed and have 32 bits."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """The offers or the bids of a book, those of no energy left out."""

    orders: tuple[Order, ...]
    """One a row."""
    zones: Column
    """Place of each order's zone in the tree."""
    energies_wh: Column
    """Energy of each order, in Wh."""
    limits: Column
    """Energy price limit of each order, per kWh."""


@dataclass(frozen=True, slots=True, eq=False)
class Market:
    """What is to be cleared."""

    offers: Side
    """To sell."""
    bids: Side
    """To buy."""
    tree: ZoneTree
    """Where."""


def market_of(book: Book, tree: ZoneTree) -> Market:
    """
    Return a book as columns.

    Raises
    ------
    BookOutOfRangeError
        If a side has more than ``ORDERS_MAX`` orders, an order more than ``ENERGY_MAX``, or a limit
        or toll is beyond ``PRICE_MAX``.
    UnknownZoneError
        If an order is in no zone of ``tree``.
    """
    if any(max(zone.edge_toll, zone.local_toll) > PRICE_MAX for zone in tree.zones):
        raise BookOutOfRangeError("a toll has more than 32 bits")
    return Market(_side(book.offers, tree), _side(book.bids, tree), tree)


def by_zone(side: Side, column: Column, tree: ZoneTree) -> Column:
    """Return the sum of a column of ``side`` for each zone of the tree."""
    sums = np.zeros(len(tree.zones), np.int64)
    np.add.at(sums, side.zones, column)
    return sums


def _side(orders: tuple[Order, ...], tree: ZoneTree) -> Side:
    energies = _column(orders, "energy_wh", ENERGY_MAX)
    if orders and energies.min() <= 0:
        return _side(tuple(order for order in orders if order.energy_wh > 0), tree)
    if len(orders) > ORDERS_MAX:
        raise BookOutOfRangeError(f"{len(orders)} orders on one side")
    try:
        places = [tree.index[order.zone] for order in orders]
    except KeyError as fault:
        raise UnknownZoneError(str(fault.args[0])) from fault
    return Side(
        orders=orders,
        zones=np.array(places, np.int64),
        energies_wh=energies,
        limits=_column(orders, "limit", PRICE_MAX),
    )


def _column(orders: tuple[Order, ...], name: str, size_max: int) -> Column:
    """Return one attribute of orders, of which none may be larger than ``size_max`` in size."""
    try:
        column = np.fromiter(map(attrgetter(name), orders), np.int64, len(orders))
    except OverflowError as fault:
        raise BookOutOfRangeError(f"an order's {name} has more than 64 bits") from fault
    if orders and max(-int(column.min()), int(column.max())) > size_max:
        raise BookOutOfRangeError(f"an order's {name} is larger than {size_max}")
    return column
