"""
Say what a corrected interval owes beyond what was posted for it before (law L10).

What was posted and what is right now are both sums for each taker, giver and kind; the difference
is posted, and nothing is ever taken back whole. So whatever runs an interval had, their lines sum
to those of one run that had known everything at once.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour, WattHours
from settlement.trading.lines import Kind, Line, Rail

INVOICED: Final = frozenset({Kind.RESIDUAL, Kind.IMBALANCE})
"""Kinds that never move on the chain: the residual supplier has no lane."""
_ORDER: Final = {kind: position for position, kind in enumerate(Kind)}
"""Neighbors are paid before institutions, should money be short."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A line of an earlier run, and who took the energy."""

    line: Line
    """The line; of a correction its energy may be below zero."""
    taker: str
    """Who takes the energy, and pays for it unless its price is below zero."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of a correction."""

    line: Line
    """Amount from payer to payee; energy below zero where some is taken back from the taker."""
    taker: str
    """Who takes the energy: payer if more is owed now than was posted, payee if less."""


def taker_of(line: Line) -> str:
    """Return who takes the energy of a first run's line; at a price below zero the giver pays."""
    # What rounds to nothing is written as if the taker paid.
    return line.payer if line.price >= 0 or not line.amount_micros else line.payee


@dataclass(slots=True)
class _Sum:
    """What one taker owes one giver for one kind, in sum."""

    energy_wh: int = 0
    """Energy, in Wh."""
    on: dict[Rail, int] = field(default_factory=lambda: dict.fromkeys(Rail, 0))
    """Micros that the taker pays the giver, by rail."""
    price: int = 0
    """The newest price, per kWh."""

    @property
    def micros(self) -> int:
        """What the taker pays, whatever the rail."""
        return sum(self.on.values())


_Key = tuple[int, str, str]


def differences(posted: Iterable[Posted], right: Iterable[Line]) -> tuple[Difference, ...]:
    """
    Return what is to be posted so that everything posted comes to the lines that are ``right``.

    What an earlier correction left owed on the invoice is taken back there before anything moves
    on the chain the other way.
    """
    before = _sums(posted)
    now = _sums(Posted(line, taker_of(line)) for line in right)
    found: list[Difference] = []
    for key in sorted(before.keys() | now.keys()):
        found += _difference(key, before.get(key, _Sum()), now.get(key, _Sum()))
    return tuple(found)


def payable(
    wanted: Iterable[Difference], debitable: Mapping[str, Micros]
) -> tuple[Difference, ...]:
    """
    Return the same with what goes beyond ``debitable`` on the invoice rail, to the same payee.

    What a payer receives in the same run does not count, since the ledger holds what is paid before
    it posts what is received.
    """
    left = dict(debitable)
    found: list[Difference] = []
    for one in wanted:
        line = one.line
        if line.rail is not Rail.CHAIN:
            found.append(one)
            continue
        paid = min(line.amount_micros, left.get(line.payer, 0))
        owed = line.amount_micros - paid
        left[line.payer] = Micros(left.get(line.payer, 0) - paid)
        if paid or not owed:
            found.append(replace(one, line=replace(line, amount_micros=Micros(paid))))
        if owed:
            energy = WattHours(0) if paid else line.energy_wh
            debt = replace(line, rail=Rail.INVOICE, energy_wh=energy, amount_micros=Micros(owed))
            found.append(replace(one, line=debt))
    return tuple(found)


def _sums(lines: Iterable[Posted]) -> dict[_Key, _Sum]:
    sums: defaultdict[_Key, _Sum] = defaultdict(_Sum)
    for one in lines:
        line = one.line
        giver = line.payee if one.taker == line.payer else line.payer
        found = sums[_ORDER[line.kind], one.taker, giver]
        found.energy_wh += line.energy_wh
        found.on[line.rail] += (
            line.amount_micros if one.taker == line.payer else -line.amount_micros
        )
        found.price = line.price
    return sums


def _difference(key: _Key, before: _Sum, now: _Sum) -> Iterator[Difference]:
    order, taker, giver = key
    kind = tuple(Kind)[order]
    energy_wh = WattHours(now.energy_wh - before.energy_wh)
    micros = now.micros - before.micros
    price = MicrosPerKilowattHour(now.price or before.price)
    for rail, part in _parts(kind, micros, before.on[Rail.INVOICE]):
        if part or energy_wh:
            payer, payee = (taker, giver) if part >= 0 else (giver, taker)
            line = Line(payer, payee, kind, rail, energy_wh, price, Micros(abs(part)))
            yield Difference(line, taker)
            energy_wh = WattHours(0)


def _parts(kind: Kind, micros: int, invoiced: int) -> tuple[tuple[Rail, int], ...]:
    """Return how a difference spreads over the rails: an opposite debt on the invoice first."""
    if kind in INVOICED:
        return ((Rail.INVOICE, micros),)
    back = 0
    if micros * invoiced < 0:
        back = max(micros, -invoiced) if micros < 0 else min(micros, -invoiced)
    return (Rail.CHAIN, micros - back), (Rail.INVOICE, back)
