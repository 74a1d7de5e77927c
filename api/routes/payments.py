"""What drivers sign after a session was opened: more deposit, and a total."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from contracts.typed_data import Domain, wallet_types
from ledger.units import Micros
from settlement.charging.terms import Authorization
from settlement.engine.charging.money.cosigning import asked_total, cosign
from settlement.engine.charging.money.ending import Cosignature
from settlement.engine.charging.money.topping_up import TopUp, quote_top_up, top_up

router = APIRouter(tags=["charging"])
Here = Annotated[Context, Depends(context)]

SIGNATURE = r"^0x[0-9a-f]{130}$"
UINT64_MAX = 2**64 - 1


class Strict(BaseModel):
    """A request body without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TopUpRequest(Strict):
    """Raise a deposit with one ERC-3009 signature."""

    deposit_micros: int = Field(ge=0, le=UINT64_MAX)
    amount_micros: int = Field(ge=0, le=UINT64_MAX)
    valid_after: int = Field(ge=0, le=UINT64_MAX)
    valid_before: int = Field(ge=0, le=UINT64_MAX)
    signature: str = Field(pattern=SIGNATURE)


class CosignRequest(Strict):
    """Agree to a total with one EIP-712 signature."""

    total_micros: int = Field(gt=0, le=UINT64_MAX)
    signature: str = Field(pattern=SIGNATURE)


@router.get("/api/sessions/{session_id}/top-ups")
async def top_up_terms(
    session_id: str, here: Here, amount_micros: Annotated[int, Query(examples=[5_000_000])]
) -> dict[str, Any]:
    """Return what to sign to raise the deposit by an amount; nothing is stored."""
    service = here.service
    quoted = quote_top_up(service, session_id, Micros(amount_micros))
    return {
        "session_id": session_id,
        "driver": quoted.driver,
        "deposit_micros": quoted.top_up.deposit_micros,
        "amount_micros": quoted.top_up.amount_micros,
        "nonce": quoted.top_up.nonce,
        "chain_id": service.identity.chain_id,
        "token": service.contracts.token.address,
        "vault": service.contracts.vault.address,
        "valid_after": 0,
        "valid_before": quoted.valid_before_s,
    }


@router.post("/api/sessions/{session_id}/top-ups", status_code=201)
async def raise_deposit(
    session_id: str, request: TopUpRequest, raw: Request, response: Response, here: Here
) -> dict[str, Any]:
    """Raise the deposit; answers when the chain has said yes or no."""
    body = await raw.body()
    added = TopUp(session_id, Micros(request.deposit_micros), Micros(request.amount_micros))
    authorization = Authorization(
        valid_after_s=request.valid_after,
        valid_before_s=request.valid_before,
        signature=bytes.fromhex(request.signature[2:]),
    )
    view = await here.desk.run(
        lambda: top_up(here.service, added=added, authorization=authorization, body=body)
    )
    if view["replayed"]:
        response.status_code = 200
    return dict(view)


@router.get("/api/sessions/{session_id}/cosign")
async def total_to_sign(session_id: str, here: Here) -> dict[str, Any]:
    """Return the total as typed data to sign (EIP-712), as a wallet takes it."""
    asked = asked_total(here.service, session_id)
    return {
        "until_s": asked.until_s,
        "typed_data": {
            "domain": _domain(asked.domain),
            "primaryType": "SessionTotal",
            "types": wallet_types("SessionTotal"),
            "message": {"sessionId": session_id, "totalMicros": str(asked.total_micros)},
        },
    }


@router.post("/api/sessions/{session_id}/cosign", status_code=201)
async def agree_to_total(
    session_id: str, request: CosignRequest, raw: Request, response: Response, here: Here
) -> dict[str, Any]:
    """Close the session with the signed total; answers when the chain has said yes or no."""
    body = await raw.body()
    cosigned = Cosignature(Micros(request.total_micros), bytes.fromhex(request.signature[2:]))
    view = await here.desk.run(
        lambda: cosign(here.service, session_id=session_id, cosigned=cosigned, body=body)
    )
    if view["replayed"]:
        response.status_code = 200
    return dict(view)


def _domain(domain: Domain) -> dict[str, Any]:
    return {
        "name": domain.name,
        "version": domain.version,
        "chainId": domain.chain_id,
        "verifyingContract": domain.verifying_contract,
    }
