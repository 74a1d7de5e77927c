"""Quotes and charging sessions."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.charging.terms import Authorization, SessionTerms
from settlement.engine.charging import opening, quoting
from settlement.engine.charging.money.viewing import session_tariff, session_view, tariff_view

router = APIRouter(tags=["charging"])
Here = Annotated[Context, Depends(context)]

ADDRESS = r"^0x[0-9a-f]{40}$"
WORD = r"^0x[0-9a-f]{64}$"
SIGNATURE = r"^0x[0-9a-f]{130}$"
UINT32_MAX = 2**32 - 1
UINT64_MAX = 2**64 - 1


class Strict(BaseModel):
    """A request body without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class QuoteRequest(Strict):
    """Ask what a session would cost."""

    station_id: str = Field(max_length=48, examples=["CA-314"])
    driver: str = Field(pattern=ADDRESS)
    requested_wh: int = Field(examples=[8_000])
    stay_s: int | None = Field(default=None, examples=[3_600])


class Terms(Strict):
    """Session terms, decision 0003."""

    driver: str = Field(pattern=ADDRESS)
    purse: int = Field(ge=0, le=UINT32_MAX)
    operator: str = Field(pattern=ADDRESS)
    meter_id: str = Field(pattern=WORD)
    id_tag: str = Field(min_length=1, max_length=20)
    price_micros_per_kwh: int = Field(ge=0, le=UINT64_MAX)
    flat_micros: int = Field(ge=0, le=UINT64_MAX)
    deposit_micros: int = Field(gt=0, le=UINT64_MAX)
    tariff_fingerprint: str = Field(pattern=WORD)
    deadline_s: int = Field(ge=0, le=UINT64_MAX)
    salt: str = Field(pattern=WORD)

    def domain(self) -> SessionTerms:
        """Return the terms as the rules know them."""
        return SessionTerms(
            driver=self.driver,
            purse=self.purse,
            operator=self.operator,
            meter_id=self.meter_id,
            id_tag=self.id_tag,
            price_micros_per_kwh=MicrosPerKilowattHour(self.price_micros_per_kwh),
            flat_micros=Micros(self.flat_micros),
            deposit_micros=Micros(self.deposit_micros),
            tariff_fingerprint=self.tariff_fingerprint,
            deadline_s=UnixSeconds(self.deadline_s),
            salt=self.salt,
        )


class OpenRequest(Strict):
    """Open a session with one ERC-3009 signature over its terms."""

    terms: Terms
    requested_wh: int
    stay_s: int | None = None
    valid_after: int = Field(ge=0, le=UINT64_MAX)
    valid_before: int = Field(ge=0, le=UINT64_MAX)
    signature: str = Field(pattern=SIGNATURE)


@router.post("/api/quotes")
async def quote(request: QuoteRequest, here: Here) -> dict[str, Any]:
    """Return the whole tariff, the terms of a session and what to sign."""
    service = here.service
    found = await here.desk.run(
        lambda: quoting.quote(
            service,
            station_id=request.station_id,
            driver=request.driver,
            requested_wh=WattHours(request.requested_wh),
            stay_s=request.stay_s,
        )
    )
    return {
        "session_id": found.session_id,
        "terms": asdict(found.terms),
        "chain_id": service.identity.chain_id,
        "token": service.contracts.token.address,
        "vault": service.contracts.vault.address,
        "valid_after": found.valid_after_s,
        "valid_before": found.valid_before_s,
        "tariff": tariff_view(found.tariff),
        "afir": [asdict(one) for one in found.findings],
    }


@router.post("/api/sessions", status_code=201)
async def open_session(
    request: OpenRequest, raw: Request, response: Response, here: Here
) -> dict[str, Any]:
    """Take the deposit and open the session; answers when the chain has said yes or no."""
    body = await raw.body()
    view = await here.desk.run(
        lambda: opening.open_session(
            here.service,
            terms=request.terms.domain(),
            requested_wh=WattHours(request.requested_wh),
            stay_s=request.stay_s,
            authorization=Authorization(
                valid_after_s=request.valid_after,
                valid_before_s=request.valid_before,
                signature=bytes.fromhex(request.signature[2:]),
            ),
            body=body,
        )
    )
    if view["replayed"]:
        response.status_code = 200
    return dict(view)


@router.get("/api/sessions/{session_id}")
async def session(session_id: str, here: Here) -> dict[str, Any]:
    """Return where a session stands."""
    return session_view(here.service, session_id)


@router.get("/api/sessions/{session_id}/tariff")
async def tariff(session_id: str, here: Here) -> dict[str, Any]:
    """Return the tariff that a session was opened under, whatever the station has now."""
    return session_tariff(here.service, session_id)
