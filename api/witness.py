"""
A witness by HTTP (C2SP tlog-witness): whoever runs it, the log cannot show it two histories.

It needs nothing of the service: no database, no chain, no rules of settlement.
"""

import logging
import socket
from collections.abc import Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI, Request, Response
from starlette.concurrency import run_in_threadpool

from api.witness_state import WitnessState
from ledger.clock import Clock
from ledger.errors import VoisinError
from ledger.proofs.notes import NoteKey
from ledger.proofs.witness import (
    SUBMISSION_BYTES_MAX,
    BadSubmissionError,
    HeldDiffersError,
    NotConsistentError,
    NotTheLogsError,
    UnknownLogError,
    Witness,
    parse_submission,
)

_TEXT: Final = "text/plain; charset=utf-8"
_SIZE: Final = "text/x.tlog.size"
_LOG: Final = logging.getLogger("voisin.witness")
_STATUS: Final[dict[type[VoisinError], int]] = {
    BadSubmissionError: 400,
    NotTheLogsError: 403,
    UnknownLogError: 404,
    HeldDiffersError: 409,
    NotConsistentError: 422,
}
"""What the protocol answers; the numbers are the specification's, not our families'."""


def watching(logs: Sequence[NoteKey]) -> dict[str, tuple[NoteKey, ...]]:
    """Return the keys of each log, by origin: the name of a log's key is its origin."""
    found: dict[str, tuple[NoteKey, ...]] = {}
    for key in logs:
        found[key.name] = (*found.get(key.name, ()), key)
    return found


def create_witness(witness: Witness, state: WitnessState, clock: Clock) -> FastAPI:
    """Return the application that answers ``POST /add-checkpoint``."""
    app = FastAPI(title="Voisin witness", docs_url=None, redoc_url=None, openapi_url=None)

    def judge(body: bytes) -> str:
        return state.add_checkpoint(witness, parse_submission(body), at_s=clock.now_s())

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        try:
            line = await run_in_threadpool(judge, await _body_of(request))
        except tuple(_STATUS) as fault:
            return _refusal(fault)
        return Response(line, media_type=_TEXT)

    return app


def serve_witness(app: FastAPI, bound: socket.socket) -> None:
    """Answer on ``bound`` until SIGINT or SIGTERM comes."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[bound])


async def _body_of(request: Request) -> bytes:
    """Return the body, and read no further than a submission can be."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > SUBMISSION_BYTES_MAX:
            raise BadSubmissionError(f"a body of more than {SUBMISSION_BYTES_MAX} bytes")
    return bytes(body)


def _refusal(fault: VoisinError) -> Response:
    _LOG.warning("%s: %s", fault.code, fault)
    status = _STATUS[type(fault)]
    if isinstance(fault, HeldDiffersError):
        # No charset: the specification wants this type to the letter.
        return Response(f"{fault.held_size}\n".encode(), status, headers={"Content-Type": _SIZE})
    return Response(f"{fault.code}: {fault}\n", status, media_type=_TEXT)
