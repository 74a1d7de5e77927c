"""The attendant lets stations start, warns once, and stops before the deposit is overrun."""

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest

from api.live import attendant as module
from api.live.attendant import Attendant
from api.live.track import Track
from api.ocpp.switchboard import StationNotConnectedError
from settlement.engine.live.facts import News
from tests.unit.api.live.support import CHARGING, told


class Stations:
    """Stations that do as told, or do not."""

    def __init__(self):
        self.asked = []
        self.stopped = asyncio.Event()
        self.connected = frozenset({"CA-314"})
        self.keeps = None
        self.fault = None

    async def remote_start(self, station_id, *, id_tag, evse_id):
        self.asked.append(("start", station_id, id_tag, evse_id))

    async def remote_stop(self, station_id, transaction):
        self.asked.append(("stop", station_id, transaction))
        self.stopped.set()
        if self.fault:
            raise self.fault

    def set_limit(self, station_id, transaction, max_cost_micros):
        self.asked.append(("limit", station_id, transaction, max_cost_micros))
        return True

    def limit_repeated(self, _station_id, _transaction):
        return self.keeps


SERVICE = SimpleNamespace(clock=SimpleNamespace(now_s=lambda: 0))


class Bench:
    """An attendant, one session, and whoever it talks to."""

    def __init__(self, monkeypatch):
        self.noted = []
        self.stations = Stations()
        self.track = Track(CHARGING)
        monkeypatch.setattr(
            module, "note_once", lambda _s, name, *_a, **sums: self.noted.append((name, sums))
        )
        self.attendant = Attendant(SERVICE, self, self.stations, SimpleNamespace())

    async def run(self, work):
        return work()

    async def hear(self, *reports):
        for report in reports:
            if self.track.note(report):
                self.attendant._told(self.track)
            await self.settle()

    async def happened(self, name, facts):
        self.track.put(facts)
        self.attendant._heard(self.track, News(1, name, facts.session_id))
        await self.settle()

    async def settle(self):
        await asyncio.gather(*self.attendant._tasks)


@pytest.fixture
def bench(monkeypatch):
    return Bench(monkeypatch)


def test_a_confirmed_deposit_starts_the_station(bench):
    asyncio.run(bench.happened("session_opened", replace(CHARGING, state="open")))
    assert bench.stations.asked == [("start", "CA-314", "TAG", 1)]


def test_a_station_that_is_away_is_not_asked_to_start(bench):
    bench.stations.connected = frozenset()
    asyncio.run(bench.happened("session_opened", replace(CHARGING, state="open")))
    assert bench.stations.asked == []


def test_a_start_gives_the_station_its_limit(bench):
    asyncio.run(bench.happened("session_started", CHARGING))
    assert bench.stations.asked == [("limit", "CA-314", "7", 1_000_000)]


def test_the_driver_is_warned_once_at_80_percent(bench):
    asyncio.run(bench.hear(told(600, 2_000), told(700, 2_598), told(800, 2_600), told(900, 2_650)))
    sums = {"deposit_micros": 1_000_000, "spent_micros": 800_000}
    assert bench.noted == [("session_warned", sums)]
    assert bench.stations.asked == []


def test_the_station_is_stopped_once_when_the_rest_would_flow_while_it_stops(bench):
    asyncio.run(bench.hear(told(600, 2_000), told(900, 2_999), told(901, 2_999, 7_300)))
    assert bench.stations.asked == [("stop", "CA-314", "7")]
    assert [name for name, _ in bench.noted] == ["session_stop_asked"]


def test_a_timer_stops_the_station_between_two_values(bench):
    async def wait():
        # Four Wh are left, of which 3.9 would flow while it stops.
        await bench.hear(told(900, 2_996, 7_000))
        assert bench.stations.asked == []
        async with asyncio.timeout(30):
            await bench.stations.stopped.wait()
        await bench.settle()

    asyncio.run(wait())
    assert bench.stations.asked == [("stop", "CA-314", "7")]


def test_a_new_value_puts_the_timer_off(bench):
    async def wait():
        await bench.hear(told(900, 2_996, 3_600))
        first = bench.track.stop_timer
        await bench.hear(told(901, 2_996, 36))
        assert first.cancelled()
        later = bench.track.stop_timer
        await bench.hear(told(902, 2_996, 0))
        return later.cancelled(), bench.track.stop_timer

    assert asyncio.run(wait()) == (True, None)


def test_a_station_that_keeps_the_limit_itself_is_left_alone(bench):
    bench.stations.keeps = 1_000_000
    asyncio.run(bench.hear(told(900, 2_999)))
    assert bench.stations.asked == []


def test_a_station_that_does_not_stop_is_asked_again_at_the_next_value(bench):
    bench.stations.fault = StationNotConnectedError("CA-314")
    asyncio.run(bench.hear(told(900, 2_999), told(901, 3_000)))
    assert bench.stations.asked == [("stop", "CA-314", "7")] * 2
    assert bench.noted == []


def test_a_deposit_that_grew_is_warned_of_and_stopped_at_again(bench):
    async def grow():
        await bench.hear(told(900, 2_999))
        more = replace(CHARGING, deposit_micros=2_000_000)
        await bench.happened("session_topped_up", more)
        await bench.hear(told(1_000, 3_000))
        assert bench.stations.asked[1:] == [("limit", "CA-314", "7", 2_000_000)]
        await bench.hear(told(2_000, 4_300), told(3_000, 4_999))

    asyncio.run(grow())
    assert bench.stations.asked[2:] == [("stop", "CA-314", "7")]
    assert [name for name, _ in bench.noted] == [
        "session_stop_asked",
        "session_warned",
        "session_stop_asked",
    ]


def test_a_session_whose_end_is_signed_is_stopped_no_more(bench):
    bench.track.put(replace(CHARGING, energy_wh=1_999))
    asyncio.run(bench.hear(told(900, 2_999)))
    assert bench.stations.asked == []
