"""
Play the field's schedule against a running service, and remember how far it came.

The clock moves only when every actor is idle, so the outcome does not depend on the machine. The
memory is a convenience: an event that is played again changes nothing (law L6).
"""

import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic_ns
from typing import Final

import httpx2

from api.embedded import Running
from devnet.field.drivers import Driver, Wish
from devnet.field.events import (
    DriverArrives,
    Event,
    FeederReading,
    HomeReadings,
    IntervalOver,
    SessionStops,
    SliceBoundary,
)
from devnet.field.gateways import SignedReading, post_readings, sign_feeder, sign_home
from devnet.field.keys import FieldKeys
from devnet.field.parameters import Parameters
from devnet.field.schedule import Schedule
from devnet.field.service import Places
from devnet.field.stations import Station
from ledger.clock import ReplayClock
from settlement.engine.clockwork import tick

_HTTP_TIMEOUT_S: Final = 60
_NS_PER_MS: Final = 1_000_000


@dataclass(slots=True)
class Plugged:
    """What driver and station remember of a session under way."""

    id_tag: str
    """The one-time idTag."""
    transaction_id: int
    """OCPP transaction id."""


@dataclass(slots=True)
class Memory:
    """How far a replay came, on disk."""

    path: Path
    """The file."""
    played: int = 0
    """How many events are done."""
    elapsed_ms: int = 0
    """Wall time of all sittings together, in ms; a killed one counts up to its last event."""
    sittings: int = 0
    """How often the replay was begun or resumed."""
    plugged: dict[str, Plugged] = field(default_factory=dict)
    """Sessions under way, by their id in the data."""
    counted_ns: int = field(default_factory=monotonic_ns)
    """Up to when the wall time of this sitting is counted, on the monotonic clock."""

    @staticmethod
    def load(path: Path) -> "Memory":
        """Return what ``path`` holds, or a fresh memory."""
        if not path.exists():
            return Memory(path)
        stored = json.loads(path.read_text())
        plugged = {name: Plugged(**one) for name, one in stored.pop("plugged").items()}
        return Memory(path, plugged=plugged, **stored)

    def save(self) -> None:
        """Replace the file in one step."""
        now_ns = monotonic_ns()
        self.elapsed_ms += (now_ns - self.counted_ns) // _NS_PER_MS
        self.counted_ns = now_ns
        stored = {
            "played": self.played,
            "elapsed_ms": self.elapsed_ms,
            "sittings": self.sittings,
            "plugged": {name: asdict(one) for name, one in self.plugged.items()},
        }
        draft = self.path.with_suffix(".new")
        draft.write_text(json.dumps(stored))
        draft.replace(self.path)


@dataclass(frozen=True, slots=True)
class World:
    """Everybody in the field, ready to act."""

    parameters: Parameters
    """Published parameters."""
    keys: FieldKeys
    """Every key of the field."""
    schedule: Schedule
    """What happens."""
    places: Places
    """Chain and contracts."""


class Replay:
    """Plays events one after the other."""

    def __init__(self, world: World, running: Running, clock: ReplayClock, memory: Memory) -> None:
        self._world: Final = world
        self._running: Final = running
        self._clock: Final = clock
        self._memory: Final = memory
        self._stations: dict[str, Station] = {}
        self._pending: list[SignedReading] = []
        self._client = httpx2.AsyncClient(base_url=running.url, timeout=_HTTP_TIMEOUT_S)

    def clock_label(self) -> str:
        """Return the domain time for people, in UTC."""
        return datetime.fromtimestamp(self._clock.now_s(), UTC).strftime("%a %d %b %Y %H:%M")

    async def play(self, done: Callable[[int], None]) -> None:
        """Play what is left of the schedule; ``done`` is told the count after each event."""
        events = self._world.schedule.events
        first = self._memory.played
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._client)
            await self._connect(stack)
            for index in range(first, len(events)):
                await self._one(events[index])
                if not self._pending:
                    self._memory.played = index + 1
                    self._memory.save()
                done(index + 1)

    async def _connect(self, stack: AsyncExitStack) -> None:
        """Connect every station, as after a power cut."""
        host = self._running.url.replace("http", "ws", 1) + "/ocpp"
        for name, key in self._world.keys.stations.items():
            station = Station(name, key, self._world.keys.passwords[name], host)
            self._stations[name] = await stack.enter_async_context(station)
            await station.connect(self._clock.now_s())

    async def _one(self, event: Event) -> None:
        self._clock.set(event.at_s)
        match event:
            case DriverArrives():
                await self._arrive(event)
            case SliceBoundary():
                plugged = self._memory.plugged[event.session]
                station = self._stations[event.station]
                await station.send_slice(event, plugged.id_tag, plugged.transaction_id)
            case SessionStops():
                plugged = self._memory.plugged[event.session]
                station = self._stations[event.station]
                await station.stop(event, plugged.id_tag, plugged.transaction_id)
            case HomeReadings():
                key = self._world.keys.gateways[event.home]
                self._pending += sign_home(event, key, self._world.places.community_domain)
                return
            case FeederReading():
                key = self._world.keys.feeder_head
                self._pending += sign_feeder(event, key, self._world.places.community_domain)
                await self._send_readings()
            case IntervalOver():
                await self._running.desk.run(lambda: tick(self._running.service))
        await self._running.desk.idle()
        if isinstance(event, SessionStops):
            self._memory.plugged.pop(event.session)

    async def _arrive(self, event: DriverArrives) -> None:
        """Open the deposit with one signature, then start at the station."""
        world = self._world
        wish = Wish(
            station=event.station,
            meter_id=world.keys.stations[event.station].meter_id,
            operator=world.keys.operator.address_hex,
            requested_wh=event.requested_wh,
        )
        driver = Driver(world.keys.drivers[event.driver], world.places, world.parameters)
        opened = await driver.open_session(self._client, wish, self._clock)
        station = self._stations[event.station]
        number = await station.start(event, opened.id_tag)
        self._memory.plugged[event.session] = Plugged(opened.id_tag, number)

    async def _send_readings(self) -> None:
        """Send the readings of an instant together."""
        batch, self._pending = self._pending, []
        await post_readings(self._client, batch)


def places_of(running: Running) -> Places:
    """Return chain and contracts as the field knows them."""
    contracts = running.service.contracts
    return Places(
        chain_id=running.service.identity.chain_id,
        token=contracts.token.address,
        vault=contracts.vault.address,
        trade=contracts.trade.address,
    )
