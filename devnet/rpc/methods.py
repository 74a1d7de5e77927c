"""Answer the JSON-RPC methods: one function per method, by its name."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from eth.abc import BlockHeaderAPI, StateAPI
from eth_typing import Address

from devnet.admission import TransactionRefusedError
from devnet.chain import Devnet
from devnet.execution import CallFailedError, call, estimate_gas
from devnet.rpc import params, views
from devnet.rpc.errors import INVALID_PARAMS, METHOD_NOT_FOUND, REVERTED, SERVER, RpcFault
from devnet.rpc.params import Json

Answer = Any
"""Whatever JSON can hold."""

_MAX_FEE_HISTORY: Final = 1_024
_MAX_PERCENTILES: Final = 100
_CALL_GAS: Final = 50_000_000
"""Gas that a call gets if it does not say, as in geth."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method with the number of its parameters."""

    run: Callable[..., Answer]
    """Takes the chain and the parameters."""
    needed: int
    """Parameters that must be there."""
    most: int
    """Parameters that may be there."""


def answer(devnet: Devnet, name: str, given: list[Json]) -> Answer:
    """
    Run method ``name``.

    Raises
    ------
    RpcFault
        If there is no such method, the parameters do not fit, or it fails.
    """
    method = METHODS.get(name)
    if method is None:
        raise RpcFault(METHOD_NOT_FOUND, f"the method {name} does not exist/is not available")
    if len(given) > method.most:
        raise RpcFault(INVALID_PARAMS, f"too many arguments, want at most {method.most}")
    if len(given) < method.needed or None in given[: method.needed]:
        missing = next(
            (at for at, one in enumerate(given[: method.needed]) if one is None), len(given)
        )
        raise RpcFault(INVALID_PARAMS, f"missing value for required argument {missing}")
    try:
        with devnet.lock:
            return method.run(devnet, *given)
    except TransactionRefusedError as error:
        raise RpcFault(SERVER, str(error)) from error
    except CallFailedError as error:
        number = REVERTED if error.reverted else SERVER
        said = views.data(error.output) if error.reverted else None
        raise RpcFault(number, str(error), said) from error


def _client_version(_devnet: Devnet) -> str:
    return f"voisin-devnet/py-evm-{version('py-evm')}"


def _net_version(devnet: Devnet) -> str:
    return str(devnet.genesis.chain_id)


def _chain_id(devnet: Devnet) -> str:
    return views.quantity(devnet.genesis.chain_id)


def _syncing(_devnet: Devnet) -> bool:
    return False


def _accounts(_devnet: Devnet) -> list[str]:
    return []


def _block_number(devnet: Devnet) -> str:
    return views.quantity(devnet.head_number)


def _fee(_devnet: Devnet) -> str:
    return views.quantity(0)


def _gas_price(devnet: Devnet) -> str:
    return views.quantity(devnet.next_header().base_fee_per_gas or 0)


def _block_by_number(devnet: Devnet, which: Json, full: Json = None) -> Answer:
    return _block(devnet, params.block_number(devnet, which, 0), full)


def _block_by_hash(devnet: Devnet, which: Json, full: Json = None) -> Answer:
    return _block(devnet, devnet.history.number_of(params.word(which, 0)), full)


def _block(devnet: Devnet, number: int | None, full: Json) -> Answer:
    if not isinstance(full, bool | None):
        raise RpcFault(INVALID_PARAMS, "invalid argument 1: not a boolean")
    found = None if number is None else devnet.history.block(number)
    if found is None:
        return None
    return views.block(found, devnet.history.outcomes(found.number), full=bool(full))


def _block_receipts(devnet: Devnet, which: Json) -> Answer:
    try:
        number = params.state_block(devnet, which, 0)
    except RpcFault as fault:
        if fault.number == SERVER:
            return None
        raise
    return [views.receipt(one) for one in devnet.history.outcomes(number)]


def _transaction(devnet: Devnet, which: Json) -> Answer:
    found = devnet.history.mined(params.word(which, 0))
    return None if found is None else views.transaction(found)


def _receipt(devnet: Devnet, which: Json) -> Answer:
    found = devnet.history.mined(params.word(which, 0))
    return None if found is None else views.receipt(found)


def _state(devnet: Devnet, which: Json, index: int) -> StateAPI:
    return devnet.state_at(devnet.header(params.state_block(devnet, which, index)))


def _nonce(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    return views.quantity(_state(devnet, which, 1).get_nonce(where))


def _balance(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    return views.quantity(_state(devnet, which, 1).get_balance(where))


def _code(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    return views.data(_state(devnet, which, 1).get_code(where))


def _storage(devnet: Devnet, who: Json, slot: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    number = params.slot(slot, 1)
    return views.data(_state(devnet, which, 2).get_storage(where, number).to_bytes(32, "big"))


def _execution_header(devnet: Devnet, which: Json, index: int) -> BlockHeaderAPI:
    if params.is_pending(which):
        return devnet.next_header()
    return devnet.header(params.state_block(devnet, which, index))


def _call(devnet: Devnet, request: Json, which: Json = None) -> str:
    read = params.call(request, 0, _CALL_GAS)
    return views.data(call(devnet.chain, _execution_header(devnet, which, 1), read))


def _estimate(devnet: Devnet, request: Json, which: Json = None) -> str:
    # A block comes only with a transaction, so the newest one may be old: what will run is the
    # next one, with its later time.
    wanted = "pending" if which in (None, "latest") else which
    read = params.call(request, 0, devnet.genesis.gas_limit)
    header = _execution_header(devnet, wanted, 1)
    return views.quantity(estimate_gas(devnet.chain, header, read))


def _send_raw(devnet: Devnet, raw: Json) -> str:
    return devnet.send_raw(params.data(raw, 0))


def _logs(devnet: Devnet, wanted: Json) -> Answer:
    read = params.log_filter(devnet, wanted, 0)
    return [
        views.log(entry)
        for entry in devnet.history.logs(read.first, read.last, read.addresses)
        if len(entry.topics) >= len(read.topics)
        and all(
            not choices or topic in choices
            for choices, topic in zip(read.topics, entry.topics, strict=False)
        )
    ]


def _fee_history(devnet: Devnet, count: Json, newest: Json, percentiles: Json = None) -> Answer:
    asked = count if type(count) is int else params.quantity(count, 0)
    if percentiles is not None and (
        not isinstance(percentiles, list) or len(percentiles) > _MAX_PERCENTILES
    ):
        raise RpcFault(INVALID_PARAMS, "invalid argument 2: percentiles are an array")
    last = params.state_block(devnet, newest, 1)
    taken = min(asked, _MAX_FEE_HISTORY, last + 1)
    numbers = range(last + 1 - taken, last + 1)
    headers = [devnet.header(number) for number in numbers]
    after = devnet.header(last + 1) if last < devnet.head_number else devnet.next_header()
    fees = [one.base_fee_per_gas or 0 for one in (*headers, after)]
    view: dict[str, Answer] = {
        "oldestBlock": views.quantity(last + 1 - taken),
        "baseFeePerGas": [views.quantity(fee) for fee in fees],
        "gasUsedRatio": [one.gas_used / one.gas_limit for one in headers],
        "baseFeePerBlobGas": [views.quantity(1)] * len(fees),
        "blobGasUsedRatio": [0.0] * len(headers),
    }
    if percentiles:
        # One transaction a block: every percentile is its tip.
        view["reward"] = [_tips(devnet, number, len(percentiles)) for number in numbers]
    return view


def _tips(devnet: Devnet, number: int, times: int) -> list[str]:
    base = devnet.header(number).base_fee_per_gas or 0
    tips = [views.effective_price(one) - base for one in devnet.history.outcomes(number)]
    return [views.quantity(min(tips, default=0))] * times


METHODS: Final[dict[str, Method]] = {
    "web3_clientVersion": Method(_client_version, 0, 0),
    "net_version": Method(_net_version, 0, 0),
    "eth_chainId": Method(_chain_id, 0, 0),
    "eth_syncing": Method(_syncing, 0, 0),
    "eth_accounts": Method(_accounts, 0, 0),
    "eth_blockNumber": Method(_block_number, 0, 0),
    "eth_gasPrice": Method(_gas_price, 0, 0),
    "eth_maxPriorityFeePerGas": Method(_fee, 0, 0),
    "eth_feeHistory": Method(_fee_history, 2, 3),
    "eth_getBlockByNumber": Method(_block_by_number, 1, 2),
    "eth_getBlockByHash": Method(_block_by_hash, 1, 2),
    "eth_getBlockReceipts": Method(_block_receipts, 1, 1),
    "eth_getTransactionByHash": Method(_transaction, 1, 1),
    "eth_getTransactionReceipt": Method(_receipt, 1, 1),
    "eth_getTransactionCount": Method(_nonce, 1, 2),
    "eth_getBalance": Method(_balance, 1, 2),
    "eth_getCode": Method(_code, 1, 2),
    "eth_getStorageAt": Method(_storage, 2, 3),
    "eth_call": Method(_call, 1, 2),
    "eth_estimateGas": Method(_estimate, 1, 2),
    "eth_sendRawTransaction": Method(_send_raw, 1, 1),
    "eth_getLogs": Method(_logs, 1, 1),
}
"""Every method that the node has."""
