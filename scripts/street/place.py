"""Make the street: its rules, its operator, its stations, and the stations' lives."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

from api.embedded import Running
from devnet.field.dataset import load_dataset
from devnet.field.keys import FieldKeys, build_keys
from devnet.field.parameters import load_parameters
from devnet.field.stations.charging import Curve, Plate
from devnet.field.stations.live import Equipment, LiveStation
from devnet.field.stations.notes import Version
from devnet.field.stations.wire import Address
from ledger.clock import Clock
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours, Watts
from scripts import neighbourhood
from scripts.street.memory import StreetMemory
from settlement.engine.community import Rules
from settlement.engine.roll import apply_roster

INTERVAL_S: Final = 900


@dataclass(frozen=True, slots=True)
class Stand:
    """A station of the street, and the car that comes to it."""

    version: Version
    """The OCPP that the station speaks."""
    rated_power_w: Watts
    """Most power that its meter can carry, in W."""
    car_w: Watts
    """What the car draws at first, in W; well below, as most do."""


STATIONS: Final[Mapping[str, Stand]] = {
    "CA-303": Stand(Version.V16, Watts(7_400), Watts(4_600)),
    "CA-304": Stand(Version.V16, Watts(22_000), Watts(11_000)),
    "CA-305": Stand(Version.V201, Watts(50_000), Watts(36_000)),
    "CA-306": Stand(Version.V21, Watts(150_000), Watts(90_000)),
}
"""Stations of the street, slow ones first."""

_WANTED_WH: Final = WattHours(40_000)
_SAMPLE_S: Final = 2
_S_PER_MINUTE: Final = 60


def street_rules() -> Rules:
    """Return the demonstration's rules, in the machine's own time zone."""
    rules = neighbourhood.rules(load_parameters(), load_dataset())
    return replace(
        rules,
        community_id="street",
        name="Sierra Crest",
        interval_s=INTERVAL_S,
        utc_offset_minutes=time.localtime().tm_gmtoff // _S_PER_MINUTE,
    )


def street_keys(seed: int) -> FieldKeys:
    """Return the keys of the stations and of their operator; nobody else lives here."""
    keys = build_keys(load_dataset(), load_parameters(), seed=seed)
    stations = {
        name: replace(keys.stations[name], rated_power_w=one.rated_power_w)
        for name, one in STATIONS.items()
    }
    return replace(keys, homes={}, gateways={}, drivers={}, stations=stations)


async def enrol(running: Running, keys: FieldKeys, *, seed: int, from_s: UnixSeconds) -> None:
    """Enrol operator and stations, here and on the chain. Idempotent."""
    roster = neighbourhood.roster(keys, seed=seed, from_s=from_s)
    await running.desk.run(lambda: apply_roster(running.service, roster))


async def catch_up(running: Running, clock: Clock) -> None:
    """Wait until the clock has come to the newest block; those of the beginning lead it a bit."""
    gateway = running.service.gateway
    while gateway.head().timestamp_s > clock.now_s():  # noqa: ASYNC110 - a clock has no event
        await asyncio.sleep(1)


def equipment(keys: FieldKeys, memory: StreetMemory, name: str) -> Equipment:
    """Return what stands at a station of the street."""
    tariff, stand = load_parameters().tariff, STATIONS[name]
    return Equipment(
        key=keys.stations[name],
        meter=memory.meter(name),
        curve=Curve(stand.car_w, _WANTED_WH),
        version=stand.version,
        plate=Plate(MicrosPerKilowattHour(tariff.price), Micros(tariff.flat)),
        interval_s=INTERVAL_S,
        sample_s=_SAMPLE_S,
    )


async def live(
    running: Running, keys: FieldKeys, memory: StreetMemory, clock: Clock, leaving: asyncio.Event
) -> None:
    """Let every station live until ``leaving``; keep their meters."""
    url = running.url.replace("http://", "ws://") + "/ocpp"
    async with AsyncExitStack() as stack:
        stations: dict[str, LiveStation] = {}
        for name in STATIONS:
            address = Address(name, keys.passwords[name], url)
            one = LiveStation(address, equipment(keys, memory, name), clock)
            stations[name] = await stack.enter_async_context(one)
        tasks = [asyncio.create_task(one.run()) for one in stations.values()]
        while not leaving.is_set() and not any(task.done() for task in tasks):
            memory.meters = {name: one.meter for name, one in stations.items()}
            memory.save()
            await asyncio.wait([asyncio.create_task(leaving.wait())], timeout=1)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(one.close() for one in stations.values()))
