"""
Turn trades and residuals into lines: who owes whom what, for which energy, on which rail.

One rounding for each (payer, payee, kind) of an interval. ``docs/reference/lines.md`` lists them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ledger.units import Micros, MicrosPerKilowattHour, WattHours, cost_floor
from settlement.pricing.billing import vat_on
from settlement.trading.book import Fees


class Kind(StrEnum):
    """What a line is for."""

    ENERGY = "energy"
    TOLL = "toll"
    LEVY = "levy"
    VAT = "vat"
    RESIDUAL = "residual"


class Rail(StrEnum):
    """Where a line's money moves."""

    CHAIN = "chain"
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class Trade:
    """Energy that one member sold to another."""

    seller: str
    """Who sold."""
    buyer: str
    """Who bought."""
    energy_wh: WattHours
    """How much, in Wh."""


@dataclass(frozen=True, slots=True)
class Line:
    """One amount that one owes another."""

    payer: str
    """Who owes."""
    payee: str
    """To whom."""
    kind: Kind
    """What for."""
    rail: Rail
    """Where the money moves."""
    energy_wh: WattHours
    """Energy it is for, in Wh."""
    price: MicrosPerKilowattHour
    """Price or rate, per kWh; 0 for VAT."""
    amount_micros: Micros
    """Amount, not negative: the payer is whoever pays."""


@dataclass(frozen=True, slots=True)
class Institutions:
    """Who receives what is not energy."""

    grid: str
    """Receives tolls."""
    state: str
    """Receives levies and VAT."""
    supplier: str
    """Takes and gives residual energy."""


def pair(
    sold: Iterable[tuple[str, WattHours]], bought: Iterable[tuple[str, WattHours]]
) -> tuple[Trade, ...]:
    """Return who sold to whom: sellers and buyers in order, at most one trade more than members."""
    trades = []
    sellers, buyers = list(sold), list(bought)
    while sellers and buyers:
        (seller, offered), (buyer, wanted) = sellers[0], buyers[0]
        energy = WattHours(min(offered, wanted))
        trades.append(Trade(seller, buyer, energy))
        sellers[0] = (seller, WattHours(offered - energy))
        buyers[0] = (buyer, WattHours(wanted - energy))
        sellers = sellers[1:] if offered == energy else sellers
        buyers = buyers[1:] if wanted == energy else buyers
    return tuple(trades)


def community_lines(
    trades: Iterable[Trade],
    price: MicrosPerKilowattHour,
    fees: Fees,
    institutions: Institutions,
) -> tuple[Line, ...]:
    """Return the lines of trades: energy by pair, then toll, levy and VAT by buyer."""
    lines = []
    bases: dict[str, tuple[int, int]] = {}
    for trade in trades:
        cost = cost_floor(trade.energy_wh, price)
        energy, base = bases.get(trade.buyer, (0, 0))
        bases[trade.buyer] = (energy + trade.energy_wh, base + cost)
        payer, payee = (trade.buyer, trade.seller) if cost >= 0 else (trade.seller, trade.buyer)
        amount = Micros(abs(cost))
        lines.append(Line(payer, payee, Kind.ENERGY, Rail.CHAIN, trade.energy_wh, price, amount))
    for buyer, (bought, base) in sorted(bases.items()):
        lines += _fees(buyer, WattHours(bought), base, fees, institutions)
    return tuple(lines)


def _fees(
    buyer: str, energy_wh: WattHours, cost: int, fees: Fees, institutions: Institutions
) -> list[Line]:
    toll, levy = cost_floor(energy_wh, fees.toll), cost_floor(energy_wh, fees.levy)
    vat = vat_on(Micros(max(0, cost + toll + levy)), fees.vat_bp)
    none = MicrosPerKilowattHour(0)
    rows = (
        (institutions.grid, Kind.TOLL, fees.toll, toll),
        (institutions.state, Kind.LEVY, fees.levy, levy),
        (institutions.state, Kind.VAT, none, vat),
    )
    return [
        Line(buyer, payee, kind, Rail.CHAIN, energy_wh, price, amount)
        for payee, kind, price, amount in rows
        if amount
    ]


def residual_lines(
    left_over: Mapping[str, WattHours],
    lacking: Mapping[str, WattHours],
    prices: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour],
    supplier: str,
) -> tuple[Line, ...]:
    """Return the supplier's lines: it buys surplus at ``prices[0]`` and sells at ``prices[1]``."""
    lines = []
    for member, energy in sorted(left_over.items()):
        lines.append(_residual(supplier, member, energy, prices[0]))
    for member, energy in sorted(lacking.items()):
        lines.append(_residual(member, supplier, energy, prices[1]))
    return tuple(lines)


def _residual(payer: str, payee: str, energy_wh: WattHours, price: MicrosPerKilowattHour) -> Line:
    cost = cost_floor(energy_wh, price)
    if cost < 0:
        payer, payee = payee, payer
    return Line(payer, payee, Kind.RESIDUAL, Rail.INVOICE, energy_wh, price, Micros(abs(cost)))


def deltas(lines: Iterable[Line]) -> tuple[tuple[str, int], ...]:
    """Return what the chain rail moves for each account, in micros, by account; it sums to zero."""
    net: dict[str, int] = {}
    for one in lines:
        if one.rail is Rail.CHAIN:
            net[one.payer] = net.get(one.payer, 0) - one.amount_micros
            net[one.payee] = net.get(one.payee, 0) + one.amount_micros
    return tuple((account, net[account]) for account in sorted(net) if net[account])
