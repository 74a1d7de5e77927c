"""Add lines up: price limits, VAT by rate, and one rounding to whole micros."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import Micros
from settlement.pricing.ocpi.document.model import (
    OcpiTariff,
    PriceLimit,
    TaxIncluded,
)
from settlement.pricing.ocpi.document.unit_prices import MICROS
from settlement.pricing.ocpi.rated import Line, LineKind, Rated, Segment, VatLine

_PERCENT: Final = 100
_NOTHING: Final = Fraction(0)


@dataclass(frozen=True, slots=True)
class _Sum:
    """Net and VAT, exact."""

    net: Fraction
    vat: Fraction

    @property
    def gross(self) -> Fraction:
        """Both together."""
        return self.net + self.vat


def totals(tariff: OcpiTariff, lines: tuple[Line, ...], segments: tuple[Segment, ...]) -> Rated:
    """
    Return lines with the limits applied, VAT by rate, and totals in whole micros.

    The gross total is rounded down. Where prices include VAT and no limit binds, it is shared out
    to the rates and the VAT is taken out of each share, its net rounded down, as
    ``billing.bill`` does. Else the net total is rounded down too, VAT is what lies between, and
    both are shared out by largest remainder.
    """
    came_to = any(not one.reserved for one in segments)
    by_rate = _by_rate(lines)
    limits = _limit_lines(tariff, by_rate, least_applies=came_to)
    if limits:
        lines = (*lines, *limits)
        by_rate = _by_rate(lines)
    net, gross = _added(by_rate.values())
    gross_micros = int(gross // 1)
    if tariff.tax_included is TaxIncluded.YES and not limits:
        parts = _out_of_gross(by_rate, gross_micros)
    else:
        net_micros = int(net // 1)
        parts = list(
            zip(
                shared(net_micros, [one.net for one in by_rate.values()]),
                shared(gross_micros - net_micros, [one.vat for one in by_rate.values()]),
                strict=True,
            )
        )
    vat_lines = tuple(
        VatLine(percent, Micros(part[0]), Micros(part[1]), one.net, one.vat)
        for (percent, one), part in zip(by_rate.items(), parts, strict=True)
    )
    return Rated(
        lines=lines,
        vat_lines=vat_lines,
        segments=segments,
        net_micros=Micros(sum(one.net_micros for one in vat_lines)),
        vat_micros=Micros(sum(one.vat_micros for one in vat_lines)),
        gross_micros=Micros(gross_micros),
        net_exact=net,
        gross_exact=gross,
    )


def _by_rate(lines: Sequence[Line]) -> dict[Decimal | None, _Sum]:
    found: dict[Decimal | None, _Sum] = {}
    for line in lines:
        so_far = found.get(line.vat_percent, _Sum(_NOTHING, _NOTHING))
        found[line.vat_percent] = _Sum(so_far.net + line.net_exact, so_far.vat + line.vat_exact)
    return found


def _added(sums: Collection[_Sum]) -> tuple[Fraction, Fraction]:
    net = sum((one.net for one in sums), _NOTHING)
    return net, net + sum((one.vat for one in sums), _NOTHING)


def _out_of_gross(by_rate: dict[Decimal | None, _Sum], gross_micros: int) -> list[tuple[int, int]]:
    """Return net and VAT of each rate's share of a gross total, each net rounded down."""
    shares = shared(gross_micros, [one.gross for one in by_rate.values()])
    nets = [
        int(share * _PERCENT // (_PERCENT + Fraction(percent or 0)))
        for percent, share in zip(by_rate, shares, strict=True)
    ]
    return [(net, share - net) for net, share in zip(nets, shares, strict=True)]


def shared(total: int, parts: Sequence[Fraction]) -> list[int]:
    """
    Return whole shares of ``total`` that follow ``parts``, none more than a micro off.

    What is left after rounding down goes, one each, to the parts that lost most; of equal ones to
    the first.
    """
    shares = [int(part // 1) for part in parts]
    most_lost = sorted(range(len(parts)), key=lambda index: shares[index] - parts[index])
    for index in most_lost[: total - sum(shares)]:
        shares[index] += 1
    return shares


def _limit_lines(
    tariff: OcpiTariff, by_rate: dict[Decimal | None, _Sum], *, least_applies: bool
) -> tuple[Line, ...]:
    """
    Return what the limits add or take, a line for each VAT rate.

    Both amounts have limits of their own and are moved to them each by itself (mod_tariffs, notes
    on ``min_price`` and ``max_price``); a limit that states only the amount without tax moves the
    other in proportion. Net and VAT are moved for each rate in proportion to what it has.
    """
    if tariff.min_price is None and tariff.max_price is None:
        return ()
    net, gross = _added(by_rate.values())
    least = tariff.min_price if least_applies else None
    wanted = _limited(net, gross, least, tariff.max_price)
    if wanted == (net, gross):
        return ()
    vat, wanted_vat = gross - net, wanted[1] - wanted[0]
    rates = by_rate or {None: _Sum(_NOTHING, _NOTHING)}
    kind = LineKind.MAX_PRICE if wanted[1] < gross or wanted[0] < net else LineKind.MIN_PRICE
    return tuple(
        Line(
            kind=kind,
            volume=1,
            step_extra=0,
            unit_price=None,
            vat_percent=percent,
            net_exact=_part(wanted[0], one.net, net, len(rates)) - one.net,
            vat_exact=_part(wanted_vat, one.vat, vat, len(rates)) - one.vat,
            place=None,
        )
        for percent, one in rates.items()
    )


def _part(wanted: Fraction, one: Fraction, total: Fraction, rates: int) -> Fraction:
    """Return one rate's part of a total that a limit gives; equal parts of what was nothing."""
    return Fraction(wanted * one, total) if total else Fraction(wanted, rates)


def _limited(
    net: Fraction, gross: Fraction, least: PriceLimit | None, most: PriceLimit | None
) -> tuple[Fraction, Fraction]:
    """Return net and gross, neither below the least nor above the most."""
    taxed = Fraction(gross, net) if net else Fraction(1)
    if least is not None:
        net = max(net, Fraction(least.before_taxes) * MICROS)
        after = net * taxed if least.after_taxes is None else Fraction(least.after_taxes) * MICROS
        gross = max(gross, after, net)
    if most is not None:
        net = min(net, Fraction(most.before_taxes) * MICROS)
        after = net * taxed if most.after_taxes is None else Fraction(most.after_taxes) * MICROS
        gross = max(min(gross, after), net)
    return net, gross
