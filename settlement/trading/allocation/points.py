"""
Say what of each metering point's energy the community shared in an interval.

The identities are those of Austrian energy communities (the registers G.01T, G.02, G.03 and P.01T
of ``eegfaktura``), which the French ex-post keys agree with: what is covered is neither beyond what
was measured nor beyond what was allotted, a producer keeps what nobody was allotted, and what
producers gave is what consumers were given. A party's own export covers its own import first.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from ledger.errors import Integrity
from ledger.units import WattHours
from settlement.trading.origin.lots import Lot
from settlement.trading.shares import shared_out

WHOLE_PPM: Final = 1_000_000
"""A coefficient of one, in millionths."""


class AllocationBrokenError(Integrity):
    """Shares of an interval do not add up."""

    def __init__(self, detail: str) -> None:
        super().__init__("allocation_broken", detail)


class Direction(StrEnum):
    """Which way energy flows at a metering point."""

    CONSUMPTION = "consumption"
    GENERATION = "generation"


@dataclass(frozen=True, slots=True)
class Point:
    """A metering point in an interval."""

    meter: str
    """Name of the meter."""
    account: str
    """Wallet of its party, lower case."""
    import_wh: WattHours
    """Taken from the grid, in Wh."""
    export_wh: WattHours
    """Given to the grid, in Wh."""


@dataclass(frozen=True, slots=True)
class PointShare:
    """What the community shared of one metering point's energy, in one direction."""

    meter: str
    """Name of the meter."""
    account: str
    """Wallet of its party, lower case."""
    direction: Direction
    """Consumption or generation."""
    total_wh: WattHours
    """Measured, in Wh: G.01T."""
    offered_wh: WattHours
    """Allotted by the market, in Wh: G.02 of a consumer; of a producer what it sold."""
    covered_wh: WattHours
    """Allotted and measured, in Wh: G.03 of a consumer; of a producer what others got of it."""
    coefficient_ppm: int
    """Share of all that was covered, in millionths; over one direction they sum to one."""

    @property
    def left_wh(self) -> WattHours:
        """Residual supplier's part, in Wh: P.01T of a producer."""
        return WattHours(self.total_wh - self.covered_wh)


@dataclass(frozen=True, slots=True)
class _Party:
    """One side of a party's interval."""

    points: list[Point]
    """Its metering points."""
    own_wh: int
    """Its own export that covered its own import, in Wh."""
    offered_wh: int
    """Traded, in Wh."""
    covered_wh: int
    """Traded and measured, in Wh."""


def shares_of(points: Iterable[Point], lots: Iterable[Lot]) -> tuple[PointShare, ...]:
    """
    Return the shares of an interval, by meter, consumption before generation.

    A point that measured nothing in a direction has no row for it. A party's share is divided among
    its meters pro rata to what they measured. Where nothing was shared, all coefficients are 0.

    Raises
    ------
    AllocationBrokenError
        If the shares do not add up, which no settlement that holds can bring about.
    """
    points, lots = tuple(points), tuple(lots)
    shares = [
        *_side(
            Direction.CONSUMPTION, points, lots, lambda one: one.import_wh, lambda lot: lot.buyer
        ),
        *_side(
            Direction.GENERATION, points, lots, lambda one: one.export_wh, lambda lot: lot.seller
        ),
    ]
    found = tuple(sorted(shares, key=lambda one: (one.meter, one.direction)))
    check_identities(found)
    return found


def check_identities(shares: Iterable[PointShare]) -> None:
    """
    Check that shares of an interval add up.

    Raises
    ------
    AllocationBrokenError
        If more is covered than was measured or allotted, if producers gave other than consumers
        got, or if coefficients do not sum to one.
    """
    covered: dict[Direction, int] = dict.fromkeys(Direction, 0)
    coefficients: dict[Direction, int] = dict.fromkeys(Direction, 0)
    for one in shares:
        if not 0 <= one.covered_wh <= min(one.total_wh, one.offered_wh):
            raise AllocationBrokenError(
                f"{one.meter} covers {one.covered_wh} Wh of {one.total_wh} measured and "
                f"{one.offered_wh} allotted"
            )
        covered[one.direction] += one.covered_wh
        coefficients[one.direction] += one.coefficient_ppm
    if len(set(covered.values())) > 1:
        raise AllocationBrokenError(f"given and taken differ: {covered}")
    for direction, total in coefficients.items():
        if total != (WHOLE_PPM if covered[direction] else 0):
            raise AllocationBrokenError(f"coefficients of {direction} sum to {total} millionths")


def _side(
    direction: Direction,
    points: Sequence[Point],
    lots: Sequence[Lot],
    measured: Callable[[Point], WattHours],
    trader: Callable[[Lot], str],
) -> list[PointShare]:
    """Return one direction's shares, in no order."""
    shares = []
    for account, party in _parties(points, lots, trader).items():
        own = {one.meter: int(measured(one)) for one in party.points if measured(one)}
        covered = _divided(party.own_wh + party.covered_wh, own)
        beyond = _divided(party.offered_wh - party.covered_wh, own)
        shares += [
            PointShare(
                meter=meter,
                account=account,
                direction=direction,
                total_wh=WattHours(total),
                offered_wh=WattHours(covered[meter] + beyond[meter]),
                covered_wh=WattHours(covered[meter]),
                coefficient_ppm=0,
            )
            for meter, total in own.items()
        ]
    return _weighed(shares)


def _divided(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    return shared_out(total, weights) if weights else {}


def _weighed(shares: Sequence[PointShare]) -> list[PointShare]:
    """Return the shares with their coefficients."""
    covered = {one.meter: int(one.covered_wh) for one in shares}
    ppm = shared_out(WHOLE_PPM if sum(covered.values()) else 0, covered)
    return [replace(one, coefficient_ppm=ppm[one.meter]) for one in shares]


def _parties(
    points: Sequence[Point],
    lots: Sequence[Lot],
    trader: Callable[[Lot], str],
) -> dict[str, _Party]:
    """Return what each party measured and traded in one direction."""
    own: defaultdict[str, list[Point]] = defaultdict(list)
    for one in points:
        own[one.account].append(one)
    offered, covered = Counter[str](), Counter[str]()
    for lot in lots:
        offered[trader(lot)] += lot.energy_wh
        covered[trader(lot)] += lot.covered_wh
    return {
        account: _Party(
            points=own[account],
            own_wh=min(
                sum(one.import_wh for one in own[account]),
                sum(one.export_wh for one in own[account]),
            ),
            offered_wh=offered[account],
            covered_wh=covered[account],
        )
        for account in sorted(own)
    }
