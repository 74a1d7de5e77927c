"""What a batch is settled from: a community, its members, their meters and what those measured."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import StrEnum
from typing import Final

from contracts.typed_data import Domain, keccak
from ledger.errors import InvalidRequest
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.metering.readings import Quality, Reading, Register
from settlement.metering.signatures import MeterKey
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.mandates import Mandate
from settlement.trading.orders.signed import IntervalOrder
from settlement.trading.outcome import Mechanism
from settlement.trading.zones import ZoneTree

_S_PER_MINUTE: Final = 60


class ResidualPriceMissingError(InvalidRequest):
    """Nobody said what the residual supplier asks in an interval."""

    def __init__(self, begin_s: UnixSeconds) -> None:
        at = datetime.fromtimestamp(begin_s, UTC).isoformat()
        super().__init__("residual_price_missing", f"the residual supplier has no price for {at}")


class MeterKind(StrEnum):
    """What a meter of the folder measures."""

    MAIN = "main"
    """Both ways, at the connection."""
    LOAD = "load"
    """What is used."""
    PV = "pv"
    """What is made."""


REGISTERS: Final[Mapping[MeterKind, tuple[Register, ...]]] = {
    MeterKind.MAIN: (Register.IMPORT, Register.EXPORT),
    MeterKind.LOAD: (Register.IMPORT,),
    MeterKind.PV: (Register.EXPORT,),
}
"""Registers that a meter of each kind has."""


@dataclass(frozen=True, slots=True)
class Series:
    """All readings of one register, by instant."""

    at_s: "array[int]"
    """Instants, rising."""
    register_wh: "array[int]"
    """Energy since installation at each, in Wh."""
    sequences: "array[int]"
    """Number of each reading, rising."""
    estimated: frozenset[int] = frozenset()
    """Places of readings that nobody measured."""
    signatures: Sequence[bytes] = ()
    """Signature of each, or none at all."""

    def reading(self, meter_id: str, register: Register, place: int) -> Reading:
        """Return one of them as it is hashed and signed."""
        return Reading(
            meter_id=meter_id,
            register=register,
            at_s=UnixSeconds(self.at_s[place]),
            sequence=self.sequences[place],
            energy_wh=WattHours(self.register_wh[place]),
            quality=Quality.ESTIMATED if place in self.estimated else Quality.MEASURED,
        )


@dataclass(frozen=True, slots=True)
class BatchMeter:
    """A meter and what it measured."""

    serial: str
    """Serial number."""
    member: str
    """Name of the member it belongs to."""
    kind: MeterKind
    """What it measures."""
    series: Mapping[Register, Series]
    """What it measured, by register; a register may be silent."""
    key: MeterKey | None = None
    """Key that signs its readings, or None if they are not signed."""

    @property
    def meter_id(self) -> str:
        """Hash of the serial number, 0x-prefixed."""
        return "0x" + keccak(self.serial.encode()).hex()


@dataclass(frozen=True, slots=True)
class BatchMember:
    """A member and its standing limits."""

    name: str
    """Name in the folder."""
    zone: str
    """Zone of its meters."""
    mandate: Mandate
    """Limits, and the account that they are for."""
    deposit_micros: Micros | None = None
    """What it had in its trade balance at the beginning; None if nobody counts."""
    orders: tuple[IntervalOrder, ...] = ()
    """Orders for some intervals, beside its limits."""
    solar: bool = False
    """Whether the sun makes what it has left over."""


@dataclass(frozen=True, slots=True)
class Residual:
    """What the residual supplier pays and asks."""

    buys: MicrosPerKilowattHour
    """For surplus."""
    sells: MicrosPerKilowattHour | None
    """For what is lacking, at any time; None if its price changes from interval to interval."""
    sells_at: Mapping[int, MicrosPerKilowattHour] = field(default_factory=dict)
    """For what is lacking, by the interval's first instant."""

    def prices(self, begin_s: UnixSeconds) -> tuple[MicrosPerKilowattHour, MicrosPerKilowattHour]:
        """
        Return both prices of the interval that begins then.

        Raises
        ------
        ResidualPriceMissingError
            If nobody said what the supplier asks then.
        """
        sells = self.sells_at.get(begin_s, self.sells)
        if sells is None:
            raise ResidualPriceMissingError(begin_s)
        return self.buys, sells


@dataclass(frozen=True, slots=True)
class BatchCommunity:
    """Rules of a community."""

    community_id: str
    """Short id."""
    currency: str
    """ISO 4217 code."""
    time_zone: tzinfo
    """Where its days begin."""
    interval_s: int
    """Length of an interval, in seconds."""
    tree: ZoneTree
    """Zones, tolls and caps."""
    fees: Fees
    """Levy, VAT, platform."""
    institutions: Institutions
    """Accounts of grid operator, state and platform; name of the supplier."""
    residual: Residual
    """Prices of the residual supplier."""
    mechanism: Mechanism
    """Rule of trading."""
    salt_key: bytes
    """Key of every salt."""
    domain: Domain
    """Domain of the readings' signatures."""
    members: tuple[BatchMember, ...]
    """Members, by name."""

    def utc_offset_minutes(self, at_s: UnixSeconds) -> int:
        """Return how far local time is ahead of UTC at an instant, in minutes."""
        offset = datetime.fromtimestamp(at_s, UTC).astimezone(self.time_zone).utcoffset()
        return 0 if offset is None else int(offset.total_seconds()) // _S_PER_MINUTE


@dataclass(frozen=True, slots=True)
class Batch:
    """A community and its meters."""

    community: BatchCommunity
    """Rules and members."""
    meters: tuple[BatchMeter, ...]
    """Meters, by serial number."""
