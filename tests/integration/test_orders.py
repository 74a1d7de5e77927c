"""Orders stand for their intervals until they are taken back, whoever may sign for the member."""

import asyncio
import dataclasses
import re
from pathlib import Path

import httpx2
import pytest

from settlement.engine.market.orders.delegating import delegates_of
from settlement.engine.market.orders.kept import orders_in_force
from settlement.trading.orders.admission import ORDERS_MAX
from settlement.trading.orders.standing import Side
from tests.integration.community import community
from tests.integration.ordering import sale, send

HOUR_S = 3_600
GUIDE = Path(__file__).parents[2] / "docs/how-to/place-an-order.md"


@dataclasses.dataclass
class Table:
    """A community that has moved in, and who speaks to it."""

    here: object
    client: httpx2.AsyncClient

    @property
    def homes(self):
        return list(self.here.world.keys.homes.values())

    @property
    def coming(self):
        """The next interval to begin."""
        return self.here.clock.now_s() // HOUR_S + 1

    def wait_until(self, interval, seconds=0):
        """Let the clock go on to an interval's begin, and some seconds more."""
        self.here.clock.set(interval * HOUR_S + seconds)

    async def say(self, values, wallet, kind="Order"):
        domain = self.here.world.places.community_domain
        status, answer = await send(self.client, kind, values, wallet, domain)
        return (status, answer.get("code")) if status >= 400 else (status, answer)

    def in_force(self, interval, wallet):
        """Return the keys of a member's orders that count for an interval."""
        with self.here.service.reading() as connection:
            found = orders_in_force(connection, interval, interval * HOUR_S)
        return [one.key for one in found.get(wallet.address_hex, ())]

    async def shown(self, wallet, **query):
        answer = await self.client.get("/api/orders", params={"member": wallet.address_hex} | query)
        return answer.json()["orders"]


def key(answer):
    """Return the key of an order that was taken."""
    assert answer[0] == 201, answer
    return answer[1]["struct_hash"][2:]


async def stands(table):
    home = table.homes[0]
    first = table.coming + 1
    wanted = sale(home, first, lastInterval=first + 2, expiresAt=(first + 2) * HOUR_S)
    taken = await table.say(wanted, home)
    mine = [key(taken)]
    again = await table.say(wanted, home)
    forces = [table.in_force(first + step, home) for step in (-1, 0, 1, 2)]
    with table.here.service.reading() as connection:
        order = orders_in_force(connection, first, first * HOUR_S)[home.address_hex][0]
    shown = await table.shown(home)
    return {
        "again": again == taken,
        "forces": forces == [[], mine, mine, []],
        "as signed": (order.side, order.firm, order.energy_wh, order.limit, order.partner)
        == (Side.SELL, False, 1_000, 90_000, ""),
        "shown": [one["state"] for one in shown] == ["standing"],
    }


async def is_canceled(table):
    home = table.homes[1]
    first = table.coming
    mine = [key(await table.say(sale(home, first, lastInterval=first + 3), home))]
    reach = [bool(table.in_force(first + step, home)) for step in (-1, 0, 3, 4)]
    table.wait_until(first + 1)
    cancel = {"member": home.address_hex, "cancels": 1, "nonce": 1}
    ended = await table.say(cancel, home, "OrderCancel")
    found = {
        "from its first to its last": reach == [False, True, True, False],
        "ended": ended[0] == 201,
        "the interval that has begun keeps it": table.in_force(first + 1, home) == mine,
        "the one before too": table.in_force(first, home) == mine,
        "the next has none": table.in_force(first + 2, home) == [],
        "again": await table.say(cancel, home, "OrderCancel") == ended,
        "once": await table.say(cancel | {"nonce": 2}, home, "OrderCancel") == (409, "order_ended"),
        "shown": [one["state"] for one in await table.shown(home)] == ["canceled"],
    }
    table.wait_until(first + 4)
    return found | {"later the same": table.in_force(first + 1, home) == mine}


async def is_replaced(table):
    home = table.homes[2]
    first = table.coming
    firm = sale(home, first, lastInterval=first + 5, quantity=1)
    one = key(await table.say(firm, home))
    table.wait_until(first, 5)
    other = firm | {"firstInterval": first + 3, "replaces": 1, "nonce": 2, "energyWh": 2_000}
    beyond = other | {"side": 1, "energyWh": 2**39, "limit": 10**6}
    found = {
        "a refused one leaves it": await table.say(beyond, home) == (409, "order_beyond_cap")
        and table.in_force(first + 1, home) == [one],
        "replaces": (two := key(await table.say(other, home))) != one,
        "the interval that has begun keeps it": table.in_force(first, home) == [one],
        "none between": table.in_force(first + 1, home) == [],
        "the other stands": table.in_force(first + 3, home) == [two],
        "once": await table.say(other | {"nonce": 3}, home) == (409, "order_ended"),
        "shown": [each["state"] for each in await table.shown(home)] == ["standing", "replaced"],
        "pages": [each["nonce"] for each in await table.shown(home, before=2, limit=1)] == [1],
    }
    table.wait_until(first + 5)
    cancel = {"member": home.address_hex, "cancels": 2, "nonce": 1}
    return found | {
        "over": [each["state"] for each in await table.shown(home)] == ["over", "replaced"],
        "too late": await table.say(cancel, home, "OrderCancel") == (409, "order_ended"),
    }


async def is_delegated(table):
    home, friend = table.homes[3], table.homes[4]
    order = sale(home, table.coming + 9)
    names = {"member": home.address_hex, "delegate": friend.address_hex}
    leave = names | {"validFrom": 0, "validUntil": (table.coming + 1) * HOUR_S, "nonce": 1}
    cancel = {"member": home.address_hex, "cancels": 1, "nonce": 1}
    found = {
        "before": await table.say(order, friend) == (401, "order_not_signed"),
        "leave": (given := await table.say(leave, home, "Delegation"))[0] == 201,
        "leave again": await table.say(leave, home, "Delegation") == given,
        "ordered": (await table.say(order, friend))[0] == 201,
        "shown": (await table.shown(home))[0]["signer"] == friend.address_hex,
        "for the member": len(table.in_force(table.coming + 9, home)) == 1,
        "not for itself": await table.say(leave | {"nonce": 2}, friend, "Delegation")
        == (401, "delegation_not_signed"),
        "not for others": await table.say(sale(table.homes[5], table.coming + 9), friend)
        == (401, "order_not_signed"),
        "cancels": (await table.say(cancel, friend, "OrderCancel"))[0] == 201,
    }
    table.wait_until(table.coming + 1)
    late = order | {"nonce": 2}
    found["no more"] = await table.say(late, friend) == (401, "order_not_signed")
    longer = leave | {"validUntil": 2**40, "nonce": 3}
    found["longer"] = (await table.say(longer, home, "Delegation"))[0] == 201
    found["again"] = (await table.say(late, friend))[0] == 201
    ended = leave | {"validUntil": 1, "nonce": 4}
    found["taken back"] = (await table.say(ended, home, "Delegation"))[0] == 201
    found["after"] = await table.say(order | {"nonce": 3}, friend) == (401, "order_not_signed")
    return found


async def is_traced(table):
    home = table.homes[1]
    trace = f"{table.here.service.rules.community_id}/member/{home.address_hex}"
    found = (await table.client.get(f"/api/trace/{trace}")).json()["steps"]
    titles = [one["title"] for one in found if one["step"] == "message"]
    member = home.address_hex
    return {
        "messages": {f"order/{member}/1", f"order-cancel/{member}/1"} <= set(titles),
        "events": {"order_accepted", "order_canceled"} <= {one["title"] for one in found},
    }


async def follows_the_guide(table):
    """Runs what the guide shows, as one program."""
    wallet = table.homes[6]
    blocks = re.findall(r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    given = {"key": wallet.private_key, "url": table.here.running.url}
    await asyncio.to_thread(exec, "\n".join(blocks), given)
    given["service"].close()
    kept = await table.shown(wallet)
    answer = await table.client.get("/api/orders/terms")
    with table.here.service.reading() as connection:
        delegates = delegates_of(connection, wallet.address_hex, table.here.clock.now_s())
    return {
        "blocks": len(blocks) == 3,
        "as signed": [(one["limit_micros_per_kwh"], one["energy_wh"]) for one in kept]
        == [(150_000, 2_000)],
        "canceled": kept[0]["state"] == "canceled",
        "next": kept[0]["first_interval"] == answer.json()["next_interval"] == table.coming,
        "delegate": delegates == {given["friend"]},
    }


async def is_one_too_many(table):
    home = table.homes[7]
    first = table.coming
    hours = sale(home, first + 1, lastInterval=first + 2)
    for nonce in range(1, ORDERS_MAX + 1):
        assert (await table.say(hours | {"nonce": nonce}, home))[0] == 201
    last = {"nonce": ORDERS_MAX + 1}
    return {
        "refused": await table.say(hours | last, home) == (409, "too_many_orders"),
        "not in place of another": (await table.say(hours | last | {"replaces": 1}, home))[0]
        == 201,
        "not for earlier ones": (await table.say(sale(home, first, nonce=998), home))[0] == 201,
        "not for later ones": (await table.say(sale(home, first + 3, nonce=999), home))[0] == 201,
        "in force": len(table.in_force(first + 1, home)) == ORDERS_MAX,
    }


SCENES = (
    stands,
    is_canceled,
    is_replaced,
    is_delegated,
    is_traced,
    follows_the_guide,
    is_one_too_many,
)


async def played(directory):
    async with (
        community(directory) as here,
        httpx2.AsyncClient(base_url=here.running.url) as client,
    ):
        table = Table(here, client)
        return {scene.__name__: await scene(table) for scene in SCENES}


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("orders")))


@pytest.mark.parametrize("scene", [scene.__name__ for scene in SCENES])
def test_an_order(told, scene):
    assert [name for name, holds in told[scene].items() if not holds] == []
