"""What a session costs under a tariff: lines, VAT by rate, totals, each exact and in micros."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Final

from ledger.units import CENT_MICROS, BasisPoints, Micros
from settlement.pricing.ocpi.cutting.bands import Number
from settlement.pricing.ocpi.document.model import Dimension

_BP_PER_PERCENT: Final = 100


class LineKind(StrEnum):
    """What a line is for."""

    ENERGY = "ENERGY"
    """Energy; the volume is in Wh."""
    FLAT = "FLAT"
    """The fee of a session; the volume is 1."""
    TIME = "TIME"
    """Time of charging; the volume is in s."""
    PARKING_TIME = "PARKING_TIME"
    """Time of parking; the volume is in s."""
    RESERVATION = "RESERVATION"
    """Time of a reservation; the volume is in s."""
    RESERVATION_FLAT = "RESERVATION_FLAT"
    """The fee of a reservation, or of its expiry; the volume is 1."""
    MIN_PRICE = "MIN_PRICE"
    """What lifts the total to the least price; the volume is 1."""
    MAX_PRICE = "MAX_PRICE"
    """What lowers the total to the most, below zero; the volume is 1."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a bill."""

    kind: LineKind
    """What it is for."""
    volume: Number
    """What is billed, steps included: Wh, s, or 1."""
    step_extra: Number
    """How much of the volume only the step size adds, in the same unit."""
    unit_price: Decimal | None
    """Price of a kWh, an hour, or once, as the tariff states it; ``None`` for a limit."""
    vat_percent: Decimal | None
    """VAT rate in percent; ``None`` where the tariff says nothing of VAT."""
    net_exact: Fraction
    """Amount without VAT, in micros, not rounded."""
    vat_exact: Fraction
    """VAT on it, in micros, not rounded."""
    place: tuple[int, int] | None
    """Element and component of the tariff that it follows; ``None`` for a limit."""

    @property
    def vat_bp(self) -> BasisPoints | None:
        """VAT rate to the nearest basis point; amounts follow ``vat_percent`` exactly."""
        return _nearest_bp(self.vat_percent)


@dataclass(frozen=True, slots=True)
class VatLine:
    """All that is taxed at one rate."""

    vat_percent: Decimal | None
    """The rate in percent; ``None`` where the tariff says nothing of VAT."""
    net_micros: Micros
    """Amount without VAT."""
    vat_micros: Micros
    """VAT on it."""
    net_exact: Fraction
    """Amount without VAT, in micros, not rounded."""
    vat_exact: Fraction
    """VAT on it, in micros, not rounded."""

    @property
    def vat_bp(self) -> BasisPoints | None:
        """The rate to the nearest basis point; amounts follow ``vat_percent`` exactly."""
        return _nearest_bp(self.vat_percent)


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a session in which the same components counted, as a charge detail record needs."""

    begin_s: Number
    """First instant."""
    end_s: Number
    """Instant after the last."""
    energy_wh: Number
    """Energy drawn in it, in Wh."""
    parking: bool
    """Whether its time is parking."""
    reserved: bool
    """Whether it is a reservation."""
    places: tuple[tuple[Dimension, tuple[int, int]], ...]
    """What counted: for each dimension its element and component of the tariff."""


@dataclass(frozen=True, slots=True)
class Rated:
    """What a session costs."""

    lines: tuple[Line, ...]
    """One for each component that counted, in order of first use, then limits."""
    vat_lines: tuple[VatLine, ...]
    """One for each VAT rate, in order of first use."""
    segments: tuple[Segment, ...]
    """The session, cut where another component began to count."""
    net_micros: Micros
    """Total without VAT."""
    vat_micros: Micros
    """VAT."""
    gross_micros: Micros
    """Total with VAT, rounded down once; net and VAT are parts of it."""
    net_exact: Fraction
    """Total without VAT, in micros, not rounded."""
    gross_exact: Fraction
    """Total with VAT, in micros, not rounded."""

    @property
    def vat_known(self) -> bool:
        """Whether the tariff states a VAT rate for all that costs something."""
        return all(one.vat_percent is not None for one in self.vat_lines if one.net_exact)

    def cost_of(self, *kinds: LineKind) -> tuple[Fraction, Fraction]:
        """Return net and VAT of the lines of some kinds, in micros, not rounded."""
        chosen = [line for line in self.lines if line.kind in kinds]
        net = sum((line.net_exact for line in chosen), Fraction(0))
        return net, sum((line.vat_exact for line in chosen), Fraction(0))


def display_cents(amount: Micros | Fraction) -> int:
    """Return an amount of micros in whole cents for people: half a cent goes up."""
    return int((Fraction(amount) * 2 + CENT_MICROS) // (2 * CENT_MICROS))


def _nearest_bp(percent: Decimal | None) -> BasisPoints | None:
    if percent is None:
        return None
    return BasisPoints(int((Fraction(percent) * _BP_PER_PERCENT * 2 + 1) // 2))
