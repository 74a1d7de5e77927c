"""
The stations' side of the benchmark: bare websockets that cost next to nothing themselves.

A frame is masked once and sent again and again; of an answer only its end is looked for (RFC 6455
section 5).
"""

import asyncio
import base64
import os
import ssl
from collections.abc import Sequence
from time import perf_counter_ns
from typing import Final, cast

from scripts.benchmarks.rows import BenchmarkInvalidError

_HANDSHAKE: Final = (
    "GET /ocpp/{station} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
    "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
    "Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {token}\r\n\r\n"
)
_TEXT_FINAL: Final = 0x81
_PING_FINAL: Final = 0x89
_PONG_FINAL: Final = 0x8A
_MASK: Final = 0x80
_SHORT: Final = 126
_LONG: Final = 127


def text_frame(text: str) -> bytes:
    """Return a masked websocket frame; a mask of zeros leaves the text as it is."""
    body = text.encode()
    if len(body) < _SHORT:
        return bytes((_TEXT_FINAL, _MASK | len(body), 0, 0, 0, 0)) + body
    head = bytes((_TEXT_FINAL, _MASK | _SHORT)) + len(body).to_bytes(2, "big")
    return head + bytes(4) + body


class Wire(asyncio.Protocol):
    """One station's connection."""

    def __init__(self, station: str, password: str) -> None:
        token = base64.b64encode(f"{station}:{password}".encode()).decode()
        key = base64.b64encode(os.urandom(16)).decode()
        request = _HANDSHAKE.format(station=station, key=key, token=token)
        self._request: Final = request.encode()
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._open = False
        self._answered: asyncio.Future[bytes] | None = None
        self._at_ns = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Look for the end of the answer."""
        self._received += data
        if not self._open:
            if b"\r\n\r\n" in self._received:
                head, _, self._received = self._received.partition(b"\r\n\r\n")
                self._open = True
                self._answer(head)
            return
        while (frame := self._frame()) is not None:
            kind, body = frame
            if kind == _PING_FINAL:
                self._write(bytes((_PONG_FINAL, _MASK | len(body), 0, 0, 0, 0)) + body)
            else:
                self._answer(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let nobody wait for ever."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(BenchmarkInvalidError(f"a connection was lost: {exc}"))

    async def connect(self) -> None:
        """Become a websocket."""
        answer = await self.ask(self._request)
        if not answer[0].startswith(b"HTTP/1.1 101"):
            raise BenchmarkInvalidError(f"no websocket: {answer[0][:40]!r}")

    async def ask(self, frame: bytes) -> tuple[bytes, int]:
        """Send a frame; return the answer and how long it took, in ns."""
        self._answered = asyncio.get_running_loop().create_future()
        began_ns = perf_counter_ns()
        self._write(frame)
        answer = await self._answered
        return answer, self._at_ns - began_ns

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _write(self, data: bytes) -> None:
        if self._transport is None:
            raise BenchmarkInvalidError("not connected")
        self._transport.write(data)

    def _answer(self, body: bytes) -> None:
        self._at_ns = perf_counter_ns()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(body)

    def _frame(self) -> tuple[int, bytes] | None:
        """Take the next whole frame; a server does not mask, and we are sent none above 64 KiB."""
        received = self._received
        if len(received) < 2:  # noqa: PLR2004 - a frame's head
            return None
        size, at = received[1], 2
        if size == _SHORT:
            size, at = int.from_bytes(received[2:4], "big"), 4
        if size == _LONG or len(received) < at + size:
            return None
        self._received = received[at + size :]
        return received[0], received[at : at + size]


async def connect_all(
    port: int, stations: Sequence[tuple[str, str]], tls: ssl.SSLContext | None = None
) -> list[Wire]:
    """Connect stations, 50 at a time."""
    turns = asyncio.Semaphore(50)
    loop = asyncio.get_running_loop()

    async def one(station: str, password: str) -> Wire:
        async with turns:
            _, wire = await loop.create_connection(
                lambda: Wire(station, password), "127.0.0.1", port, ssl=tls
            )
            await wire.connect()
            return wire

    return await asyncio.gather(*(one(*each) for each in stations))
