"""
Answer like a node without a chain: what is left of a transfer is the wire and the disk.

Our node's server and its settings; a transaction is answered when a page of the log is on disk, a
receipt at once. As little is done besides as can be, so that this is a floor.
"""

import asyncio
import os
import sys
from pathlib import Path
from typing import Final

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

from devnet.server import listen, settings
from scripts.benchmarks.rivals.nodes import CHAIN_ID

_HASH: Final = "0x" + "77" * 32
_SENDS: Final = b"eth_sendRawTransaction"
_ANSWERS: Final = {
    method: orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})
    for method, result in (
        (_SENDS, _HASH),
        (b"eth_getTransactionReceipt", {"transactionHash": _HASH, "status": "0x1"}),
        (b"eth_chainId", hex(CHAIN_ID)),
    )
}
BLOCK_BYTES: Final = 1_500
"""About what the log takes for a block of one transfer."""
_BLOCK: Final = b"\x5a" * BLOCK_BYTES


class BareApp:
    """The application; it serves one client after the other."""

    def __init__(self, path: Path) -> None:
        """Write to ``path`` as much as a node writes to its log for a block of one transfer."""
        self._log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by POST."""
        asked = (await receive())["body"]
        method = next(one for one in _ANSWERS if one in asked)
        if method == _SENDS:
            os.write(self._log, _BLOCK)
            os.fdatasync(self._log)
        body = _ANSWERS[method]
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def main(path: str, host: str, port: str) -> None:
    """Serve until killed."""
    config = settings(BareApp(Path(path)))
    server = uvicorn.Server(config)
    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(server.serve(sockets=[listen(host, int(port))]))


if __name__ == "__main__":
    main(*sys.argv[1:])
