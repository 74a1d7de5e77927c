"""
Settle an interval: the pure function from what was measured and signed to lines and a root.

Same input, same output, in any order, on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, WattHours, cost_floor
from settlement.trading.book import Fees, Position, bid_of, offer_of
from settlement.trading.clearing import Clearing, clear
from settlement.trading.lines import (
    Institutions,
    Line,
    Trade,
    community_lines,
    deltas,
    pair,
    residual_lines,
)
from settlement.trading.tree import EMPTY, Leaf, merkle_root, readings_hash, salt_of, trade_leaf

_FEE_ROUNDINGS: Final = 3


@dataclass(frozen=True, slots=True)
class Member:
    """One member's interval: what was measured, and what it allows."""

    account: str
    """Wallet, lower case."""
    import_wh: WattHours
    """Taken from the feeder, in Wh."""
    export_wh: WattHours
    """Given to the feeder, in Wh."""
    sell_not_below: MicrosPerKilowattHour
    """Least energy price to sell at."""
    buy_not_above: MicrosPerKilowattHour
    """Most for energy, toll and levy, before VAT."""
    spendable_micros: Micros
    """The smaller of cap and free funds, in micros."""
    order_hash: bytes
    """Struct hash of the mandate in force, 32 bytes."""
    digests: tuple[bytes, ...]
    """Digests of the readings used, in order."""
    estimated: bool
    """Whether a reading was missing."""


@dataclass(frozen=True, slots=True)
class IntervalInputs:
    """Everything an interval is settled from."""

    run: int
    """Number of the run."""
    interval: int
    """Interval."""
    members: tuple[Member, ...]
    """Members, in any order."""
    fees: Fees
    """Toll, levy, VAT."""
    institutions: Institutions
    """Accounts of grid operator and state; name of the supplier."""
    residual: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour]
    """What the supplier pays for surplus, and what it asks."""
    salt_key: bytes
    """Key of every salt."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an interval came to."""

    price: MicrosPerKilowattHour | None
    """Price of the zone, or None if nothing was traded."""
    trades: tuple[Trade, ...]
    """Who sold to whom."""
    lines: tuple[Line, ...]
    """Who owes whom what."""
    deltas: tuple[tuple[str, int], ...]
    """What the chain moves, by account, in micros; sums to zero."""
    leaves: tuple[Leaf, ...]
    """One for each account, by account."""
    root: bytes
    """Root over the leaves."""
    surplus_wh: WattHours
    """All members' surplus, in Wh."""
    deficit_wh: WattHours
    """All members' deficit, in Wh."""

    @property
    def traded_wh(self) -> WattHours:
        """Sold between neighbours, in Wh."""
        return WattHours(sum(trade.energy_wh for trade in self.trades))


def settle(inputs: IntervalInputs) -> Settlement:
    """Return lines, deltas and root; a member's own export covers its import first."""
    members = sorted(inputs.members, key=lambda member: member.account)
    positions = [_position(member) for member in members]
    offers = [order for one in positions if (order := offer_of(one))]
    # Each seller's payment may round by a micro, VAT goes with it, toll and levy round once.
    reserve = Micros(2 * len(offers) + _FEE_ROUNDINGS)
    outcome = clear(
        offers, [order for one in positions if (order := bid_of(one, inputs.fees, reserve))]
    )
    trades = pair(outcome.sold, outcome.bought)
    lines = _lines(inputs, positions, outcome, trades)
    moved = deltas(lines)
    leaves = _leaves(inputs, members, outcome, trades, moved)
    return Settlement(
        price=outcome.price,
        trades=trades,
        lines=lines,
        deltas=moved,
        leaves=leaves,
        root=merkle_root([leaf.hash() for leaf in leaves]),
        surplus_wh=WattHours(sum(one.surplus_wh for one in positions)),
        deficit_wh=WattHours(sum(one.deficit_wh for one in positions)),
    )


def _position(member: Member) -> Position:
    net = member.export_wh - member.import_wh
    return Position(
        member=member.account,
        surplus_wh=WattHours(max(0, net)),
        deficit_wh=WattHours(max(0, -net)),
        sell_not_below=member.sell_not_below,
        buy_not_above=member.buy_not_above,
        spendable_micros=member.spendable_micros,
    )


def _lines(
    inputs: IntervalInputs,
    positions: Sequence[Position],
    outcome: Clearing,
    trades: tuple[Trade, ...],
) -> tuple[Line, ...]:
    sold, bought = dict(outcome.sold), dict(outcome.bought)
    left_over = {
        one.member: WattHours(one.surplus_wh - sold.get(one.member, 0)) for one in positions
    }
    lacking = {
        one.member: WattHours(one.deficit_wh - bought.get(one.member, 0)) for one in positions
    }
    community = (
        community_lines(trades, outcome.price, inputs.fees, inputs.institutions)
        if outcome.price is not None
        else ()
    )
    return community + residual_lines(
        {member: energy for member, energy in left_over.items() if energy},
        {member: energy for member, energy in lacking.items() if energy},
        inputs.residual,
        inputs.institutions.supplier,
    )


def _leaves(
    inputs: IntervalInputs,
    members: Sequence[Member],
    outcome: Clearing,
    trades: tuple[Trade, ...],
    moved: tuple[tuple[str, int], ...],
) -> tuple[Leaf, ...]:
    """Return a leaf for every member and for every institution that money moved to."""
    known = {member.account: member for member in members}
    net, sold, bought = dict(moved), dict(outcome.sold), dict(outcome.bought)
    leaves = []
    for account in sorted({*known, *net}):
        member = known.get(account)
        leaves.append(
            Leaf(
                run=inputs.run,
                interval=inputs.interval,
                account=account,
                net_micros=net.get(account, 0),
                wh_in=bought.get(account, 0),
                wh_out=sold.get(account, 0),
                order_hash=member.order_hash if member else EMPTY,
                readings_hash=(
                    readings_hash(member.digests, estimated=member.estimated) if member else EMPTY
                ),
                trades_root=_trades_root(inputs, account, outcome.price, trades),
                salt=salt_of(inputs.salt_key, inputs.run, account),
            )
        )
    return tuple(leaves)


def _trades_root(
    inputs: IntervalInputs,
    seller: str,
    price: MicrosPerKilowattHour | None,
    trades: tuple[Trade, ...],
) -> bytes:
    """Return the root over what ``seller`` sold, by buyer."""
    if price is None:
        return EMPTY
    return merkle_root(
        [
            trade_leaf(
                seller,
                trade.buyer,
                trade.energy_wh,
                price,
                cost_floor(trade.energy_wh, price),
                salt_of(inputs.salt_key, inputs.run, seller, trade.buyer),
            )
            for trade in sorted(trades, key=lambda trade: trade.buyer)
            if trade.seller == seller
        ]
    )
