"""A day with orders in it: firm energy is fixed, limits are kept, and every law holds."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import select

from devnet.field.events import FeederReading
from scripts.replay import Replay
from settlement.engine.market.collecting import collect
from settlement.tables import line, run
from tests.integration.community import community
from tests.integration.ordering import sale, send

AT_READING, HOURS = 12, 3
"""Which feeder reading the orders come with, and for how many hours they are."""
HOUR_S = 3_600
FIRM_WH, DEAR = 6_000, 2_000_000
PROUD = slice(2, 9)
"""Homes that would sell at ten times any price only."""


class Ordering(Replay):
    """Plays the day; at noon some homes order for the next hours."""

    def __init__(self, *given):
        super().__init__(*given)
        self.answers = []
        self.first = None
        self.count = 0

    async def _one(self, event):
        self.count += isinstance(event, FeederReading)
        if isinstance(event, FeederReading) and self.count == AT_READING:
            self._clock.set(event.at_s)
            self.first = event.at_s // HOUR_S + 1
            await self._order()
        await super()._one(event)

    async def _order(self):
        homes = list(self._world.keys.homes.values())
        hours = {"lastInterval": self.first + HOURS - 1}
        firm = hours | {"quantity": 1, "energyWh": FIRM_WH}
        await self._say(sale(homes[0], self.first, **firm, limit=1), homes[0])
        wanted = sale(homes[1], self.first, **firm, side=1, limit=DEAR, solarOnly=True)
        await self._say(wanted | {"partner": homes[0].address_hex}, homes[1])
        for home in homes[PROUD]:
            proud = sale(home, self.first, **hours, limit=DEAR, energyWh=2**40)
            await self._say(proud, home)

    async def _say(self, values, wallet):
        domain = self._world.places.community_domain
        self.answers.append(await send(self._client, "Order", values, wallet, domain))


async def played(directory):
    async with community(directory, Ordering) as here:
        await here.field.play(lambda _count: None)
        found = {"broken": await here.broken_laws(), "breaks": await here.breaks()}
        first = here.field.first
        ordered = range(first, first + HOURS)
        with here.service.reading() as connection:
            runs = connection.execute(select(run.c.run, run.c.interval)).all()
            lines = connection.execute(
                select(run.c.interval, line).join(run, run.c.run == line.c.run)
            ).all()
            nets = {
                interval: {
                    one.account: one.export_wh - one.import_wh
                    for one in collect(
                        here.service, connection, interval, number, funds={}
                    ).inputs.members
                }
                for number, interval in runs
                if interval in ordered
            }
        homes = [one.address_hex for one in here.world.keys.homes.values()]
        return found | {
            "answers": here.field.answers,
            "ordered": ordered,
            "lines": lines,
            "nets": nets,
            "homes": homes,
            "supplier": here.service.rules.supplier_party,
        }


@pytest.fixture(scope="module")
def day_of_orders(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("ordered")))


def moved(day_of_orders, interval, kind):
    """Return the energy that each gave less what it took by lines of a kind, in Wh."""
    net = Counter()
    for one in day_of_orders["lines"]:
        if one.interval == interval and one.kind == kind:
            gives = one.payee if one.price_micros_per_kwh >= 0 else one.payer
            takes = one.payer if one.price_micros_per_kwh >= 0 else one.payee
            net[gives] += one.energy_wh
            net[takes] -= one.energy_wh
    return net


def test_every_order_is_taken(day_of_orders):
    assert [status for status, _ in day_of_orders["answers"]] == [201] * 9


def test_every_law_holds_and_nothing_breaks(day_of_orders):
    assert day_of_orders["broken"] == {}
    assert day_of_orders["breaks"] == ()


def test_what_is_sold_firm_is_sold_whatever_the_meter_says(day_of_orders):
    seller, buyer = day_of_orders["homes"][:2]
    for interval in day_of_orders["ordered"]:
        sold = moved(day_of_orders, interval, "energy")
        assert sold[seller] == FIRM_WH
        assert sold[buyer] == -FIRM_WH


def test_what_is_not_delivered_is_the_suppliers_imbalance(day_of_orders):
    kinds = Counter(one.kind for one in day_of_orders["lines"])
    assert kinds["imbalance"] >= HOURS
    for interval in day_of_orders["ordered"]:
        gap = moved(day_of_orders, interval, "imbalance")
        nets = day_of_orders["nets"][interval]
        seller, buyer = day_of_orders["homes"][:2]
        assert gap[seller] == -max(0, FIRM_WH - max(0, nets[seller]))
        assert gap[buyer] == max(0, FIRM_WH - max(0, -nets[buyer]))
        assert set(gap) <= {seller, buyer, day_of_orders["supplier"]}


def test_meters_equal_trades_residual_and_imbalance(day_of_orders):
    kinds = ("energy", "residual", "imbalance")
    for interval in day_of_orders["ordered"]:
        each = [moved(day_of_orders, interval, kind) for kind in kinds]
        for account, net in day_of_orders["nets"][interval].items():
            assert sum(one[account] for one in each) == net


def test_nobody_sells_below_the_limit_of_its_order(day_of_orders):
    proud = day_of_orders["homes"][PROUD]
    sold = Counter()
    for interval in {one.interval for one in day_of_orders["lines"]}:
        net = moved(day_of_orders, interval, "energy")
        sold[interval in day_of_orders["ordered"]] += sum(max(0, net[one]) for one in proud)
    assert sold[True] == 0
    assert sold[False] > 0
