"""The baseline: the library's own ``ChargePoint``, its validation and its serialization."""

import logging
from typing import Final

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.enums import Action
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.ocpp.keeping import FrameKeeper
from settlement.engine.service import Service

_QUIET: Final = logging.getLogger("voisin.benchmark.stock")
_QUIET.setLevel(logging.CRITICAL)


class _Connection:
    """Gives a Starlette websocket the two methods that the library expects."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket: Final = socket

    async def recv(self) -> str:
        return await self._socket.receive_text()

    async def send(self, message: str) -> None:
        await self._socket.send_text(message)


class _Stock(ChargePoint):  # type: ignore[misc]  # the library is untyped
    """A central system as the library's documentation shows it; frames are kept as ours are."""

    def __init__(
        self, station: str, connection: _Connection, keeper: FrameKeeper, service: Service
    ) -> None:
        super().__init__(station, connection, logger=_QUIET)
        self._keeper: Final = keeper
        self._service: Final = service

    async def route_message(self, raw_msg: str) -> None:
        await self._keeper.keep(self.id, raw_msg, self._service.clock.now_s())
        await super().route_message(raw_msg)

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def on_meter_values(self, **_values: object) -> call_result.MeterValues:
        return call_result.MeterValues()


def stock_route(keeper: FrameKeeper, service: Service) -> WebSocketRoute:
    """Return an endpoint of the library's charge points."""

    async def connect(socket: WebSocket) -> None:
        await socket.accept("ocpp1.6")
        station = socket.path_params["station_id"]
        link = _Stock(station, _Connection(socket), keeper, service)
        try:
            await link.start()
        except WebSocketDisconnect:
            return

    return WebSocketRoute("/ocpp/{station_id}", connect)
