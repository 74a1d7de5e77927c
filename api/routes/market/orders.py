"""Orders for intervals, their cancellations, and who may sign them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from contracts.typed_data import wallet_types
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.engine.market.orders import delegating, kept, taking
from settlement.metering.intervals import IntervalIndex
from settlement.trading.orders.delegation import Delegation
from settlement.trading.orders.signed import NOBODY, Cancellation, IntervalOrder

router = APIRouter(tags=["orders"])
Here = Annotated[Context, Depends(context)]

_ADDRESS = r"^0x[0-9a-f]{40}$"
_SIGNATURE = r"^0x[0-9a-f]{130}$"
_NUMBER_MAX = 2**63 - 1
_SIGNED = ("Order", "OrderCancel", "Delegation")
_PAGE, _PAGE_MAX = 100, 1_000


class Strict(BaseModel):
    """A request body without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class OrderRequest(Strict):
    """An order, signed (decision 0003); energy and limit are judged by name, not as malformed."""

    member: str = Field(pattern=_ADDRESS)
    side: int = Field(ge=0, le=1, description="0 sell, 1 buy")
    quantity: int = Field(ge=0, le=1, description="0 metered, 1 firm")
    first_interval: int = Field(ge=0, le=_NUMBER_MAX)
    last_interval: int = Field(ge=0, le=_NUMBER_MAX)
    energy_wh: int
    limit_micros_per_kwh: int
    partner: str = Field(default=NOBODY, pattern=_ADDRESS)
    solar_only: bool = False
    expires_at_s: int = Field(ge=0, le=_NUMBER_MAX)
    replaces: int = Field(default=0, ge=0, le=_NUMBER_MAX)
    nonce: int = Field(ge=0, le=_NUMBER_MAX)
    signature: str = Field(pattern=_SIGNATURE)

    def domain(self) -> IntervalOrder:
        """Return the order as the rules know it."""
        return IntervalOrder(
            member=self.member,
            side=self.side,
            quantity=self.quantity,
            first_interval=IntervalIndex(self.first_interval),
            last_interval=IntervalIndex(self.last_interval),
            energy_wh=WattHours(self.energy_wh),
            limit=MicrosPerKilowattHour(self.limit_micros_per_kwh),
            partner=self.partner,
            solar_only=self.solar_only,
            expires_at_s=UnixSeconds(self.expires_at_s),
            replaces=self.replaces,
            nonce=self.nonce,
        )


class CancelRequest(Strict):
    """The end of an order, signed (decision 0003)."""

    member: str = Field(pattern=_ADDRESS)
    cancels: int = Field(ge=0, le=_NUMBER_MAX)
    nonce: int = Field(ge=0, le=_NUMBER_MAX)
    signature: str = Field(pattern=_SIGNATURE)


class DelegationRequest(Strict):
    """Leave to sign orders, signed (decision 0003)."""

    member: str = Field(pattern=_ADDRESS)
    delegate: str = Field(pattern=_ADDRESS)
    valid_from_s: int = Field(ge=0, le=_NUMBER_MAX)
    valid_until_s: int = Field(ge=0, le=_NUMBER_MAX)
    nonce: int = Field(ge=0, le=_NUMBER_MAX)
    signature: str = Field(pattern=_SIGNATURE)


@router.get("/api/orders/terms")
def terms(here: Here) -> dict[str, Any]:
    """Return what a wallet needs to sign an order, and the next interval to begin."""
    service = here.service
    domain, rules = service.domain, service.rules
    return {
        "domain": {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract,
        },
        "types": {name: wallet_types(name) for name in _SIGNED},
        "interval_s": rules.interval_s,
        "next_interval": rules.interval_of(service.clock.now_s()) + 1,
    }


@router.post("/api/orders", status_code=201)
async def record_order(request: OrderRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Take an order for intervals that have not begun."""
    body = await raw.body()
    return await here.desk.run(
        lambda: taking.record_order(
            here.service,
            given=request.domain(),
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.post("/api/orders/cancel", status_code=201)
async def cancel_order(request: CancelRequest, raw: Request, here: Here) -> dict[str, Any]:
    """End an order for all intervals that have not begun."""
    body = await raw.body()
    return await here.desk.run(
        lambda: taking.record_cancellation(
            here.service,
            given=Cancellation(request.member, request.cancels, request.nonce),
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.post("/api/delegations", status_code=201)
async def record_delegation(request: DelegationRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Let somebody else sign a member's orders."""
    body = await raw.body()
    return await here.desk.run(
        lambda: delegating.record_delegation(
            here.service,
            given=Delegation(
                member=request.member,
                delegate=request.delegate,
                valid_from_s=UnixSeconds(request.valid_from_s),
                valid_until_s=UnixSeconds(request.valid_until_s),
                nonce=request.nonce,
            ),
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.get("/api/orders")
def orders(
    here: Here,
    member: Annotated[str, Query(pattern=_ADDRESS)],
    limit: Annotated[int, Query(gt=0, le=_PAGE_MAX)] = _PAGE,
    before: Annotated[int | None, Query(gt=0, le=_NUMBER_MAX)] = None,
) -> dict[str, Any]:
    """Return a member's orders, the newest nonce first, and what became of each."""
    return {"orders": kept.orders_of(here.service, kept.Wanted(member, limit, before))}
