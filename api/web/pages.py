"""
Serve the dashboard and the trace page.

Pages are complete without a script. ``static/live.js`` then fills the same bound elements again
from ``/api/live``. Nothing is loaded from elsewhere and nothing runs inline; the policy header says
so to the browser.
"""

from collections.abc import Callable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.web.chart import layout
from api.web.details import facts, figure
from api.web.formats import Voice, show
from api.web.rendering import SECURITY, language_of, rendered, voice_of
from api.web.words import words_in
from ledger.errors import NotFound

_FOLDER: Final = Path(__file__).parent


class _Revalidated(StaticFiles):
    """Static files that a browser asks about before it uses its copy again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**SECURITY, "Cache-Control": "no-cache"})
        return response


def pages_router(
    overview: Callable[[], Mapping[str, Any]],
    trace: Callable[[str], Mapping[str, Any]],
    community: Mapping[str, Any],
) -> APIRouter:
    """
    Return the pages.

    Parameters
    ----------
    overview
        Returns what ``/api/overview`` answers; called in a worker thread.
    trace
        Returns what ``/api/trace/{trace_id}`` answers; called in a worker thread. Raises
        ``NotFound`` if nothing carries the trace id.
    community
        Who it is, as an overview names it.
    """
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    def dashboard(request: Request) -> HTMLResponse:
        state = overview()
        voice = voice_of(words_in(language_of(request)), community)
        chart = layout(state["intervals"], voice.utc_offset_minutes)
        return rendered(request, "dashboard.html", voice, overview=state, chart=chart)

    @router.get("/trace/{trace_id:path}")
    def traced(request: Request, trace_id: str) -> HTMLResponse:
        voice = voice_of(words_in(language_of(request)), community)
        try:
            found = trace(trace_id)
        except NotFound:
            page = rendered(request, "missing.html", voice, trace_id=trace_id)
            page.status_code = 404
            return page
        groups = [
            (kind, [_step(voice, one) for one in steps])
            for kind, steps in groupby(found["steps"], key=_group)
        ]
        return rendered(request, "trace.html", voice, found=found, groups=groups)

    return router


def _group(step: Mapping[str, Any]) -> str:
    """Return the heading a step goes under; a transaction keeps its events beside it."""
    kind = str(step["step"])
    return "chain" if kind in {"transaction", "event"} else kind


def _step(voice: Voice, step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step as the trace page shows it."""
    detail = step["detail"]
    return {
        "kind": step["step"],
        "title": step["title"],
        "at": "" if step["at_s"] is None else show(voice, "instant at_s", step),
        "figure": figure(voice, detail),
        "facts": facts(voice, detail),
    }


def mount_static(app: FastAPI) -> None:
    """Make ``app`` serve the style sheet, the script and the icon under ``/static``."""
    app.mount("/static", _Revalidated(directory=_FOLDER / "static"), name="static")
