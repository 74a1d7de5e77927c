"""Membership and mandates of prosumers and station operators."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds
from settlement.charging.terms import Authorization
from settlement.engine.market import members
from settlement.trading.mandates import Band, Mandate

router = APIRouter(tags=["members"])
Here = Annotated[Context, Depends(context)]

_ADDRESS = r"^0x[0-9a-f]{40}$"
_WORD = r"^0x[0-9a-f]{64}$"
_SIGNATURE = r"^0x[0-9a-f]{130}$"
_AMOUNT_MAX = 2**63 - 1
_PRICE_MAX = 2**31 - 1
_BANDS_MAX = 8
_DAY_MINUTES = 1_440


class Strict(BaseModel):
    """A request body without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class JoinRequest(Strict):
    """Join with one ERC-3009 signature over money and cap."""

    party: str = Field(max_length=64)
    member: str = Field(pattern=_ADDRESS)
    cap_micros: int = Field(ge=0, le=_AMOUNT_MAX)
    amount_micros: int = Field(gt=0, le=_AMOUNT_MAX)
    salt: str = Field(pattern=_WORD)
    valid_after: int = Field(ge=0, le=_AMOUNT_MAX)
    valid_before: int = Field(ge=0, le=_AMOUNT_MAX)
    signature: str = Field(pattern=_SIGNATURE)


class BandGiven(Strict):
    """Limits for a part of the day, in local minutes."""

    from_minute: int = Field(ge=0, lt=_DAY_MINUTES)
    until_minute: int = Field(gt=0, le=_DAY_MINUTES)
    sell_not_below: int = Field(ge=-_PRICE_MAX, le=_PRICE_MAX)
    buy_not_above: int = Field(ge=-_PRICE_MAX, le=_PRICE_MAX)


class MandateRequest(Strict):
    """Standing limits, signed (decision 0003)."""

    member: str = Field(pattern=_ADDRESS)
    bands: list[BandGiven] = Field(min_length=1, max_length=_BANDS_MAX)
    cap_micros: int = Field(ge=0, le=_AMOUNT_MAX)
    valid_from_s: int = Field(ge=0, le=_AMOUNT_MAX)
    valid_until_s: int = Field(ge=0, le=_AMOUNT_MAX)
    nonce: int = Field(ge=0, le=_AMOUNT_MAX)
    signature: str = Field(pattern=_SIGNATURE)

    def domain(self) -> Mandate:
        """Return the mandate as the rules know it."""
        return Mandate(
            member=self.member,
            bands=tuple(
                Band(
                    from_minute=band.from_minute,
                    until_minute=band.until_minute,
                    sell_not_below=MicrosPerKilowattHour(band.sell_not_below),
                    buy_not_above=MicrosPerKilowattHour(band.buy_not_above),
                )
                for band in self.bands
            ),
            cap_micros=Micros(self.cap_micros),
            valid_from_s=UnixSeconds(self.valid_from_s),
            valid_until_s=UnixSeconds(self.valid_until_s),
            nonce=self.nonce,
        )


@router.post("/api/members", status_code=201)
async def join(request: JoinRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Take a member into the TradeLedger; the service relays, the member's signature decides."""
    body = await raw.body()
    return await here.desk.run(
        lambda: members.join(
            here.service,
            membership=members.Membership(
                party=request.party,
                member=request.member,
                cap_micros=Micros(request.cap_micros),
                amount_micros=Micros(request.amount_micros),
                salt=bytes.fromhex(request.salt[2:]),
            ),
            authorization=Authorization(
                valid_after_s=request.valid_after,
                valid_before_s=request.valid_before,
                signature=bytes.fromhex(request.signature[2:]),
            ),
            body=body,
        )
    )


@router.post("/api/mandates", status_code=201)
async def record_mandate(request: MandateRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Take a member's standing limits."""
    body = await raw.body()
    return await here.desk.run(
        lambda: members.record_mandate(
            here.service,
            given=request.domain(),
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )
