"""
Work out everything that happens in the field, from the first reading to the last departure.

``build_schedule`` is a pure function: registers, page numbers and sequences come from the data, the
parameters and the seed alone. A replay killed anywhere goes on from the same events.
"""

import hashlib
import hmac
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from devnet.field.dataset import HOUR_S, ChargingStay, Dataset, HomeHour
from devnet.field.events import (
    DriverArrives,
    Event,
    FeederReading,
    FiscalSlice,
    HomeReadings,
    IntervalOver,
    SessionStops,
    SliceBoundary,
    canonical_order,
)
from devnet.field.parameters import Parameters
from ledger.errors import InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints, UnixSeconds, WattHours, Watts

_HOURS_PER_DAY: Final = 24
_REGISTER_MIN_WH: Final = 100_000
_REGISTER_SPAN_WH: Final = 9_900_000


class DaysError(InvalidRequest):
    """The data does not hold that many days."""

    def __init__(self, days: int, held: int) -> None:
        super().__init__("days", f"{days} days asked for, the data holds 1 to {held}")
        self.days: Final = days
        self.held: Final = held


class IntervalLengthError(InvalidRequest):
    """The data is hourly, so intervals must be hours."""

    def __init__(self, interval_s: int) -> None:
        super().__init__("interval_length", f"intervals of {interval_s} s on hourly data")


@dataclass(frozen=True, slots=True)
class Draw:
    """How a car draws: constant power from arrival until the energy is reached."""

    delivered_wh: WattHours
    """Energy of the whole session, in Wh."""
    power_w: Watts
    """Power until then, in W."""

    def energy_wh(self, elapsed_s: int) -> WattHours:
        """Return the energy drawn ``elapsed_s`` seconds after arrival, in whole Wh, floored."""
        return WattHours(min(self.delivered_wh, self.power_w * elapsed_s // HOUR_S))

    @property
    def done_after_s(self) -> int:
        """Seconds from arrival until the energy is reached."""
        return -(-self.delivered_wh * HOUR_S // self.power_w)


def draw_of(stay: ChargingStay, session_w: Watts) -> Draw:
    """
    Return how the car of ``stay`` draws.

    It draws ``session_w``, in W, or as much more as it needs to be done by its departure.
    """
    length_s = stay.departure_s - stay.arrival_s
    needed_w = -(-stay.delivered_wh * HOUR_S // length_s)
    return Draw(stay.delivered_wh, Watts(max(session_w, needed_w)))


@dataclass(frozen=True, slots=True)
class Schedule:
    """Everything that happens, in canonical order."""

    first_s: UnixSeconds
    """The first instant: initial readings."""
    end_s: UnixSeconds
    """First instant after the last interval; cars whose energy is drawn may leave later."""
    stays: tuple[ChargingStay, ...]
    """The sessions played: those whose energy is all drawn before the end."""
    events: tuple[Event, ...]
    """By instant, priority and actor."""

    @property
    def requested_wh(self) -> WattHours:
        """Energy asked for in all sessions, in Wh."""
        return WattHours(sum(stay.requested_wh for stay in self.stays))

    @property
    def delivered_wh(self) -> WattHours:
        """Energy delivered in all sessions, in Wh."""
        return WattHours(sum(stay.delivered_wh for stay in self.stays))


def driver_names(dataset: Dataset) -> Mapping[str, str]:
    """Return the name of each session's driver, ``driver-001`` for the first to arrive."""
    return {stay.session: f"driver-{n:03d}" for n, stay in enumerate(dataset.stays, start=1)}


def build_schedule(dataset: Dataset, parameters: Parameters, *, seed: int, days: int) -> Schedule:
    """
    Return everything that happens in the first ``days`` days of the data.

    Raises
    ------
    DaysError
        If the data does not hold ``days`` days.
    IntervalLengthError
        If the community's intervals are not hours.
    """
    held = len(dataset.retail_hours) // _HOURS_PER_DAY
    if not 1 <= days <= held:
        raise DaysError(days, held)
    if parameters.community.interval_s != HOUR_S:
        raise IntervalLengthError(parameters.community.interval_s)
    end_s = UnixSeconds(dataset.first_s + days * _HOURS_PER_DAY * HOUR_S)
    session_w = parameters.station.session_w
    stays = tuple(
        stay
        for stay in dataset.stays
        if stay.arrival_s < end_s
        and stay.arrival_s + draw_of(stay, session_w).done_after_s <= end_s
    )
    hours = _Hours(seed)
    sessions = _session_events(stays, session_w, driver_names(dataset), hours)
    homes = _home_events(dataset, end_s, hours)
    feeder = _feeder_events(dataset.first_s, end_s, hours, parameters.grid.losses_bp)
    events = sorted((*sessions, *homes, *feeder), key=canonical_order)
    return Schedule(dataset.first_s, end_s, stays, tuple(events))


def initial_register_wh(seed: int, meter: str, register: str) -> WattHours:
    """Return what a register showed before the first instant, in Wh, from 100 kWh to 10 MWh."""
    message = f"register\0{meter}\0{register}".encode()
    draw = int.from_bytes(hmac.digest(str(seed).encode(), message, hashlib.sha256))
    return WattHours(_REGISTER_MIN_WH + draw % _REGISTER_SPAN_WH)


def feeder_losses_wh(
    imports_wh: WattHours, exports_wh: WattHours, losses_bp: BasisPoints
) -> WattHours:
    """Return the feeder's losses in an hour: a share of the larger flow, in whole Wh, floored."""
    return WattHours(max(imports_wh, exports_wh) * losses_bp // WHOLE_BP)


@dataclass(slots=True)
class _Hours:
    """What flowed in each hour, by its first instant, gathered while the events are made."""

    seed: int
    imports_wh: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    exports_wh: dict[int, int] = field(default_factory=lambda: defaultdict(int))


@dataclass(slots=True)
class _StationMeter:
    """A station's meter as the week goes on: its register and its two page counters."""

    register_wh: WattHours
    fiscal_page: int = 0
    transaction_page: int = 0


def _session_events(
    stays: Iterable[ChargingStay], session_w: Watts, drivers: Mapping[str, str], hours: _Hours
) -> list[Event]:
    events: list[Event] = []
    meters: dict[str, _StationMeter] = {}
    for stay in stays:
        fresh = _StationMeter(initial_register_wh(hours.seed, stay.station, "import"))
        meter = meters.setdefault(stay.station, fresh)
        begin_wh = meter.register_wh
        slices = _slices(stay, draw_of(stay, session_w), meter)
        for part in slices:
            hours.imports_wh[part.begin_s // HOUR_S * HOUR_S] += part.energy_wh
        events.append(
            DriverArrives(
                at_s=stay.arrival_s,
                station=stay.station,
                session=stay.session,
                driver=drivers[stay.session],
                requested_wh=stay.requested_wh,
                begin_wh=begin_wh,
            )
        )
        events.extend(
            SliceBoundary(part.end_s, stay.station, stay.session, part) for part in slices[:-1]
        )
        events.append(
            SessionStops(
                at_s=stay.departure_s,
                station=stay.station,
                session=stay.session,
                page=meter.transaction_page,
                begin_s=stay.arrival_s,
                begin_wh=begin_wh,
                end_wh=meter.register_wh,
                slice=slices[-1],
            )
        )
    return events


def _slices(stay: ChargingStay, draw: Draw, meter: _StationMeter) -> list[FiscalSlice]:
    """Cut the stay at the hours and move the meter to its end."""
    first_cut_s = stay.arrival_s // HOUR_S * HOUR_S + HOUR_S
    cuts = [stay.arrival_s, *range(first_cut_s, stay.departure_s, HOUR_S), stay.departure_s]
    begin_wh = meter.register_wh
    slices = []
    for begin_s, end_s in pairwise(cuts):
        meter.fiscal_page += 1
        end_wh = WattHours(begin_wh + draw.energy_wh(end_s - stay.arrival_s))
        slices.append(
            FiscalSlice(
                page=meter.fiscal_page,
                begin_s=UnixSeconds(begin_s),
                end_s=UnixSeconds(end_s),
                begin_wh=meter.register_wh,
                end_wh=end_wh,
            )
        )
        meter.register_wh = end_wh
    meter.transaction_page += 1
    return slices


def _home_events(dataset: Dataset, end_s: UnixSeconds, hours: _Hours) -> list[HomeReadings]:
    events: list[HomeReadings] = []
    last: dict[str, HomeReadings] = {}
    for home in dataset.homes:
        last[home] = HomeReadings(
            at_s=dataset.first_s,
            home=home,
            sequence=1,
            import_wh=initial_register_wh(hours.seed, home, "import"),
            export_wh=initial_register_wh(hours.seed, home, "export"),
            generation_wh=initial_register_wh(hours.seed, home, "generation"),
        )
        events.append(last[home])
    for hour in dataset.home_hours:
        if hour.start_s < end_s:
            last[hour.home] = _next_readings(last[hour.home], hour)
            events.append(last[hour.home])
            hours.imports_wh[hour.start_s] += max(0, hour.load_wh - hour.pv_wh)
            hours.exports_wh[hour.start_s] += max(0, hour.pv_wh - hour.load_wh)
    return events


def _next_readings(before: HomeReadings, hour: HomeHour) -> HomeReadings:
    return HomeReadings(
        at_s=UnixSeconds(hour.start_s + HOUR_S),
        home=hour.home,
        sequence=before.sequence + 1,
        import_wh=WattHours(before.import_wh + max(0, hour.load_wh - hour.pv_wh)),
        export_wh=WattHours(before.export_wh + max(0, hour.pv_wh - hour.load_wh)),
        generation_wh=WattHours(before.generation_wh + hour.pv_wh),
    )


def _feeder_events(
    first_s: UnixSeconds, end_s: UnixSeconds, hours: _Hours, losses_bp: BasisPoints
) -> list[Event]:
    """Measure the neighborhood at its head: what it took, less what it gave, and the losses."""
    import_wh = initial_register_wh(hours.seed, "feeder-head", "import")
    export_wh = initial_register_wh(hours.seed, "feeder-head", "export")
    events: list[Event] = [FeederReading(first_s, 1, import_wh, export_wh)]
    for sequence, start_s in enumerate(range(first_s, end_s, HOUR_S), start=2):
        taken_wh = WattHours(hours.imports_wh[start_s])
        given_wh = WattHours(hours.exports_wh[start_s])
        net_wh = taken_wh - given_wh + feeder_losses_wh(taken_wh, given_wh, losses_bp)
        import_wh = WattHours(import_wh + max(0, net_wh))
        export_wh = WattHours(export_wh + max(0, -net_wh))
        over_s = UnixSeconds(start_s + HOUR_S)
        events.append(FeederReading(over_s, sequence, import_wh, export_wh))
        events.append(IntervalOver(over_s, start_s // HOUR_S))
    return events
