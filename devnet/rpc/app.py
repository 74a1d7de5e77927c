"""
Serve JSON-RPC 2.0 over HTTP POST and websocket, at one address.

What is quick runs on the event loop; what may take long runs on worker threads, on states of its
own, and holds nothing up.
"""

import asyncio
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final

import orjson
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from starlette.types import Receive, Scope, Send

from devnet.node.chain import Devnet
from devnet.rpc.dispatch import (
    SEND_WAIT_S,
    Answering,
    Weight,
    answer,
    parse,
    subscribes,
    weigh,
)
from devnet.rpc.listening import Subscriptions

MAX_BODY_BYTES: Final = 5_242_880
"""Longest request, in bytes, as in geth."""

MAX_IN_FLIGHT: Final = 64
"""Requests of one websocket that are answered at the same time; the next ones wait unread."""

# More threads that compute would only wait for each other, and hold up the event loop.
_COMPUTING_THREADS: Final = 4
_WAITING_THREADS: Final = 64
_CLOSE_TIMEOUT_S: Final = 1
_JSON: Final = "application/json"
_TEXT: Final = "text/plain"
_OK: Final = 200
_NOT_ALLOWED: Final = 405
_TOO_LARGE: Final = 413
_TRY_AGAIN_LATER: Final = 1_013


class _Desk:
    """Answers what comes in, each request where it holds up no other."""

    def __init__(self, devnet: Devnet) -> None:
        self._devnet = devnet
        self._limiters: Final = {
            Weight.HEAVY: CapacityLimiter(_COMPUTING_THREADS),
            Weight.WAITING: CapacityLimiter(_WAITING_THREADS),
        }

    async def reply(self, asked: Any, subscriptions: Subscriptions | None = None) -> bytes:
        """Return the answer to what was parsed, when its blocks are on disk."""
        answering = Answering(self._devnet, subscriptions)
        limiter = self._limiters.get(weigh(asked))
        if limiter is None:
            reply = answer(answering, asked)
        else:
            reply = await run_sync(answer, answering, asked, limiter=limiter)
        if answering.mined:
            await _settled(answering.mined)
        return reply


async def _settled(mined: Iterable["Future[None]"]) -> None:
    """Wait until each block is on disk or given up, for a while."""
    waited = [asyncio.wrap_future(one) for one in mined]
    for one in waited:
        # Whether it was mined or dropped, its sender asks for the receipt.
        one.add_done_callback(_look)
    await asyncio.wait(waited, timeout=SEND_WAIT_S)


def _look(one: "asyncio.Future[None]") -> None:
    if not one.cancelled():
        one.exception()


class RpcApp:
    """
    The application that answers for a node at ``/``, by POST or websocket.

    Requests by POST are what a node has most of, so they pass the framework by, which would cost
    more than answering them.
    """

    def __init__(self, devnet: Devnet) -> None:
        """Answer for ``devnet``."""
        self._desk = _Desk(devnet)
        self._rest = _rest_of(devnet, self._desk)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or serve one websocket, as ASGI has it."""
        if scope["type"] != "http" or scope["path"] != "/":
            await self._rest(scope, receive, send)
            return
        if scope["method"] != "POST":
            await _send(send, _NOT_ALLOWED, _TEXT, b"method not allowed: use POST")
            return
        body = await _read(scope, receive)
        if body is None:
            await _send(send, _TOO_LARGE, _TEXT, b"request body too large")
        else:
            await _send(send, _OK, _JSON, await self._desk.reply(parse(body)))


def create_rpc(devnet: Devnet) -> RpcApp:
    """Return the application that answers for ``devnet`` at ``/``, by POST or websocket."""
    return RpcApp(devnet)


def _rest_of(devnet: Devnet, desk: _Desk) -> FastAPI:
    """Return what answers everything but requests by POST."""
    app = FastAPI(title="Voisin devnet", docs_url=None, redoc_url=None, openapi_url=None)

    async def health(_request: Request) -> Response:
        return Response(orjson.dumps({"head": devnet.head_number}), media_type=_JSON)

    async def metrics(_request: Request) -> Response:
        return Response(_metrics(devnet), media_type="text/plain; version=0.0.4")

    app.add_route("/health", health, methods=["GET"])
    app.add_route("/metrics", metrics, methods=["GET"])

    @app.websocket("/")
    async def websocket(socket: WebSocket) -> None:
        await socket.accept()
        await _Conversation(devnet, desk, socket).run()

    return app


def _metrics(devnet: Devnet) -> str:
    """Return what a Prometheus reads."""
    pending, queued = devnet.pool.status()
    return (
        f"# TYPE devnet_head_block gauge\ndevnet_head_block {devnet.head_number}\n"
        f"# TYPE devnet_pool_pending gauge\ndevnet_pool_pending {pending}\n"
        f"# TYPE devnet_pool_queued gauge\ndevnet_pool_queued {queued}\n"
    )


class _Conversation:
    """One websocket: what it asks and what it is told, until it ends."""

    def __init__(self, devnet: Devnet, desk: _Desk, socket: WebSocket) -> None:
        self._desk = desk
        self._socket = socket
        self._subscriptions = Subscriptions(devnet, asyncio.get_running_loop())
        self._room = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._answers: set[asyncio.Task[None]] = set()
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # Nobody is told of a subscription before its name went out.
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Answer and tell until either side ends it."""
        over = asyncio.create_task(self._subscriptions.over.wait())
        listening, telling = map(asyncio.create_task, (self._listen(), self._tell()))
        parts: list[asyncio.Future[Any]] = [over, listening, telling, self._fault]
        try:
            await asyncio.wait(parts, return_when=asyncio.FIRST_COMPLETED)
        finally:
            was_slow = over.done()
            self._subscriptions.close()
            running = [*parts, *self._answers]
            for one in running:
                one.cancel()
            ended = await asyncio.gather(*running, return_exceptions=True)
        if was_slow:
            # A client that does not read may not even take leave.
            with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                closing = self._socket.close(_TRY_AGAIN_LATER, "too slow")
                await asyncio.wait_for(closing, _CLOSE_TIMEOUT_S)
        for outcome in ended:
            if isinstance(outcome, Exception):
                raise outcome

    async def _listen(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            await self._room.acquire()
            asked = parse(message.get("bytes") or (message.get("text") or "").encode())
            # Tasks begin in order, so what is quick is done in order: nonces follow each other.
            task = asyncio.create_task(self._answer(asked))
            self._answers.add(task)
            task.add_done_callback(self._answered)

    def _answered(self, task: "asyncio.Task[None]") -> None:
        self._answers.discard(task)
        self._room.release()
        if not task.cancelled() and (fault := task.exception()) and not self._fault.done():
            self._fault.set_exception(fault)

    async def _answer(self, asked: Any) -> None:
        if subscribes(asked):
            async with self._turn:
                await self._send(await self._desk.reply(asked, self._subscriptions))
        else:
            await self._send(await self._desk.reply(asked, self._subscriptions))

    async def _send(self, reply: bytes) -> None:
        if reply:
            with suppress(WebSocketDisconnect, RuntimeError):
                await self._socket.send_text(reply.decode())

    async def _tell(self) -> None:
        while True:
            name, found = await self._subscriptions.next()
            told: dict[str, Any] = {
                "jsonrpc": "2.0",
                "method": "eth_subscription",
                "params": {"subscription": name, "result": found},
            }
            async with self._turn:
                await self._send(orjson.dumps(told))


async def _read(scope: Scope, receive: Receive) -> bytes | None:
    """Return the body, or None as soon as it is too long."""
    length = dict(scope["headers"]).get(b"content-length", b"")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        return None
    message = await receive()
    if not message.get("more_body"):
        whole: bytes = message.get("body", b"")
        return whole if len(whole) <= MAX_BODY_BYTES else None
    # Joining bytes piece by piece would copy all that came before, each time.
    body = bytearray(message.get("body", b""))
    while message.get("more_body") and len(body) <= MAX_BODY_BYTES:
        message = await receive()
        body += message.get("body", b"")
    return bytes(body) if len(body) <= MAX_BODY_BYTES else None


async def _send(send: Send, status: int, kind: str, body: bytes) -> None:
    headers = [(b"content-type", kind.encode()), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
