"""
Serve the dashboard and the trace page.

Pages are complete without a script. ``static/live.js`` then fills the same bound elements again
from ``/api/live``. Nothing is loaded from elsewhere and nothing runs inline; the policy header says
so to the browser.
"""

import json
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api.web.binding import bound, element, row_key
from api.web.chart import layout
from api.web.details import facts, figure
from api.web.formats import Voice, show
from api.web.words import LANGUAGES, Words, choose_language, words_in
from ledger.errors import NotFound

_FOLDER: Final = Path(__file__).parent
_COOKIE: Final = "language"
_YEAR_S: Final = 365 * 86_400
_SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class _Revalidated(StaticFiles):
    """Static files that a browser asks about before it uses its copy again."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update({**_SECURITY, "Cache-Control": "no-cache"})
        return response


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(languages=LANGUAGES, names={"en": "English", "fr": "Français"})
    return environment


def _voice(words: Words, overview: Mapping[str, Any]) -> Voice:
    community = overview["community"]
    return Voice(words, community["utc_offset_minutes"], community["currency"])


def _language(request: Request) -> str:
    return choose_language(
        request.query_params.get("lang"),
        request.cookies.get(_COOKIE),
        request.headers.get("accept-language", ""),
    )


def _page(request: Request, template: str, voice: Voice, **values: object) -> HTMLResponse:
    """Render ``template`` and say in the headers what may be done with it."""
    language = voice.words.language
    page = _environment().get_template(template)
    body = page.render(
        words=voice.words,
        t=voice.words.text,
        show=partial(show, voice),
        element=partial(element, voice),
        bound=partial(bound, voice),
        key=row_key,
        path=request.url.path,
        voice=json.dumps(voice.document(), ensure_ascii=False),
        **values,
    )
    headers = {
        **_SECURITY,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
    response = HTMLResponse(body, headers=headers)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(_COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response


def pages_router(
    overview: Callable[[], Mapping[str, Any]],
    trace: Callable[[str], Mapping[str, Any]],
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
    """
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/")
    def dashboard(request: Request) -> HTMLResponse:
        state = overview()
        voice = _voice(words_in(_language(request)), state)
        chart = layout(state["intervals"], voice.utc_offset_minutes)
        return _page(request, "dashboard.html", voice, overview=state, chart=chart)

    @router.get("/trace/{trace_id:path}")
    def traced(request: Request, trace_id: str) -> HTMLResponse:
        voice = _voice(words_in(_language(request)), overview())
        try:
            found = trace(trace_id)
        except NotFound:
            page = _page(request, "missing.html", voice, trace_id=trace_id)
            page.status_code = 404
            return page
        groups = [
            (kind, [_step(voice, one) for one in steps])
            for kind, steps in groupby(found["steps"], key=_group)
        ]
        return _page(request, "trace.html", voice, found=found, groups=groups)

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
