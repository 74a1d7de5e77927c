"""Webhooks: who is told of events, signed as Standard Webhooks has it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from api.delivery.addresses import located
from api.dependencies import Context, context
from settlement.engine.charging.documents import subscribers
from settlement.engine.charging.documents.subscribers import Kind

router = APIRouter(prefix="/api/webhooks", tags=["after a session"])
Here = Annotated[Context, Depends(context)]


class WebhookRequest(BaseModel):
    """Ask to be told of events."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: str = Field(min_length=1, max_length=64, examples=["fleet"])
    url: str = Field(max_length=1_000, examples=["https://fleet.example/voisin"])
    secret: str | None = Field(default=None, max_length=128, description="Else one is made.")
    from_start: bool = Field(default=False, description="Tell everything that ever happened.")


@router.post("", status_code=201)
async def add_webhook(request: WebhookRequest, here: Here) -> dict[str, Any]:
    """Take a subscriber; its secret is shown in this answer and never again."""
    await located(request.url, private=here.private_addresses)
    secret = subscribers.fresh_secret() if request.secret is None else request.secret
    made = await here.writer.run_soon(
        lambda connection: subscribers.add(
            connection,
            name=request.id,
            kind=Kind.WEBHOOK,
            url=request.url,
            secret=secret,
            from_start=request.from_start,
        )
    )
    return made.document() | {"secret": secret, "events": list(subscribers.EVENTS)}


@router.get("")
def webhooks(here: Here) -> dict[str, Any]:
    """Return who is told, how far, and what went wrong last."""
    with here.service.reading() as connection:
        found = subscribers.subscribers(connection, kind=Kind.WEBHOOK)
    return {"webhooks": [one.document() for one in found]}


@router.delete("/{name}", status_code=204)
async def remove_webhook(name: str, here: Here) -> None:
    """Tell a subscriber nothing more."""
    await here.writer.run_soon(
        lambda connection: subscribers.remove(connection, name=name, kind=Kind.WEBHOOK)
    )
