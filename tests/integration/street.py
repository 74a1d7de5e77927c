"""
A street of stations before the real service: chain, database, endpoint and deposits are real.

Every row of the failure table plays on a station and with a driver of its own, one after the other,
so that each can be looked at by itself and no row is undone by the one before it.
"""

import asyncio
import contextlib
import json
from dataclasses import replace

import httpx2
import pytest
from sqlalchemy import select

from devnet.field.drivers import Driver, Wish
from devnet.field.keys import OPERATOR, Role, meter_key
from devnet.field.keys import Curve as Curves
from devnet.field.misbehaving.messages import with_seq_no
from devnet.field.ocmf import OcmfMeter
from devnet.field.parameters import load_parameters
from devnet.field.stations.charging import Charge, Curve, MeterState
from devnet.field.stations.notes import Note, Phase, SignedValue, Version
from devnet.field.stations.terminal import Terminal
from devnet.field.stations.wire import Address, Patience
from ledger.errors import ChainUnavailable
from ledger.units import UnixSeconds, WattHours, Watts
from scripts import neighbourhood
from settlement.chain.web3_gateway import Web3Gateway
from settlement.engine.charging.closing import expire_overdue
from settlement.engine.community import Party, Roster, Station
from settlement.engine.finality import advance
from settlement.engine.roll import apply_roster
from settlement.tables import event, refusal, session
from tests.integration.community import SEED, community

PASSWORD = "0123456789abcdef"  # noqa: S105 - of simulated stations
VERSIONS = ("1.6", "2.0.1", "2.1")
POWER_W = Watts(6_000)
REGISTER_WH = WattHours(1_000_000)
QUICK = Patience(timeout_s=5.0, attempts=2, pause_s=0.01)
MINUTE_S, HOUR_S = 60, 3_600
PRICE = load_parameters().tariff.price


class Street:
    """Stations that have not charged yet, drivers who have not paid yet, and the service."""

    def __init__(self, here, client):
        self.here, self.client = here, client
        self.service, self.clock = here.service, here.clock
        self._built = 0
        self.drivers = {}
        self._drivers = iter(here.world.keys.drivers.values())

    @property
    def url(self):
        return self.here.running.url.replace("http://", "ws://") + "/ocpp"

    def pass_time(self, seconds):
        self.clock.set(UnixSeconds(self.clock.now_s() + seconds))
        return self.clock.now_s()

    async def idle(self):
        await asyncio.wait_for(self.here.running.desk.idle(), 60)

    async def visit(
        self, version, *, requested_wh=20_000, station=None, meter=None, modulus_wh=None
    ):
        """Let a driver put down a deposit at a fresh station, or at the one given."""
        name, key = station or await self.build(modulus_wh)
        address = Address(name, PASSWORD, self.url)
        terminal = Terminal(address, key, Version(version), QUICK)
        opened = await self.open(name, key, requested_wh)
        await terminal.connect(self.clock.now_s())
        return Visit(self, terminal, key, opened, meter or MeterState(REGISTER_WH))

    async def build(self, modulus_wh=None):
        """Enrol a station of its own for the next row; return its name and its meter's key."""
        self._built += 1
        name = f"street-{self._built:03d}"
        curve = (Curves.SECP256K1, Curves.SECP256R1)[self._built % 2]
        key = meter_key(SEED, Role.STATION_METER, name, curve, Watts(7_400))
        meter = neighbourhood._meter(key, OPERATOR, "station", self.clock.now_s())
        operator = Party(OPERATOR, "operator", self.here.world.keys.operator.address_hex)
        roster = Roster(
            parties=(operator,),
            meters=(replace(meter, register_modulus_wh=modulus_wh),),
            stations=(Station(name, OPERATOR, key.serial, PASSWORD),),
        )
        await self.here.run(lambda: apply_roster(self.service, roster))
        return name, key

    async def open(self, name, key, requested_wh=20_000):
        world = self.here.world
        wish = Wish(name, key.meter_id, world.keys.operator.address_hex, WattHours(requested_wh))
        driver = Driver(next(self._drivers), world.places, world.parameters)
        opened = await driver.open_session(self.client, wish, self.clock)
        await self.idle()
        self.drivers[opened.session_id] = driver
        return opened

    async def expire(self):
        """Let the deadline of everything open pass, and give back what is overdue."""
        self.pass_time(2 * 86_400)

        def work():
            expire_overdue(self.service)
            advance(self.service)

        await self.here.run(work)

    @contextlib.contextmanager
    def chain_away(self):
        """Let no question to the chain be answered."""

        def away(*_question):
            raise ChainUnavailable("the node is away")

        with pytest.MonkeyPatch.context() as patch:
            for name in ("_request", "_ask_all"):
                patch.setattr(Web3Gateway, name, away)
            yield

    @contextlib.contextmanager
    def tariff_doubled(self):
        """Let the community's tariff cost twice as much from now on."""
        rules = self.service.rules
        price = rules.tariff.price_micros_per_kwh
        dear = replace(rules.tariff, price_micros_per_kwh=2 * price)
        object.__setattr__(self.service, "rules", replace(rules, tariff=dear))
        try:
            yield
        finally:
            object.__setattr__(self.service, "rules", rules)

    def session(self, session_id):
        with self.service.reading() as connection:
            found = connection.execute(select(session).where(session.c.session_id == session_id))
            return found.mappings().one()

    def events(self, name):
        """Return the bodies of all events of a name, oldest first."""
        with self.service.reading() as connection:
            found = select(event.c.body).where(event.c.name == name).order_by("seq")
            return [json.loads(body) for body in connection.execute(found).scalars()]

    def refused(self, station):
        """Return the codes under which the station's messages stand in quarantine, in order."""
        with self.service.reading() as connection:
            found = select(refusal.c.code).where(refusal.c.source == station).order_by("seq")
            return connection.execute(found).scalars().all()


class Visit:
    """One driver at one station, from the deposit to whatever comes of it."""

    def __init__(self, street, terminal, key, opened, meter):
        self.street, self.terminal, self.key = street, terminal, key
        self.opened, self.tag = opened, opened.id_tag
        self.meter, self.charge, self.transaction = meter, None, None
        self.curve = Curve(POWER_W, WattHours(1_000_000))

    @property
    def station(self):
        return (self.terminal.name, self.key)

    @property
    def now_s(self):
        return self.street.clock.now_s()

    @property
    def codes(self):
        return self.street.refused(self.terminal.name)

    @property
    def session(self):
        return self.street.session(self.opened.session_id)

    def plug_in(self, tag=None):
        """Begin to draw; nothing is said of it."""
        self.charge = Charge(self.curve, self.meter, self.now_s)
        self.transaction = self.terminal.plug_in(
            tag or self.tag, self.now_s, self.meter.register_wh
        )

    def note(self, phase, trigger="MeterValuePeriodic", signed=(), reason=None):
        power_w = self.charge.power_w
        return Note(
            phase, self.charge.at_s, self.charge.register_wh, power_w, trigger, "Charging",
            reason, tuple(signed),
        )  # fmt: skip

    async def start(self):
        """Ask, plug in and start, as a station does."""
        assert await self.terminal.authorize(self.tag, self.now_s) == "Accepted"
        self.plug_in()
        reply = await self.terminal.say(self.transaction, self.note(Phase.STARTED, "Authorized"))
        await self.street.idle()
        return reply

    def starting(self, tag=None):
        """Plug in and return the message of the start, to be sent otherwise."""
        self.plug_in(tag)
        return self.numbered(self.note(Phase.STARTED, "Authorized"))

    async def draw(self, seconds, into=None):
        """
        Let time pass; sample every quarter of an hour, sign at every hour.

        What would be said is put into ``into`` instead, if that is given.
        """
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            next_s = min(until_s, self.now_s // (HOUR_S // 4) * (HOUR_S // 4) + HOUR_S // 4)
            self.street.clock.set(UnixSeconds(next_s))
            self.charge.advance(self.now_s)
            note = None
            if next_s % HOUR_S == 0:
                note = self.note(Phase.UPDATED, "MeterValueClock", self.part())
            elif next_s < until_s:
                note = self.note(Phase.UPDATED)
            if into is not None:
                into.extend([note] if note else [])
            elif note is not None:
                await self.tell(note)

    async def tell(self, note):
        await self.terminal.say(self.transaction, note)
        await self.street.idle()

    def renumbered(self, message):
        """Return a message as a station says it anew: 2.x counts on, for a number is for good."""
        if message.action != "TransactionEvent":
            return message
        self.transaction.next_seq_no += 1
        return with_seq_no(message, self.transaction.next_seq_no - 1)

    def numbered(self, note):
        """Return the message of a note, numbered, to be sent otherwise."""
        numbered = self.terminal.number(self.transaction, note)
        return self.terminal.message(self.transaction, numbered)

    def part(self):
        """Sign the slice that ends now, if any time passed in it."""
        part = self.charge.cut()
        if part is None:
            return ()
        record = self.terminal.meter.fiscal_record(part, self.transaction.id_tag)
        return (SignedValue(record, "Sample.Clock"),)

    def ending(self, make=None, reason="EVDisconnected"):
        """Unplug and return the note of the end; ``make`` makes the record of the session."""
        part, whole = self.part(), self.charge.close()
        record = make or OcmfMeter.whole_record
        text = record(self.terminal.meter, whole, self.transaction.id_tag)
        signed = (*part, SignedValue(text, "Transaction.End"))
        return self.note(Phase.ENDED, "EVDeparted", signed, reason)

    async def stop(self, make=None, reason="EVDisconnected"):
        """End the session as a station does."""
        reply = await self.terminal.say(self.transaction, self.ending(make, reason))
        await self.street.idle()
        return reply

    def stopping(self, make=None, reason="EVDisconnected"):
        """Unplug and return the message of the end, to be sent otherwise."""
        return self.numbered(self.ending(make, reason))

    async def send(self, message, message_id="by hand"):
        """Send a message as it stands; return the answer as it came."""
        answer = await self.terminal.send(message, message_id)
        await self.street.idle()
        return answer

    def is_billed(self, energy_wh):
        """Say whether the session is closed for ``energy_wh``, to the micro-euro."""
        found = self.session
        charge_micros = min(energy_wh * PRICE // 1_000, self.opened.deposit_micros)
        refund_micros = self.opened.deposit_micros - charge_micros
        names = ("state", "energy_wh", "charge_micros", "refund_micros")
        return [found[name] for name in names] == [
            "closed", energy_wh, charge_micros, refund_micros,
        ]  # fmt: skip

    @property
    def held_for(self):
        """The code for which the money is held, or None if it is not."""
        return self.session["held_code"] if self.session["state"] == "held" else None

    @property
    def is_unbilled(self):
        """Say whether nothing was charged yet, and the deposit stands where it was."""
        return self.session["charge_micros"] is None and self.session["state"] != "closed"

    async def is_given_back(self):
        """Let the deadline pass; say whether the whole deposit came back."""
        await self.street.expire()
        found = self.session
        return (found["state"], found["charge_micros"], found["refund_micros"]) == (
            "expired", 0, found["deposit_micros"],
        )  # fmt: skip


@contextlib.asynccontextmanager
async def street(directory):
    async with (
        community(directory) as here,
        httpx2.AsyncClient(base_url=here.running.url, timeout=60) as client,
    ):
        found = Street(here, client)
        # Moving in took a block a second at one instant of the clock, which has to catch up.
        found.pass_time(HOUR_S)
        yield found
