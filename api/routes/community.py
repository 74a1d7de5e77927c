"""The community's state: overview, live stream, trace of any id."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from api.dependencies import Context, context
from api.live.glance import PERIOD_S

router = APIRouter(tags=["community"])
Here = Annotated[Context, Depends(context)]


@router.get("/api/overview")
def overview(here: Here) -> dict[str, Any]:
    """Return how the community stands now."""
    return here.overview()


@router.get("/api/trace/{trace_id:path}")
def trace(trace_id: str, here: Here) -> dict[str, Any]:
    """Return every step that carries the trace id of a session or an interval."""
    return here.trace(trace_id)


@router.get("/api/live")
async def live(request: Request, here: Here) -> EventSourceResponse:
    """Stream the overview whenever it changed, at most once a second."""

    async def changes() -> AsyncIterator[ServerSentEvent]:
        last = b""
        while not (await request.is_disconnected() or here.stopping.is_set()):
            now = await here.glance.text()
            if now != last:
                last = now
                yield ServerSentEvent(data=now.decode(), event="overview")
            await asyncio.sleep(PERIOD_S)

    return EventSourceResponse(changes())


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}
