"""
Serve what drivers see: the stations, a station's price and its till, and a session as it charges.

``/s/{station_id}`` is what the QR code on a station opens. The session's page is complete without a
script and loads itself again; with one, ``static/session.js`` fills the same elements from the
session's stream.
"""

import io
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import segno
from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from api.web.formats import Voice
from api.web.rendering import SECURITY, language_of, rendered, voice_of
from api.web.words import words_in
from ledger.errors import NotFound
from ledger.units import Micros, WattHours
from settlement.charging.documents.facts import Roof
from settlement.engine.live.street import Outlet
from settlement.pricing.billing import deposit_for

ASKED_KWH: Final = 10
"""Energy that the till proposes, in kWh."""
RAISES_MICROS: Final = (Micros(2_000_000), Micros(5_000_000))
"""What a driver may add to a deposit with one press."""
_WH_PER_KWH: Final = 1_000
_QR_SCALE: Final = 8
_QR_BORDER: Final = 4


@dataclass(frozen=True, slots=True)
class Counter:
    """What the pages ask for."""

    community: Mapping[str, Any]
    """Who it is, as an overview names it."""
    outlets: Callable[[], tuple[Outlet, ...]]
    """Every station; called in a worker thread."""
    outlet: Callable[[str], Outlet]
    """One station; raises ``NotFound``. Called in a worker thread."""
    connected: Callable[[], frozenset[str]]
    """Which stations are connected."""
    session: Callable[[str], Awaitable[Mapping[str, Any]]]
    """How a session stands; raises ``NotFound``."""
    places: Mapping[str, Any]
    """Chain id, token and vault that a driver's signature is for."""
    offers: frozenset[str]
    """What else there is: ``gift`` of demonstration money, ``receipts``, ``top_ups``."""
    roofs: Callable[[str], tuple[Roof, ...]] = lambda _session_id: ()
    """Whose sun is in a session that is over; called in a worker thread."""


def driver_router(counter: Counter) -> APIRouter:
    """Return the pages."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

    @router.get("/s")
    def stations(request: Request) -> HTMLResponse:
        connected = counter.connected()
        shown = [_shown(one, connected) for one in counter.outlets()]
        return rendered(request, "stations.html", _voice(counter, request), outlets=shown)

    @router.get("/s/{station_id}")
    def station(request: Request, station_id: str) -> HTMLResponse:
        voice = _voice(counter, request)
        try:
            found = counter.outlet(station_id)
        except NotFound:
            return _missing(request, voice, station_id)
        return rendered(
            request,
            "station.html",
            voice,
            one=_shown(found, counter.connected()),
            asked_kwh=ASKED_KWH,
            till=_till(counter, found),
        )

    @router.get("/s/{station_id}/qr.svg")
    def code(request: Request, station_id: str) -> Response:
        found = counter.outlet(station_id)
        address = f"{str(request.base_url).rstrip('/')}/s/{found.station_id}"
        return Response(_drawn(address), media_type="image/svg+xml", headers=SECURITY)

    @router.get("/sessions/{session_id}")
    async def session(request: Request, session_id: str) -> HTMLResponse:
        voice = _voice(counter, request)
        try:
            found = await counter.session(session_id)
        except NotFound:
            return _missing(request, voice, session_id)
        roofs = await run_in_threadpool(counter.roofs, session_id) if found["over"] else ()
        return rendered(
            request,
            "session.html",
            voice,
            found=found,
            roofs=[{"party": one.party, "energy_wh": one.energy_wh} for one in roofs],
            offers=counter.offers,
            raises=RAISES_MICROS,
            token=json.dumps(counter.places),
        )

    return router


def _voice(counter: Counter, request: Request) -> Voice:
    return voice_of(words_in(language_of(request)), counter.community)


def _missing(request: Request, voice: Voice, name: str) -> HTMLResponse:
    page = rendered(request, "missing.html", voice, trace_id=name)
    page.status_code = 404
    return page


def _drawn(address: str) -> bytes:
    """Return the QR code of an address, as SVG."""
    drawn = io.BytesIO()
    code = segno.make(address, micro=False)
    code.save(drawn, kind="svg", scale=_QR_SCALE, border=_QR_BORDER, light="#fff")
    return drawn.getvalue()


def _till(counter: Counter, found: Outlet) -> str:
    """Return what the till's script may sign for, as JSON."""
    return json.dumps(
        {
            **counter.places,
            "station_id": found.station_id,
            "gives": "gift" in counter.offers,
            "price_micros_per_kwh": str(found.tariff.price_micros_per_kwh),
            "flat_micros": str(found.tariff.flat_micros),
            "tariff_fingerprint": found.fingerprint,
        }
    )


def _shown(one: Outlet, connected: frozenset[str]) -> dict[str, Any]:
    """Return a station as the pages show it; what drivers pay in AFIR order (art. 5(4))."""
    state = "free" if one.station_id in connected else "away"
    tariff = one.tariff
    return {
        "station_id": one.station_id,
        "power_w": one.rated_power_w,
        "state": "busy" if one.busy else state,
        "price_micros_per_kwh": tariff.price_micros_per_kwh,
        "flat_micros": tariff.flat_micros or None,
        "vat_rate_bp": tariff.vat_rate_bp,
        "fingerprint": one.fingerprint,
        "is_whole": one.is_whole,
        "currency": tariff.currency,
        "components": one.components,
        "deposit_micros": deposit_for(WattHours(ASKED_KWH * _WH_PER_KWH), tariff),
    }
