"""
A street whose meters speak when they like: chain, database and service are real.

Homes and the feeder head follow registers that a test turns; what was said, and when, is up to the
test too. Nobody serves the service, so that it can be restarted at any time.
"""

import asyncio
import contextlib
import json
from dataclasses import replace
from itertools import count

from eth_account import Account
from sqlalchemy import select

from api.embedded import Secrets, embedded_chain, open_service, web3_gateway
from contracts.typed_data import keccak
from devnet.field.dataset import load_dataset
from devnet.field.events import FeederReading, HomeReadings
from devnet.field.gateways import sign_feeder, sign_home
from ledger import accounts
from ledger.units import UnixSeconds
from scripts import neighbourhood
from settlement.audit.laws import check_laws
from settlement.audit.reconciliation.breaks import all_breaks
from settlement.audit.reconciliation.reconciler import Reconciler
from settlement.engine.clockwork import tick
from settlement.engine.finality import advance
from settlement.engine.market.readings import SignedReading, record_readings
from settlement.metering.readings import Quality, Reading, Register
from settlement.tables import event, line, run, statement
from tests.integration.community import LEAD_S, SEED, community

HOUR_S = 3_600
AFTER_S, WINDOW_S = 600, 2 * 86_400
HOURS = 20_000
ASKS = 200_000
"""What the residual supplier asks at any hour, in micros per kWh."""
FEEDER = "feeder-head"


class LateStreet:
    """Homes of which some are busy and the others stand still, and the feeder head before them."""

    def __init__(self, here, directory, node, **chosen):
        self.here, self.clock = here, here.clock
        self.chosen = chosen
        self.world, self.directory, self.node = here.world, directory, node
        self.keys = here.world.keys
        self.homes = tuple(self.keys.homes)
        self.opened = None
        self.restart()
        self.first = self.service.rules.interval_of(self.clock.now_s()) + 1
        self.hour = self.first
        self.registers = {(name, self.hour): (0, 0) for name in (*self.homes, FEEDER)}
        self.arrived = {}
        self.nonces = {name: count() for name in self.homes}
        self.clock.set(self.service.rules.start_s(self.hour))
        self.say(dict.fromkeys((*self.homes, FEEDER), self.hour))

    @property
    def service(self):
        return self.opened

    def restart(self):
        if self.opened is not None:
            self.opened.close()
        rules = replace(neighbourhood.rules(self.world.parameters, load_dataset()), **self.chosen)
        first = rules.interval_of(self.world.schedule.first_s)
        rules = replace(
            rules,
            residual_sells=dict.fromkeys(range(first - 100, first + HOURS), ASKS),
            correction_after_s=AFTER_S,
            correction_window_s=WINDOW_S,
        )
        self.opened, started = open_service(
            self.directory,
            web3_gateway(self.node),
            self.clock,
            rules,
            Secrets.derive(f"seed {SEED}"),
        )
        assert started.closed_by is None
        self.reconciler = Reconciler(self.opened)

    def turn(self, **energies):
        """Let an hour pass in which homes import (above zero) or export (below zero), in Wh."""
        if self.clock.now_s() > self.service.rules.start_s(self.hour + 1):
            self._catch_up()
        before, self.hour = self.hour, self.hour + 1
        for name in self.homes:
            taken, given = self.registers[name, before]
            moved = energies.get(name.replace("-", "_"), 0)
            self.registers[name, self.hour] = (taken + max(moved, 0), given + max(-moved, 0))
        taken, given = self.registers[FEEDER, before]
        moved = sum(energies.values())
        self.registers[FEEDER, self.hour] = (taken + max(moved, 0), given + max(-moved, 0))
        self.clock.set(self.service.rules.start_s(self.hour))

    def _catch_up(self):
        """Let all meters speak at the next full hour, after time has passed in which none did."""
        before = self.hour
        self.hour = self.service.rules.interval_of(self.clock.now_s()) + 1
        for name in (*self.homes, FEEDER):
            for hour in range(before + 1, self.hour + 1):
                self.registers[name, hour] = self.registers[name, before]
        self.clock.set(self.service.rules.start_s(self.hour))
        self.say_all()
        self.wait()

    def signed(self, name, hour):
        """Return what a meter says of an hour's first instant."""
        at_s = self.service.rules.start_s(hour)
        number = hour - self.first + 1
        taken, given = self.registers[name, hour]
        domain = self.world.places.community_domain
        if name == FEEDER:
            said = FeederReading(at_s, number, taken, given)
            return [_given(one) for one in sign_feeder(said, self.keys.feeder_head, domain)]
        said = HomeReadings(at_s, name, number, taken, given, 0)
        return [_given(one) for one in sign_home(said, self.keys.gateways[name], domain)[:2]]

    def say(self, hours):
        """Let meters speak, all in one message; return the codes of what was refused."""
        given = [one for name, hour in hours.items() for one in self.signed(name, hour)]
        answers = record_readings(self.service, given)
        if all(one.status != "refused" for one in answers):
            self.arrived |= dict.fromkeys(hours.items(), True)
        return {one.code for one in answers if one.status == "refused"}

    def say_all(self, *but):
        """Let all meters speak of this instant but some."""
        return self.say({one: self.hour for one in (*self.homes, FEEDER) if one not in but})

    def wait(self, seconds=0):
        """Let time pass, and let it bring what it brings."""
        self.clock.set(UnixSeconds(self.clock.now_s() + seconds))
        tick(self.service)
        self.reconciler.after()

    def grace(self):
        """Wait until silent meters are waited for no longer."""
        grace_s = self.service.rules.end_s(self.hour - 1) + self.service.rules.grace_s
        self.wait(max(0, grace_s - self.clock.now_s()))

    def send(self, name, function, *arguments):
        """Let a home call the TradeLedger itself."""
        trade, wallet = self.service.contracts.trade, self.keys.homes[name]
        fields = {
            "type": 2,
            "chainId": self.world.places.chain_id,
            "nonce": next(self.nonces[name]),
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": 500_000,
            "value": 0,
            "data": trade.encode(function, *arguments),
            "to": bytes.fromhex(trade.address[2:]),
        }
        raw = Account.from_key(wallet.private_key).sign_transaction(fields).raw_transaction
        self.service.gateway.send(bytes(raw))
        [receipt] = self.service.gateway.receipts(["0x" + keccak(raw).hex()])
        assert receipt.succeeded, function
        advance(self.service)

    def read(self, query):
        with self.service.reading() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def runs(self, hour):
        """Return the runs of the interval that ends at an hour, oldest first."""
        return self.read(select(run).where(run.c.interval == hour - 1).order_by(run.c.run))

    def lines(self, number):
        return self.read(select(line).where(line.c.run == number).order_by(line.c.position))

    def documents(self, account):
        """Return statements and credit notes of an account, oldest first."""
        found = select(statement).where(statement.c.account == account)
        return self.read(found.order_by(statement.c.number))

    def events(self, name):
        found = self.read(select(event).where(event.c.name == name).order_by(event.c.seq))
        return [json.loads(one["body"]) | {"trace_id": one["trace_id"]} for one in found]

    def balance(self, account):
        with self.service.reading() as connection:
            return self.service.book.balance(connection, account).posted

    def balances(self):
        """Return what every balance of the TradeLedger and every invoice account holds."""
        with self.service.reading() as connection:
            return {
                one.account: one.posted
                for prefix in (accounts.trade_balance(""), accounts.invoice(""))
                for one in self.service.book.balances(connection, prefix)
            }

    def wallet(self, name):
        return self.keys.homes[name].address_hex

    def broken(self):
        """Check every law and every equation; return what does not hold."""
        laws = check_laws(self.service, lambda *_asked: None)
        self.reconciler.everything()
        with self.service.reading() as connection:
            breaks = all_breaks(connection)
        return {
            **{name: fault for name, fault in laws.items() if fault is not None},
            **{f"{one.equation}/{one.subject}": one for one in breaks},
        }


def _given(said):
    one = said.reading
    told = Reading(
        "0x" + one.meter_id.hex(),
        Register(int(one.register)),
        one.at_s,
        one.sequence,
        one.energy_wh,
        Quality(int(one.quality)),
    )
    return SignedReading(told, said.signature, json.dumps(said.as_json(), sort_keys=True).encode())


@contextlib.contextmanager
def late_street(directory, *, begin_s=0, **chosen):
    """
    Open a street whose members have joined, and whose meters have spoken once, at an instant.

    ``chosen`` are rules of its own.
    """
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        here = runner.run(stack.enter_async_context(community(directory, **chosen)))
        runner.run(stack.aclose())
        chain = embedded_chain(directory, here.clock, here.world.schedule.first_s - LEAD_S)
        _, node = runner.run(stack.enter_async_context(chain))
        # Moving in took a block a second at one instant of the clock, which has to catch up.
        here.clock.set(UnixSeconds(max(here.clock.now_s() + HOUR_S, begin_s - 1)))
        found = LateStreet(here, directory, node, **chosen)
        try:
            yield found
        finally:
            found.service.close()
            runner.run(stack.aclose())
