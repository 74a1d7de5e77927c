"""
Whatever stations say in whatever order, nobody is billed energy that no signature covers.

A station tells one session: its start, fiscal records, its end with the record of the whole. What
it says comes late, twice, changed, forged, or never; it and the service restart. After every step
the bill is none or the signed one, and what was answered stays so; at the end, when everything has
come, the session is settled, unless its deposit went back first. Chain and database are real.
"""

import asyncio
import contextlib
from dataclasses import replace
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import Phase as Stage
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from api.embedded import Secrets, embedded_chain, open_service, web3_gateway
from devnet.field.dataset import load_dataset
from devnet.field.drivers import Driver, Wish, read_quote
from devnet.field.keys import Curve, Role, meter_key
from ledger.units import UnixSeconds, WattHours
from scripts import neighbourhood
from settlement.audit.laws import check_laws
from settlement.charging.reports import Phase
from settlement.charging.terms import Authorization
from settlement.engine.charging import closing, opening, quoting, transactions
from settlement.engine.finality import advance
from settlement.pricing.billing import bill
from tests.integration.community import LEAD_S, SEED, community
from tests.integration.forecourt import HOUR_S, RATED_W, Forecourt, Visit

SLICES_WH = (1_200, 0, 2_300)
ENERGY_WH = sum(SLICES_WH)


class Backyard(Forecourt):
    """A forecourt whose service nobody serves, so that it can restart at any time."""

    def __init__(self, here, directory, node):
        super().__init__(None, here, None)
        self.directory, self.node = directory, node
        self.drivers = (one for _ in iter(int, 1) for one in here.world.keys.drivers.values())
        self.opened = None
        self.restart()

    @property
    def service(self):
        return self.opened

    def restart(self):
        if self.opened is not None:
            self.opened.close()
        self.opened, started = open_service(
            self.directory,
            web3_gateway(self.node),
            self.here.clock,
            neighbourhood.rules(self.here.world.parameters, load_dataset()),
            Secrets.derive(f"seed {SEED}"),
        )
        assert started.closed_by is None

    def run(self, work):
        return work()

    def deposit(self, name, key, requested_wh=20_000):
        world = self.here.world
        wallet = next(self.drivers)
        wish = Wish(name, key.meter_id, world.keys.operator.address_hex, WattHours(requested_wh))
        driver = Driver(wallet, world.places, world.parameters)
        found = quoting.quote(
            self.service,
            station_id=name,
            driver=wallet.address_hex,
            requested_wh=WattHours(requested_wh),
        )
        opening.open_session(
            self.service,
            terms=found.terms,
            requested_wh=WattHours(requested_wh),
            authorization=Authorization(
                found.valid_after_s, found.valid_before_s, driver.sign(self.quoted(found))
            ),
            body=repr(wish).encode(),
        )
        return found

    def quoted(self, found):
        service = self.service
        return read_quote(
            {
                "session_id": found.session_id,
                "terms": {
                    name: getattr(found.terms, name) for name in found.terms.__dataclass_fields__
                },
                "chain_id": service.identity.chain_id,
                "token": service.contracts.token.address,
                "vault": service.contracts.vault.address,
                "valid_after": found.valid_after_s,
                "valid_before": found.valid_before_s,
            }
        )

    def visit(self):
        name, key = self.build()
        found = self.deposit(name, key)
        return Visit(
            self, name, key, SimpleNamespace(session_id=found.session_id, id_tag=found.terms.id_tag)
        )


class Charging(RuleBasedStateMachine):
    """One session after the other, each told in its own way."""

    yard = None

    @initialize(numbered=st.booleans(), told=st.booleans(), sends_fiscal=st.booleans())
    def plug_in(self, numbered, told, sends_fiscal):
        """Choose the version, whether the station ever learns its id, and what it signs."""
        self.yard.pass_time(HOUR_S)
        self.visit = self.yard.visit()
        self.stranger = meter_key(SEED, Role.STATION_METER, "stranger", Curve.SECP256K1, RATED_W)
        self.numbered, self.is_told = numbered, told
        self.yard.pass_time(HOUR_S)
        self.now_s = self.yard.now_s
        self.whole = self.visit.whole(ENERGY_WH)
        self.fiscal = self.slices() if sends_fiscal else []
        self.said, self.proven, self.settled = [], False, None

    def slices(self):
        found, from_wh = [], 0
        for number, energy_wh in enumerate(SLICES_WH, 1):
            found.append(self.visit.fiscal(number, from_wh, from_wh + energy_wh))
            from_wh += energy_wh
        return found

    def messages(self):
        """Return everything that the station has to say, in its order."""
        visit, last = self.visit, len(self.fiscal) + 1
        if self.numbered:
            return [
                visit.numbered(Phase.STARTED, 0, at_s=self.now_s),
                *(
                    visit.numbered(Phase.UPDATED, n, one, at_s=self.now_s)
                    for n, one in enumerate(self.fiscal, 1)
                ),
                visit.numbered(Phase.ENDED, last, self.whole, at_s=self.now_s),
            ]
        return [
            visit.starting(at_s=self.now_s),
            *(
                visit.metered(one, at_s=self.now_s, key=f"values/{visit.transaction}/{n}")
                for n, one in enumerate(self.fiscal)
            ),
            visit.stopping(self.whole, at_s=self.now_s),
        ]

    def say(self, position):
        messages = self.messages()
        told = messages[position % len(messages)]
        has_started = any(one.phase is Phase.STARTED for one in self.said)
        if told.phase is not Phase.STARTED and not (self.numbered or has_started):
            # A station of OCPP 1.6 asks for the transaction's id before anything else.
            return self.say(0)
        answer = self.visit.say(told)
        if told.phase is Phase.STARTED and self.is_told and not isinstance(answer, str):
            self.visit.transaction = None if self.numbered else answer.transaction
        if told.phase is Phase.ENDED:
            self.proven = True
        self.said.append(told)
        return answer

    @rule(position=st.integers(0, 4))
    def says_something(self, position):
        self.say(position)

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def says_it_again(self, data):
        told = data.draw(st.sampled_from(self.said))
        first, before = self.visit.say(told), self.seen()
        assert self.visit.say(told) == first
        assert self.seen() == before

    @precondition(lambda self: self.said)
    @rule(data=st.data(), energy_wh=st.integers(0, 20_000))
    def says_it_otherwise(self, data, energy_wh):
        """The same business key, signed by somebody else, or not at all."""
        told = data.draw(st.sampled_from(self.said))
        forged = self.visit.whole(energy_wh, key=self.stranger, serial=self.visit.key.serial)
        records = data.draw(st.sampled_from([(), (forged,)]))
        self.visit.say(replace(told, records=records, body=repr((told.key, records)).encode()))

    @rule(energy_wh=st.integers(0, 20_000))
    def ends_by_a_forged_record(self, energy_wh):
        forged = self.visit.whole(energy_wh, key=self.stranger, serial=self.visit.key.serial)
        end = self.messages()[-1]
        key = f"{end.key}/forged/{energy_wh}"
        self.visit.say(replace(end, records=(forged,), key=key, seq_no=None, body=key.encode()))

    @rule(number=st.integers(1, 9), energy_wh=st.integers(0, 5_000))
    def sends_a_forged_fiscal_record(self, number, energy_wh):
        forged = self.visit.fiscal(
            number, 0, energy_wh, key=self.stranger, serial=self.visit.key.serial
        )
        key = f"forged/{number}/{energy_wh}"
        told = self.visit.metered(forged, key=key, body=key.encode())
        if self.numbered:
            told = replace(told, transaction=self.messages()[0].transaction)
        assert isinstance(self.visit.say(told), str)

    @rule()
    def frees_the_connector(self):
        self.visit.free()

    @rule()
    def waits(self):
        self.yard.pass_time(self.yard.service.rules.grace_s)
        transactions.settle_waiting(self.yard.service)

    @rule()
    def service_restarts(self):
        self.yard.restart()

    @rule()
    def deadline_passes(self):
        self.yard.here.clock.set(
            UnixSeconds(max(self.yard.now_s, self.visit.row["deadline_s"] + 1))
        )
        tick_charging(self.yard.service)

    @invariant()
    def is_billed_what_was_signed_or_nothing(self):
        if not hasattr(self, "visit"):
            return
        row = self.visit.row
        if row["state"] == "closed":
            assert self.proven
            assert row["energy_wh"] == ENERGY_WH
            money = bill(ENERGY_WH, self.yard.service.rules.tariff, row["deposit_micros"])
            assert row["charge_micros"] == money.charge_micros
            assert row["charge_micros"] + row["refund_micros"] == row["deposit_micros"]
            assert sum(one.energy_wh for one in self.visit.slices) == ENERGY_WH
        elif row["state"] == "expired":
            assert (row["charge_micros"], row["refund_micros"]) == (0, row["deposit_micros"])
        else:
            assert row["charge_micros"] is None
        end = (row["state"], row["charge_micros"], row["refund_micros"])
        if self.settled is not None:
            assert end == self.settled
        if row["state"] in {"closed", "expired"}:
            self.settled = end

    def seen(self):
        return dict(self.visit.row), self.visit.events, self.visit.slices

    def teardown(self):
        if not hasattr(self, "visit"):
            return
        for position in range(len(self.messages())):
            self.say(position)
        self.waits()
        self.is_billed_what_was_signed_or_nothing()
        assert self.visit.state in {"closed", "expired"}


def tick_charging(service):
    """Let time bring what it brings to sessions, without settling the homes' intervals."""
    transactions.settle_waiting(service)
    closing.expire_overdue(service)
    advance(service)


@pytest.fixture(scope="module")
def yard(tmp_path_factory):
    directory = tmp_path_factory.mktemp("yard")
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        here = runner.run(stack.enter_async_context(community(directory)))
        runner.run(stack.aclose())
        chain = embedded_chain(directory, here.clock, here.world.schedule.first_s - LEAD_S)
        _, node = runner.run(stack.enter_async_context(chain))
        found = Backyard(here, directory, node)
        yield found
        found.service.close()
        runner.run(stack.aclose())


def test_every_law_holds_whatever_stations_say(yard):
    Charging.yard = yard
    run_state_machine_as_test(
        Charging,
        settings=settings(
            max_examples=25,
            stateful_step_count=14,
            deadline=None,
            # An example lasts a second, so the one found is shown as it is.
            phases=(Stage.explicit, Stage.generate),
            suppress_health_check=list(HealthCheck),
        ),
    )
    broken = check_laws(yard.service, lambda *_asked: None)
    assert {name: fault for name, fault in broken.items() if fault is not None} == {}
