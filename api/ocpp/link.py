"""
Hold one station's connection.

A frame is stored before it is answered, and whatever a station sends gets an answer and never
stops the connection, except a frame larger than any OCPP message.
"""

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

import structlog
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.desk import Desk
from api.ocpp.frames import (
    Call,
    CallFault,
    MalformedFrameError,
    Message,
    Payload,
    Result,
    Version,
    read_frame,
    write_call,
    write_error,
    write_result,
)
from api.ocpp.judging import Judge
from api.ocpp.keeping import FrameKeeper
from api.ocpp.schemas import check_call, check_result, known_actions
from api.ocpp.switchboard import (
    StationNotConnectedError,
    StationRefusedError,
    StationSilentError,
    Switchboard,
)
from api.ocpp.translation import v2, v16
from api.ocpp.translation.steps import Asked, Freed, Reader, Received, Said, Step, Told
from ledger.errors import InvalidRequest, VoisinError
from ledger.units import UnixSeconds
from settlement.charging.reports import Admission, Answer, Phase
from settlement.engine.charging import frames, transactions
from settlement.engine.service import Service

FRAME_BYTES_MAX: Final = 131_072
"""Largest frame that is read; signed values and reports are some kilobytes."""

_TOO_BIG: Final = 1009
_GOING_AWAY: Final = 1001
_KEPT_BYTES: Final = 1_024
_NUL: Final = "\0"
_LOG: Final = structlog.get_logger("voisin.ocpp")
_READERS: Final[Mapping[Version, Mapping[str, Reader]]] = {
    Version.V16: v16.READERS,
    Version.V201: v2.readers(Version.V201),
    Version.V21: v2.readers(Version.V21),
}


class OversizedFrameError(InvalidRequest):
    """A station sent a frame that is larger than any OCPP message."""

    def __init__(self, size_bytes: int | None) -> None:
        size = "more than the websocket takes" if size_bytes is None else f"{size_bytes} bytes"
        super().__init__("oversized_frame", f"{size}; at most {FRAME_BYTES_MAX} are read")


class BinaryFrameError(InvalidRequest):
    """A station sent a binary frame; OCPP-J is text."""

    def __init__(self) -> None:
        super().__init__("binary_frame", "OCPP-J is text")


@dataclass(frozen=True, slots=True)
class Office:
    """What all connections share."""

    service: Service
    """Every use case takes it."""
    desk: Desk
    """Where everything that writes waits its turn."""
    keeper: FrameKeeper
    """Keeps frames."""
    judge: Judge
    """Judges reports."""
    switchboard: Switchboard
    """Where stations are asked."""
    answer_timeout_s: float
    """How long a station may take to answer, in wall seconds."""


class Link:
    """The service's end of one station's connection."""

    __slots__ = ("_asking", "_awaited", "_closing", "_office", "_socket", "station_id", "version")

    def __init__(
        self, station_id: str, version: Version, socket: WebSocket, office: Office
    ) -> None:
        self.station_id: Final = station_id
        self.version: Final = version
        self._socket: Final = socket
        self._office: Final = office
        self._awaited: tuple[str, asyncio.Future[Result | CallFault]] | None = None
        self._asking: asyncio.Lock | None = None
        self._closing: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Serve the station until it leaves."""
        self._office.switchboard.plug(self.station_id, self)
        try:
            while (event := await self._socket.receive())["type"] == "websocket.receive":
                await self._take(event)
            if event.get("code") == _TOO_BIG:
                await self._refuse(b"", OversizedFrameError(None))
        except WebSocketDisconnect:
            return
        finally:
            self._office.switchboard.unplug(self.station_id, self)
            if self._awaited is not None:
                self._awaited[1].cancel()

    def hang_up(self) -> None:
        """Close the connection soon: the station has opened another one."""
        self._closing = asyncio.create_task(self._close(_GOING_AWAY, "connected anew"))

    async def ask(self, action: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        """
        Return the station's answer to a request; one request waits for an answer at a time.

        Raises
        ------
        StationNotConnectedError
            If the connection ends before the answer.
        StationSilentError
            If no answer comes in time.
        StationRefusedError
            If the station answers with an error, or with something that is no answer.
        """
        if self._asking is None:
            self._asking = asyncio.Lock()
        async with self._asking:
            answer = await self._answer_to(action, payload)
        if isinstance(answer, CallFault):
            raise StationRefusedError(self.station_id, action, answer.code)
        try:
            check_result(self.version, action, answer.payload)
        except MalformedFrameError as fault:
            raise StationRefusedError(self.station_id, action, str(fault)) from fault
        return answer.payload

    async def _answer_to(self, action: str, payload: Mapping[str, Any]) -> Result | CallFault:
        message_id, loop = str(uuid.uuid4()), asyncio.get_running_loop()
        awaited: asyncio.Future[Result | CallFault] = loop.create_future()
        self._awaited = (message_id, awaited)
        try:
            await self._send(write_call(message_id, action, payload))
            async with asyncio.timeout(self._office.answer_timeout_s):
                return await awaited
        except TimeoutError as fault:
            raise StationSilentError(self.station_id, action) from fault
        except (WebSocketDisconnect, asyncio.CancelledError) as fault:
            if isinstance(fault, asyncio.CancelledError) and not awaited.cancelled():
                raise
            raise StationNotConnectedError(self.station_id) from fault
        finally:
            self._awaited = None

    async def _take(self, event: Mapping[str, Any]) -> None:
        """Take one websocket message, and let the desk know that something is under way."""
        received_ns = perf_counter_ns()
        self._office.desk.expect()
        try:
            text = event.get("text")
            if text is None:
                await self._refuse(event["bytes"][:_KEPT_BYTES], BinaryFrameError())
                await self._send(write_error("-1", "FormatViolation", "OCPP-J is text"))
            elif len(text) > FRAME_BYTES_MAX:
                fault = OversizedFrameError(len(text.encode()))
                await self._refuse(text[:_KEPT_BYTES].encode(), fault)
                await self._close(_TOO_BIG, "too large")
                raise WebSocketDisconnect(_TOO_BIG)
            else:
                await self._hear(text, received_ns)
        finally:
            self._office.desk.done()

    async def _hear(self, text: str, received_ns: int) -> None:
        """Keep a frame, then answer it or hand it to whoever waits for it."""
        at_s = self._office.service.clock.now_s()
        message = self._read(text)
        if _NUL not in text:
            try:
                await self._office.keeper.keep(self.station_id, text, at_s)
            except VoisinError as fault:
                if isinstance(message, Call):
                    await self._send(write_error(message.message_id, "InternalError", fault.code))
                return
        if isinstance(message, MalformedFrameError):
            await self._refuse(text.encode(), message)
            await self._send(message.reply)
        elif isinstance(message, Call):
            await self._answer(message, text, (at_s, received_ns))
        else:
            self._hand_over(message)

    def _hand_over(self, answer: Result | CallFault) -> None:
        """Give an answer to whoever waits for it; an answer that nobody waits for is kept only."""
        if self._awaited is not None and self._awaited[0] == answer.message_id:
            awaited = self._awaited[1]
            if not awaited.done():
                awaited.set_result(answer)

    def _read(self, text: str) -> Message | MalformedFrameError:
        try:
            return read_frame(text, self.version)
        except MalformedFrameError as fault:
            return fault

    async def _answer(self, call: Call, text: str, came: tuple[UnixSeconds, int]) -> None:
        """Answer a request."""
        if not call.confirmed:
            return
        try:
            step = self._step(call, text, came[0])
            said = await self._say(step, came[1])
        except MalformedFrameError as fault:
            await self._refuse(text.encode(), fault)
            await self._send(fault.reply)
            return
        except VoisinError as fault:
            await self._send(write_error(call.message_id, "InternalError", fault.code))
            return
        await self._send(write_result(call.message_id, said))
        if isinstance(step, Freed):
            self._office.judge.later(step, came[1])
        if isinstance(step, Told):
            if not step.first:
                self._office.judge.later(step.report, came[1])
            for unread in step.faults:
                await self._refuse(text.encode(), unread)

    def _step(self, call: Call, text: str, at_s: UnixSeconds) -> Step:
        reader = _READERS[self.version].get(call.action)
        if reader is None:
            known = call.action in known_actions(self.version)
            code = "NotSupported" if known else "NotImplemented"
            raise MalformedFrameError(code, f"{call.action:.64}", call.message_id)
        check_call(self.version, call.action, call.payload, call.message_id)
        limits = self._office.switchboard.limits
        return reader(Received(self.station_id, call.payload, text, at_s, limits))

    async def _say(self, step: Step, received_ns: int) -> Payload:
        """Return what to answer, once whatever it depends on is known."""
        if isinstance(step, Said):
            return step.payload
        if isinstance(step, Freed):
            return {}
        if isinstance(step, Asked):
            return step.say(await self._admission(step.id_tag))
        return step.say(await self._judgement(step, received_ns) if step.first else None)

    async def _admission(self, id_tag: str) -> Admission:
        service, station_id = self._office.service, self.station_id
        return await self._office.desk.run(
            lambda: transactions.authorize(service, station_id=station_id, id_tag=id_tag)
        )

    async def _judgement(self, step: Told, received_ns: int) -> Answer | None:
        """
        Return what became of a report.

        Whoever wants to start is told to try again if the service is at fault; an end is never
        refused, since a station would send it for ever, and its frame is kept.
        """
        found = await self._office.judge.now(step.report, received_ns)
        if isinstance(found, Answer):
            return found
        if found.transient and step.report.phase is not Phase.ENDED:
            raise found
        return None

    async def _refuse(self, body: bytes, fault: VoisinError) -> None:
        """Put a frame into quarantine; if even that fails, the station still gets its answer."""
        service, station_id = self._office.service, self.station_id
        try:
            await self._office.desk.run(
                lambda: frames.refuse_frame(service, station_id, body, fault)
            )
        except VoisinError as failure:
            _LOG.warning("not quarantined", station=station_id, code=failure.code)

    async def _send(self, text: str) -> None:
        if self._socket.application_state is not WebSocketState.CONNECTED:
            raise WebSocketDisconnect(_GOING_AWAY)
        await self._socket.send_text(text)

    async def _close(self, code: int, reason: str) -> None:
        if self._socket.application_state is WebSocketState.CONNECTED:
            await self._socket.close(code, reason)
