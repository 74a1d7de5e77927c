"""Serve the chain over HTTP from a thread of its own."""

import asyncio
import socket
import threading
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from devnet.keys import check_exposure
from devnet.node.chain import Devnet
from devnet.rpc import create_rpc
from devnet.rpc.app import MAX_BODY_BYTES
from ledger.errors import ChainUnavailable

_START_TIMEOUT_S: Final = 10
_STOP_TIMEOUT_S: Final = 10
_DRAIN_S: Final = 2
_BACKLOG: Final = 128


class _Server(uvicorn.Server):
    """uvicorn that tells other threads when it takes requests."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class RunningNode:
    """A node that answers until it is stopped."""

    def __init__(self, devnet: Devnet, bound: socket.socket) -> None:
        """Start serving on ``bound``; ``serve`` is the way in."""
        host, port = bound.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        self.url: Final = f"http://{shown}:{port}"
        """Where it answers."""
        self._config = settings(create_rpc(devnet))
        self._server = _Server(self._config)
        self._socket = bound
        self._thread = threading.Thread(target=self._run, name=f"devnet {self.url}", daemon=True)
        self._thread.start()
        if not self._server.ready.wait(_START_TIMEOUT_S):
            self.stop()
            raise ChainUnavailable(f"the node at {self.url} did not start")

    def stop(self) -> None:
        """Finish the requests under way and close the port; the chain stays open."""
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT_S)
        self._socket.close()

    def wait(self) -> None:
        """Return when the node has stopped."""
        self._thread.join()

    def _run(self) -> None:
        # uvicorn's own run would take over the signals; its loop, the fastest there is, is wanted.
        with asyncio.Runner(loop_factory=self._config.get_loop_factory()) as runner:
            runner.run(self._server.serve(sockets=[self._socket]))


def serve(devnet: Devnet, host: str = "127.0.0.1", port: int = 0) -> RunningNode:
    """
    Start answering JSON-RPC for ``devnet`` and return when requests are taken.

    Parameters
    ----------
    port
        0 takes a free port; ``RunningNode.url`` says which.

    Raises
    ------
    PublicKeysExposedError
        If the chain gives coins to public keys and ``host`` is not loopback.
    OSError
        If the port is taken.
    """
    check_exposure(devnet.genesis, host)
    return RunningNode(devnet, listen(host, port))


def settings(app: ASGIApp) -> uvicorn.Config:
    """Return how ``app`` is served."""
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=MAX_BODY_BYTES,
        timeout_graceful_shutdown=_DRAIN_S,
        proxy_headers=False,
        server_header=False,
        date_header=False,
    )


def listen(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket that answers at once; ``port`` 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only on sockets that say they are TCP; with it on, every
    # answer waits 40 ms for the client's delayed acknowledgement.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen(_BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound
