"""Whatever somebody orders wrongly: refused by name, and the day settles all the same."""

import asyncio
from dataclasses import replace

import pytest
from sqlalchemy import select

from devnet.field.events import FeederReading
from devnet.field.keys import wallet_of
from scripts.replay import Replay
from settlement.engine.view.overview import overview
from settlement.engine.view.tally import Tally
from settlement.tables import market_order, refusal
from tests.integration.community import SEED, community
from tests.integration.ordering import PATHS, sale, send, signed

AT_READING = 12
"""Which feeder reading the orders come with."""
HOUR_S = 3_600
KINDS = {"order", "order_cancel", "delegation"}


class Ordering(Replay):
    """Plays the day, with one of each bad order in the midst of it."""

    def __init__(self, *given):
        super().__init__(*given)
        self.answers = {}
        self.count = 0

    async def _one(self, event):
        self.count += isinstance(event, FeederReading)
        if isinstance(event, FeederReading) and self.count == AT_READING:
            self._clock.set(event.at_s)
            await self._bad_orders(event.at_s)
        await super()._one(event)

    async def _say(self, name, values, wallet, *, kind="Order", domain=None):
        domain = domain or self._world.places.community_domain
        status, answer = await send(self._client, kind, values, wallet, domain)
        self.answers[name] = (status, answer.get("code"))

    async def _bad_orders(self, now_s):
        homes = list(self._world.keys.homes.values())
        home, other, stranger = homes[0], homes[1], wallet_of(SEED, "nobody of here")
        domain = self._world.places.community_domain
        begun = now_s // HOUR_S
        coming = begun + 1
        await self._say("begun", sale(home, begun), home)
        await self._say("expired", sale(home, coming, expiresAt=now_s), home)
        await self._say("for nothing", sale(home, coming, expiresAt=coming * HOUR_S), home)
        await self._say("stranger", sale(stranger, coming), stranger)
        await self._say("partner", sale(home, coming, partner=stranger.address_hex), home)
        await self._say("seller signs for buyer", sale(other, coming, side=1), home)
        elsewhere = replace(domain, verifying_contract="0x" + "c1" * 20)
        await self._say("wrong domain", sale(home, coming), home, domain=elsewhere)
        elsewhere = replace(domain, chain_id=1)
        await self._say("wrong chain", sale(home, coming), home, domain=elsewhere)
        await self._say("no energy", sale(home, coming, energyWh=0), home)
        await self._say("all energy", sale(home, coming, energyWh=2**40 + 1), home)
        await self._say("backwards", sale(home, coming + 1, lastInterval=coming), home)
        await self._beyond_types(home, coming)
        dear = sale(home, coming, side=1, quantity=1, energyWh=1_000_000, limit=400_000)
        await self._say("beyond cap", dear, home)
        nothing_there = sale(home, coming, quantity=1, energyWh=1_000_000, limit=0)
        await self._say("beyond what could be made good", nothing_there, home)
        await self._of_nothing(home, other, coming)
        await self._twice(home, coming + 1_000)

    async def _twice(self, home, later):
        """Order again what stands: after the day, so that it touches none of its intervals."""
        firm = sale(home, later, quantity=1)
        await self._say("firm", firm, home)
        await self._say("replayed", firm, home)
        await self._say("same nonce", firm | {"limit": 80_000}, home)
        await self._say("overlapping", firm | {"lastInterval": later + 3, "nonce": 2}, home)

    async def _beyond_types(self, home, coming):
        """Send numbers that no wallet would sign."""
        await self._beyond("price", sale(home, coming), home, {"limit_micros_per_kwh": 2**31})
        await self._beyond("low", sale(home, coming), home, {"limit_micros_per_kwh": -(2**31) - 1})
        await self._beyond("negative energy", sale(home, coming), home, {"energy_wh": -5})
        await self._beyond("changed", sale(home, coming), home, {"limit_micros_per_kwh": 1})

    async def _of_nothing(self, home, other, coming):
        """Act on orders that are not there, and for members that gave no leave."""
        await self._say("replaces nothing", sale(home, coming, replaces=9), home)
        nothing = {"member": home.address_hex, "cancels": 9, "nonce": 1}
        await self._say("cancels nothing", nothing, home, kind="OrderCancel")
        await self._say("cancels for another", nothing, other, kind="OrderCancel")
        leave = {"validFrom": 0, "validUntil": 2**40, "nonce": 1}
        names = {"member": other.address_hex, "delegate": home.address_hex}
        await self._say("names itself delegate", leave | names, home, kind="Delegation")
        await self._say("still no delegate", sale(other, coming), home)
        names = {"member": home.address_hex, "delegate": other.address_hex}
        await self._say("never valid", leave | names | {"validUntil": 0}, home, kind="Delegation")

    async def _beyond(self, name, values, wallet, change):
        """Send what was signed with another value in its place, one that no wallet would sign."""
        body = signed("Order", values, wallet, self._world.places.community_domain) | change
        answer = await self._client.post(PATHS["Order"], json=body)
        self.answers[name] = (answer.status_code, answer.json()["code"])


async def played(directory):
    async with community(directory, Ordering) as here:
        await here.field.play(lambda _count: None)
        broken = await here.broken_laws()
        with here.service.reading() as connection:
            return {
                "answers": here.field.answers,
                "broken": broken,
                "totals": overview(here.service, connection, Tally())["totals"],
                "orders": connection.execute(select(market_order)).all(),
                "refused": connection.execute(
                    select(refusal.c.code, refusal.c.source, refusal.c.body, refusal.c.kind)
                ).all(),
                "roots": here.roots(),
            }


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("disturbed")))


EXPECTED = {
    "begun": (409, "order_too_late"),
    "expired": (409, "order_expired"),
    "for nothing": (409, "order_expired"),
    "stranger": (404, "unknown_member"),
    "partner": (404, "unknown_member"),
    "seller signs for buyer": (401, "order_not_signed"),
    "wrong domain": (401, "order_not_signed"),
    "wrong chain": (401, "order_not_signed"),
    "no energy": (422, "bad_order"),
    "all energy": (422, "bad_order"),
    "backwards": (422, "bad_order"),
    "price": (422, "price_out_of_range"),
    "low": (422, "price_out_of_range"),
    "negative energy": (422, "bad_order"),
    "changed": (401, "order_not_signed"),
    "beyond cap": (409, "order_beyond_cap"),
    "beyond what could be made good": (409, "order_beyond_cap"),
    "replaces nothing": (404, "unknown_order"),
    "cancels nothing": (404, "unknown_order"),
    "cancels for another": (401, "order_not_signed"),
    "names itself delegate": (401, "delegation_not_signed"),
    "still no delegate": (401, "order_not_signed"),
    "never valid": (422, "bad_delegation"),
    "firm": (201, None),
    "replayed": (201, None),
    "same nonce": (409, "message_differs"),
    "overlapping": (409, "overlapping_firm_orders"),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_bad_order_is_refused_by_name(disturbed, name):
    assert disturbed["answers"][name] == EXPECTED[name]


def test_each_refusal_is_kept_with_what_was_sent(disturbed):
    kept = [
        one for one in disturbed["refused"] if one.kind in {"order", "order_cancel", "delegation"}
    ]
    refused = [code for _, code in EXPECTED.values() if code is not None]
    assert sorted(one.code for one in kept) == sorted(refused)
    assert all(one.body and one.source for one in kept)


def test_only_the_good_order_stands_and_once(disturbed):
    [stands] = disturbed["orders"]
    assert (stands.nonce, stands.quantity, stands.energy_wh) == (1, 1, 1_000)


def test_every_law_holds_all_the_same(disturbed):
    assert disturbed["broken"] == {}


def test_every_interval_settles_as_if_they_had_never_come(disturbed, day):
    totals, undisturbed = disturbed["totals"], day.summary
    for name in ("intervals", "delivered_wh", "traded_wh", "traded_home_to_home_wh"):
        assert totals[name] == undisturbed[name]
    assert disturbed["roots"]["last run"] == undisturbed["roots"]["last run"]
