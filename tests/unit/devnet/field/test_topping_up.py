"""A driver raises a deposit by exactly what was asked for, and signs nothing else."""

import asyncio

import httpx2
import pytest

from contracts.typed_data import digest, hash_struct, signer_of
from devnet.field.drivers import Driver, OpenSession, QuoteDiffersError
from devnet.field.keys import wallet_of
from devnet.field.parameters import load_parameters
from devnet.field.service import Places, ServiceRefusedError
from devnet.field.topping_up import top_up
from ledger.units import Micros

PLACES = Places(1_337, "0x" + "11" * 20, "0x" + "22" * 20, "0x" + "33" * 20)
DRIVER = Driver(wallet_of(1, "driver-001"), PLACES, load_parameters())
OPENED = OpenSession("0x" + "44" * 32, "open", "TAG", Micros(400_000))
AMOUNT = Micros(1_000_000)
NONCE = hash_struct(
    "TopUp",
    {"sessionId": OPENED.session_id, "depositMicros": 400_000, "amountMicros": 1_000_000},
)


class Desk:
    """A service that says what to sign and takes what is signed."""

    def __init__(self, nonce=NONCE, status=201):
        self.nonce, self.status, self.asked, self.given = nonce, status, None, None

    async def get(self, path, *, params):
        self.asked = (path, params)
        terms = {"nonce": "0x" + self.nonce.hex(), "valid_before": 2_000_000_000}
        return httpx2.Response(200, json=terms)

    async def post(self, path, *, json):
        self.given = (path, json)
        if self.status != 201:
            return httpx2.Response(self.status, json={"code": "deposit_moved", "detail": "no"})
        return httpx2.Response(201, json={"state": "charging"})


def raised(desk):
    return asyncio.run(top_up(desk, DRIVER, OPENED, AMOUNT))


def test_what_is_signed_is_this_amount_on_this_deposit_of_this_session():
    desk = Desk()
    assert raised(desk) == {"state": "charging"}
    path = f"/api/sessions/{OPENED.session_id}/top-ups"
    assert desk.asked == (path, {"amount_micros": 1_000_000})
    assert desk.given[0] == path
    body = desk.given[1]
    assert (body["deposit_micros"], body["amount_micros"]) == (400_000, 1_000_000)
    signed = digest(
        PLACES.token_domain,
        "ReceiveWithAuthorization",
        {
            "from": DRIVER.wallet.address_hex,
            "to": PLACES.vault,
            "value": 1_000_000,
            "validAfter": body["valid_after"],
            "validBefore": body["valid_before"],
            "nonce": NONCE,
        },
    )
    signer = signer_of(signed, bytes.fromhex(body["signature"][2:]))
    assert signer == DRIVER.wallet.address


def test_a_nonce_that_stands_for_something_else_is_not_signed():
    desk = Desk(nonce=bytes(32))
    with pytest.raises(QuoteDiffersError, match="nonce"):
        raised(desk)
    assert desk.given is None


def test_a_refusal_is_told_by_its_code():
    with pytest.raises(ServiceRefusedError) as caught:
        raised(Desk(status=409))
    assert caught.value.code == "deposit_moved"
