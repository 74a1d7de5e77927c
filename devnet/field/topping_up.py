"""
Raise a running deposit for a driver, with one more signature.

What is signed is worked out here: a nonce that is not the hash of this session, this deposit and
this amount would let the money be taken for something else.
"""

from collections.abc import Mapping
from typing import Final

import httpx2

from contracts.typed_data import hash_struct
from devnet.field.drivers import SESSIONS_PATH, Driver, OpenSession, QuoteDiffersError
from devnet.field.service import Authorization, authorize, get, post
from ledger.units import Micros

VALID_AFTER_S: Final = 0


async def top_up(
    client: httpx2.AsyncClient, driver: Driver, opened: OpenSession, amount_micros: Micros
) -> Mapping[str, object]:
    """
    Add ``amount_micros`` to the deposit of a session; return the session as the service sees it.

    Raises
    ------
    QuoteDiffersError
        If the service asks for a signature over anything else.
    ServiceRefusedError
        If the service refuses it.
    """
    path = f"{SESSIONS_PATH}/{opened.session_id}/top-ups"
    asked = await get(client, path, {"amount_micros": amount_micros})
    values = {
        "sessionId": opened.session_id,
        "depositMicros": opened.deposit_micros,
        "amountMicros": amount_micros,
    }
    nonce = hash_struct("TopUp", values)
    if asked.get("nonce") != "0x" + nonce.hex():
        raise QuoteDiffersError("nonce", asked.get("nonce"), "0x" + nonce.hex())
    authorization = Authorization(
        payer=driver.wallet.address_hex,
        payee=driver.places.vault,
        amount_micros=amount_micros,
        valid_after_s=VALID_AFTER_S,
        valid_before_s=int(str(asked["valid_before"])),
        nonce=nonce,
    )
    body = {
        "deposit_micros": opened.deposit_micros,
        "amount_micros": amount_micros,
        "valid_after": VALID_AFTER_S,
        "valid_before": authorization.valid_before_s,
        "signature": "0x" + authorize(authorization, driver.wallet, driver.places).hex(),
    }
    return await post(client, path, body)
