"""What was used, or is planned: the metered periods that a tariff is applied to."""

from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.pricing.ocpi.document.model import Reservation

_OFFSET_MINUTES_MAX: Final = 24 * 60


class BadChargingError(InvalidRequest):
    """Periods that no session can have."""

    def __init__(self, where: str, what: str) -> None:
        super().__init__("bad_charging", f"{where}: {what}")
        self.where: Final = where


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch between two meter values, in which energy flowed evenly."""

    begin_s: UnixSeconds
    """First instant."""
    end_s: UnixSeconds
    """Instant after the last; equal to the first where only the energy is known."""
    energy_wh: WattHours | Fraction
    """Energy drawn in it, in Wh; a meter finer than 1 Wh gives a fraction."""
    parking: bool = False
    """Whether the vehicle asked for no power; waiting for the station is not parking."""
    power_w: Watts | None = None
    """Power as measured, in W; ``None`` takes the average of the period."""
    current_ma: int | None = None
    """Current over all phases, in mA; ``None`` is unknown, and 0 while parking."""
    reservation: Reservation | None = None
    """The reservation that it is a part of; ``None`` is charging or parking."""


@dataclass(frozen=True, slots=True)
class Charging:
    """A session, or a reservation, so far; the same form serves quote, live cost and bill."""

    start_s: UnixSeconds
    """When the session started, from which durations count; its tariff governs throughout."""
    periods: tuple[Period, ...]
    """In order of time, reservation first; gaps cost nothing."""
    utc_offset_minutes: int = 0
    """Local time less UTC, in minutes, where the tariff's times of day apply."""
    zone: tzinfo | None = None
    """Time zone of the place, which knows its clock changes; takes the offset's place."""

    def __post_init__(self) -> None:
        """Refuse periods that overlap, run backward, or draw less than nothing."""
        if not -_OFFSET_MINUTES_MAX < self.utc_offset_minutes < _OFFSET_MINUTES_MAX:
            raise BadChargingError("utc_offset_minutes", f"{self.utc_offset_minutes} is no offset")
        ends = {False: self.start_s, True: None}
        for index, period in enumerate(self.periods):
            reserved = period.reservation is not None
            before = ends[reserved]
            if period.end_s < period.begin_s or (before is not None and period.begin_s < before):
                raise BadChargingError(f"periods[{index}]", "is not after what precedes it")
            if period.energy_wh < 0:
                raise BadChargingError(f"periods[{index}].energy_wh", "is below zero")
            if reserved and period.energy_wh:
                raise BadChargingError(f"periods[{index}].energy_wh", "a reservation draws nothing")
            ends[reserved] = period.end_s
