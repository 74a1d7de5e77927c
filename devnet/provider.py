"""Answer a client in this process: questions and answers as over HTTP, without the wire."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from devnet.node.chain import Devnet
from devnet.rpc.dispatch import respond

_VERSION: Final = "2.0"


class InProcessProvider:
    """
    What web3.py calls a provider, of a chain in this process.

    Every answer goes through JSON all the same, so a client cannot tell it from a node, nor hold
    on to anything of the node's.
    """

    def __init__(self, devnet: Devnet) -> None:
        self._devnet: Final = devnet

    def make_request(self, method: str, params: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what the node answers to one request."""
        return orjson.loads(respond(self._devnet, orjson.dumps(_asked(0, method, params))))

    def make_batch_request(self, requests: Sequence[tuple[str, Any]]) -> Any:  # noqa: ANN401 - JSON
        """Return what the node answers to several, in their order."""
        asked = [_asked(number, *one) for number, one in enumerate(requests)]
        answers = orjson.loads(respond(self._devnet, orjson.dumps(asked)))
        # A batch that is refused as a whole has one answer, of nobody.
        return answers[0] if len(answers) < len(asked) else answers


def _asked(number: int, method: str, params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"jsonrpc": _VERSION, "id": number, "method": method, "params": params}
