"""A devnet in a process of its own, that may be killed at any time and comes up again."""

import multiprocessing
import time
from contextlib import suppress
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx2

from devnet.node.chain import Devnet
from devnet.server import listen, serve
from ledger.clock import ReplayClock
from ledger.errors import Integrity
from scripts.campaigns.senders import GENESIS

_START_TIMEOUT_S: Final = 60
_REQUEST_TIMEOUT_S: Final = 10
_POLL_S: Final = 0.01
_HOST: Final = "127.0.0.1"
_fork: Final = multiprocessing.get_context("fork")


class NodeLostError(Integrity):
    """A node that was killed does not come up again."""

    def __init__(self, directory: Path) -> None:
        super().__init__("node_lost", f"the node of {directory} does not come up")


class NodeUnderFire:
    """A devnet in a process of its own, which comes up again on its port when it was killed."""

    def __init__(self, directory: Path) -> None:
        """Choose a port and start."""
        bound = listen(_HOST, 0)
        self._port: Final[int] = bound.getsockname()[1]
        bound.close()
        self.directory: Final = directory
        """Where its blocks are."""
        self.url: Final = f"http://{_HOST}:{self._port}"
        """Where it answers."""
        self.kills = 0
        """How often it was killed."""
        self._client = httpx2.Client(timeout=_REQUEST_TIMEOUT_S)
        self._process = self._start()

    def ask(self, method: str, *given: object) -> Any:  # noqa: ANN401 - JSON
        """Return the node's answer; it is there."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)}
        return self._client.post(self.url, json=body).json()["result"]

    def try_to_ask(self, method: str, *given: object) -> None:
        """Ask a node that may be dead."""
        with suppress(httpx2.TransportError):
            self.ask(method, *given)

    def kill(self) -> None:
        """End it as hard as can be."""
        self._process.kill()
        self._process.join()

    def revive(self) -> None:
        """Start it again if it is dead."""
        if not self._process.is_alive():
            self._process.join()
            self.kills += 1
            self._process = self._start()

    def close(self) -> None:
        """Stop it for good."""
        self.kill()
        self._client.close()

    def _start(self) -> ForkProcess:
        process = _fork.Process(target=_run_node, args=(self.directory, self._port), daemon=True)
        process.start()
        until_s = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < until_s and process.is_alive():
            with suppress(httpx2.TransportError):
                self.ask("eth_chainId")
                return process
            time.sleep(_POLL_S)
        raise NodeLostError(self.directory)


def _run_node(directory: Path, port: int) -> NoReturn:
    node = Devnet.open(directory, GENESIS, ReplayClock(GENESIS.timestamp_s), breakable=True)
    serve(node, _HOST, port).wait()
    raise SystemExit(1)
