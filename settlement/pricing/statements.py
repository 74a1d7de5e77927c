"""
Share what a session costs between the two rails: what the contract takes, and what is invoiced.

The contract knows a price per kWh and a flat fee, capped by the deposit, or a total that the driver
has signed. What a tariff asks beyond them is an invoice line, never taken from the deposit. What
energy came to beyond the deposit is borne by the operator, and billed on neither rail.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Final

from ledger.units import BasisPoints, Micros
from settlement.pricing.billing import vat_inside
from settlement.pricing.ocpi import Line, LineKind, Rated

OVERRUN: Final = "OVERRUN"
"""What the contract's part came to beyond the deposit, below zero: the operator bears it."""
COSIGNED: Final = "COSIGNED"
"""What the driver has signed beyond what the tariff asks."""
CREDIT: Final = "CREDIT"
"""What the contract took beyond what the tariff asks, and the invoice gives back."""

_FIRST: Final = {LineKind.ENERGY: 0, LineKind.FLAT: 1}
_LATER: Final = 2


class Rail(StrEnum):
    """By which way a line is paid."""

    CHAIN = "chain"
    INVOICE = "invoice"


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line of a bill, on one rail."""

    dimension: str
    """OCPI's dimension, or ``OVERRUN``, ``COSIGNED`` or ``CREDIT``."""
    volume: str
    """Wh, seconds or 1, exactly; 0 if another line has counted the same volume."""
    unit_price: str
    """Price of a kWh, an hour, or once, as the tariff states it; empty if there is none."""
    net_micros: Micros
    """Amount without VAT."""
    vat_bp: BasisPoints | None
    """VAT rate; None where the tariff says nothing of VAT."""
    vat_micros: Micros
    """VAT on it."""
    rail: Rail
    """By which way it is paid."""

    @property
    def gross_micros(self) -> Micros:
        """Amount with VAT."""
        return Micros(self.net_micros + self.vat_micros)


@dataclass(frozen=True, slots=True)
class Statement:
    """What a session comes to on both rails."""

    lines: tuple[ChargeLine, ...]
    """The chain's lines first."""

    def gross_micros(self, rail: Rail) -> Micros:
        """Return what is paid by a rail."""
        return Micros(sum(one.gross_micros for one in self.lines if one.rail is rail))

    def vat_micros(self, rail: Rail) -> Micros:
        """Return the VAT inside that."""
        return Micros(sum(one.vat_micros for one in self.lines if one.rail is rail))

    @property
    def total_micros(self) -> Micros:
        """What the driver owes on both rails together."""
        return Micros(sum(one.gross_micros for one in self.lines))


@dataclass(frozen=True, slots=True)
class _Piece:
    """A rated line in whole micros."""

    line: Line
    net: int
    vat: int


def statement(rated: Rated, *, owed_micros: Micros, charge_micros: Micros) -> Statement:
    """
    Return the lines of a session whose contract took ``charge_micros``.

    The lines of both rails sum to what each moves, to the micro. A line that lies on both is cut;
    its volume is counted by the chain's part.

    Parameters
    ----------
    rated
        What the tariff asks.
    owed_micros
        What price per kWh and flat fee of the terms come to, before the deposit caps it.
    charge_micros
        What the contract took, or will take.
    """
    asked = rated.gross_micros
    # More than what is owed was co-signed: the whole total, as far as the deposit goes.
    drawn = asked if charge_micros > owed_micros else Micros(min(owed_micros, asked))
    chain, invoice = _drawn(_pieces(rated), drawn)
    rest = charge_micros - drawn
    if rest:
        chain = (*chain, _balancing(chain, charge_micros, rest, owed_micros))
    if rest > 0 and charge_micros <= owed_micros:
        given = chain[-1]
        invoice = (*invoice, _negated(given))
    return Statement((*chain, *invoice))


def _pieces(rated: Rated) -> tuple[_Piece, ...]:
    """Return the lines in whole micros, what a contract can take first; they sum to the totals."""
    lines = sorted(rated.lines, key=lambda one: _FIRST.get(one.kind, _LATER))
    found: list[tuple[int, _Piece]] = []
    for total in rated.vat_lines:
        taxed = [(n, one) for n, one in enumerate(lines) if one.vat_percent == total.vat_percent]
        exact = [one.net_exact + one.vat_exact for _, one in taxed]
        grosses = _shares(total.net_micros + total.vat_micros, exact)
        nets = _shares(total.net_micros, exact)
        found += [
            (n, _Piece(line, net, gross - net))
            for (n, line), gross, net in zip(taxed, grosses, nets, strict=True)
        ]
    return tuple(piece for _, piece in sorted(found, key=lambda one: one[0]))


def _shares(total: int, parts: Sequence[Fraction]) -> list[int]:
    """Return whole shares of ``total`` that follow ``parts``: cut where each part ends."""
    whole = sum(parts, Fraction(0))
    if not whole:
        return [total] + [0] * (len(parts) - 1)
    ends = [int(total * end // whole) for end in accumulate(parts)]
    return [end - begin for begin, end in pairwise((0, *ends))]


def _drawn(
    pieces: Iterable[_Piece], micros: Micros
) -> tuple[tuple[ChargeLine, ...], tuple[ChargeLine, ...]]:
    """Return lines of ``micros`` for the chain, and what is left for the invoice."""
    chain: list[ChargeLine] = []
    invoice: list[ChargeLine] = []
    left: int = micros
    for one in pieces:
        gross = one.net + one.vat
        taken = max(0, min(gross, left))
        left -= taken
        if taken == gross:
            chain.append(_line(one, one.net, one.vat, Rail.CHAIN))
        elif not taken:
            invoice.append(_line(one, one.net, one.vat, Rail.INVOICE))
        else:
            net = one.net * taken // gross
            chain.append(_line(one, net, taken - net, Rail.CHAIN))
            rest = _line(one, one.net - net, gross - taken - (one.net - net), Rail.INVOICE)
            invoice.append(replace(rest, volume="0"))
    return tuple(chain), tuple(invoice)


def _line(piece: _Piece, net: int, vat: int, rail: Rail) -> ChargeLine:
    line = piece.line
    return ChargeLine(
        dimension=str(line.kind),
        volume=str(line.volume),
        unit_price="" if line.unit_price is None else str(line.unit_price),
        net_micros=Micros(net),
        vat_bp=line.vat_bp,
        vat_micros=Micros(vat),
        rail=rail,
    )


def _balancing(chain: Sequence[ChargeLine], charge: Micros, rest: int, owed: Micros) -> ChargeLine:
    """Return the line by which the chain's lines come to the charge, VAT of the whole in mind."""
    rates = {one.vat_bp for one in chain}
    had = sum(one.vat_micros for one in chain)
    if len(rates) == 1:
        (rate,) = rates
        vat = (0 if rate is None else vat_inside(charge, rate)) - had
    else:
        gross = sum(one.gross_micros for one in chain)
        rate, vat = None, (had * rest // gross if gross else 0)
    name = OVERRUN if rest < 0 else (COSIGNED if charge > owed else CREDIT)
    return ChargeLine(name, "1", "", Micros(rest - vat), rate, Micros(vat), Rail.CHAIN)


def _negated(line: ChargeLine) -> ChargeLine:
    net, vat = Micros(-line.net_micros), Micros(-line.vat_micros)
    return replace(line, net_micros=net, vat_micros=vat, rail=Rail.INVOICE)
