"""Execute the transactions of a block again, and show what they did."""

from collections.abc import Mapping
from typing import Any, Protocol

from eth.abc import ComputationAPI, StateAPI

from devnet.engine.blocks import Block
from devnet.tracing.call_tracer import CallTracer
from devnet.tracing.gas import spent_by
from devnet.tracing.hooks import Tracer, trace
from devnet.tracing.prestate_tracer import PrestateTracer
from devnet.tracing.struct_logger import StructLogger, StructOptions
from ledger.errors import InvalidRequest

Options = Mapping[str, Any]
"""What to show, as JSON names it: ``tracer``, ``tracerConfig``, or options of the step log."""


class UnknownTracerError(InvalidRequest):
    """A tracer that is not there; JavaScript is not run."""

    def __init__(self, name: str) -> None:
        super().__init__("unknown_tracer", f"tracer not found: {name}")


class Replay(Protocol):
    """A block's transactions, one after the other, on the state they were executed on."""

    @property
    def state(self) -> StateAPI:
        """The state before the next transaction."""
        ...

    def step(self, index: int) -> ComputationAPI:
        """Apply transaction ``index``, after all before it."""
        ...


def tracer_of(options: Options) -> Tracer:
    """
    Return the tracer that ``options`` ask for, the step log if they name none.

    Raises
    ------
    UnknownTracerError
        If there is no such tracer.
    """
    name = options.get("tracer") or ""
    config = options.get("tracerConfig") or {}
    if name == "callTracer":
        return CallTracer(
            only_top_call=bool(config.get("onlyTopCall")), with_log=bool(config.get("withLog"))
        )
    if name == "prestateTracer":
        return PrestateTracer(diff_mode=bool(config.get("diffMode")))
    if name:
        raise UnknownTracerError(name)
    return StructLogger(StructOptions.of(options))


def trace_transaction(replay: Replay, block: Block, index: int, options: Options) -> dict[str, Any]:
    """
    Return what transaction ``index`` of ``block`` did, as JSON.

    Parameters
    ----------
    replay
        Of the same block, standing before its first transaction; it is used up.

    Raises
    ------
    UnknownTracerError
        If there is no such tracer.
    """
    tracer = tracer_of(options)
    for before in range(index):
        replay.step(before)
    return _traced(replay, block, index, tracer)


def trace_block(replay: Replay, block: Block, options: Options) -> list[dict[str, Any]]:
    """
    Return what each transaction of ``block`` did, with its hash, as JSON.

    Parameters
    ----------
    replay
        Of the same block, standing before its first transaction; it is used up.

    Raises
    ------
    UnknownTracerError
        If there is no such tracer.
    """
    return [
        {
            "txHash": "0x" + transaction.hash.hex(),
            "result": _traced(replay, block, index, tracer_of(options)),
        }
        for index, transaction in enumerate(block.transactions)
    ]


def _traced(replay: Replay, block: Block, index: int, tracer: Tracer) -> dict[str, Any]:
    state, transaction = replay.state, block.transactions[index]
    trace(state, tracer)
    tracer.begin(state, transaction)
    computation = replay.step(index)
    tracer.finish(computation, spent_by(state, transaction, computation).used)
    return tracer.result()
