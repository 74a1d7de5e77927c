"""A session as it charges: its live stream, and the driver's wish to end it."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import Response

from api.dependencies import Context, context
from ledger.errors import WrongState
from settlement.charging.live import check_stop

router = APIRouter(tags=["charging"])
Here = Annotated[Context, Depends(context)]

_HEARTBEAT_S: Final = 10
_NO_MORE: Final = 204
_QUIET: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class NothingToStopError(WrongState):
    """The session does not charge."""

    def __init__(self, session_id: str, state: str) -> None:
        super().__init__("nothing_to_stop", f"{session_id} is {state}, nothing flows")


class StopRequest(BaseModel):
    """The driver's signature over the wish to stop (EIP-191, ``personal_sign``)."""

    model_config = ConfigDict(extra="forbid", strict=True)

    signature: str = Field(pattern=r"^0x[0-9a-f]{130}$")


@router.get("/api/sessions/{session_id}/live")
async def live(
    session_id: str, here: Here, last_event_id: Annotated[str, Header()] = ""
) -> Response:
    """
    Stream how a session stands, at once and on every change, until it is over.

    Each event is whole and replaces the one before, so nothing is lost by resuming after a pause.
    """
    track = await here.board.track(session_id)
    if track.facts.is_over and last_event_id == here.board.identity(track):
        return Response(status_code=_NO_MORE)

    async def events() -> AsyncIterator[ServerSentEvent]:
        async for identity, document in here.board.screens(track, last_event_id):
            yield ServerSentEvent(data=document, event="session", id=identity)

    return EventSourceResponse(events(), ping=_HEARTBEAT_S, headers=_QUIET)


@router.get("/api/sessions/{session_id}/now")
async def now(session_id: str, here: Here) -> dict[str, Any]:
    """Return how a session stands now, as the stream tells it."""
    return (await here.board.track(session_id)).view()


@router.post("/api/sessions/{session_id}/stop", status_code=202)
async def stop(session_id: str, request: StopRequest, here: Here) -> dict[str, str]:
    """Ask the station to end the session, as its driver wishes; the record follows by itself."""
    track = await here.board.track(session_id)
    facts = track.facts
    check_stop(session_id, facts.driver, bytes.fromhex(request.signature[2:]))
    if facts.state != "charging" or facts.transaction is None:
        raise NothingToStopError(session_id, facts.state)
    await here.stations.remote_stop(facts.station_id, facts.transaction)
    return {"session_id": session_id, "state": "stopping"}
