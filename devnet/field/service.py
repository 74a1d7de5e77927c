"""
The service as the field sees it: addresses that everybody knows, leave to take money, and one POST.

Leave to take money is an ERC-3009 authorization of the settlement token, named for one payee.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from contracts.typed_data import Domain, digest, sign
from devnet.field.keys import Wallet
from ledger.errors import VoisinError
from ledger.units import Micros

_SERVER_FAULT: Final = 500


class ServiceRefusedError(VoisinError):
    """The service refused; its own code and words."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(code, f"HTTP {status}: {detail}", transient=status >= _SERVER_FAULT)
        self.status: Final = status


@dataclass(frozen=True, slots=True)
class Places:
    """Where the money is: what everybody in the community knows."""

    chain_id: int
    """Id of the chain."""
    token: str
    """Address of the settlement token, 0x-prefixed."""
    vault: str
    """Address of the ChargeVault."""
    trade: str
    """Address of the community's TradeLedger."""

    @property
    def token_domain(self) -> Domain:
        """Domain of the token's authorizations (ERC-3009)."""
        return Domain("Energy Euro", "1", self.chain_id, self.token)

    @property
    def community_domain(self) -> Domain:
        """Domain of readings and mandates (decision 0003)."""
        return Domain("Voisin", "1", self.chain_id, self.trade)


@dataclass(frozen=True, slots=True)
class Authorization:
    """Leave for one payee to take one amount once."""

    payer: str
    """Address whose money it is, 0x-prefixed."""
    payee: str
    """Address of the contract that may take it."""
    amount_micros: Micros
    """How much."""
    valid_after_s: int
    """It counts after this instant, in Unix seconds."""
    valid_before_s: int
    """It counts before this instant, in Unix seconds."""
    nonce: bytes
    """What the money is for: the hash of terms or of a membership, 32 bytes."""


def authorize(authorization: Authorization, wallet: Wallet, places: Places) -> bytes:
    """Return the payer's signature (ERC-3009 ``ReceiveWithAuthorization``): r, s, v, 65 bytes."""
    values: dict[str, object] = {
        "from": authorization.payer,
        "to": authorization.payee,
        "value": authorization.amount_micros,
        "validAfter": authorization.valid_after_s,
        "validBefore": authorization.valid_before_s,
        "nonce": authorization.nonce,
    }
    hashed = digest(places.token_domain, "ReceiveWithAuthorization", values)
    return sign(hashed, wallet.private_key)


async def post(
    client: httpx2.AsyncClient, path: str, body: Mapping[str, object]
) -> Mapping[str, object]:
    """
    Send ``body`` and return the answer.

    ``client`` carries the service's address and its time-outs.

    Raises
    ------
    ServiceRefusedError
        If the service refuses, with the code of its problem document (RFC 9457).
    """
    return _document(await client.post(path, json=body))


async def get(
    client: httpx2.AsyncClient, path: str, query: Mapping[str, int]
) -> Mapping[str, object]:
    """
    Ask a question and return the answer.

    Raises
    ------
    ServiceRefusedError
        If the service refuses, with the code of its problem document (RFC 9457).
    """
    return _document(await client.get(path, params=query))


def _document(response: httpx2.Response) -> Mapping[str, object]:
    if not response.is_success:
        raise _refusal(response)
    answer = response.json()
    if not isinstance(answer, dict):
        raise ServiceRefusedError(response.status_code, "answer_unreadable", response.text)
    return answer


def _refusal(response: httpx2.Response) -> ServiceRefusedError:
    try:
        problem = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return ServiceRefusedError(response.status_code, "answer_unreadable", response.text)
    code, detail = problem.get("code", "answer_unreadable"), problem.get("detail", "")
    return ServiceRefusedError(response.status_code, str(code), str(detail))
