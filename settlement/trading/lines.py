"""
Turn trades and residuals into lines: who owes whom what, for which energy, on which rail.

One rounding for each (payer, payee, kind) of an interval. ``docs/reference/lines.md`` lists them.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, WattHours, cost_floor
from settlement.pricing.billing import vat_on
from settlement.trading.book import Fees
from settlement.trading.orders.applying import Remainder
from settlement.trading.outcome import Trade

_WH_PER_KWH: Final = 1_000


class Kind(StrEnum):
    """What a line is for."""

    ENERGY = "energy"
    TOLL = "toll"
    CONGESTION = "congestion"
    LEVY = "levy"
    PLATFORM = "platform"
    VAT = "vat"
    RESIDUAL = "residual"
    IMBALANCE = "imbalance"


class Rail(StrEnum):
    """Where a line's money moves."""

    CHAIN = "chain"
    INVOICE = "invoice"


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
    """Receives tolls and what binding caps add."""
    state: str
    """Receives levies and VAT."""
    supplier: str
    """Takes and gives residual energy."""
    platform: str = ""
    """Receives the platform's fee; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Sale:
    """All that one member sold to another in an interval, rounded once."""

    seller: str
    """Who sold."""
    buyer: str
    """Who bought."""
    energy_wh: WattHours
    """How much, in Wh."""
    price: MicrosPerKilowattHour
    """Price of a kWh; the mean, rounded down, where trades had several."""
    amount_micros: Micros
    """What it came to; below zero if the seller pays."""


def sales_of(trades: Iterable[Trade]) -> tuple[Sale, ...]:
    """Return what each pair traded, by seller, then buyer."""
    energy: dict[tuple[str, str], int] = {}
    exact: dict[tuple[str, str], int] = {}
    for one in trades:
        pair = (one.seller, one.buyer)
        energy[pair] = energy.get(pair, 0) + one.energy_wh
        exact[pair] = exact.get(pair, 0) + one.energy_wh * one.price
    return tuple(
        Sale(
            *pair,
            energy_wh=WattHours(energy[pair]),
            price=MicrosPerKilowattHour(exact[pair] // energy[pair]),
            amount_micros=_whole(exact[pair]),
        )
        for pair in sorted(energy)
    )


@dataclass(slots=True)
class _Bought:
    """What one buyer took: energy, its cost, and Wh x micros per kWh of its path."""

    energy_wh: int = 0
    cost_micros: int = 0
    toll: int = 0
    congestion: int = 0


def community_lines(
    trades: Sequence[Trade],
    sales: Iterable[Sale],
    fees: Fees,
    institutions: Institutions,
) -> tuple[Line, ...]:
    """Return the lines of trades: energy by pair, then what each buyer owes beside it."""
    lines = []
    bought: dict[str, _Bought] = defaultdict(_Bought)
    for sale in sales:
        bought[sale.buyer].cost_micros += sale.amount_micros
        lines.append(_energy_line(sale))
    for trade in trades:
        one = bought[trade.buyer]
        one.energy_wh += trade.energy_wh
        one.toll += trade.energy_wh * trade.toll
        one.congestion += trade.energy_wh * trade.congestion
    for buyer in sorted(bought):
        lines += _fee_lines(buyer, bought[buyer], fees, institutions)
    return tuple(lines)


def _energy_line(sale: Sale) -> Line:
    pays = sale.amount_micros >= 0
    return Line(
        payer=sale.buyer if pays else sale.seller,
        payee=sale.seller if pays else sale.buyer,
        kind=Kind.ENERGY,
        rail=Rail.CHAIN,
        energy_wh=sale.energy_wh,
        price=sale.price,
        amount_micros=Micros(abs(sale.amount_micros)),
    )


def _fee_lines(
    buyer: str, bought: _Bought, fees: Fees, institutions: Institutions
) -> Iterator[Line]:
    energy = WattHours(bought.energy_wh)
    rows = [
        (institutions.grid, Kind.TOLL, _mean(bought.toll, energy), _whole(bought.toll)),
        (
            institutions.grid,
            Kind.CONGESTION,
            _mean(bought.congestion, energy),
            _whole(bought.congestion),
        ),
        (institutions.state, Kind.LEVY, fees.levy, cost_floor(energy, fees.levy)),
        (institutions.platform, Kind.PLATFORM, fees.platform, cost_floor(energy, fees.platform)),
    ]
    base = bought.cost_micros + sum(amount for _, _, _, amount in rows)
    vat = vat_on(Micros(max(0, base)), fees.vat_bp)
    rows.append((institutions.state, Kind.VAT, MicrosPerKilowattHour(0), vat))
    for payee, kind, price, amount in rows:
        if amount:
            yield Line(buyer, payee, kind, Rail.CHAIN, energy, price, amount)


def _mean(exact: int, energy_wh: WattHours) -> MicrosPerKilowattHour:
    return MicrosPerKilowattHour(exact // energy_wh)


def _whole(exact: int) -> Micros:
    """Return Wh x micros per kWh in micros, its magnitude rounded down."""
    magnitude = abs(exact) // _WH_PER_KWH
    return Micros(-magnitude if exact < 0 else magnitude)


def remainder_lines(
    remainders: Mapping[str, Remainder],
    prices: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour],
    supplier: str,
) -> tuple[Line, ...]:
    """
    Return the supplier's lines: it takes energy at ``prices[0]`` and gives it at ``prices[1]``.

    First what was left over, then what was lacking, then what firm orders promised beyond the
    meter; by member each.
    """
    takes, gives = prices
    known = sorted(remainders.items())
    rows = [
        *((one, Kind.RESIDUAL, left.left_over_wh, takes) for one, left in known),
        *((one, Kind.RESIDUAL, -left.lacking_wh, gives) for one, left in known),
        *((one, Kind.IMBALANCE, left.unused_wh, takes) for one, left in known),
        *((one, Kind.IMBALANCE, -left.undelivered_wh, gives) for one, left in known),
    ]
    return tuple(_supplier_line(*row, supplier) for row in rows if row[2])


def _supplier_line(
    member: str, kind: Kind, taken_wh: int, price: MicrosPerKilowattHour, supplier: str
) -> Line:
    """Return what the supplier pays for energy it takes, or gets for energy it gives."""
    energy = WattHours(abs(taken_wh))
    cost = cost_floor(energy, price)
    payer, payee = (supplier, member) if taken_wh > 0 else (member, supplier)
    if cost < 0:
        payer, payee = payee, payer
    return Line(payer, payee, kind, Rail.INVOICE, energy, price, Micros(abs(cost)))


def deltas(lines: Iterable[Line]) -> tuple[tuple[str, int], ...]:
    """Return what the chain rail moves for each account, in micros, by account; it sums to zero."""
    net: dict[str, int] = {}
    for one in lines:
        if one.rail is Rail.CHAIN:
            net[one.payer] = net.get(one.payer, 0) - one.amount_micros
            net[one.payee] = net.get(one.payee, 0) + one.amount_micros
    return tuple((account, net[account]) for account in sorted(net) if net[account])
