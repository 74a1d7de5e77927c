"""
The Tariff object of OCPI 2.2.1 and 2.3.0 (mod_tariffs), as immutable values.

Numbers are exact decimals in the document's own units: prices in whole currency units per kWh, per
hour or once, energies in kWh, powers in kW, currents in A. ``rate`` turns them into micros, Wh, W
and mA without rounding.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum

from ledger.units import UnixSeconds
from settlement.pricing.ocpi.document.canonical import canonical_bytes


class Dimension(StrEnum):
    """What a price component prices (TariffDimensionType)."""

    ENERGY = "ENERGY"
    """Energy, per kWh."""
    FLAT = "FLAT"
    """Once."""
    PARKING_TIME = "PARKING_TIME"
    """Time in which the vehicle asks for no power, per hour."""
    TIME = "TIME"
    """Time of charging, or of a reservation, per hour."""


class Weekday(StrEnum):
    """A day of the week, local time."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class Reservation(StrEnum):
    """What a reservation came to (ReservationRestrictionType)."""

    RESERVATION = "RESERVATION"
    """It was followed by charging."""
    RESERVATION_EXPIRES = "RESERVATION_EXPIRES"
    """Nobody came."""


class TariffType(StrEnum):
    """Which sessions a tariff is for."""

    AD_HOC_PAYMENT = "AD_HOC_PAYMENT"
    PROFILE_CHEAP = "PROFILE_CHEAP"
    PROFILE_FAST = "PROFILE_FAST"
    PROFILE_GREEN = "PROFILE_GREEN"
    REGULAR = "REGULAR"


class TaxIncluded(StrEnum):
    """Whether prices and components include tax (2.3.0); 2.2.1 knows only ``NO``."""

    YES = "YES"
    NO = "NO"
    NOT_APPLICABLE = "N/A"


@dataclass(frozen=True, slots=True)
class PriceComponent:
    """What one dimension costs."""

    dimension: Dimension
    """What is priced."""
    price: Decimal
    """Price of a kWh, an hour, or once, in the tariff's currency, not negative."""
    vat_percent: Decimal | None
    """VAT rate in percent; ``None`` where the tariff says nothing of VAT, which is not 0 %."""
    step_size: int
    """Blocks that a session's total is billed in, in Wh or s; 0 bills what was used."""


@dataclass(frozen=True, slots=True)
class Restrictions:
    """When an element applies; all that are set must hold. Lower ends are in, upper ends out."""

    start_minute: int | None = None
    """Local minute of the day from which it applies."""
    end_minute: int | None = None
    """Local minute of the day until which it applies; 0 is the end of the day."""
    start_date: date | None = None
    """First local day."""
    end_date: date | None = None
    """Local day before which it ends."""
    min_kwh: Decimal | None = None
    """Energy of the session from which it applies, in kWh."""
    max_kwh: Decimal | None = None
    """Energy of the session until which it applies, in kWh."""
    min_current: Decimal | None = None
    """Current over all phases from which it applies, in A."""
    max_current: Decimal | None = None
    """Current over all phases below which it applies, in A."""
    min_power: Decimal | None = None
    """Power from which it applies, in kW."""
    max_power: Decimal | None = None
    """Power below which it applies, in kW."""
    min_duration_s: int | None = None
    """Duration of the session from which it applies, in s."""
    max_duration_s: int | None = None
    """Duration of the session until which it applies, in s."""
    days: frozenset[Weekday] = frozenset()
    """Local days of the week; empty is every day."""
    reservation: Reservation | None = None
    """The reservation that it prices; ``None`` prices charging."""


FREE_OF_RESTRICTIONS = Restrictions()
"""What an element without restrictions has."""


@dataclass(frozen=True, slots=True)
class Element:
    """Price components that apply under the same restrictions."""

    components: tuple[PriceComponent, ...]
    """At least one; of two for the same dimension the first counts."""
    restrictions: Restrictions = FREE_OF_RESTRICTIONS
    """When they apply."""


@dataclass(frozen=True, slots=True)
class PriceLimit:
    """The least or the most that a session may cost."""

    before_taxes: Decimal
    """Without tax, in the tariff's currency (``excl_vat`` in 2.2.1)."""
    after_taxes: Decimal | None
    """With tax (``incl_vat`` in 2.2.1); ``None`` limits only the amount without tax."""


@dataclass(frozen=True, slots=True)
class DisplayText:
    """A text for people."""

    language: str
    """ISO 639-1 code."""
    text: str
    """The text, of at most 512 characters."""


@dataclass(frozen=True, slots=True)
class OcpiTariff:
    """A tariff as an operator publishes it; ``parse_tariff`` makes it."""

    tariff_id: str
    """Name within the operator's tariffs, at most 36 characters."""
    currency: str
    """ISO 4217 code."""
    elements: tuple[Element, ...]
    """At least one; for each dimension the first that applies counts."""
    tax_included: TaxIncluded = TaxIncluded.NO
    """Whether ``price`` includes tax."""
    min_price: PriceLimit | None = None
    """The least that a session costs."""
    max_price: PriceLimit | None = None
    """The most that a session costs."""
    country_code: str | None = None
    """ISO 3166 code of the operator's country."""
    party_id: str | None = None
    """Name of the operator in that country."""
    type: TariffType | None = None
    """Which sessions it is for; ``None`` is all."""
    alt_text: tuple[DisplayText, ...] = ()
    """Further explanation, by language."""
    alt_url: str | None = None
    """Page that explains it."""
    valid_from_s: UnixSeconds | None = None
    """Instant from which sessions may start under it."""
    valid_until_s: UnixSeconds | None = None
    """Instant until which sessions may start under it."""
    preauthorize_amount: Decimal | None = None
    """What a payment terminal should reserve, in the tariff's currency."""
    energy_mix: str | None = None
    """Where the energy comes from: the document's own JSON with its keys in order."""
    last_updated: str | None = None
    """When the operator last changed it, as the document says."""
    canonical: bytes = field(init=False, repr=False, compare=False)
    """The tariff in one fixed form, whatever the order of keys and the spelling of numbers."""

    def __post_init__(self) -> None:
        """Write the canonical form once; hash and fingerprint are of it."""
        object.__setattr__(self, "canonical", canonical_bytes(self))

    def __hash__(self) -> int:
        """Return a hash of the canonical form, which is quick once it was taken."""
        return hash(self.canonical)

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes; fixed in a session's terms."""
        return hashlib.sha256(self.canonical).digest()

    def governs(self, start_s: UnixSeconds) -> bool:
        """Return whether a session may start under it at ``start_s``; it then keeps it."""
        begun = self.valid_from_s is None or self.valid_from_s <= start_s
        return begun and (self.valid_until_s is None or start_s < self.valid_until_s)
