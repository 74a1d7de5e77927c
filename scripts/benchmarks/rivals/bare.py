"""
Answer like a node without a chain: what is left of a transfer is the wire and the disk.

Our node's server and its settings; a transaction is answered when a page of the log is on disk, a
receipt at once. No node of this kind can be faster.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

import orjson
import uvicorn
from starlette.types import Receive, Scope, Send

from devnet.server import listen, settings
from scripts.benchmarks.measuring import write_pages
from scripts.benchmarks.rivals.nodes import CHAIN_ID

_HASH: Final = "0x" + "77" * 32
_RESULTS: Final = {
    "eth_chainId": hex(CHAIN_ID),
    "eth_sendRawTransaction": _HASH,
    "eth_getTransactionReceipt": {"transactionHash": _HASH, "status": "0x1"},
}


class BareApp:
    """The application; it serves one client after the other."""

    def __init__(self, path: Path) -> None:
        """Write to ``path`` what a node would write to its log."""
        self._path = path

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request by POST."""
        method = orjson.loads((await receive())["body"])["method"]
        if method == "eth_sendRawTransaction":
            write_pages(self._path, 1)
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": _RESULTS[method]})
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
