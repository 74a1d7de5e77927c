"""What people do with the vault themselves, past the service, is booked all the same (law L8).

Each story ends with every law checked: ledger and chain agree on every purse, deposit and earning.
"""

import dataclasses
import json

import pytest

from contracts.typed_data import Domain, hash_struct, sign
from contracts.typed_data import digest as typed_digest
from devnet.field.ocmf import OcmfMeter
from devnet.field.service import Authorization, authorize
from ledger import accounts
from settlement.charging.terms import (
    Opening,
    SessionTerms,
    contract_tuple,
    session_id,
    terms_values,
)
from settlement.engine.charging.closing import expire_overdue
from settlement.engine.finality import advance
from settlement.engine.roll import meter_key
from settlement.metering.ocmf import parse_record
from settlement.metering.ocmf_signatures import signature_for_chain
from tests.integration.test_money import Guest, _send, _station, journey

__all__ = ["journey"]

DEPOSIT, MORE = 9_000_000, 2_000_000
FOREVER_S = 2**40


class Direct:
    """A driver who knows the contracts and needs no service."""

    def __init__(self, here, client):
        self.guest = Guest(here, client)
        self.here, self.vault = here, here.service.contracts.vault
        self.wallet = here.world.keys.drivers[self.guest.arrival.driver]
        self.nonces = {}
        here.clock.set(self.guest.arrival.at_s)

    def send(self, who, contract, name, *arguments):
        nonce = self.nonces.get(who.address, 0)
        self.nonces[who.address] = nonce + 1
        _send(self.here, who, contract.encode(name, *arguments), nonce=nonce, to=contract)

    async def advance(self):
        await self.here.run(lambda: advance(self.here.service))

    def terms(self, **changes):
        keys = self.here.world.keys
        plain = SessionTerms(
            driver=self.wallet.address_hex,
            purse=7,
            operator=keys.operator.address_hex,
            meter_id=keys.stations[self.guest.arrival.station].meter_id_hex,
            id_tag="MYOWNTAG",
            price_micros_per_kwh=391_700,
            flat_micros=0,
            deposit_micros=DEPOSIT,
            tariff_fingerprint="0x" + "7f" * 32,
            deadline_s=self.guest.stop.at_s + 3_600,
            salt="0x" + "5a" * 32,
        )
        return dataclasses.replace(plain, **changes)

    def leave(self, amount, nonce):
        """Let the vault take money once: what the driver signs for a deposit or a top-up."""
        places = self.here.world.places
        given = Authorization(
            self.wallet.address_hex, self.vault.address, amount, 0, FOREVER_S, nonce
        )
        seal = authorize(given, self.wallet, places)
        return (0, FOREVER_S, seal[64], seal[:32], seal[32:64])

    def opening(self, *, from_wallet):
        now_s = self.here.devnet.head.header.timestamp
        return Opening(now_s, 0, from_wallet=from_wallet).contract_tuple()

    def closing(self, terms):
        """Return payload and signature of the meter's record of a session."""
        arrival, service = self.guest.arrival, self.here.service
        meter = OcmfMeter(self.here.world.keys.stations[arrival.station], arrival.station)
        record = parse_record(meter.transaction_record(self.guest.stop, terms.id_tag))
        with service.reading() as connection:
            key = meter_key(connection, terms.meter_id, self.guest.stop.at_s)
        return record.payload, signature_for_chain(record, key)

    def balance(self, account):
        with self.here.service.reading() as connection:
            return self.here.service.book.balance(connection, account)


def test_a_session_that_the_service_never_saw_is_booked_from_the_chain(journey):
    async def story(here, client):
        one = Direct(here, client)
        terms, operator = one.terms(), here.world.keys.operator
        leave = one.leave(DEPOSIT, session_id(terms))
        one.send(one.wallet, one.vault, "open", contract_tuple(terms), leave)
        opening = one.opening(from_wallet=True)
        await one.advance()
        purse = one.balance(accounts.vault_driver(terms.driver, terms.purse))
        assert (purse.posted, purse.pending_debits) == (DEPOSIT, DEPOSIT)
        here.clock.set(one.guest.stop.at_s)
        arguments = (contract_tuple(terms), opening, *one.closing(terms))
        one.send(operator, one.vault, "closeWithOcmf", *arguments)
        await one.advance()
        charge = min(one.guest.stop.energy_wh * 391_700 // 1_000, DEPOSIT)
        earned = accounts.vault_earned(terms.meter_id)
        assert one.balance(earned).posted == charge > 0
        meter_id = bytes.fromhex(terms.meter_id[2:])
        one.send(one.wallet, one.vault, "collect", [meter_id])
        one.send(operator, one.vault, "withdrawEarned", operator.address, charge - 1)
        await one.advance()
        own = accounts.vault_earned(operator.address_hex)
        assert (one.balance(earned).posted, one.balance(own).posted) == (0, 1)

    journey(story)


def test_a_standing_balance_is_booked_through_all_it_does(journey):
    async def story(here, client):
        one = Direct(here, client)
        token = here.service.contracts.token
        terms = one.terms(salt="0x" + (1).to_bytes(32).hex())
        one.send(one.wallet, token, "approve", one.vault.address, DEPOSIT + MORE)
        arguments = (one.wallet.address, terms.purse, DEPOSIT + MORE)
        one.send(one.wallet, one.vault, "deposit", *arguments)
        domain = Domain("Voisin", "1", here.world.places.chain_id, one.vault.address)
        digest = typed_digest(domain, "SessionTerms", terms_values(terms))
        signed = sign(digest, one.wallet.private_key)
        relayer = here.world.keys.operator
        one.send(relayer, one.vault, "openFromBalance", contract_tuple(terms), signed)
        opening = one.opening(from_wallet=False)
        await one.advance()
        account = accounts.vault_driver(terms.driver, terms.purse)
        held = one.balance(account)
        assert (held.posted, held.pending_debits) == (DEPOSIT + MORE, DEPOSIT)
        half = (contract_tuple(terms), opening, MORE // 2)
        one.send(one.wallet, one.vault, "topUpFromBalance", *half)
        await one.advance()
        assert one.balance(account).pending_debits == DEPOSIT + MORE // 2
        here.clock.set(terms.deadline_s)
        one.send(relayer, one.vault, "expire", contract_tuple(terms), opening)
        one.send(one.wallet, one.vault, "withdraw", terms.purse, one.wallet.address, MORE)
        await one.advance()
        left = one.balance(account)
        assert (left.posted, left.pending_debits) == (DEPOSIT, 0)

    journey(story)


@pytest.mark.parametrize("share", [2, 1_000], ids=["enough", "hardly"])
def test_a_raised_deposit_pays_for_more_of_a_session_of_the_service(journey, share):
    async def story(here, client):
        one = Direct(here, client)
        guest = one.guest
        opened = await guest.opens()
        async with _station(here, guest) as station:
            number = await guest.charges(station, opened.id_tag)
            row = guest.row()
            terms = one.terms(**_of(row))
            amount = row["deposit_micros"] // share
            nonce = hash_struct(
                "TopUp",
                {
                    "sessionId": session_id(terms),
                    "depositMicros": row["deposit_micros"],
                    "amountMicros": amount,
                },
            )
            opening = Opening(row["opened_s"], row["page_at_open"], from_wallet=True)
            arguments = (contract_tuple(terms), opening.contract_tuple(), amount)
            leave = one.leave(amount, nonce)
            one.send(here.world.keys.operator, one.vault, "topUp", *arguments, leave)
            await one.advance()
            assert guest.row()["deposit_micros"] == row["deposit_micros"] + amount
            await station.stop(guest.stop, opened.id_tag, number)
            await here.running.desk.idle()
        closed = guest.row()
        assert closed["state"] == "closed"
        whole = closed["charge_micros"] + closed["refund_micros"]
        assert whole == row["deposit_micros"] + amount

    journey(story)


def test_a_total_that_the_driver_signed_is_taken_from_the_chain(journey):
    """Whoever brings it past the service must not be able to stop the service."""

    async def story(here, client):
        one = Direct(here, client)
        guest = one.guest
        opened = await guest.opens()
        async with _station(here, guest) as station:
            number = await guest.charges(station, opened.id_tag)
            row = guest.row()
            terms = one.terms(**_of(row))
            opening = Opening(row["opened_s"], row["page_at_open"], from_wallet=True)
            total = row["deposit_micros"] - 1
            domain = Domain("Voisin", "1", here.world.places.chain_id, one.vault.address)
            values = {"sessionId": session_id(terms), "totalMicros": total}
            signed = sign(typed_digest(domain, "SessionTotal", values), one.wallet.private_key)
            arguments = (contract_tuple(terms), opening.contract_tuple(), *one.closing(terms))
            stranger = here.world.keys.operator
            one.send(stranger, one.vault, "closeCosigned", *arguments, total, signed)
            await one.advance()
            await station.stop(guest.stop, opened.id_tag, number)
            await here.running.desk.idle()
        closed = guest.row()
        assert (closed["state"], closed["charge_micros"]) == ("closed", total)
        assert closed["refund_micros"] == 1

    journey(story)


def test_a_purse_that_is_in_use_past_the_service_is_left_alone(journey):
    async def story(here, client):
        one = Direct(here, client)
        terms = one.terms(purse=0)
        leave = one.leave(DEPOSIT, session_id(terms))
        one.send(one.wallet, one.vault, "open", contract_tuple(terms), leave)
        await one.guest.opens()
        assert _of(one.guest.row())["purse"] == 1
        await one.guest.opens()
        assert one.guest.row()["state"] == "open"

    journey(story)


def test_somebody_who_expires_a_session_first_stops_nothing(journey):
    async def story(here, client):
        one = Direct(here, client)
        guest = one.guest
        before = guest.held()
        await guest.opens()
        row = guest.row()
        terms = one.terms(**_of(row))
        opening = Opening(row["opened_s"], row["page_at_open"], from_wallet=True)
        here.clock.set(row["deadline_s"] + 1)
        assert await here.run(lambda: expire_overdue(here.service)) == 1
        arguments = (contract_tuple(terms), opening.contract_tuple())
        one.send(here.world.keys.operator, one.vault, "expire", *arguments)
        await one.advance()
        assert guest.row()["state"] == "expired"
        assert guest.held() == before

    journey(story)


def _of(row):
    """Return the terms of a session as the service keeps them."""
    return json.loads(row["terms"])
