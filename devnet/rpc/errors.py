"""Name the faults of JSON-RPC with the codes that geth gives them."""

from typing import Final

from ledger.errors import InvalidRequest

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL: Final = -32603
SERVER: Final = -32000
REVERTED: Final = 3


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
