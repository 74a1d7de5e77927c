"""
The auction of one zone by sorting and sweeping: what the auction of a tree is held against.

Prices here are energy prices: a bid's limit has toll and levy taken off. The price is the midpoint
of the interval of prices that support the allocation, rounded down.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from ledger.units import MicrosPerKilowattHour, WattHours
from settlement.trading.outcome import Book, Order, Outcome, Trade
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True)
class Clearing:
    """Who sells and who buys how much, at which price."""

    price: MicrosPerKilowattHour | None
    """Price of the zone, or None if nothing is traded."""
    sold: tuple[tuple[str, WattHours], ...]
    """Wh sold by each seller, by member."""
    bought: tuple[tuple[str, WattHours], ...]
    """Wh bought by each buyer, by member."""


def clear(offers: Iterable[Order], bids: Iterable[Order]) -> Clearing:
    """
    Return the welfare-maximal trades.

    At the margin a limit's orders share pro rata to their energy; remainders go to the largest
    fractions, then by member. Two orders of one member at one limit fill like one.
    """
    supply = _levels(offers, lambda limit: limit)
    demand = _levels(bids, lambda limit: -limit)
    volume = _volume(supply, demand)
    if not volume:
        return Clearing(None, (), ())
    accepted_offer, waiting_offer = _margin(supply, volume)
    accepted_bid, waiting_bid = _margin(demand, volume)
    low = accepted_offer if waiting_bid is None else max(accepted_offer, waiting_bid)
    high = accepted_bid if waiting_offer is None else min(accepted_bid, waiting_offer)
    return Clearing(
        price=MicrosPerKilowattHour((low + high) // 2),
        sold=_allocate(supply, volume),
        bought=_allocate(demand, volume),
    )


@dataclass(frozen=True, slots=True)
class OneZone:
    """The auction of a grid that is one zone."""

    def clear(self, book: Book, tree: ZoneTree) -> Outcome:
        """Return the trades at the one price, sellers and buyers in order."""
        zone = tree.root.name
        outcome = clear(book.offers, book.bids)
        if outcome.price is None:
            return Outcome((), {}, ())
        toll, none = tree.path_toll(zone, zone), MicrosPerKilowattHour(0)
        trades = tuple(
            Trade(seller, buyer, energy, outcome.price, zone, zone, toll, none)
            for seller, buyer, energy in pair(outcome.sold, outcome.bought)
        )
        return Outcome(trades, {zone: outcome.price}, ())


def pair(
    sold: Iterable[tuple[str, WattHours]], bought: Iterable[tuple[str, WattHours]]
) -> tuple[tuple[str, str, WattHours], ...]:
    """Return who sold to whom: sellers and buyers in order, at most one trade more than members."""
    trades = []
    sellers, buyers = list(sold), list(bought)
    while sellers and buyers:
        (seller, offered), (buyer, wanted) = sellers[0], buyers[0]
        energy = WattHours(min(offered, wanted))
        trades.append((seller, buyer, energy))
        sellers[0] = (seller, WattHours(offered - energy))
        buyers[0] = (buyer, WattHours(wanted - energy))
        sellers = sellers[1:] if offered == energy else sellers
        buyers = buyers[1:] if wanted == energy else buyers
    return tuple(trades)


@dataclass(frozen=True, slots=True)
class _Level:
    """All orders of one side at one limit, one an member."""

    limit: int
    orders: tuple[tuple[str, int], ...]

    @property
    def total_wh(self) -> int:
        return sum(energy for _, energy in self.orders)


def _levels(orders: Iterable[Order], rank: Callable[[int], int]) -> tuple[_Level, ...]:
    """Return one side by limit, best first, a member's orders at one limit added up."""
    added: dict[tuple[int, str], int] = {}
    for one in orders:
        if one.energy_wh > 0:
            key = (one.limit, one.member)
            added[key] = added.get(key, 0) + one.energy_wh
    ordered = sorted(added.items(), key=lambda item: (rank(item[0][0]), item[0][1]))
    return tuple(
        _Level(limit, tuple((member, energy) for (_, member), energy in group))
        for limit, group in groupby(ordered, key=lambda item: item[0][0])
    )


def _volume(supply: tuple[_Level, ...], demand: tuple[_Level, ...]) -> int:
    """Return the energy up to which the best offers cost no more than the best bids pay, in Wh."""
    volume = 0
    offers, bids = iter(supply), iter(demand)
    offer, bid = next(offers, None), next(bids, None)
    offered = offer.total_wh if offer else 0
    wanted = bid.total_wh if bid else 0
    while offer is not None and bid is not None and offer.limit <= bid.limit:
        step = min(offered, wanted)
        volume += step
        offered -= step
        wanted -= step
        if not offered:
            offer = next(offers, None)
            offered = offer.total_wh if offer else 0
        if not wanted:
            bid = next(bids, None)
            wanted = bid.total_wh if bid else 0
    return volume


def _margin(levels: tuple[_Level, ...], volume_wh: int) -> tuple[int, int | None]:
    """Return the limit of the last level served and that of the first one not fully served."""
    served = 0
    accepted = levels[0].limit
    for level in levels:
        if served == volume_wh:
            return accepted, level.limit
        accepted = level.limit
        served += level.total_wh
        if served > volume_wh:
            return accepted, accepted
    return accepted, None


def _allocate(levels: tuple[_Level, ...], volume_wh: int) -> tuple[tuple[str, WattHours], ...]:
    """Share the volume over one side: better limits first, pro rata at the margin."""
    shares: dict[str, int] = {}
    left = volume_wh
    for level in levels:
        if not left:
            break
        for member, energy in pro_rata(level.orders, min(left, level.total_wh)):
            shares[member] = shares.get(member, 0) + energy
        left -= min(left, level.total_wh)
    return tuple((member, WattHours(shares[member])) for member in sorted(shares) if shares[member])


def pro_rata(orders: tuple[tuple[str, int], ...], energy_wh: int) -> tuple[tuple[str, int], ...]:
    """Split ``energy_wh`` over orders in proportion, largest remainder first, then by member."""
    total = sum(wanted for _, wanted in orders)
    floors = [(member, *divmod(wanted * energy_wh, total)) for member, wanted in orders]
    spare = energy_wh - sum(whole for _, whole, _ in floors)
    by_remainder = sorted(floors, key=lambda item: (-item[2], item[0]))
    luckier = {member for member, _, _ in by_remainder[:spare]}
    return tuple((member, whole + (member in luckier)) for member, whole, _ in floors)
