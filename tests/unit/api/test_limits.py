"""A body that is too large is refused by its length, told or counted, and never kept."""

import asyncio
import json

import pytest
from fastapi import FastAPI, Request

from api import problems
from api.limits import BODY_BYTES_MAX, BodyLimit


@pytest.fixture
def app():
    made = FastAPI()
    problems.install(made)
    made.add_middleware(BodyLimit)

    @made.post("/")
    async def length(request: Request) -> int:
        return len(await request.body())

    return made


def post(app, chunks, headers=()):
    """Send ``chunks`` as a client without Content-Length would; return status and document."""
    messages = [{"type": "http.request", "body": one, "more_body": True} for one in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent = []

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "headers": list(headers),
        "asgi": {"version": "3.0"},
    }
    asyncio.run(app(scope, receive, send))
    return sent[0]["status"], json.loads(b"".join(one.get("body", b"") for one in sent[1:]))


class TestBodyLimit:
    def test_takes_what_fits_to_the_byte(self, app):
        half = bytes(BODY_BYTES_MAX // 2)
        assert post(app, [half, half]) == (200, BODY_BYTES_MAX)

    def test_counts_what_comes_without_a_length(self, app):
        half = bytes(BODY_BYTES_MAX // 2)
        status, document = post(app, [half, half, b"x"])
        assert (status, document["code"]) == (413, "body_too_large")

    def test_believes_a_length_that_is_too_large(self, app):
        told = [(b"content-length", str(BODY_BYTES_MAX + 1).encode())]
        status, document = post(app, [], told)
        assert (status, document["code"]) == (413, "body_too_large")
