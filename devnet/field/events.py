"""
What happens in the field, as a replay plays it: one frozen record per message or group of messages.

An event carries every register value, page number and sequence that its messages need, so that a
replay can begin anywhere in the schedule and send the same bytes. What only the service knows, the
idTag and the OCPP transaction id, is given when the event is played.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from ledger.units import UnixSeconds, WattHours


class Priority(IntEnum):
    """The order of events at one instant."""

    STOP = 0
    ARRIVE = 1
    SLICE = 2
    HOME = 3
    FEEDER = 4
    OVER = 5


@dataclass(frozen=True, slots=True)
class FiscalSlice:
    """The part of a session that lies in one interval, as a fiscal record proves it."""

    page: int
    """Number of the station meter's fiscal record, ``F<page>``."""
    begin_s: UnixSeconds
    """First instant."""
    end_s: UnixSeconds
    """First instant after it."""
    begin_wh: WattHours
    """Import register of the meter at the begin, in Wh."""
    end_wh: WattHours
    """Import register of the meter at the end, in Wh."""

    @property
    def energy_wh(self) -> WattHours:
        """Energy drawn in the slice, in Wh."""
        return WattHours(self.end_wh - self.begin_wh)


@dataclass(frozen=True, slots=True)
class DriverArrives:
    """A driver plugs in: opens the deposit, then the station starts."""

    at_s: UnixSeconds
    """Instant of plugging in."""
    station: str
    """Name of the station."""
    session: str
    """Id of the session in the data."""
    driver: str
    """Name of the driver, ``driver-001``; the data names none, so every session has its own."""
    requested_wh: WattHours
    """Energy the driver asks for, in Wh."""
    begin_wh: WattHours
    """Import register of the station's meter, in Wh."""

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.ARRIVE

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.station


@dataclass(frozen=True, slots=True)
class SliceBoundary:
    """An interval ends while a car is plugged in: the station sends a signed fiscal record."""

    at_s: UnixSeconds
    """The boundary."""
    station: str
    """Name of the station."""
    session: str
    """Id of the session in the data."""
    slice: FiscalSlice
    """What the record says."""

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.SLICE

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.station


@dataclass(frozen=True, slots=True)
class SessionStops:
    """The driver unplugs: the station sends the last fiscal record and the transaction record."""

    at_s: UnixSeconds
    """Instant of leaving."""
    station: str
    """Name of the station."""
    session: str
    """Id of the session in the data."""
    page: int
    """Number of the station meter's transaction record, ``T<page>``."""
    begin_s: UnixSeconds
    """Instant of plugging in."""
    begin_wh: WattHours
    """Import register at the begin, in Wh."""
    end_wh: WattHours
    """Import register at the end, in Wh."""
    slice: FiscalSlice
    """The last slice of the session."""

    @property
    def energy_wh(self) -> WattHours:
        """Energy of the whole session, in Wh."""
        return WattHours(self.end_wh - self.begin_wh)

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.STOP

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.station


@dataclass(frozen=True, slots=True)
class HomeReadings:
    """A home's gateway reads and signs its three registers."""

    at_s: UnixSeconds
    """Instant of the readings: the end of an hour, or the first instant of all."""
    home: str
    """Name of the home."""
    sequence: int
    """Number of the reading in each register, from 1."""
    import_wh: WattHours
    """Energy taken from the feeder since installation, in Wh."""
    export_wh: WattHours
    """Energy given to the feeder since installation, in Wh."""
    generation_wh: WattHours
    """Energy made by the panels since installation, in Wh."""

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.HOME

    @property
    def actor(self) -> str:
        """Who acts."""
        return self.home


@dataclass(frozen=True, slots=True)
class FeederReading:
    """The feeder-head meter reads and signs its two registers."""

    at_s: UnixSeconds
    """Instant of the readings."""
    sequence: int
    """Number of the reading in each register, from 1."""
    import_wh: WattHours
    """Energy that the neighborhood took from the grid since installation, in Wh."""
    export_wh: WattHours
    """Energy that the neighborhood gave to the grid since installation, in Wh."""

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.FEEDER

    @property
    def actor(self) -> str:
        """Who acts."""
        return "feeder-head"


@dataclass(frozen=True, slots=True)
class IntervalOver:
    """Everything that belongs to an interval has been sent."""

    at_s: UnixSeconds
    """First instant after the interval."""
    interval: int
    """Its number: start instant divided by the interval length."""

    @property
    def priority(self) -> Priority:
        """Order at one instant."""
        return Priority.OVER

    @property
    def actor(self) -> str:
        """Who acts."""
        return "interval"


Event: TypeAlias = (
    DriverArrives | SliceBoundary | SessionStops | HomeReadings | FeederReading | IntervalOver
)


def canonical_order(event: Event) -> tuple[UnixSeconds, Priority, str]:
    """Return the sort key of an event: instant, priority, actor. No two events share one."""
    return event.at_s, event.priority, event.actor
