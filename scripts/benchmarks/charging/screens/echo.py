"""Pass every frame of a station on to its screen, and do nothing else: what is left to reach."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import typer
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from scripts.benchmarks.charging.endpoint import listening
from scripts.benchmarks.charging.screens.process import Seat, until_told

_SCREENS: Final[defaultdict[str, asyncio.Queue[str]]] = defaultdict(asyncio.Queue)


async def _station(socket: WebSocket) -> None:
    await socket.accept("ocpp1.6")
    name = socket.path_params["station"]
    try:
        while True:
            text = await socket.receive_text()
            if "MeterValues" in text:
                _SCREENS[name].put_nowait(text)
            await socket.send_text('[3,"1",{"transactionId":1,"idTagInfo":{"status":"Accepted"}}]')
    except WebSocketDisconnect:
        return


async def _screen(request: Request) -> EventSourceResponse:
    name = request.path_params["station"]

    async def events() -> AsyncIterator[ServerSentEvent]:
        while True:
            yield ServerSentEvent(data=await _SCREENS[name].get(), event="session")

    return EventSourceResponse(events())


def main(_directory: Path, sessions: int) -> None:
    """Serve until the standard input ends."""
    seats = [
        Seat(f"CA-{number}", "secret", f"TAG{number}", f"/screen/CA-{number}")
        for number in range(sessions)
    ]
    asyncio.run(_serve(seats))


async def _serve(seats: list[Seat]) -> None:
    routes = [
        WebSocketRoute("/ocpp/{station}", _station),
        Route("/screen/{station}", _screen),
    ]
    async with listening(Starlette(routes=routes)) as port:
        await asyncio.to_thread(until_told, port, seats)


if __name__ == "__main__":
    typer.run(main)
