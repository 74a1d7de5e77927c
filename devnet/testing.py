"""
Give a test a chain of its own: web3.py asks it in the same process, with nothing to start.

>>> with open_web3() as web3:
...     web3.eth.get_balance(web3.eth.accounts[0])
10000000000000000000000
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import orjson
from web3 import Web3
from web3.providers.base import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

from devnet.genesis import ClockProfile
from devnet.node.chain import Devnet
from devnet.opening import RunOptions, open_node
from devnet.rpc.dispatch import respond
from ledger.errors import WrongState

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - the directory in it has a name of its own


class SnapshotGoneError(WrongState):
    """The chain was taken back behind a snapshot that was to be returned to."""

    def __init__(self) -> None:
        super().__init__("snapshot_gone", "the chain went back further than to this snapshot")


class InProcessWeb3Provider(JSONBaseProvider):
    """A chain in this process, as web3.py asks for it; all of it goes through JSON."""

    def __init__(self, devnet: Devnet) -> None:
        """Ask ``devnet``."""
        super().__init__()
        self._devnet: Final = devnet

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:  # noqa: ANN401 - JSON
        """Return what the node answers to one request."""
        answer: RPCResponse = self._answer(self.encode_rpc_request(method, params))
        return answer

    def make_batch_request(
        self, requests: list[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Return what the node answers to several, in their order, or why it answers none."""
        answers: list[RPCResponse] = self._answer(self.encode_batch_rpc_request(requests))
        return answers[0] if len(answers) < len(requests) else answers

    def _answer(self, asked: bytes) -> Any:  # noqa: ANN401 - JSON
        return orjson.loads(respond(self._devnet, asked))


@contextmanager
def open_web3(directory: Path | None = None, chain_id: int = 31_337) -> Iterator[Web3]:
    """
    Open a chain for this process alone; it is closed at the end.

    anvil's ten accounts have 10,000 coins each and sign by themselves. A transaction is mined, and
    on disk, when it has been sent; time stands still until blocks or ``evm_increaseTime`` move it.

    Parameters
    ----------
    directory
        Where the chain is kept, or is already. Without one it is forgotten at the end, and lies in
        memory where the machine has a place for that.
    chain_id
        EIP-155 number.

    Raises
    ------
    VoisinError
        If the chain cannot be opened; see ``Devnet.open``.
    """
    if directory is None:
        # What is forgotten anyway need not wait for a disk.
        place = _MEMORY if os.access(_MEMORY, os.W_OK) else None
        with (
            TemporaryDirectory(prefix="devnet-", dir=place) as made,
            open_web3(Path(made), chain_id) as web3,
        ):
            yield web3
        return
    devnet = open_node(
        RunOptions(directory, chain_id=chain_id, clock=ClockProfile.DISCRETE, accounts=True)
    )
    try:
        yield Web3(InProcessWeb3Provider(devnet))
    finally:
        devnet.close()


@contextmanager
def taken_back(web3: Web3) -> Iterator[None]:
    """
    Take back at the end whatever happened on the chain meanwhile, so that tests do not meet.

    Raises
    ------
    SnapshotGoneError
        If the chain went back further meanwhile, so that nothing can be said of what is left.
    """
    snapshot = _asked(web3, "evm_snapshot")
    try:
        yield
    finally:
        if not _asked(web3, "evm_revert", snapshot):
            raise SnapshotGoneError


def _asked(web3: Web3, method: str, *params: object) -> object:
    return web3.manager.request_blocking(RPCEndpoint(method), list(params))
