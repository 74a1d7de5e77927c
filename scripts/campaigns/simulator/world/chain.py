"""
The node beside the simulator: the real devnet in this thread, and a wire to it that can fail.

Blocks are made when the simulator says so, never by the miner's thread. The gateway is the real
one; only its HTTP is replaced, by a call that may lose the question or the answer.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from devnet.node.chain import Devnet
from devnet.rpc.dispatch import Answering, answer
from ledger.clock import Clock
from scripts.campaigns.simulator.world.setting import setting
from settlement.chain.calls import Contract
from settlement.chain.web3_gateway import Web3Gateway

Point = Callable[[str], None]
"""Told before and after each question; raises what shall go wrong there."""


class Node:
    """A devnet that makes a block only when told."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self.devnet: Final = Devnet.open(directory, setting().genesis, clock)
        """The chain."""
        self.is_slow = False
        """Whether what is sent waits in the pool until ``mine`` is called."""
        self.devnet.miner.set_automatic(automatic=False)

    def close(self) -> None:
        """Give the directory back."""
        self.devnet.close()

    def ask(self, question: object) -> Any:  # noqa: ANN401 - JSON
        """Return what the node answers, and mine what came unless it is slow."""
        found = orjson.loads(answer(Answering(self.devnet), question))
        if not self.is_slow:
            self.mine_pool()
        return found

    def take(self, raw: bytes) -> None:
        """Take a transaction of somebody who has a node of their own."""
        self.devnet.submit(raw)
        if not self.is_slow:
            self.mine_pool()

    def page_of(self, vault: Contract, meter_id: str) -> int:
        """Return the last page that the vault has seen of a meter."""
        data = "0x" + vault.encode("lastPageOf", bytes.fromhex(meter_id[2:])).hex()
        found = self.ask(_question("eth_call", [{"to": vault.address, "data": data}, "latest"]))
        return int(found["result"], 16)

    def mine_pool(self) -> None:
        """Make blocks until nothing in the pool can be put into one."""
        while self.devnet.pool.executable(self.devnet.next_nonce):
            self.devnet.mine()


class Wire:
    """What the gateway takes for its HTTP connection."""

    def __init__(self, node: Node, point: Point) -> None:
        self._node: Final = node
        self._point: Final = point

    def make_request(self, method: str, params: Iterable[object]) -> Any:  # noqa: ANN401 - JSON
        """Ask one thing."""
        return self._ask(method, _question(method, params))

    def make_batch_request(self, asked: Sequence[tuple[str, Iterable[object]]]) -> Any:  # noqa: ANN401
        """Ask several things at once."""
        return self._ask(asked[0][0], [_question(method, params) for method, params in asked])

    def _ask(self, method: str, question: object) -> Any:  # noqa: ANN401
        self._point(f"before {method}")
        found = self._node.ask(question)
        self._point(f"after {method}")
        return found


class WiredGateway(Web3Gateway):
    """The real gateway over a wire instead of HTTP."""

    def __init__(self, wire: Wire) -> None:
        super().__init__("http://127.0.0.1:9")
        provider: Any = wire
        self._provider = provider


def _question(method: str, params: Iterable[object]) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}
