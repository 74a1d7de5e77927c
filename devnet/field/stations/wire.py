"""
Hold a station's websocket: send calls and survive lost connections, in any version of OCPP.

The wall clock only bounds how long an answer is waited for. A message's id follows from its
content, so a replay sends the same bytes, and a call cut off by a lost connection is sent again on
the next one under the same id.
"""

import asyncio
import base64
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from ocpp.exceptions import OCPPError
from ocpp.messages import MessageType
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from devnet.field.stations.links import Heard, Line, Link
from devnet.field.stations.notes import Message
from ledger.errors import NotAuthenticated, VoisinError
from ledger.units import UnixSeconds


class StationNotAdmittedError(NotAuthenticated):
    """The service does not let the station in."""

    def __init__(self, station: str, detail: str) -> None:
        super().__init__("station_not_admitted", f"{station}: {detail}")


class StationUnreachableError(VoisinError):
    """The service gave no answer, however often it was asked."""

    def __init__(self, station: str, attempts: int, detail: str) -> None:
        message = f"{station}: no answer in {attempts} attempts: {detail}"
        super().__init__("station_unreachable", message, transient=True)


class CallRefusedError(VoisinError):
    """The service answered a call with a CALLERROR (OCPP-J 1.6, 4.2.3)."""

    def __init__(self, station: str, action: str, fault: OCPPError) -> None:
        message = f"{station}: {action}: {fault.code} {fault.description}"
        super().__init__("ocpp_call_refused", message)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often a station waits, in wall time."""

    timeout_s: float = 30.0
    """Longest wait for a connection or an answer."""
    attempts: int = 5
    """How often a call is tried when the connection is lost."""
    pause_s: float = 0.1
    """Wait before the second attempt; doubles each time."""


@dataclass(frozen=True, slots=True)
class Address:
    """Who a station is and where it calls."""

    station: str
    """Name of the station, its user name too."""
    password: str
    """Password of its basic authentication (OCPP-J 1.6 security profile 1)."""
    url: str
    """The service's, ``ws://127.0.0.1:8000/ocpp``."""


class Wire:
    """A station's connection, opened when first needed and again when it was lost."""

    def __init__(self, address: Address, link: Link, patience: Patience) -> None:
        self.station: Final = address.station
        self.patience: Final = patience
        self._kind: Final = link
        self._url: Final = f"{address.url.rstrip('/')}/{address.station}"
        credentials = base64.b64encode(f"{address.station}:{address.password}".encode()).decode()
        self._headers: Final = {"Authorization": f"Basic {credentials}"}
        self._link: Line | None = None
        self._connection: ClientConnection | None = None
        self._listener: asyncio.Task[None] | None = None
        self._opening: Final = asyncio.Lock()

    async def call(
        self,
        payload: Any,  # noqa: ANN401 - the library is untyped
        at_s: UnixSeconds,
        heard: Heard | None = None,
    ) -> Any:  # noqa: ANN401
        """
        Send a call until it is answered, at most as often as patience allows; return the answer.

        ``heard`` sees the answer before any later message of the service is handled.

        Raises
        ------
        CallRefusedError
            If the service answers with an error.
        StationNotAdmittedError
            If the service refuses the password or the subprotocol.
        StationUnreachableError
            If the service does not answer.
        """
        unique_id = self._message_id(payload, at_s)
        last: Exception | None = None
        for attempt in range(self.patience.attempts):
            if attempt:
                await asyncio.sleep(self.patience.pause_s * 2 ** (attempt - 1))
            try:
                return await self._call_once(payload, unique_id, heard)
            except (OSError, ConnectionClosed, InvalidHandshake, TimeoutError) as fault:
                last = fault
                await self.close()
            except OCPPError as fault:
                raise CallRefusedError(self.station, type(payload).__name__, fault) from fault
        raise StationUnreachableError(self.station, self.patience.attempts, repr(last))

    async def ask(self, message: Message, message_id: str) -> Mapping[str, Any]:
        """
        Send a request as it stands, fitting or not, and return the answer as it came.

        Raises
        ------
        CallRefusedError
            If the service answers with an error.
        StationUnreachableError
            If the service does not answer.
        """
        link, _ = await self._open()
        text = json.dumps([MessageType.Call, message_id, message.action, message.payload])
        try:
            answer = await link.ask(text, message_id)
        except (ConnectionClosed, TimeoutError) as fault:
            raise StationUnreachableError(self.station, 1, repr(fault)) from fault
        if answer.message_type_id == MessageType.CallError:
            raise CallRefusedError(self.station, message.action, answer.to_exception())
        return dict(answer.payload)

    async def send_frame(self, text: str) -> str:
        """
        Send ``text`` as it is, OCPP or not, and return the next message from the service.

        Raises
        ------
        StationUnreachableError
            If nothing comes back in time.
        """
        link, connection = await self._open()
        link.raw_answer = asyncio.get_running_loop().create_future()
        try:
            await connection.send(text)
            return await asyncio.wait_for(link.raw_answer, self.patience.timeout_s)
        except (ConnectionClosed, TimeoutError) as fault:
            raise StationUnreachableError(self.station, 1, repr(fault)) from fault

    async def close(self) -> None:
        """Close the connection and forget it; the next call opens another."""
        connection, listener = self._connection, self._listener
        self._link = self._connection = self._listener = None
        if connection is not None:
            await connection.close()
        if listener is not None:
            await asyncio.gather(listener, return_exceptions=True)

    async def _call_once(
        self,
        payload: Any,  # noqa: ANN401
        unique_id: str,
        heard: Heard | None,
    ) -> Any:  # noqa: ANN401
        link, _ = await self._open()
        if heard is not None:
            link.heard[unique_id] = heard
        waits: set[asyncio.Future[Any]] = set()
        asked = asyncio.ensure_future(link.call(payload, suppress=False, unique_id=unique_id))
        waits.add(asked)
        if self._listener is not None:
            # A lost connection ends the listener; else the call would wait for its time-out.
            waits.add(self._listener)
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if not asked.done():
                raise ConnectionResetError("the connection was closed")
            return asked.result()
        finally:
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)

    def _message_id(self, payload: Any, at_s: UnixSeconds) -> str:  # noqa: ANN401
        content = json.dumps(asdict(payload), sort_keys=True)
        subject = f"{self.station}\0{at_s}\0{type(payload).__name__}\0{content}"
        return str(uuid.UUID(bytes=hashlib.sha256(subject.encode()).digest()[:16]))

    async def _open(self) -> tuple[Line, ClientConnection]:
        async with self._opening:
            if self._listener is not None and self._listener.done():
                await self.close()
            if self._link is None or self._connection is None:
                self._connection = await self._handshake()
                self._link = self._kind.make(
                    self.station, self._connection, self.patience.timeout_s
                )
                self._listener = asyncio.create_task(_listen(self._link))
            return self._link, self._connection

    async def _handshake(self) -> ClientConnection:
        try:
            # No pings: a service busy with a replay is not a lost one; calls have their time-outs.
            connection = await connect(
                self._url,
                subprotocols=[self._kind.subprotocol],
                additional_headers=self._headers,
                open_timeout=self.patience.timeout_s,
                close_timeout=self.patience.timeout_s,
                ping_interval=None,
                proxy=None,
            )
        except InvalidStatus as fault:
            status = fault.response.status_code
            raise StationNotAdmittedError(self.station, f"HTTP {status}") from fault
        if connection.subprotocol != self._kind.subprotocol:
            await connection.close()
            detail = f"the service does not speak {self._kind.subprotocol}"
            raise StationNotAdmittedError(self.station, detail)
        return connection


async def _listen(link: Line) -> None:
    """Route messages until the connection is closed."""
    try:
        await link.start()
    except ConnectionClosed:
        return
