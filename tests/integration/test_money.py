"""Money that is put in comes out; the log is anchored; all on a real chain."""

import asyncio
import contextlib
import json

import httpx2
import pytest
from eth_abi.abi import decode
from eth_account import Account
from sqlalchemy import select

from contracts.typed_data import keccak
from devnet.field.drivers import Driver, Wish, read_quote, session_body
from devnet.field.events import DriverArrives, SessionStops, SliceBoundary
from devnet.field.service import post
from devnet.field.stations import Station
from ledger import accounts
from ledger.proofs import Checkpoint, open_checkpoint
from ledger.tables import checkpoint
from settlement.chain.reconciliation import token_held
from settlement.charging.terms import SessionTerms, contract_tuple
from settlement.engine.charging.running import opening_of
from settlement.engine.checkpoints import close_day, origin_of
from settlement.engine.clockwork import tick
from settlement.engine.finality import advance
from settlement.engine.roll import meter_key
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain
from settlement.tables import refusal, session
from tests.integration.community import community

DAY_S, WEEK_S = 86_400, 7 * 86_400


@pytest.fixture
def journey(tmp_path):
    """Run an async journey in a fresh community; every law and equation must hold at its end."""

    def run(story):
        async def told():
            async with (
                community(tmp_path) as here,
                httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client,
            ):
                await story(here, client)
                await here.running.desk.idle()
                assert await here.broken_laws() == {}
                assert await here.breaks() == ()

        asyncio.run(told())

    return run


class Guest:
    """A driver of the schedule's first session, at its station."""

    def __init__(self, here, client):
        self.here, self.client = here, client
        events = here.world.schedule.events
        self.arrival = next(one for one in events if isinstance(one, DriverArrives))
        mine = [one for one in events if getattr(one, "session", None) == self.arrival.session]
        self.slices = [one for one in mine if isinstance(one, SliceBoundary)]
        self.stop = next(one for one in mine if isinstance(one, SessionStops))
        self.driver = Driver(
            here.world.keys.drivers[self.arrival.driver], here.world.places, here.world.parameters
        )
        self.wish = Wish(
            station=self.arrival.station,
            meter_id=here.world.keys.stations[self.arrival.station].meter_id,
            operator=here.world.keys.operator.address_hex,
            requested_wh=self.arrival.requested_wh,
        )

    @property
    def wallet(self):
        return self.driver.wallet.address_hex

    def held(self):
        return token_held(self.here.service.gateway, self.here.service.contracts, self.wallet)

    async def opens(self):
        self.here.clock.set(self.arrival.at_s)
        return await self.driver.open_session(self.client, self.wish, self.here.clock)

    async def quoted(self):
        self.here.clock.set(self.arrival.at_s)
        return read_quote(await post(self.client, "/api/quotes", self.driver.ask(self.wish)))

    async def charges(self, station, id_tag):
        """Charge until the car leaves; return the OCPP transaction, not yet stopped."""
        number = await station.start(self.arrival, id_tag)
        for part in self.slices:
            self.here.clock.set(part.at_s)
            await station.send_slice(part, id_tag, number)
        self.here.clock.set(self.stop.at_s)
        return number

    def row(self):
        with self.here.service.reading() as connection:
            found = connection.execute(select(session).where(session.c.driver == self.wallet))
            return found.mappings().one()


def test_a_deposit_that_nobody_charges_comes_back_whole(journey):
    async def story(here, client):
        guest = Guest(here, client)
        before = guest.held()
        opened = await guest.opens()
        assert guest.held() == before - opened.deposit_micros
        here.clock.set(guest.row()["deadline_s"] + 1)
        await here.run(lambda: tick(here.service))
        assert guest.row()["state"] == "expired"
        assert guest.held() == before

    journey(story)


def test_opening_twice_takes_one_deposit(journey):
    async def story(here, client):
        guest = Guest(here, client)
        before = guest.held()
        first = await guest.opens()
        assert await guest.opens() == first
        assert guest.held() == before - first.deposit_micros

    journey(story)


def test_the_refund_is_in_the_wallet_when_the_stop_is_judged(journey):
    async def story(here, client):
        guest = Guest(here, client)
        before = guest.held()
        opened = await guest.opens()
        async with _station(here, guest) as station:
            number = await guest.charges(station, opened.id_tag)
            await station.stop(guest.stop, opened.id_tag, number)
            await here.running.desk.idle()
            row = guest.row()
            assert row["state"] == "closed"
            assert row["energy_wh"] == guest.stop.energy_wh
            assert guest.held() == before - row["charge_micros"]

    journey(story)


def test_anybody_may_bring_the_record_before_the_station_does(journey):
    async def story(here, client):
        guest, service = Guest(here, client), here.service
        before = guest.held()
        opened = await guest.opens()
        async with _station(here, guest) as station:
            number = await guest.charges(station, opened.id_tag)
            record = parse_record(station.meter.transaction_record(guest.stop, opened.id_tag))
            terms = SessionTerms(**json.loads(guest.row()["terms"]))
            with service.reading() as connection:
                key = meter_key(connection, terms.meter_id, guest.stop.at_s)
            signature = signature_for_chain(record, key)
            opening = opening_of(guest.row()).contract_tuple()
            arguments = (contract_tuple(terms), opening, record.payload, signature)
            data = service.contracts.vault.encode("closeWithOcmf", *arguments)
            stranger = next(iter(here.world.keys.homes.values()))
            _send(here, stranger, data, nonce=0, to=service.contracts.vault)
            await here.run(lambda: advance(service))
            assert guest.row()["state"] == "closed"
            await station.stop(guest.stop, opened.id_tag, number)
            await here.running.desk.idle()
        row = guest.row()
        assert (row["state"], row["energy_wh"]) == ("closed", guest.stop.energy_wh)
        assert guest.held() == before - row["charge_micros"]
        assert _refused(here) == set()

    journey(story)


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"price_micros_per_kwh": 1}, 409, "terms_differ"),
        ({"deposit_micros": 10_000}, 409, "terms_differ"),
        ({"operator": "0x" + "11" * 20}, 409, "terms_differ"),
        ({"meter_id": "0x" + "22" * 32}, 404, "unknown_station"),
        ({"id_tag": "SOMEBODY-ELSE"}, 409, "terms_differ"),
    ],
)
def test_terms_other_than_the_quoted_ones_are_refused(journey, change, status, code):
    async def story(here, client):
        guest = Guest(here, client)
        before, quote = guest.held(), await guest.quoted()
        body = session_body(quote, guest.wish, guest.driver.sign(quote))
        answer = await client.post(
            "/api/sessions", json=body | {"terms": {**quote.document, **change}}
        )
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert guest.held() == before
        assert code in _refused(here)

    journey(story)


def test_somebody_elses_signature_opens_nothing(journey):
    async def story(here, client):
        guest = Guest(here, client)
        quote = await guest.quoted()
        stranger = here.world.keys.operator
        forged = Driver(stranger, here.world.places, here.world.parameters).sign(quote)
        answer = await client.post("/api/sessions", json=session_body(quote, guest.wish, forged))
        assert (answer.status_code, answer.json()["code"]) == (502, "opening_refused")

    journey(story)


def test_a_member_takes_its_money_out_after_a_week_in_which_nothing_was_settled(journey):
    async def story(here, _client):
        service = here.service
        home = next(iter(here.world.keys.homes.values()))
        with service.reading() as connection:
            joined = service.book.balance(connection, accounts.trade_balance(home.address_hex))
        before = token_held(service.gateway, service.contracts, home.address_hex)
        _send(here, home, service.contracts.trade.encode("requestExit", joined.posted), nonce=0)
        here.clock.set(here.clock.now_s() + WEEK_S + DAY_S)
        _send(here, home, service.contracts.trade.encode("exit"), nonce=1)
        await here.run(lambda: advance(service))
        after = token_held(service.gateway, service.contracts, home.address_hex)
        with service.reading() as connection:
            left = service.book.balance(connection, accounts.trade_balance(home.address_hex))
        assert (after - before, left.posted) == (joined.posted, 0)

    journey(story)


def test_the_chain_holds_the_signed_root_of_the_log(journey):
    async def story(here, client):
        service = here.service
        guest = Guest(here, client)
        here.clock.set(guest.arrival.at_s)
        first = await here.run(lambda: close_day(service))
        await guest.opens()
        assert await here.run(lambda: close_day(service)) is None
        here.clock.set(here.clock.now_s() + DAY_S)
        second = await here.run(lambda: close_day(service))
        assert first.size < second.size
        with service.reading() as connection:
            note = connection.execute(
                select(checkpoint.c.note).where(checkpoint.c.size == second.size)
            ).scalar_one()
        key = service.log_key.public_key()
        assert open_checkpoint(note, origin_of(service), key) == second
        assert _anchored(here) == (second, key)

    journey(story)


def _anchored(here):
    """Return the last checkpoint and its signer as somebody finds them who has only the chain."""
    service = here.service
    trade, gateway = service.contracts.trade, service.gateway
    size, number = (
        trade.decode_result(name, gateway.call(trade.address, trade.encode(name)))[0]
        for name in ("logSize", "logBlock")
    )
    logs = gateway.logs(number, number, (trade.address,))
    events = [(one, trade.decode_event(one)) for one in logs]
    [(log, event)] = [one for one in events if one[1].arguments.get("size") == size]
    with service.reading() as connection:
        data = service.outbox.call_of(connection, log.transaction_hash).data
    _, root, at_s, halves = decode(["uint64", "bytes32", "uint64", "bytes32[2]"], data[4:])
    assert event.arguments["root"] == "0x" + root.hex()
    found = Checkpoint(origin_of(service), size, root, at_s)
    key = service.log_key.public_key()
    key.verify(b"".join(halves), found.text().encode())
    return found, key


@contextlib.asynccontextmanager
async def _station(here, guest):
    name, keys = guest.arrival.station, here.world.keys
    url = here.running.url.replace("http://", "ws://") + "/ocpp"
    async with Station(name, keys.stations[name], keys.passwords[name], url) as station:
        await station.connect(here.clock.now_s())
        yield station


def _refused(here):
    with here.service.reading() as connection:
        return set(connection.execute(select(refusal.c.code)).scalars())


def _send(here, wallet, data, *, nonce, to=None):
    contract = to or here.service.contracts.trade
    fields = {
        "type": 2,
        "chainId": here.world.places.chain_id,
        "nonce": nonce,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "gas": 500_000,
        "value": 0,
        "data": data,
        "to": bytes.fromhex(contract.address[2:]),
    }
    signed = Account.from_key(wallet.private_key).sign_transaction(fields)
    here.service.gateway.send(bytes(signed.raw_transaction))
    [receipt] = here.service.gateway.receipts(["0x" + keccak(signed.raw_transaction).hex()])
    assert receipt.succeeded
