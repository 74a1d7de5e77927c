"""Ask a node as its clients do, without a network between."""

from typing import Any

import orjson

from devnet.node.chain import Devnet
from devnet.rpc.dispatch import respond

NOBODY = "0x" + "00" * 19 + "99"
NO_HASH = "0x" + "ab" * 32


def request(method: str, *given: object) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)}


def post(node: Devnet, asked: object) -> Any:
    reply = respond(node, orjson.dumps(asked))
    return orjson.loads(reply) if reply else None


def ask(node: Devnet, method: str, *given: object) -> Any:
    reply = post(node, request(method, *given))
    assert "error" not in reply, reply
    return reply["result"]


def fault(node: Devnet, method: str, *given: object) -> Any:
    reply = post(node, request(method, *given))
    assert "result" not in reply, reply
    return reply["error"]


def text(value: bytes) -> str:
    return "0x" + value.hex()


def word(number: int) -> str:
    return f"0x{number:064x}"
