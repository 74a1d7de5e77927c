"""Render a page in the reader's language, with headers that say what may be done with it."""

import json
from collections.abc import Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.web.binding import bound, element, row_key
from api.web.formats import Voice, show
from api.web.words import LANGUAGES, Words, choose_language

_FOLDER: Final = Path(__file__).parent
_COOKIE: Final = "language"
_YEAR_S: Final = 365 * 86_400
SECURITY: Final = {
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        "object-src 'none'"
    ),
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


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


def voice_of(words: Words, community: Mapping[str, Any]) -> Voice:
    """Return how a page speaks of a community, as an overview names it."""
    return Voice(words, community["utc_offset_minutes"], community["currency"])


def language_of(request: Request) -> str:
    """Return the language of a request's reader."""
    return choose_language(
        request.query_params.get("lang"),
        request.cookies.get(_COOKIE),
        request.headers.get("accept-language", ""),
    )


def rendered(request: Request, template: str, voice: Voice, **values: object) -> HTMLResponse:
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
        **SECURITY,
        "Cache-Control": "no-store",
        "Content-Language": language,
        "Vary": "Accept-Language, Cookie",
    }
    response = HTMLResponse(body, headers=headers)
    if request.query_params.get("lang") in LANGUAGES:
        response.set_cookie(_COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response
