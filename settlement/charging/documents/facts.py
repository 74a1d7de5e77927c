"""What is known of a session once it is over; every document is made of this and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Final

from ledger.errors import WrongState
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.metering.ocmf import OcmfReading
from settlement.metering.signatures import MeterKey

_UNITS: Final = {"ENERGY": "Wh", "TIME": "s", "PARKING_TIME": "s", "RESERVATION": "s"}


class NotSettledError(WrongState):
    """A document was asked for of a session whose money has not moved yet."""

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__("not_settled", f"session {session_id} is {state}; it has no receipt yet")


class Finality(StrEnum):
    """How far a transaction is; nothing is paid before it is final."""

    WAITING = "waiting"
    SENT = "sent"
    MINED = "mined"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """One line of what a session costs."""

    dimension: str
    """What is charged for: ``ENERGY``, ``FLAT``, ``TIME`` and so on, or ``OVERRUN``."""
    volume: str
    """Wh, seconds or 1, exactly; 0 if another line has counted the same volume."""
    unit_price: str
    """Price of a kWh, an hour or once, as the tariff states it; the empty string for none."""
    net_micros: Micros
    """Amount without VAT."""
    vat_bp: BasisPoints | None
    """VAT rate; None if no VAT applies."""
    vat_micros: Micros
    """VAT on it."""
    rail: str
    """``chain`` if the deposit pays it, ``invoice`` if it is owed beside the deposit."""

    @property
    def gross_micros(self) -> Micros:
        """Amount with VAT."""
        return Micros(self.net_micros + self.vat_micros)

    @property
    def unit(self) -> str:
        """Unit of the volume; the empty string where pieces are counted."""
        return _UNITS.get(self.dimension, "")


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction on the chain, as far as it is."""

    hash: str | None
    """Its hash, 0x-prefixed; None if nobody has sent it yet."""
    block: int | None
    """Number of the block that holds it; None if none does yet."""
    finality: Finality
    """How far it is."""


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A transfer's entry in the log, which ``/log/proof/<seq>`` proves."""

    transfer: str
    """Id of the transfer."""
    code: str
    """What it is: ``hold``, ``charge``, ``refund`` and so on."""
    seq: int
    """Position in the journal."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """
    Part of a session in which the same price holds.

    It ends where the meter signed, or where a price changed in between, which may be at any
    fraction of a second and of a watt-hour.
    """

    begin_s: UnixSeconds | Fraction
    """First instant, in Unix seconds."""
    end_s: UnixSeconds | Fraction
    """First instant after it, in Unix seconds."""
    energy_wh: WattHours | Fraction
    """Energy, in Wh."""
    parking: bool
    """Whether nothing flowed, so that its time is parking."""


@dataclass(frozen=True, slots=True)
class Roof:
    """A neighbor whose sun went into the car."""

    party: str
    """Who sold it."""
    energy_wh: WattHours
    """How much, in Wh."""
    certificates: tuple[str, ...]
    """Ids of the certificates of origin that it is part of, 0x-prefixed, by interval."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who measured, and what was signed."""

    meter_id: str
    """Meter, 0x-prefixed."""
    serial: str
    """Its serial number."""
    key: MeterKey | None
    """Key that speaks for it; None if it is not enrolled any more."""
    record: str | None
    """The signed OCMF record, byte for byte; None if only a gateway signed, or nobody has told."""
    begin: OcmfReading | None
    """Register at the begin, as the meter wrote it."""
    end: OcmfReading | None
    """Register at the end."""


@dataclass(frozen=True, slots=True)
class AgreedTariff:
    """What was agreed when the session was opened."""

    fingerprint: str
    """SHA-256 of its canonical form, 0x-prefixed; the driver signed it."""
    tariff_id: str
    """Its name; the empty string if the text is not kept."""
    text: str
    """Its canonical form; the empty string if it is not kept."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """Price per kWh that the contract takes, VAT included."""
    flat_micros: Micros
    """Flat fee that the contract takes, VAT included."""
    vat_bp: BasisPoints
    """VAT rate of the simple tariff."""


@dataclass(frozen=True, slots=True)
class Money:
    """What was put up, what was taken and what came back."""

    deposit_micros: Micros
    """Deposit."""
    charge_micros: Micros
    """Taken from it, VAT included."""
    refund_micros: Micros
    """Given back."""
    overrun_micros: Micros
    """Cost beyond the deposit, which the operator bears."""
    lines: tuple[ChargeLine, ...]
    """What the total is made of, in order."""

    @property
    def total_micros(self) -> Micros:
        """What the driver owes in all, VAT included, on both rails."""
        return Micros(sum(one.gross_micros for one in self.lines))

    @property
    def net_micros(self) -> Micros:
        """The same without VAT."""
        return Micros(sum(one.net_micros for one in self.lines))

    @property
    def invoice_micros(self) -> Micros:
        """What of it is owed beside the deposit."""
        return Micros(sum(one.gross_micros for one in self.lines if one.rail == "invoice"))

    def of(self, *dimensions: str) -> tuple[ChargeLine, ...]:
        """Return the lines of some dimensions."""
        return tuple(one for one in self.lines if one.dimension in dimensions)

    def by_rate(self) -> Mapping[BasisPoints | None, tuple[Micros, Micros]]:
        """Return net and VAT of each VAT rate, the highest rate first."""
        rates = sorted({one.vat_bp for one in self.lines}, key=lambda rate: -(rate or 0))
        return {
            rate: (
                Micros(sum(one.net_micros for one in self.lines if one.vat_bp == rate)),
                Micros(sum(one.vat_micros for one in self.lines if one.vat_bp == rate)),
            )
            for rate in rates
        }


@dataclass(frozen=True, slots=True)
class Times:
    """When things happened, in Unix seconds."""

    opened_s: UnixSeconds
    """The block that opened the session."""
    started_s: UnixSeconds
    """The station says that it began; the opening if it never said so."""
    stopped_s: UnixSeconds
    """The station says that it ended; the end of the session's money if it never said so."""
    ended_s: UnixSeconds
    """The block that moved the money, or the newest instant known if none did yet."""
    utc_offset_minutes: int
    """Offset of local time from UTC, in minutes."""


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Everything that documents of one session say."""

    session_id: str
    """Hash of the terms, 0x-prefixed."""
    state: str
    """Where the session stands."""
    station_id: str
    """Station, as OCPP names it."""
    community: str
    """Name of the community."""
    operator: str
    """Party that runs the station."""
    driver: str
    """Driver's wallet."""
    id_tag: str
    """One-time idTag, which the record carries."""
    transaction_id: int | None
    """Number of the OCPP transaction; None if none began."""
    currency: str
    """ISO 4217 code."""
    times: Times
    """When things happened."""
    energy_wh: WattHours
    """Energy billed, in Wh."""
    money: Money
    """What it cost."""
    tariff: AgreedTariff
    """What was agreed."""
    evidence: Evidence
    """What was measured."""
    stretches: tuple[Stretch, ...]
    """Parts of the session, in order of time."""
    opening: Transaction
    """Transaction that took the deposit."""
    settlement: Transaction
    """Transaction that charged and refunded."""
    entries: tuple[LogEntry, ...]
    """Entries of the log that belong to the session."""
    sun_wh: Fraction | None
    """Energy that neighbors' roofs gave, in Wh; None until all its intervals are settled."""
    roofs: tuple[Roof, ...] = ()
    """Whose roofs, the most first; together they gave ``sun_wh``."""

    @property
    def signed_by(self) -> str | None:
        """``meter`` if a meter's record closed it, ``gateway`` if a gateway did, None if nobody."""
        if self.evidence.record is not None:
            return "meter"
        return "gateway" if self.energy_wh else None
