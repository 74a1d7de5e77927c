"""Name the faults of JSON-RPC with the codes that geth gives them, and describe its methods."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from ledger.errors import InvalidRequest

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL: Final = -32603
SERVER: Final = -32000
TOO_LARGE: Final = -32003
REVERTED: Final = 3
STILL_PENDING: Final = 4


class RpcFault(InvalidRequest):
    """An answer with an error object."""

    def __init__(self, number: int, message: str, data: str | None = None) -> None:
        super().__init__("rpc_fault", message)
        self.number: Final = number
        """The JSON-RPC error code."""
        self.data: Final = data
        """What a contract said when it reverted, as 0x hex."""


def bad_param(index: int, why: str) -> RpcFault:
    """Return the fault of parameter ``index``, from 0."""
    return RpcFault(INVALID_PARAMS, f"invalid argument {index}: {why}")


@dataclass(frozen=True, slots=True)
class Method:
    """A method with the number of its parameters."""

    run: Callable[..., Any]
    """Takes the chain and the parameters; returns whatever JSON can hold."""
    needed: int
    """Parameters that must be there."""
    most: int
    """Parameters that may be there."""
    is_heavy: bool = False
    """Whether it may compute for long: then it must not hold up the others."""
    waits: bool = False
    """Whether it may wait for a block that comes later."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer of a method that sent a transaction."""

    hash: str
    """Its hash, as 0x hex."""
    mined: "Future[None] | None"
    """Done when its block is on disk, if that is under way: the answer goes out after it."""
