"""
Speak OCPP 1.6-J with charging stations over a websocket.

A frame is stored before it is answered and judged after; whatever a station sends gets an answer
and never stops the connection. A station speaks for itself only: its path, its password.
"""

import asyncio
import base64
import binascii
import hmac
import json
import logging
from collections.abc import Callable
from hashlib import sha256
from time import perf_counter_ns
from typing import Any, Final

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from ocpp.charge_point import remove_nones
from ocpp.exceptions import FormatViolationError, OCPPError
from ocpp.messages import MessageType, unpack
from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call_result
from ocpp.v16.datatypes import IdTagInfo
from ocpp.v16.enums import Action, AuthorizationStatus, RegistrationStatus

from api.dependencies import Context
from api.ocpp import v16
from ledger.errors import InvalidRequest, VoisinError
from settlement.engine.charging import stations, transactions

_SUBPROTOCOL: Final = "ocpp1.6"
_HEARTBEAT_S: Final = 300
_POLICY_VIOLATION: Final = 1008
_QUIET: Final = logging.getLogger("voisin.ocpp")
_QUIET.setLevel(logging.CRITICAL)


class MalformedFrameError(InvalidRequest):
    """A station sent something that is not an OCPP message."""

    def __init__(self, detail: str) -> None:
        super().__init__("malformed_frame", detail)


class SocketAdapter:
    """Gives a Starlette websocket the two methods that ``ocpp`` expects of a connection."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket: Final = socket

    async def recv(self) -> str:
        """Return the next text frame."""
        return await self._socket.receive_text()

    async def send(self, message: str) -> None:
        """Send a text frame."""
        await self._socket.send_text(message)


class StationLink(ChargePoint):  # type: ignore[misc]  # the library is untyped
    """The service's end of one station's connection."""

    def __init__(self, station_id: str, connection: SocketAdapter, here: Context) -> None:
        super().__init__(station_id, connection, logger=_QUIET)
        self._service: Final = here.service
        self._desk: Final = here.desk
        self._writer: Final = here.writer
        self._received_ns = 0

    async def route_message(self, raw_msg: str) -> None:
        """Store the frame, then answer it; a frame that is no OCPP is refused and answered."""
        self._received_ns = perf_counter_ns()
        self._desk.expect()
        try:
            await self._route(raw_msg)
        finally:
            self._desk.done()

    async def _route(self, raw_msg: str) -> None:
        at_s = self._service.clock.now_s()
        # Frames of many stations share a commit; what follows from them waits at the desk.
        await self._writer.run_soon(
            lambda connection: stations.keep_frame(connection, self.id, raw_msg, at_s=at_s)
        )
        try:
            message = _unpacked(raw_msg)
        except OCPPError as fault:
            await self._refuse(raw_msg, str(fault))
            await self._send(json.dumps([4, "-1", "FormationViolation", str(fault)[:255], {}]))
            return
        if message.message_type_id != MessageType.Call:
            self._response_queue.put_nowait(message)
            return
        try:
            await self._handle_call(message)
        except OCPPError as fault:
            await self._refuse(raw_msg, f"{fault.code}: {fault.description}")
            await self._send(message.create_call_error(fault).to_json())

    async def _refuse(self, raw_msg: str, detail: str) -> None:
        fault = MalformedFrameError(detail)
        await self._desk.run(lambda: stations.refuse_frame(self._service, self.id, raw_msg, fault))

    @on(Action.boot_notification)  # type: ignore[untyped-decorator]
    async def on_boot(self, **_boot: object) -> call_result.BootNotification:
        """Accept the station and tell it the domain time."""
        return call_result.BootNotification(
            current_time=stations.rfc3339(self._service.clock.now_s()),
            interval=_HEARTBEAT_S,
            status=RegistrationStatus.accepted,
        )

    @on(Action.heartbeat)  # type: ignore[untyped-decorator]
    async def on_heartbeat(self) -> call_result.Heartbeat:
        """Tell the domain time."""
        return call_result.Heartbeat(current_time=stations.rfc3339(self._service.clock.now_s()))

    @on(Action.status_notification)  # type: ignore[untyped-decorator]
    async def on_status(self, **_status: object) -> call_result.StatusNotification:
        """Take note; the frame is stored."""
        return call_result.StatusNotification()

    @on(Action.authorize)  # type: ignore[untyped-decorator]
    async def on_authorize(self, id_tag: str) -> call_result.Authorize:
        """Accept an idTag whose deposit is confirmed for this station."""
        admission = await self._desk.run(
            lambda: transactions.authorize(self._service, station_id=self.id, id_tag=id_tag)
        )
        return call_result.Authorize(id_tag_info=_tag_info(accepted=admission.accepted))

    @on(Action.start_transaction)  # type: ignore[untyped-decorator]
    async def on_start(self, **start: Any) -> call_result.StartTransaction:  # noqa: ANN401
        """Start the session of the idTag; without a confirmed deposit, no energy."""
        try:
            told = v16.started(self.id, start)
            answer = await self._desk.run(
                lambda: transactions.report(self._service, told, elapsed_ns=self._elapsed())
            )
        except VoisinError:
            return call_result.StartTransaction(
                transaction_id=0, id_tag_info=_tag_info(accepted=False)
            )
        return call_result.StartTransaction(
            transaction_id=int(answer.transaction), id_tag_info=_tag_info(accepted=True)
        )

    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    async def on_meter_values(self, **_values: object) -> call_result.MeterValues:
        """Answer; the values are judged after."""
        return call_result.MeterValues()

    @after(Action.meter_values)  # type: ignore[untyped-decorator]
    def judge_meter_values(self, **values: Any) -> None:  # noqa: ANN401
        """Take the signed fiscal records."""
        self._report_later(v16.metered, values)

    @on(Action.stop_transaction)  # type: ignore[untyped-decorator]
    async def on_stop(self, **_stop: object) -> call_result.StopTransaction:
        """Answer; the record is judged after."""
        return call_result.StopTransaction()

    @after(Action.stop_transaction)  # type: ignore[untyped-decorator]
    def judge_stop(self, **stop: Any) -> None:  # noqa: ANN401
        """Bill the session from its signed record and return the rest of the deposit."""
        self._report_later(v16.ended, stop)

    def _report_later(self, translate: Any, payload: Any) -> None:  # noqa: ANN401 - the library's
        elapsed_ns, said = self._elapsed(), remove_nones(payload)

        def judged() -> None:
            try:
                told = translate(self.id, said)
            except VoisinError as fault:
                body = json.dumps(said, sort_keys=True)
                stations.refuse_frame(self._service, self.id, body, fault)
                raise
            transactions.report(self._service, told, elapsed_ns=elapsed_ns)

        self._later(judged)

    def _elapsed(self) -> Callable[[], int]:
        """Return what says how long ago the frame was received, in ns."""
        received_ns = self._received_ns
        return lambda: perf_counter_ns() - received_ns

    def _later(self, work: Any) -> None:  # noqa: ANN401 - a use case
        """Judge after the answer; refusals are kept by the use case itself."""
        self._desk.expect()

        async def judged() -> None:
            try:
                await self._desk.run(work)
            except VoisinError as fault:
                _QUIET.info("%s: %s", self.id, fault)
            finally:
                self._desk.done()

        self._task = asyncio.ensure_future(judged())


def ocpp_router(here: Context) -> APIRouter:
    """Return the websocket endpoint of the stations."""
    service, desk, router = here.service, here.desk, APIRouter()

    @router.websocket("/ocpp/{station_id}")
    async def connect(socket: WebSocket, station_id: str) -> None:
        offered = socket.headers.get("sec-websocket-protocol", "")
        if _SUBPROTOCOL not in [part.strip() for part in offered.split(",")]:
            await socket.close(_POLICY_VIOLATION, "ocpp1.6 is not among the subprotocols")
            return
        known = await desk.run(lambda: stations.password_hash(service, station_id))
        if not _password_fits(socket.headers.get("authorization", ""), station_id, known):
            await socket.close(_POLICY_VIOLATION, "unknown station or wrong password")
            return
        await socket.accept(_SUBPROTOCOL)
        link = StationLink(station_id, SocketAdapter(socket), here)
        try:
            await link.start()
        except WebSocketDisconnect:
            return

    return router


def _unpacked(raw_msg: str) -> Any:  # noqa: ANN401 - a message of the untyped library
    """Return the OCPP message of a frame; the library lets an action through that is no text."""
    message = unpack(raw_msg)
    if message.message_type_id == MessageType.Call and not isinstance(message.action, str):
        raise FormatViolationError(details={"cause": "the action is no text"})
    return message


def _password_fits(header: str, station_id: str, known: str | None) -> bool:
    """Check HTTP basic authentication, security profile 1 (OCPP-J 1.6 security whitepaper)."""
    scheme, _, encoded = header.partition(" ")
    if known is None or scheme.lower() != "basic":
        return False
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return False
    given = sha256(password.encode()).hexdigest()
    return user == station_id and hmac.compare_digest(given, known)


def _tag_info(*, accepted: bool) -> IdTagInfo:
    status = AuthorizationStatus.accepted if accepted else AuthorizationStatus.invalid
    return IdTagInfo(status=status)
