"""Show what lies below: raw blocks and receipts, and traces step by step."""

from typing import Any, Final

from devnet.engine.blocks import Block
from devnet.node.chain import Devnet
from devnet.rpc import params, views
from devnet.rpc.call_methods import fresh
from devnet.rpc.errors import INVALID_PARAMS, SERVER, Method, RpcFault, bad_param
from devnet.rpc.params import Json
from devnet.store.engines import Replay
from devnet.tracing.calls import CALL_GAS, attempt
from devnet.tracing.replays import trace_block, trace_transaction, tracer_of

_CALL_OPTIONS: Final = ("stateOverrides", "blockOverrides")


def _raw_block(devnet: Devnet, which: Json) -> str:
    return views.data(_found(devnet, which).raw)


def _raw_header(devnet: Devnet, which: Json) -> str:
    return views.data(_found(devnet, which).header.encode())


def _raw_receipts(devnet: Devnet, which: Json) -> list[str]:
    number = _found(devnet, which).number
    return [views.data(one.receipt.encode()) for one in devnet.outcomes(number)]


def _raw_transaction(devnet: Devnet, which: Json) -> str:
    name = params.word(which, 0)
    found = devnet.mined(name)
    waiting = devnet.pool.get(name) if found is None else found.transaction
    return "0x" if waiting is None else views.data(waiting.raw)


def _trace_transaction(devnet: Devnet, which: Json, options: Json = None) -> Any:
    found = devnet.mined(params.word(which, 0))
    if found is None:
        raise RpcFault(SERVER, "transaction not found")
    replay = _replay(devnet, found.block.number)
    return trace_transaction(replay, found.block, found.index, _options(options, 1))


def _trace_block_by_number(devnet: Devnet, which: Json, options: Json = None) -> Any:
    number = params.block_number(devnet, which, 0)
    if number is None:
        raise RpcFault(SERVER, f"block {which} not found")
    return _trace_block(devnet, number, options)


def _trace_block_by_hash(devnet: Devnet, which: Json, options: Json = None) -> Any:
    number = devnet.number_of(params.word(which, 0))
    if number is None:
        raise RpcFault(SERVER, f"block {which} not found")
    return _trace_block(devnet, number, options)


def _trace_block(devnet: Devnet, number: int, options: Json) -> Any:
    found = devnet.block(number)
    if found is None or not number:
        raise RpcFault(SERVER, "genesis is not traceable")
    return trace_block(_replay(devnet, number), found, _options(options, 1))


def _replay(devnet: Devnet, number: int) -> Replay:
    try:
        return devnet.replay(number)
    except IndexError:
        # The chain went back since the block was looked up.
        raise RpcFault(SERVER, f"block {number} not found") from None


def _trace_call(devnet: Devnet, request: Json, which: Json = None, options: Json = None) -> Any:
    read = params.call(request, 0, CALL_GAS)
    given = _options(options, 2)
    accounts, block = (given.get(name) for name in _CALL_OPTIONS)
    tracer = tracer_of(given)
    attempt(fresh(devnet, which, 1, accounts, block)(), read, tracer)
    return tracer.result()


def _options(value: Json, index: int) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_param(index, "options are an object")
    if not isinstance(value.get("tracerConfig", {}), dict | None):
        raise RpcFault(INVALID_PARAMS, f"invalid argument {index}: tracerConfig is an object")
    return value


def _found(devnet: Devnet, which: Json) -> Block:
    found = devnet.block(params.state_block(devnet, which, 0))
    if found is None:
        raise RpcFault(SERVER, "header not found")
    return found


METHODS: Final[dict[str, Method]] = {
    "debug_getRawBlock": Method(_raw_block, 1, 1),
    "debug_getRawHeader": Method(_raw_header, 1, 1),
    "debug_getRawReceipts": Method(_raw_receipts, 1, 1),
    "debug_getRawTransaction": Method(_raw_transaction, 1, 1),
    "eth_getRawTransactionByHash": Method(_raw_transaction, 1, 1),
    "debug_traceTransaction": Method(_trace_transaction, 1, 2, is_heavy=True),
    "debug_traceBlockByNumber": Method(_trace_block_by_number, 1, 2, is_heavy=True),
    "debug_traceBlockByHash": Method(_trace_block_by_hash, 1, 2, is_heavy=True),
    "debug_traceCall": Method(_trace_call, 1, 3, is_heavy=True),
}
"""What this module answers."""
