"""A day on which homes are in two communities and registers fall silent keeps every law."""

import asyncio
import json
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from devnet.field.gateways import Register
from ledger.errors import VoisinError
from ledger.tables import transfer
from scripts.neighbourhood import roster
from scripts.replay import Replay
from settlement.engine.community import Participation
from settlement.engine.meters.holdings import holdings
from settlement.engine.meters.participation import declare, meter_id_of
from settlement.engine.roll import apply_roster
from settlement.engine.view.tracing import trace
from settlement.metering.homes.shares import WHOLE, Slots
from settlement.metering.readings import Register as Stored
from settlement.tables import intent, reading, run
from tests.integration.community import community

SILENT_HOURS = range(9, 12)
"""Which feeder readings a home's export register misses."""


class Faltering(Replay):
    """Plays the day; one home's export register says nothing for three hours."""

    def __init__(self, world, running, clock, memory):
        super().__init__(world, running, clock, memory)
        self.homes = sorted(world.keys.gateways)
        self.hours = 0

    async def _send_readings(self):
        self.hours += 1
        silent = self._world.keys.gateways[self.homes[0]].meter_id
        if self.hours in SILENT_HOURS:
            self._pending = [
                one
                for one in self._pending
                if (one.reading.meter_id, one.reading.register) != (silent, Register.EXPORT)
            ]
        await super()._send_readings()


async def played(directory):
    async with community(directory, Faltering) as here:
        service, first_s = here.service, here.world.schedule.first_s
        homes = here.world.keys.gateways
        shared = [homes[name].serial for name in sorted(homes)[1:6]]
        ours = service.rules.community_id
        given = [
            Participation(serial, community_id, first_s, factor_bp)
            for serial in shared
            for community_id, factor_bp in ((ours, 3_333), ("birch", 4_000))
        ]

        def declared():
            with service.writing() as connection:
                declare(service, connection, given)

        await here.run(declared)
        await here.field.play(lambda _count: None)
        broken, breaks = await here.broken_laws(), await here.breaks()
        with service.reading() as connection:
            sums = select(transfer.c.code, func.sum(transfer.c.amount)).group_by(transfer.c.code)
            runs = connection.execute(select(run.c.inputs, run.c.estimated).order_by(run.c.run))
            traced = {
                number: trace(connection, service.book, f"{ours}/{interval}/{number}")
                for number, interval in connection.execute(select(run.c.run, run.c.interval))
            }
            return {
                "traced": traced,
                "broken": broken,
                "breaks": breaks,
                "moved": dict(connection.execute(sums).all()),
                "runs": [(json.loads(inputs), estimated) for inputs, estimated in runs],
                "counted": counted(connection, {key.meter_id_hex for key in homes.values()}),
            }


def counted(connection, homes):
    """Return what all home registers counted over the day."""
    found = {}
    for row in connection.execute(select(reading).where(reading.c.meter_id.in_(homes))):
        found.setdefault((row.meter_id, row.register), []).append(row.energy_wh)
    return {
        register: sum(max(said) - min(said) for (_, of), said in found.items() if of == register)
        for register in (Stored.IMPORT, Stored.EXPORT)
    }


@pytest.fixture(scope="module")
def day(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("day")))


def test_every_law_holds_and_nothing_differs(day):
    assert day["broken"] == {}
    assert day["breaks"] == ()


def test_every_watt_hour_of_the_homes_is_posted_once(day):
    moved, counted = day["moved"], day["counted"]
    taken = moved["metered-import"] + moved["beside-import"] - moved["station-energy"]
    assert taken == counted[Stored.IMPORT]
    assert moved["metered-export"] + moved["beside-export"] == counted[Stored.EXPORT]


def test_what_factors_leave_goes_to_the_supplier(day):
    assert day["moved"]["beside-import"] > 0
    assert day["moved"]["beside-export"] > 0


def test_a_silent_register_is_flagged_and_what_it_counted_is_counted_later(day):
    flagged = [
        place for place, (inputs, _) in enumerate(day["runs"]) if "missing" in str(inputs["flags"])
    ]
    assert len(flagged) == len(SILENT_HOURS)
    assert [day["runs"][place][1] for place in flagged] == [1] * len(SILENT_HOURS)
    for place in flagged:
        steps = day["traced"][place + 1]["steps"]
        told = [one for one in steps if one["title"] == "what is to be known of the values"]
        assert [words for one in told for words in one["detail"].values()] == ["missing"]
    gap = [place for place, (inputs, _) in enumerate(day["runs"]) if "gap" in str(inputs["flags"])]
    assert gap == [flagged[-1] + 1]


async def reenrolled(directory):
    """Move a meter to the neighbor, share another, and try what makes no sense."""
    async with community(directory) as here:
        service, first_s = here.service, here.world.schedule.first_s
        whole = roster(here.world.keys, seed=1, from_s=first_s - 7 * 86_400)
        one, other = [meter for meter in whole.meters if meter.kind == "gateway"][:2]
        moved = replace(one, party=other.party, valid_from_s=first_s)
        part = Participation(other.serial, service.rules.community_id, first_s, 2_500)
        good = replace(whole, meters=(*whole.meters, moved), participations=(part,))
        bad = replace(whole, meters=(replace(moved, valid_from_s=first_s + 1, zone="nowhere"),))

        def told(given):
            try:
                apply_roster(service, given)
            except VoisinError as fault:
                return fault.code
            return "applied"

        def enrolled():
            with service.reading() as connection:
                return connection.execute(
                    select(func.count())
                    .select_from(intent)
                    .where(intent.c.business_key.like("enrol/%"))
                ).scalar_one()

        before = enrolled()
        answers = [await here.run(lambda given=given: told(given)) for given in (bad, good, good)]
        with service.reading() as connection:
            held = holdings(service, connection, first_s)
            then = holdings(service, connection, first_s - 3_600)
        breaks = await here.breaks()
        mine = [(x.party, x.since_s, x.slots) for x in held if x.meter_id == _id(one)]
        return {
            "answers": answers,
            "planned": enrolled() - before,
            "moved": mine == [(other.party, first_s, WHOLE)],
            "before": [x.party for x in then if x.meter_id == _id(one)] == [one.party],
            "shared": [x.slots for x in held if x.meter_id == _id(other)],
            "breaks": breaks,
        }


def _id(meter):
    return meter_id_of(meter.serial)


def test_a_roster_moves_a_meter_and_shares_another_without_enrolling_either_again(tmp_path):
    assert asyncio.run(reenrolled(tmp_path)) == {
        "answers": ["unknown_zone", "applied", "applied"],
        "planned": 0,
        "moved": True,
        "before": True,
        "shared": [Slots(0, 2_500)],
        "breaks": (),
    }
