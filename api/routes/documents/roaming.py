"""What the operator does about roaming: enter eMSPs, and correct charge detail records."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.delivery.addresses import located
from api.dependencies import Context, context
from settlement.engine.charging.documents import partners, recording, subscribers
from settlement.engine.charging.documents.subscribers import Kind

router = APIRouter(prefix="/api", tags=["roaming"])
Here = Annotated[Context, Depends(context)]


class PartnerRequest(BaseModel):
    """Enter an eMSP."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(min_length=1, max_length=64, examples=["DE-ABC"])
    url: str = Field(default="", max_length=1_000, description="Its receiver of CDRs, if known.")
    token: str = Field(default="", max_length=64, description="Token that it wants to be sent.")
    from_start: bool = Field(default=False, description="Push every CDR that ever was.")


@router.post("/emsps", status_code=201)
async def add_partner(request: PartnerRequest, here: Here) -> dict[str, Any]:
    """Take an eMSP; the token by which it is to speak is shown in this answer and never again."""
    if request.url:
        await located(request.url, private=here.private_addresses)
    token = await here.writer.run_soon(
        lambda connection: partners.invite(
            connection,
            name=request.id,
            url=request.url,
            send_token=request.token,
            from_start=request.from_start,
        )
    )
    return {
        "id": request.id,
        "token": token,
        "versions_url": f"{here.issuer.public_url}/ocpi/versions",
    }


@router.get("/emsps")
def list_partners(here: Here) -> dict[str, Any]:
    """Return the eMSPs, how far records were pushed to them, and what went wrong last."""
    with here.service.reading() as connection:
        found = subscribers.subscribers(connection, kind=Kind.OCPI)
    return {"emsps": [one.document() for one in found]}


@router.delete("/emsps/{name}", status_code=204)
async def remove_partner(name: str, here: Here) -> None:
    """Forget an eMSP; its token counts no more."""
    await here.writer.run_soon(
        lambda connection: subscribers.remove(connection, name=name, kind=Kind.OCPI)
    )


@router.post("/cdrs/{cdr_id}/corrections", status_code=201)
async def correct_record(cdr_id: str, here: Here) -> dict[str, Any]:
    """Credit a record whose session is known better today, and issue a new one."""
    credit, record = await here.writer.run_soon(
        lambda connection: recording.correct(here.service, connection, here.issuer, cdr_id=cdr_id)
    )
    return {"credit": credit, "record": record}
