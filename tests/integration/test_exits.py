"""Members ask for their money and for lower caps in the midst of a day, and no run ever fails."""

import asyncio
from itertools import count

import pytest
from eth_account import Account
from sqlalchemy import select

from contracts.typed_data import keccak
from devnet.field.events import FeederReading
from ledger import accounts
from scripts.replay import Replay
from settlement.chain.reconciliation import token_held
from settlement.engine.finality import advance
from settlement.tables import lane, line, run
from tests.integration.community import community

ASKS_AT, TAKES_AT = 11, 14
"""Which feeder readings they act after: three intervals lie between."""


class Leaving(Replay):
    """Plays the day; the operator leaves in its midst, and every second home stops buying."""

    def __init__(self, world, running, clock, memory):
        super().__init__(world, running, clock, memory)
        self.homes = tuple(world.keys.homes.values())[::2]
        self.operator = world.keys.operator
        self.nonces = {wallet: count() for wallet in (self.operator, *self.homes)}
        self.readings = 0

    async def _one(self, event):
        await super()._one(event)
        if not isinstance(event, FeederReading):
            return
        self.readings += 1
        if self.readings == ASKS_AT:
            self.asked_s = event.at_s
            self._send(self.operator, "requestExit", self._held(self.operator))
            for home in self.homes:
                self._send(home, "setCap", 0)
            await self._running.desk.run(lambda: advance(self._running.service))
            self.lane = self._lane(self.operator)
        if self.readings == TAKES_AT:
            self.left = self._held(self.operator)
            before = self._wallet()
            self._send(self.operator, "exit")
            self.paid = self._wallet() - before
            for home in self.homes:
                self._send(self.operator, "applyCap", home.address_hex)

    def _held(self, wallet):
        service = self._running.service
        with service.reading() as connection:
            account = accounts.trade_balance(wallet.address_hex)
            return service.book.balance(connection, account).posted

    def _lane(self, wallet):
        with self._running.service.reading() as connection:
            query = select(lane).where(lane.c.address == wallet.address_hex)
            return connection.execute(query).mappings().one()

    def _wallet(self):
        service = self._running.service
        return token_held(service.gateway, service.contracts, self.operator.address_hex)

    def _send(self, wallet, name, *arguments):
        service = self._running.service
        trade = service.contracts.trade
        fields = {
            "type": 2,
            "chainId": self._world.places.chain_id,
            "nonce": next(self.nonces[wallet]),
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": 500_000,
            "value": 0,
            "data": trade.encode(name, *arguments),
            "to": bytes.fromhex(trade.address[2:]),
        }
        raw = Account.from_key(wallet.private_key).sign_transaction(fields).raw_transaction
        service.gateway.send(bytes(raw))
        [receipt] = service.gateway.receipts(["0x" + keccak(raw).hex()])
        assert receipt.succeeded, name


async def played(directory):
    async with community(directory, Leaving) as here:
        await here.field.play(lambda _count: None)
        broken = await here.broken_laws()
        rules = here.service.rules
        with here.service.reading() as connection:
            query = select(run.c.interval, line.c.payer).join(line, line.c.run == run.c.run)
            debited = connection.execute(query.where(line.c.rail == "chain")).all()
            lanes = {row["address"]: row for row in connection.execute(select(lane)).mappings()}
        starts = [(rules.start_s(interval), payer) for interval, payer in debited]
        return {"field": here.field, "broken": broken, "debited": starts, "lanes": lanes}


@pytest.fixture(scope="module")
def left(tmp_path_factory):
    return asyncio.run(played(tmp_path_factory.mktemp("left")))


def test_every_law_holds(left):
    assert left["broken"] == {}


def test_money_that_is_asked_back_is_noted_and_stays_until_it_is_taken(left):
    noted = left["field"].lane
    assert noted["exit_micros"] > 0
    assert noted["exit_asked_s"] >= left["field"].asked_s


def test_money_that_is_asked_back_pays_for_no_interval_that_begins_later(left):
    field = left["field"]
    operator = field.operator.address_hex
    mine = [start_s for start_s, payer in left["debited"] if payer == operator]
    assert min(mine) <= field.asked_s
    assert max(mine) <= field.asked_s


def test_all_that_was_left_then_is_paid_out(left):
    field = left["field"]
    assert 0 < field.paid == field.left <= field.lane["exit_micros"]
    assert left["lanes"][field.operator.address_hex]["exit_micros"] is None


def test_a_lower_cap_holds_for_every_interval_that_begins_later(left):
    field = left["field"]
    homes = {one.address_hex for one in field.homes}
    theirs = [start_s for start_s, payer in left["debited"] if payer in homes]
    assert theirs
    assert max(theirs) <= field.asked_s
    assert {left["lanes"][one]["cap_micros"] for one in homes} == {0}
    assert {left["lanes"][one]["lowering_micros"] for one in homes} == {None}


def test_the_others_go_on_trading(left):
    field = left["field"]
    gone = {field.operator.address_hex, *(one.address_hex for one in field.homes)}
    later = {payer for start_s, payer in left["debited"] if start_s > field.asked_s}
    assert later
    assert not later & gone
