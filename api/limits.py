"""Refuse request bodies that are larger than anything that may be sent, before they are kept."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from ledger.errors import TooLarge

BODY_BYTES_MAX: Final = 2 << 20
"""Most bytes in the body of a request: a thousand readings need half of it."""


class BodyTooLargeError(TooLarge):
    """A request whose body is larger than two mebibytes."""

    def __init__(self) -> None:
        super().__init__("body_too_large", f"a body has at most {BODY_BYTES_MAX} bytes")


class BodyLimit:
    """Counts what comes in, and answers for the application once it is too much."""

    def __init__(self, app: ASGIApp) -> None:
        self._app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it by its length, told or counted."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        told = dict(scope["headers"]).get(b"content-length", b"0")
        if told.isdigit() and int(told) > BODY_BYTES_MAX:
            await problem(BodyTooLargeError())(scope, receive, send)
            return
        counted = 0

        async def receive_counted() -> Message:
            nonlocal counted
            message = await receive()
            counted += len(message.get("body", b""))
            if counted > BODY_BYTES_MAX:
                raise BodyTooLargeError
            return message

        await self._app(scope, receive_counted, send)
