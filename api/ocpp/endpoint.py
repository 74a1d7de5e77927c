"""
Let stations in: ``/ocpp/{station_id}``, OCPP 1.6-J, 2.0.1 or 2.1 by websocket subprotocol.

A station speaks for itself only: its path, its password (HTTP basic authentication, security
profile 1; with a certificate of the service, profile 2). Who is wrong is told so by HTTP, before
there is a websocket.
"""

import asyncio
import base64
import binascii
import hmac
from hashlib import sha256
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from api.desk import Desk
from api.ocpp.frames import Version
from api.ocpp.judging import Judge, Note, unnoted
from api.ocpp.keeping import FrameKeeper
from api.ocpp.link import Link, Office
from api.ocpp.switchboard import Switchboard
from ledger.errors import VoisinError
from ledger.store.writer import Writer
from settlement.engine.charging import stations
from settlement.engine.service import Service

ANSWER_TIMEOUT_S: Final = 30.0

_SUBPROTOCOLS: Final = {
    "ocpp2.1": Version.V21,
    "ocpp2.0.1": Version.V201,
    "ocpp1.6": Version.V16,
}
_NO_SUBPROTOCOL: Final = "offer a subprotocol: " + ", ".join(_SUBPROTOCOLS)
_CHALLENGE: Final = {"WWW-Authenticate": 'Basic realm="stations", charset="UTF-8"'}


def stations_route(
    service: Service,
    desk: Desk,
    writer: Writer,
    switchboard: Switchboard,
    *,
    note: Note = unnoted,
    answer_timeout_s: float = ANSWER_TIMEOUT_S,
) -> WebSocketRoute:
    """Return the websocket endpoint of the stations; ``note`` hears every report as it comes."""
    office = Office(
        service=service,
        desk=desk,
        keeper=FrameKeeper(writer),
        judge=Judge(service, desk, note),
        switchboard=switchboard,
        answer_timeout_s=answer_timeout_s,
    )

    async def connect(socket: WebSocket) -> None:
        station_id = socket.path_params["station_id"]
        subprotocol = _chosen(socket.scope["subprotocols"])
        if subprotocol is None:
            await socket.send_denial_response(PlainTextResponse(_NO_SUBPROTOCOL, 400))
            return
        try:
            known = await asyncio.to_thread(stations.password_hash, service, station_id)
        except VoisinError as fault:
            await socket.send_denial_response(PlainTextResponse(fault.code, 503))
            return
        if not _password_fits(socket.headers.get("authorization", ""), station_id, known):
            denial = PlainTextResponse("unknown station or wrong password", 401, _CHALLENGE)
            await socket.send_denial_response(denial)
            return
        await socket.accept(subprotocol)
        await Link(station_id, _SUBPROTOCOLS[subprotocol], socket, office).run()

    return WebSocketRoute("/ocpp/{station_id}", connect)


def _chosen(offered: list[str]) -> str | None:
    """Return the first subprotocol offered that we speak; stations offer what they prefer first."""
    return next((one for one in offered if one in _SUBPROTOCOLS), None)


def _password_fits(header: str, station_id: str, known: str | None) -> bool:
    """Check HTTP basic authentication (OCPP-J 1.6 security whitepaper, profile 1)."""
    scheme, _, encoded = header.partition(" ")
    if known is None or scheme.lower() != "basic":
        return False
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    given = sha256(password.encode()).hexdigest()
    return user == station_id and hmac.compare_digest(given, known)
