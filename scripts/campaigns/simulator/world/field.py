"""
What physically happens: registers turn, cars draw, meters sign; and the letters that say so.

Time passes hour by hour. A letter stays in the bag until the service has answered it for good; what
becomes of it on the way is up to the dice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from contracts.typed_data import Domain
from devnet.field.events import FeederReading, FiscalSlice, HomeReadings, SessionStops
from devnet.field.gateways import SignedReading, sign_feeder, sign_home
from devnet.field.ocmf import OcmfMeter
from devnet.field.schedule import feeder_losses_wh
from ledger.units import UnixSeconds, WattHours
from scripts.campaigns.simulator.world.setting import BEGIN_S, INTERVAL_S, setting

_FIRST_WH: Final = 100_000
_HOME_WH: Final = 5_000
_HOUR_S: Final = 3_600


@dataclass(slots=True)
class Letter:
    """Something that a meter has to say until somebody listens."""

    kind: str
    """``readings``, ``slice`` or ``stop``."""
    station: str
    """Station that sends it, or the empty string."""
    body: Any
    """Readings as JSON, or the record and what OCPP wraps it in."""
    number: int = 0
    """OCPP transaction."""
    tries: int = 0
    """How often it was refused."""


@dataclass(slots=True)
class Car:
    """A car at a station, drawing."""

    session_id: str
    id_tag: str
    number: int
    wanted_wh: int
    begin_s: int
    begin_wh: int
    cut_s: int
    cut_wh: int


@dataclass(slots=True)
class Stand:
    """A station: its signing meter and the car in front of it."""

    meter: OcmfMeter
    register_wh: int = _FIRST_WH
    fiscal_page: int = 0
    page: int = 0
    hour_wh: int = 0
    car: Car | None = None


@dataclass(slots=True)
class Registers:
    """Registers of a home or of the feeder head, in Wh."""

    sequence: int = 1
    import_wh: int = _FIRST_WH
    export_wh: int = _FIRST_WH
    generation_wh: int = _FIRST_WH


@dataclass(slots=True)
class Ended:
    """A session whose meter has signed its record."""

    station: str
    record: str
    energy_wh: int


class Field:
    """Homes, stations and the feeder head."""

    def __init__(self, dice: Random, domain: Domain) -> None:
        keys = setting().keys
        self.stands: Final = {
            name: Stand(OcmfMeter(key, name)) for name, key in keys.stations.items()
        }
        """Stations, by name."""
        self.letters: Final[list[Letter]] = []
        """What is on its way."""
        self.sent: Final[list[Letter]] = []
        """What was answered for good, to be sent again now and then."""
        self.ended: Final[dict[str, Ended]] = {}
        """Sessions whose record exists, by id."""
        self._dice: Final = dice
        self._domain: Final = domain
        self._homes: Final = {home: Registers() for home in keys.gateways}
        self._head: Final = Registers()
        self._now_s: int = BEGIN_S
        self._read_meters()

    def pass_time(self, until_s: int) -> None:
        """Let cars draw and hours end until ``until_s``."""
        while self._now_s < until_s:
            over_s = self._now_s // INTERVAL_S * INTERVAL_S + INTERVAL_S
            self._now_s = min(until_s, over_s)
            self._draw()
            if self._now_s == over_s:
                self._end_hour()

    def plug(self, station: str, car: Car) -> None:
        """Let a car draw from now on."""
        self.stands[station].car = car

    def unplug(self, station: str) -> None:
        """End the session: sign its last slice and its record, and send them."""
        stand = self.stands[station]
        car = stand.car
        assert car is not None  # noqa: S101 - whoever unplugs has looked
        part = self._slice(stand, car)
        stand.page += 1
        stop = SessionStops(
            at_s=UnixSeconds(self._now_s),
            station=station,
            session=car.session_id,
            page=stand.page,
            begin_s=UnixSeconds(car.begin_s),
            begin_wh=WattHours(car.begin_wh),
            end_wh=WattHours(stand.register_wh),
            slice=part,
        )
        fiscal = stand.meter.fiscal_record(part, car.id_tag)
        whole = stand.meter.transaction_record(stop, car.id_tag)
        self.ended[car.session_id] = Ended(station, whole, stop.energy_wh)
        self.letters.append(Letter("stop", station, (self._now_s, fiscal, whole), car.number))
        stand.car = None

    def _draw(self) -> None:
        power_w = setting().parameters.station.session_w
        for stand in self.stands.values():
            car = stand.car
            if car is None:
                continue
            drawn_wh = min(car.wanted_wh, power_w * (self._now_s - car.begin_s) // _HOUR_S)
            now_wh = car.begin_wh + drawn_wh
            stand.hour_wh += now_wh - stand.register_wh
            stand.register_wh = now_wh

    def _end_hour(self) -> None:
        for name, stand in self.stands.items():
            if stand.car is not None:
                record = stand.meter.fiscal_record(self._slice(stand, stand.car), stand.car.id_tag)
                letter = Letter("slice", name, (self._now_s, record), stand.car.number)
                self.letters.append(letter)
        taken_wh, given_wh = sum(stand.hour_wh for stand in self.stands.values()), 0
        for stand in self.stands.values():
            stand.hour_wh = 0
        for home in self._homes.values():
            load_wh, sun_wh = self._dice.randrange(_HOME_WH), self._dice.randrange(_HOME_WH)
            home.sequence += 1
            home.import_wh += max(0, load_wh - sun_wh)
            home.export_wh += max(0, sun_wh - load_wh)
            home.generation_wh += sun_wh
            taken_wh += max(0, load_wh - sun_wh)
            given_wh += max(0, sun_wh - load_wh)
        losses_bp = setting().parameters.grid.losses_bp
        lost_wh = feeder_losses_wh(WattHours(taken_wh), WattHours(given_wh), losses_bp)
        net_wh = taken_wh - given_wh + lost_wh
        self._head.sequence += 1
        self._head.import_wh += max(0, net_wh)
        self._head.export_wh += max(0, -net_wh)
        self._read_meters()

    def _slice(self, stand: Stand, car: Car) -> FiscalSlice:
        """Return what the car drew since the last cut, and cut."""
        stand.fiscal_page += 1
        part = FiscalSlice(
            page=stand.fiscal_page,
            begin_s=UnixSeconds(car.cut_s),
            end_s=UnixSeconds(self._now_s),
            begin_wh=WattHours(car.cut_wh),
            end_wh=WattHours(stand.register_wh),
        )
        car.cut_s, car.cut_wh = self._now_s, stand.register_wh
        return part

    def _read_meters(self) -> None:
        keys, at_s = setting().keys, UnixSeconds(self._now_s)
        for home, one in self._homes.items():
            event = HomeReadings(
                at_s,
                home,
                one.sequence,
                WattHours(one.import_wh),
                WattHours(one.export_wh),
                WattHours(one.generation_wh),
            )
            self._post(sign_home(event, keys.gateways[home], self._domain))
        head = self._head
        reading = FeederReading(
            at_s, head.sequence, WattHours(head.import_wh), WattHours(head.export_wh)
        )
        self._post(sign_feeder(reading, keys.feeder_head, self._domain))

    def _post(self, readings: Sequence[SignedReading]) -> None:
        self.letters.append(Letter("readings", "", [one.as_json() for one in readings]))
