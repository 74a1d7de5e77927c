"""
Settle an interval: the pure function from what was measured and signed to lines and a root.

Same input, same output, in any order, on every machine.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ledger.units import Micros, MicrosPerKilowattHour, WattHours
from settlement.trading.book import Fees, Position, book_of
from settlement.trading.lines import (
    Institutions,
    Line,
    Sale,
    community_lines,
    deltas,
    remainder_lines,
    sales_of,
)
from settlement.trading.orders.applying import Limits, Net, remainder
from settlement.trading.orders.standing import StandingOrder
from settlement.trading.outcome import Mechanism, Outcome, Trade
from settlement.trading.tree import EMPTY, Leaf, merkle_root, readings_hash, salt_of, trade_leaf
from settlement.trading.zones import ZoneTree


@dataclass(frozen=True, slots=True)
class Member:
    """One member's interval: what was measured, and what it allows."""

    account: str
    """Wallet, lower case."""
    import_wh: WattHours
    """Taken from the feeder, in Wh."""
    export_wh: WattHours
    """Given to the feeder, in Wh."""
    limits: Limits | None
    """What its mandate says, or None without one: then it neither sells nor buys."""
    spendable_micros: Micros
    """The smaller of cap and free funds, in micros."""
    order_hash: bytes
    """Hash of the mandate and the orders in force, 32 bytes (``orders_hash``)."""
    digests: tuple[bytes, ...]
    """Digests of the readings used, in order."""
    estimated: bool
    """Whether a reading was missing."""
    zone: str
    """Zone of its meters."""
    orders: tuple[StandingOrder, ...] = ()
    """Signed orders in force."""
    solar: bool = False
    """Whether the sun made what it has left over."""

    @property
    def net(self) -> Net:
        """What is left over or lacking: the member's own export covers its import first."""
        net = self.export_wh - self.import_wh
        return Net(WattHours(max(0, net)), WattHours(max(0, -net)))


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
    """Levy, VAT, platform."""
    institutions: Institutions
    """Accounts of grid operator, state and platform; name of the supplier."""
    residual: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour]
    """What the supplier pays for surplus, and what it asks."""
    salt_key: bytes
    """Key of every salt."""
    tree: ZoneTree
    """Zones, tolls and caps in force."""
    mechanism: Mechanism
    """Rule of trading."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an interval came to."""

    outcome: Outcome
    """Who sold to whom, at which prices."""
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
    def trades(self) -> tuple[Trade, ...]:
        """Who sold to whom."""
        return self.outcome.trades

    @property
    def traded_wh(self) -> WattHours:
        """Sold between neighbors, in Wh."""
        return self.outcome.traded_wh

    @property
    def price(self) -> MicrosPerKilowattHour | None:
        """What a seller got for a kWh in the mean, rounded down; None if nothing was traded."""
        if not self.traded_wh:
            return None
        exact = sum(trade.energy_wh * trade.price for trade in self.trades)
        return MicrosPerKilowattHour(exact // self.traded_wh)


def settle(inputs: IntervalInputs) -> Settlement:
    """Return lines, deltas and root."""
    members = sorted(inputs.members, key=lambda member: member.account)
    positions = [position_of(member) for member in members]
    outcome = _cleared(inputs, positions)
    sales = sales_of(outcome.trades)
    lines = _lines(inputs, positions, outcome, sales)
    moved = deltas(lines)
    leaves = _leaves(inputs, members, sales, moved)
    return Settlement(
        outcome=outcome,
        lines=lines,
        deltas=moved,
        leaves=leaves,
        root=merkle_root([leaf.hash() for leaf in leaves]),
        surplus_wh=WattHours(sum(one.net.surplus_wh for one in positions)),
        deficit_wh=WattHours(sum(one.net.deficit_wh for one in positions)),
    )


def traded(inputs: IntervalInputs) -> WattHours:
    """Return what neighbors would trade, in Wh, without what follows from it."""
    members = sorted(inputs.members, key=lambda member: member.account)
    return _cleared(inputs, [position_of(member) for member in members]).traded_wh


def _cleared(inputs: IntervalInputs, positions: Sequence[Position]) -> Outcome:
    book = book_of(positions, inputs.fees, inputs.tree)
    return _without_own(inputs.mechanism.clear(book, inputs.tree))


def position_of(member: Member) -> Position:
    """Return what a member's book is made from."""
    return Position(
        member=member.account,
        zone=member.zone,
        net=member.net,
        limits=member.limits,
        spendable_micros=member.spendable_micros,
        orders=member.orders,
        solar=member.solar,
    )


def _without_own(outcome: Outcome) -> Outcome:
    """Return the outcome without what a member's firm orders sold to each other: nothing moved."""
    trades = tuple(trade for trade in outcome.trades if trade.seller != trade.buyer)
    return outcome if len(trades) == len(outcome.trades) else replace(outcome, trades=trades)


def _lines(
    inputs: IntervalInputs,
    positions: Sequence[Position],
    outcome: Outcome,
    sales: Sequence[Sale],
) -> tuple[Line, ...]:
    sold, bought = _energy(sales)
    remainders = {
        one.member: remainder(one.net, WattHours(sold[one.member]), WattHours(bought[one.member]))
        for one in positions
    }
    supplier = inputs.institutions.supplier
    return (
        *community_lines(outcome.trades, sales, inputs.fees, inputs.institutions),
        *remainder_lines(remainders, inputs.residual, supplier),
    )


def _energy(sales: Sequence[Sale]) -> tuple[Counter[str], Counter[str]]:
    """Return what each member sold, and what each bought, in Wh."""
    sold: Counter[str] = Counter()
    bought: Counter[str] = Counter()
    for sale in sales:
        sold[sale.seller] += sale.energy_wh
        bought[sale.buyer] += sale.energy_wh
    return sold, bought


def _leaves(
    inputs: IntervalInputs,
    members: Sequence[Member],
    sales: Sequence[Sale],
    moved: tuple[tuple[str, int], ...],
) -> tuple[Leaf, ...]:
    """Return a leaf for every member and for every institution that money moved to."""
    known = {member.account: member for member in members}
    net = dict(moved)
    sold, bought = _energy(sales)
    made: dict[str, list[Sale]] = defaultdict(list)
    for sale in sales:
        made[sale.seller].append(sale)
    leaves = []
    for account in sorted({*known, *net}):
        member = known.get(account)
        leaves.append(
            Leaf(
                run=inputs.run,
                interval=inputs.interval,
                account=account,
                net_micros=net.get(account, 0),
                wh_in=bought[account],
                wh_out=sold[account],
                order_hash=member.order_hash if member else EMPTY,
                readings_hash=(
                    readings_hash(member.digests, estimated=member.estimated) if member else EMPTY
                ),
                trades_root=_trades_root(inputs, made[account]),
                salt=salt_of(inputs.salt_key, inputs.run, account),
            )
        )
    return tuple(leaves)


def _trades_root(inputs: IntervalInputs, sales: Sequence[Sale]) -> bytes:
    """Return the root over what one seller sold, by buyer."""
    return merkle_root(
        [
            trade_leaf(
                sale.seller,
                sale.buyer,
                sale.energy_wh,
                sale.price,
                sale.amount_micros,
                salt_of(inputs.salt_key, inputs.run, sale.seller, sale.buyer),
            )
            for sale in sales
        ]
    )
