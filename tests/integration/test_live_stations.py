"""Stations that live by themselves charge before the real service, and the money is right."""

import asyncio

import pytest

from devnet.field.stations.charging import Curve, MeterState, Plate
from devnet.field.stations.live import Equipment, LiveStation
from devnet.field.stations.notes import Version
from devnet.field.stations.wire import Address
from devnet.field.topping_up import top_up
from ledger.units import Micros, WattHours
from tests.integration.street import (
    HOUR_S,
    MINUTE_S,
    PASSWORD,
    POWER_W,
    PRICE,
    REGISTER_WH,
    VERSIONS,
    street,
)

every_version = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    with asyncio.Runner() as runner:
        house = street(tmp_path_factory.mktemp("street"))
        here = runner.run(house.__aenter__())
        yield lambda row: runner.run(row(here))
        runner.run(house.__aexit__(None, None, None))


class Living:
    """A live station on the street, a driver with a deposit, and an hour hand."""

    def __init__(self, here, station, opened, version, wanted_wh):
        self.here, self.opened = here, opened
        name, key = station
        equipment = Equipment(
            key=key,
            meter=MeterState(REGISTER_WH),
            curve=Curve(POWER_W, wanted_wh),
            version=Version(version),
            plate=Plate(PRICE, Micros(0)),
            interval_s=HOUR_S,
            sample_s=MINUTE_S,
        )
        self.one = LiveStation(Address(name, PASSWORD, here.url), equipment, here.clock)
        self.name = name

    async def live(self, seconds):
        for _ in range(0, seconds, MINUTE_S):
            self.here.pass_time(MINUTE_S)
            await self.one.step()
            await self.here.idle()


async def living(here, version, *, requested_wh=20_000, wanted_wh=100_000):
    station = await here.build()
    opened = await here.open(*station, requested_wh)
    found = Living(here, station, opened, version, WattHours(wanted_wh))
    await found.one.step()
    return found


def billed(here, opened, added_micros=0):
    found = here.session(opened.session_id)
    assert found["state"] == "closed"
    deposit_micros = opened.deposit_micros + added_micros
    assert found["charge_micros"] + found["refund_micros"] == deposit_micros
    return found["energy_wh"], found["charge_micros"]


@every_version
def test_plug_in_draw_and_unplug_is_all_that_a_driver_does(play, version):
    async def row(here):
        visit = await living(here, version)
        visit.one.plug_in(visit.opened.id_tag)
        await visit.one.step()
        await visit.live(2 * HOUR_S)
        visit.one.unplug()
        await visit.one.step()
        await here.idle()
        assert billed(here, visit.opened) == (12_000, 12 * PRICE)
        assert here.refused(visit.name) == []
        await visit.one.close()

    play(row)


@every_version
def test_a_car_that_is_full_waits_for_its_driver(play, version):
    async def row(here):
        visit = await living(here, version, wanted_wh=3_000)
        visit.one.plug_in(visit.opened.id_tag)
        await visit.one.step()
        await visit.live(3 * HOUR_S)
        assert visit.one.state == "SuspendedEV"
        visit.one.unplug()
        await visit.one.step()
        await here.idle()
        assert billed(here, visit.opened) == (3_000, 3 * PRICE)
        assert here.refused(visit.name) == []
        await visit.one.close()

    play(row)


@every_version
def test_drivers_follow_each_other_on_one_register(play, version):
    async def row(here):
        visit = await living(here, version)
        for opened in (visit.opened, await here.open(visit.name, visit.one._equipment.key)):
            visit.one.plug_in(opened.id_tag)
            await visit.one.step()
            await visit.live(HOUR_S // 2)
            visit.one.unplug()
            await visit.one.step()
            await here.idle()
            assert billed(here, opened) == (3_000, 3 * PRICE)
        assert visit.one.meter.register_wh == REGISTER_WH + 6_000
        assert here.refused(visit.name) == []
        await visit.one.close()

    play(row)


@pytest.mark.parametrize("version", [one for one in VERSIONS if one == "2.1"])
def test_a_station_that_knows_its_price_stops_at_the_deposit_by_itself(play, version):
    async def row(here):
        visit = await living(here, version, requested_wh=1_000)
        visit.one.plug_in(visit.opened.id_tag)
        await visit.one.step()
        await visit.live(HOUR_S)
        assert visit.one.state == "SuspendedEVSE"
        visit.one.unplug()
        await visit.one.step()
        await here.idle()
        energy_wh, charge = billed(here, visit.opened)
        assert charge <= visit.opened.deposit_micros < (energy_wh + 26) * PRICE // 1_000
        assert here.session(visit.opened.session_id)["overrun_micros"] == 0
        await visit.one.close()

    play(row)


# Where the clock is a replay's nobody tells a station of a raised limit; ``test_live`` plays 2.1.
@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_top_up_lets_more_be_drawn(play, version):
    async def row(here):
        visit = await living(here, version, requested_wh=1_000)
        visit.one.plug_in(visit.opened.id_tag)
        await visit.one.step()
        await visit.live(6 * MINUTE_S)
        driver = here.drivers[visit.opened.session_id]
        await top_up(here.client, driver, visit.opened, Micros(1_000_000))
        await here.idle()
        await visit.live(14 * MINUTE_S)
        assert visit.one.state == "Charging"
        visit.one.unplug()
        await visit.one.step()
        await here.idle()
        assert billed(here, visit.opened, 1_000_000) == (2_000, 2 * PRICE)
        await visit.one.close()

    play(row)
