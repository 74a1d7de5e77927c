"""Take JSON-RPC requests apart, one or many, and put the answers together; faults are geth's."""

import logging
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

import orjson

from devnet.admission import TransactionRefusedError
from devnet.node.chain import Devnet
from devnet.node.timekeeping import TimeTravelError
from devnet.rpc import (
    call_methods,
    chain_methods,
    control_methods,
    debug_methods,
    listening,
    pool_methods,
    state_methods,
    views,
)
from devnet.rpc.errors import (
    INTERNAL,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    REVERTED,
    SERVER,
    TOO_LARGE,
    Method,
    RpcFault,
    Sent,
)
from devnet.rpc.params import Json
from devnet.tracing.failures import CallFailedError, CallRefusedError
from devnet.tracing.overrides import BadOverrideError
from devnet.tracing.replays import UnknownTracerError
from ledger.errors import NotPermitted, VoisinError, WrongState

MAX_BATCH: Final = 1_000
"""Most requests in one batch, as in geth."""

MAX_ANSWER_BYTES: Final = 25_000_000
"""Longest answer to a batch, as in geth."""

SEND_WAIT_S: Final = 2
"""How long the answer to a sent transaction waits for its block, so that its receipt is there."""

SUBSCRIBE: Final = "eth_subscribe"
"""What a websocket asks for to be told of what happens."""

METHODS: Final[dict[str, Method]] = {
    **chain_methods.METHODS,
    **state_methods.METHODS,
    **call_methods.METHODS,
    **debug_methods.METHODS,
    **pool_methods.METHODS,
    **control_methods.METHODS,
    **listening.METHODS,
}
"""Every method that the node has."""

_SEND: Final = "eth_sendRawTransaction"
_UNSUBSCRIBE: Final = "eth_unsubscribe"
# What the node does not do, for a reason that it names.
_REFUSALS: Final = (
    TransactionRefusedError,
    CallRefusedError,
    TimeTravelError,
    NotPermitted,
    WrongState,
)
_log: Final = logging.getLogger(__name__)

Reply = dict[str, Any]


class Weight(Enum):
    """How long an answer may take, and what it needs meanwhile."""

    QUICK = auto()
    """Next to nothing."""
    HEAVY = auto()
    """Some time, computing."""
    WAITING = auto()
    """Some time, until a block comes."""


@dataclass(slots=True)
class Answering:
    """What answering one message needs and leaves behind."""

    devnet: Devnet
    """The chain."""
    subscriptions: "listening.Subscriptions | None" = None
    """Those of the websocket, if it is one."""
    mined: list["Future[None]"] = field(default_factory=list)
    """Blocks under way that the answer should wait for."""


def respond(devnet: Devnet, body: bytes) -> bytes:
    """Return the JSON text that answers the JSON text ``body``; empty for notifications alone."""
    answering = Answering(devnet)
    reply = answer(answering, parse(body))
    wait(answering.mined, SEND_WAIT_S)
    return reply


def parse(body: bytes) -> Any:
    """Return what ``body`` says; for what is no JSON, the fault to answer with."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return RpcFault(PARSE_ERROR, "parse error")


def weigh(asked: Any) -> Weight:
    """Say how long the answer to what was parsed may take."""
    if not isinstance(asked, list):
        return _weigh_one(asked)
    weights = {_weigh_one(one) for one in asked[:MAX_BATCH]}
    if Weight.WAITING in weights:
        return Weight.WAITING
    return Weight.HEAVY if Weight.HEAVY in weights or len(asked) > 1 else Weight.QUICK


def _weigh_one(asked: Any) -> Weight:
    method = METHODS.get(str(asked.get("method"))) if isinstance(asked, dict) else None
    if method is None:
        return Weight.QUICK
    if method.waits:
        return Weight.WAITING
    return Weight.HEAVY if method.is_heavy else Weight.QUICK


def subscribes(asked: Any) -> bool:
    """Say whether what was parsed asks to be told of what happens."""
    listed = asked if isinstance(asked, list) else [asked]
    return any(isinstance(one, dict) and one.get("method") == SUBSCRIBE for one in listed)


def answer(answering: Answering, asked: Any) -> bytes:
    """Return the JSON text that answers what was parsed; empty for notifications alone."""
    if asked == []:
        asked = RpcFault(INVALID_REQUEST, "empty batch")
    if isinstance(asked, RpcFault):
        return _dump(_fault(None, asked))
    if isinstance(asked, list):
        return _answer_many(answering, asked)
    reply = _answer_one(answering, asked)
    return b"" if reply is None else _dump(reply)


def _answer_many(answering: Answering, asked: list[Any]) -> bytes:
    if len(asked) > MAX_BATCH:
        return b"[" + _dump(_fault(None, RpcFault(INVALID_REQUEST, "batch too large"))) + b"]"
    texts: list[bytes] = []
    length = 0
    with _undivided(answering.devnet, asked):
        for one in asked:
            if length > MAX_ANSWER_BYTES:
                request_id = one.get("id") if isinstance(one, dict) else None
                texts.append(_dump(_fault(request_id, RpcFault(TOO_LARGE, "response too large"))))
                continue
            reply = _answer_one(answering, one)
            if reply is not None:
                texts.append(_dump(reply))
                length += len(texts[-1])
    return b"[" + b",".join(texts) + b"]" if texts else b""


def _undivided(devnet: Devnet, asked: list[Any]) -> AbstractContextManager[object]:
    """
    Let no block be made before all that a batch sends is in the pool.

    Else the first transaction gets a block of its own, which is written, looked for and read by
    itself, and the others wait for that.
    """
    sends = all(isinstance(one, dict) and one.get("method") == _SEND for one in asked)
    return devnet.lock if sends else nullcontext()


def _answer_one(answering: Answering, asked: Any) -> Reply | None:
    if not isinstance(asked, dict):
        return _fault(None, RpcFault(INVALID_REQUEST, "invalid request"))
    name = asked.get("method")
    request_id = asked.get("id")
    if isinstance(request_id, dict | list | bool):
        return _fault(None, RpcFault(INVALID_REQUEST, "invalid request"))
    if asked.get("jsonrpc") != "2.0" or not isinstance(name, str):
        return _fault(request_id, RpcFault(INVALID_REQUEST, "invalid request"))
    try:
        result = _guarded(answering, name, asked.get("params"))
    except RpcFault as fault:
        reply = _fault(request_id, fault)
    else:
        reply = {"jsonrpc": "2.0", "id": request_id, "result": result}
    return reply if "id" in asked else None


def _guarded(answering: Answering, name: str, given: object) -> Any:
    """Run a method, and turn whatever else goes wrong into a fault of the server."""
    if not isinstance(given, list | None):
        raise RpcFault(INVALID_PARAMS, "non-array args")
    try:
        return _run(answering, name, given or [])
    except RpcFault:
        raise
    except VoisinError as error:
        _log.exception("%s failed: %s", name, error.code)
        raise RpcFault(INTERNAL, str(error)) from error
    except OSError as error:
        _log.exception("%s failed to write", name)
        raise RpcFault(INTERNAL, f"the block log cannot be written: {error}") from error


def _run(answering: Answering, name: str, given: list[Json]) -> Any:
    method = _method(answering, name)
    _check_count(method, given)
    try:
        result = method.run(answering.devnet, *given)
    except _REFUSALS as error:
        raise RpcFault(SERVER, str(error)) from error
    except (BadOverrideError, UnknownTracerError) as error:
        raise RpcFault(INVALID_PARAMS, str(error)) from error
    except CallFailedError as error:
        number = REVERTED if error.reverted else SERVER
        said = views.data(error.output) if error.reverted else None
        raise RpcFault(number, str(error), said) from error
    if not isinstance(result, Sent):
        return result
    if result.mined is not None:
        answering.mined.append(result.mined)
    return result.hash


def _method(answering: Answering, name: str) -> Method:
    subscriptions = answering.subscriptions
    if name == SUBSCRIBE and subscriptions is not None:
        return Method(lambda _devnet, *given: subscriptions.subscribe(*given), 1, 2)
    if name == _UNSUBSCRIBE and subscriptions is not None:
        return Method(lambda _devnet, which: subscriptions.unsubscribe(which), 1, 1)
    if name == SUBSCRIBE:
        raise RpcFault(METHOD_NOT_FOUND, "notifications not supported")
    method = METHODS.get(name)
    if method is None:
        raise RpcFault(METHOD_NOT_FOUND, f"the method {name} does not exist/is not available")
    return method


def _check_count(method: Method, given: list[Json]) -> None:
    if len(given) > method.most:
        raise RpcFault(INVALID_PARAMS, f"too many arguments, want at most {method.most}")
    if len(given) < method.needed or None in given[: method.needed]:
        missing = next(
            (at for at, one in enumerate(given[: method.needed]) if one is None), len(given)
        )
        raise RpcFault(INVALID_PARAMS, f"missing value for required argument {missing}")


def _fault(request_id: object, fault: RpcFault) -> Reply:
    error: dict[str, Any] = {"code": fault.number, "message": str(fault)}
    if fault.data is not None:
        error["data"] = fault.data
    return {"jsonrpc": "2.0", "id": request_id, "error": error}


def _dump(reply: Reply) -> bytes:
    return orjson.dumps(reply)
