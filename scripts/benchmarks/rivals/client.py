"""
Ask a node over one kept connection, with as little work on our side as can be.

Requests are made beforehand and go out in one piece. Of a reply only what frames it is read (RFC
9112); Python's own HTTP client takes longer over a reply than a good node takes to make it.
"""

import socket
from types import TracebackType
from typing import Any, Final, Self

import orjson

from scripts.benchmarks.rows import BenchmarkInvalidError

_TIMEOUT_S: Final = 30
_READ_BYTES: Final = 65_536
_HEX: Final = 16
_END: Final = b"\r\n"
_HEAD_END: Final = b"\r\n\r\n"
_LENGTH: Final = b"content-length:"
_OK: Final = b"http/1.1 200 "
_CHUNKED: Final = b"transfer-encoding: chunked"


def request(method: str, *params: object) -> bytes:
    """Return a JSON-RPC request as it goes over the wire, head and body."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    head = (
        b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n"
    )
    return head % len(body) + body


class Client:
    """One connection to a node."""

    def __init__(self, host: str, port: int) -> None:
        """Connect to it."""
        self._socket: Final = socket.create_connection((host, port), _TIMEOUT_S)
        # A request must not wait for the acknowledgement of the one before.
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._read = b""

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Hang up."""
        self._socket.close()

    def ask(self, wire: bytes) -> Any:  # noqa: ANN401 - JSON
        """
        Return the result of a request that ``request`` made.

        Raises
        ------
        BenchmarkInvalidError
            If the node refuses it, or fails.
        OSError
            If the node hangs up or is silent for too long.
        """
        self._socket.sendall(wire)
        reply = orjson.loads(self._body())
        if "error" in reply:
            raise BenchmarkInvalidError(f"a node refused: {reply['error'].get('message')}")
        return reply["result"]

    def call(self, method: str, *params: object) -> Any:  # noqa: ANN401 - JSON
        """Return the result of a method."""
        return self.ask(request(method, *params))

    def _body(self) -> bytes:
        head = self._until(_HEAD_END).lower()
        if not head.startswith(_OK):
            status = head.split(_END, 1)[0].decode("ascii", "replace")
            raise BenchmarkInvalidError(f"a node answered {status}")
        if _CHUNKED in head:
            return self._chunks()
        at = head.find(_LENGTH)
        if at < 0:
            raise BenchmarkInvalidError("a node did not say how long its reply is")
        return self._exactly(int(head[at + len(_LENGTH) :].split(_END, 1)[0]))

    def _chunks(self) -> bytes:
        parts = []
        while (size := int(self._until(_END), _HEX)) > 0:
            parts.append(self._exactly(size))
            self._until(_END)
        self._until(_END)
        return b"".join(parts)

    def _until(self, mark: bytes) -> bytes:
        """Return what comes before ``mark``, and pass over it."""
        while (at := self._read.find(mark)) < 0:
            self._receive()
        found = self._read[:at]
        self._read = self._read[at + len(mark) :]
        return found

    def _exactly(self, size: int) -> bytes:
        while len(self._read) < size:
            self._receive()
        found, self._read = self._read[:size], self._read[size:]
        return found

    def _receive(self) -> None:
        more = self._socket.recv(_READ_BYTES)
        if not more:
            raise ConnectionResetError("the node hung up")
        self._read += more
