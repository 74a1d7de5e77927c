"""Whatever the outside world sends: refused by name, kept, and the day settles all the same."""

import asyncio
from collections import Counter
from dataclasses import replace

import pytest
from sqlalchemy import select

from devnet.field.dataset import ColumnMissingError, load_dataset
from devnet.field.events import DriverArrives, FeederReading, SessionStops
from devnet.field.gateways import post_readings, sign_feeder
from devnet.field.misbehaving import readings as misbehave
from devnet.field.stations.charge_point import TagRefusedError
from ledger.units import WattHours
from scripts.replay import Replay
from settlement.engine.view.overview import overview
from settlement.engine.view.tally import Tally
from settlement.tables import refusal
from tests.integration.community import SEED, community

AT_READING, AT_SESSION = 12, 5
"""Which feeder reading and which session the field misbehaves at."""


class Misbehaving(Replay):
    """Plays the day, with one of each bad message in the midst of it."""

    def __init__(self, *given):
        super().__init__(*given)
        self.answers = {}
        self.seen = Counter()
        self.before = ()

    async def _one(self, event):
        self.seen[type(event)] += 1
        count = self.seen[type(event)]
        if isinstance(event, FeederReading) and count == AT_READING:
            await self._bad_readings(event)
        if isinstance(event, DriverArrives) and count == AT_SESSION:
            await self._without_deposit(event)
        if isinstance(event, SessionStops) and count == AT_SESSION:
            await self._bad_stop(event)
        await super()._one(event)
        if isinstance(event, FeederReading):
            self.before = self.sent

    async def _send_readings(self):
        self.sent = tuple(self._pending)
        await super()._send_readings()

    async def _say(self, name, *readings):
        found = await post_readings(self._client, readings)
        self.answers[name] = [(one.status, one.code) for one in found]

    async def _bad_readings(self, event):
        self._clock.set(event.at_s)
        domain, good = self._world.places.community_domain, self._pending[0]
        home = next(k for k in self._world.keys.gateways.values() if k.meter_id == _meter(good))
        head = self._world.keys.feeder_head
        earlier = next(one for one in self.before if _meter(one) == home.meter_id)
        await self._say("wrong signature", misbehave.wrongly_signed(good, SEED, domain))
        await self._say("unknown meter", misbehave.of_unknown_meter(good, SEED, domain))
        backwards = misbehave.running_backwards(earlier, home, domain, by_wh=WattHours(1))
        await self._say("backwards", backwards)
        await self._say("duplicate", earlier)
        await self._say("other content", misbehave.with_other_content(earlier, home, domain))
        later = replace(event, at_s=event.at_s + 3_600)
        await self._say("future", *sign_feeder(later, head, domain))
        await post_readings(self._client, self._pending)
        wrong = misbehave.disagreeing_feeder(event, head, domain, by_wh=WattHours(100_000))
        await self._say("feeder", *wrong)

    async def _without_deposit(self, event):
        self._clock.set(event.at_s)
        station = self._stations[event.station]
        tag = misbehave.tag_nobody_opened(SEED)
        for attempt in (station.start(event, tag), station.start_unauthorized(event, tag)):
            with pytest.raises(TagRefusedError):
                await attempt

    async def _bad_stop(self, event):
        self._clock.set(event.at_s)
        station = self._stations[event.station]
        plugged = self._memory.plugged[event.session]
        for malformed in misbehave.MALFORMED_FRAMES:
            assert (await station.send_frame(malformed)).startswith("[4,")
        await station.stop(event, misbehave.tag_nobody_opened(SEED), plugged.transaction_id)
        await self._running.desk.idle()


def _meter(signed):
    return signed.reading.meter_id


async def played(directory):
    """Play a day with the misbehaving field; return it with what the service says afterwards."""
    async with community(directory, Misbehaving) as here:
        await here.field.play(lambda _count: None)
        broken = await here.broken_laws()
        with here.service.reading() as connection:
            return {
                "field": here.field,
                "broken": broken,
                "totals": overview(here.service, connection, Tally())["totals"],
                "refused": connection.execute(
                    select(refusal.c.code, refusal.c.source, refusal.c.body, refusal.c.detail)
                ).all(),
                "roots": here.roots(),
            }


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("disturbed")))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("wrong signature", [("refused", "wrong_signer")]),
        ("unknown meter", [("refused", "unknown_meter")]),
        ("backwards", [("refused", "register_went_back")]),
        ("duplicate", [("replayed", None)]),
        ("other content", [("refused", "message_differs")]),
        ("future", [("refused", "future_reading")] * 2),
        ("feeder", [("refused", "feeder_disagrees")] * 2),
    ],
)
def test_a_bad_reading_is_answered_by_name(disturbed, name, expected):
    assert disturbed["field"].answers[name] == expected


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("wrong_signer", 1),
        ("unknown_meter", 1),
        ("register_went_back", 1),
        ("feeder_disagrees", 2),
        ("no_deposit", 2),
        ("foreign_record", 1),
        ("malformed_frame", len(misbehave.MALFORMED_FRAMES)),
    ],
)
def test_what_is_refused_is_kept_with_its_reason(disturbed, code, count):
    kept = [one for one in disturbed["refused"] if one.code == code]
    assert len(kept) == count
    assert all(one.body and one.detail and one.source for one in kept)


def test_a_malformed_frame_is_kept_byte_for_byte(disturbed):
    kept = {one.body.decode() for one in disturbed["refused"] if one.code == "malformed_frame"}
    assert kept == set(misbehave.MALFORMED_FRAMES)


def test_every_law_holds_all_the_same(disturbed):
    assert disturbed["broken"] == {}


def test_the_day_comes_to_the_same(disturbed, day):
    totals, undisturbed = disturbed["totals"], day.summary
    for name in ("intervals", "delivered_wh", "traded_wh", "traded_home_to_home_wh"):
        assert totals[name] == undisturbed[name]
    assert totals["sessions_closed"] == undisturbed["sessions"]
    for name in ("deposited_micros", "charged_micros", "refunded_micros"):
        assert int(totals[name]) == undisturbed[name]
    assert disturbed["roots"]["last run"] == undisturbed["roots"]["last run"]


def test_data_without_a_column_are_refused_by_its_name(tmp_path):
    folder = misbehave.data_without_column(tmp_path, "acn/week_2017-05-08.csv", "delivered_wh")
    with pytest.raises(ColumnMissingError, match="delivered_wh"):
        load_dataset(folder)
