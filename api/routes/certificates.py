"""Certificates of origin, and whose sun a session took."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import Context, context
from settlement.engine.charging.documents.gathering import facts_of
from settlement.engine.origin.listing import certificate_of, certificates_of
from settlement.engine.origin.notices import Notice, record_notice
from settlement.engine.origin.proving import proof_of
from settlement.engine.origin.sessions import sun_of_session

router = APIRouter(tags=["certificates of origin"])
Here = Annotated[Context, Depends(context)]

_ADDRESS: Final = r"^0x[0-9a-f]{40}$"
_WORD: Final = r"^0x[0-9a-f]{64}$"
_SIGNATURE: Final = r"^0x[0-9a-f]{130}$"
_INT64_MAX: Final = 2**63 - 1
_PAGE_MAX: Final = 1_000
_REASON_MAX: Final = 500

Leaf = Annotated[str, Path(pattern=_WORD)]


class NoticeRequest(BaseModel):
    """Freeze or release a certificate, signed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    notice: str = Field(max_length=16, examples=["freeze", "release"])
    reason: str = Field(min_length=1, max_length=_REASON_MAX)
    nonce: int = Field(ge=0, le=_INT64_MAX)
    signature: str = Field(pattern=_SIGNATURE)


@router.get("/api/certificates")
def certificates(
    here: Here,
    member: Annotated[str, Query(pattern=_ADDRESS, description="Wallet that sold or bought.")],
    offset: Annotated[int, Query(ge=0, le=_INT64_MAX)] = 0,
    limit: Annotated[int, Query(ge=1, le=_PAGE_MAX)] = 100,
) -> dict[str, Any]:
    """Return the certificates of what a member sold or bought, the newest first."""
    with here.service.reading() as connection:
        found = certificates_of(here.service, connection, member, offset=offset, limit=limit)
    return {"certificates": found}


@router.get("/api/certificates/{leaf}")
def one(leaf: Leaf, here: Here) -> dict[str, Any]:
    """Return a certificate and the proof that leads from its sale to the root on the chain."""
    with here.service.reading() as connection:
        found = certificate_of(here.service, connection, leaf)
        return {**found, "proof": proof_of(here.service, connection, leaf)}


@router.post("/api/certificates/{leaf}/notices", status_code=201)
async def notice(leaf: Leaf, request: NoticeRequest, raw: Request, here: Here) -> dict[str, Any]:
    """Freeze a certificate while it is disputed, or release it."""
    body = await raw.body()
    given = Notice(leaf, request.notice, request.reason, request.nonce)
    return await here.desk.run(
        lambda: record_notice(
            here.service,
            given=given,
            signature=bytes.fromhex(request.signature[2:]),
            body=body,
        )
    )


@router.get("/api/sessions/{session_id}/origin")
def origin(session_id: str, here: Here) -> dict[str, Any]:
    """Return whose sun went into a session, by roof and by interval, with certificates."""
    service = here.service
    with service.reading() as connection:
        facts = facts_of(service, connection, session_id)
        parts = sun_of_session(service, connection, session_id)
    return {
        "session_id": session_id,
        "energy_wh": facts.energy_wh,
        "settled": facts.sun_wh is not None,
        "sun_wh": sum(part.drawn.energy_wh for part in parts),
        "roofs": [
            {"party": roof.party, "energy_wh": roof.energy_wh, "certificates": roof.certificates}
            for roof in facts.roofs
        ],
        "intervals": [
            {
                "interval": part.interval,
                "begin_s": service.rules.start_s(part.interval),
                "seller": part.drawn.lot.seller,
                "energy_wh": part.drawn.energy_wh,
                "certificate": part.drawn.lot.leaf,
            }
            for part in parts
        ],
    }
