"""
Serve JSON-RPC 2.0 over HTTP POST.

Requests run on worker threads, one at a time behind the chain's lock. Codes and texts of faults are
geth's.
"""

import logging
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from devnet.chain import Devnet
from devnet.rpc.errors import INTERNAL, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR, RpcFault
from devnet.rpc.methods import Answer, answer
from ledger.errors import VoisinError

MAX_BODY_BYTES: Final = 5_242_880
"""Longest request, in bytes, as in geth."""

MAX_BATCH: Final = 1_000
"""Most requests in one batch, as in geth."""

Reply = dict[str, Any]

_JSON: Final = "application/json"
_TOO_LARGE: Final = 413
_log: Final = logging.getLogger(__name__)


def create_rpc(devnet: Devnet) -> FastAPI:
    """Return the application that answers for ``devnet`` at ``POST /``."""
    app = FastAPI(title="Voisin devnet", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/")
    async def post(request: Request) -> Response:
        body = await _read(request)
        if body is None:
            return Response("request body too large", _TOO_LARGE, media_type="text/plain")
        reply = await run_in_threadpool(respond, devnet, body)
        return Response(reply, media_type=_JSON)

    return app


def respond(devnet: Devnet, body: bytes) -> bytes:
    """Return the JSON text that answers the JSON text ``body``; empty for notifications alone."""
    try:
        asked = orjson.loads(body)
    except orjson.JSONDecodeError:
        reply: object = _fault(None, RpcFault(PARSE_ERROR, "parse error"))
    else:
        batch = isinstance(asked, list)
        reply = _respond_many(devnet, asked) if batch else _respond_one(devnet, asked)
    return orjson.dumps(reply) if reply else b""


def _respond_many(devnet: Devnet, asked: list[object]) -> list[Reply] | Reply:
    if not asked:
        return _fault(None, RpcFault(INVALID_REQUEST, "empty batch"))
    if len(asked) > MAX_BATCH:
        return [_fault(None, RpcFault(INVALID_REQUEST, "batch too large"))]
    return [reply for one in asked if (reply := _respond_one(devnet, one)) is not None]


def _respond_one(devnet: Devnet, asked: object) -> Reply | None:
    if not isinstance(asked, dict):
        return _fault(None, RpcFault(INVALID_REQUEST, "invalid request"))
    name = asked.get("method")
    request_id = asked.get("id")
    if isinstance(request_id, dict | list | bool):
        return _fault(None, RpcFault(INVALID_REQUEST, "invalid request"))
    if asked.get("jsonrpc") != "2.0" or not isinstance(name, str):
        return _fault(request_id, RpcFault(INVALID_REQUEST, "invalid request"))
    try:
        result = _run(devnet, name, asked.get("params"))
    except RpcFault as fault:
        reply = _fault(request_id, fault)
    else:
        reply = {"jsonrpc": "2.0", "id": request_id, "result": result}
    return reply if "id" in asked else None


def _run(devnet: Devnet, name: str, given: object) -> Answer:
    if not isinstance(given, list | None):
        raise RpcFault(INVALID_PARAMS, "non-array args")
    try:
        return answer(devnet, name, given or [])
    except RpcFault:
        raise
    except VoisinError as error:
        _log.exception("%s failed: %s", name, error.code)
        raise RpcFault(INTERNAL, str(error)) from error
    except OSError as error:
        _log.exception("%s failed to write", name)
        raise RpcFault(INTERNAL, f"the block log cannot be written: {error}") from error


def _fault(request_id: object, fault: RpcFault) -> Reply:
    error: dict[str, Any] = {"code": fault.number, "message": str(fault)}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


async def _read(request: Request) -> bytes | None:
    """Return the body, or None as soon as it is too long."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)
