"""Answer what blocks, transactions, receipts and events there are."""

from importlib.metadata import version
from typing import Any, Final

from eth._utils.calculations import fake_exponential

from devnet.engine.blocks import Block, Header
from devnet.node.chain import Devnet
from devnet.rpc import params, views
from devnet.rpc.errors import INVALID_PARAMS, SERVER, Method, RpcFault
from devnet.rpc.params import Json
from devnet.store.history import Mined

Answer = Any
"""Whatever JSON can hold."""

_MAX_FEE_HISTORY: Final = 1_024
_MAX_PERCENTILES: Final = 100
_WHOLE: Final = 100
_PRAGUE_FRACTION: Final = 5_007_716
_CANCUN_FRACTION: Final = 3_338_477
_PRAGUE_BLOBS: Final = 9
_CANCUN_BLOBS: Final = 6


def _client_version(_devnet: Devnet) -> str:
    return f"voisin-devnet/py-evm-{version('py-evm')}"


def _net_version(devnet: Devnet) -> str:
    return str(devnet.genesis.chain_id)


def _chain_id(devnet: Devnet) -> str:
    return views.quantity(devnet.genesis.chain_id)


def _false(_devnet: Devnet) -> bool:
    return False


def _true(_devnet: Devnet) -> bool:
    return True


def _block_number(devnet: Devnet) -> str:
    return views.quantity(devnet.head_number)


def _zero(_devnet: Devnet) -> str:
    return views.quantity(0)


def _base_fee(devnet: Devnet) -> str:
    return views.quantity(devnet.next_header().base_fee_per_gas or 0)


def _blob_base_fee(devnet: Devnet) -> str:
    return views.quantity(blob_price(devnet.next_header()) or 1)


def _block_by_number(devnet: Devnet, which: Json, full: Json = None) -> Answer:
    return _block(devnet, params.block_number(devnet, which, 0), full)


def _block_by_hash(devnet: Devnet, which: Json, full: Json = None) -> Answer:
    return _block(devnet, devnet.number_of(params.word(which, 0)), full)


def _block(devnet: Devnet, number: int | None, full: Json) -> Answer:
    if not isinstance(full, bool | None):
        raise RpcFault(INVALID_PARAMS, "invalid argument 1: not a boolean")
    found = None if number is None else devnet.block(number)
    outcomes = () if found is None else devnet.outcomes(found.number)
    if found is None or any(one.block.hash != found.hash for one in outcomes[:1]):
        # Between the two looks the chain may have gone another way.
        return None
    return views.block(found, outcomes, full=bool(full))


def _number(devnet: Devnet, which: Json) -> int | None:
    """Read a block by number, tag or hash; None if there is no such block."""
    try:
        return params.state_block(devnet, which, 0)
    except RpcFault as fault:
        if fault.number == SERVER:
            return None
        raise


def _count_by(devnet: Devnet, which: Json) -> str | None:
    number = _number(devnet, which)
    return None if number is None else views.quantity(len(devnet.outcomes(number)))


def _uncle_count(devnet: Devnet, which: Json) -> str | None:
    number = _number(devnet, which)
    found = None if number is None else devnet.block(number)
    return None if found is None else views.quantity(len(found.uncles))


def _uncle(devnet: Devnet, which: Json, index: Json) -> Answer:
    number, at = _number(devnet, which), params.quantity(index, 1)
    found = None if number is None else devnet.block(number)
    if found is None or at >= len(found.uncles):
        return None
    return views.uncle(found.uncles[at])


def _transaction_in(devnet: Devnet, which: Json, index: Json) -> Answer:
    number, at = _number(devnet, which), params.quantity(index, 1)
    outcomes = () if number is None else devnet.outcomes(number)
    return views.transaction(outcomes[at]) if at < len(outcomes) else None


def _block_receipts(devnet: Devnet, which: Json) -> Answer:
    number = _number(devnet, which)
    return None if number is None else [receipt_view(one) for one in devnet.outcomes(number)]


def _transaction(devnet: Devnet, which: Json) -> Answer:
    name = params.word(which, 0)
    found = devnet.mined(name)
    if found is not None:
        return views.transaction(found)
    waiting = devnet.pool.get(name)
    return None if waiting is None else views.pending(waiting)


def _receipt(devnet: Devnet, which: Json) -> Answer:
    found = devnet.mined(params.word(which, 0))
    return None if found is None else receipt_view(found)


def receipt_view(mined: Mined) -> views.View:
    """Return how the outcome of a transaction is shown."""
    return views.receipt(mined, blob_price(mined.block.header))


def blob_price(header: Header) -> int | None:
    """Return what blob gas costs in the block of ``header``, in wei; None before Cancun."""
    if header.excess_blob_gas is None:
        return None
    fraction = _CANCUN_FRACTION if header.requests_hash is None else _PRAGUE_FRACTION
    return int(fake_exponential(1, header.excess_blob_gas, fraction))


def _blob_share(header: Header) -> float:
    """Return which share of the blob gas that fits into its block was used."""
    most = _CANCUN_BLOBS if header.requests_hash is None else _PRAGUE_BLOBS
    return (header.blob_gas_used or 0) / (most * views.BLOB_GAS)


def _logs(devnet: Devnet, wanted: Json) -> Answer:
    read = params.log_filter(devnet, wanted, 0)
    found = devnet.logs(read.first, read.last, read.addresses, read.topics)
    return [views.log(entry) for entry in found]


def _fee_history(devnet: Devnet, count: Json, newest: Json, percentiles: Json = None) -> Answer:
    asked = params.number(count, 0)
    shares = _shares(percentiles)
    last = params.state_block(devnet, newest, 1)
    if not asked:
        return {"oldestBlock": views.quantity(0), "gasUsedRatio": None}
    taken = min(asked, _MAX_FEE_HISTORY, last + 1)
    numbers = range(last + 1 - taken, last + 1)
    blocks = [found for number in numbers if (found := devnet.block(number)) is not None]
    following = devnet.block(last + 1)
    after = devnet.next_header() if following is None else following.header
    headers = [*(found.header for found in blocks), after]
    view: dict[str, Answer] = {
        "oldestBlock": views.quantity(last + 1 - taken),
        "baseFeePerGas": [views.quantity(one.base_fee_per_gas or 0) for one in headers],
        "gasUsedRatio": [one.gas_used / one.gas_limit for one in headers[:-1]],
        "baseFeePerBlobGas": [views.quantity(blob_price(one) or 0) for one in headers],
        "blobGasUsedRatio": [_blob_share(one) for one in headers[:-1]],
    }
    if shares:
        view["reward"] = [_tips(devnet, found, shares) for found in blocks]
    return view


def _shares(percentiles: Json) -> list[float]:
    """Read percentiles: rising numbers from 0 to 100."""
    if percentiles is None:
        return []
    if not isinstance(percentiles, list) or len(percentiles) > _MAX_PERCENTILES:
        raise RpcFault(INVALID_PARAMS, "invalid argument 2: percentiles are an array")
    found: list[float] = []
    for one in percentiles:
        is_number = isinstance(one, int | float) and not isinstance(one, bool)
        if not is_number or not 0 <= float(str(one)) <= _WHOLE:
            raise RpcFault(SERVER, f"invalid reward percentile: {one}")
        if found and float(str(one)) < found[-1]:
            raise RpcFault(SERVER, f"invalid reward percentile: {one} after {found[-1]}")
        found.append(float(str(one)))
    return found


def _tips(devnet: Devnet, found: Block, shares: list[float]) -> list[str]:
    """Return the tips below which each share of the block's gas was used."""
    base = found.header.base_fee_per_gas or 0
    outcomes = devnet.outcomes(found.number)
    tips = sorted((views.effective_price(one) - base, one.gas_used) for one in outcomes)
    if not tips:
        return [views.quantity(0)] * len(shares)
    result, at, gas = [], 0, tips[0][1]
    for share in shares:
        while gas * _WHOLE < found.header.gas_used * share and at < len(tips) - 1:
            at += 1
            gas += tips[at][1]
        result.append(views.quantity(tips[at][0]))
    return result


METHODS: Final[dict[str, Method]] = {
    "web3_clientVersion": Method(_client_version, 0, 0),
    "net_version": Method(_net_version, 0, 0),
    "net_listening": Method(_true, 0, 0),
    "net_peerCount": Method(_zero, 0, 0),
    "eth_chainId": Method(_chain_id, 0, 0),
    "eth_syncing": Method(_false, 0, 0),
    "eth_mining": Method(_false, 0, 0),
    "eth_blockNumber": Method(_block_number, 0, 0),
    "eth_gasPrice": Method(_base_fee, 0, 0),
    "eth_baseFee": Method(_base_fee, 0, 0),
    "eth_blobBaseFee": Method(_blob_base_fee, 0, 0),
    "eth_maxPriorityFeePerGas": Method(_zero, 0, 0),
    "eth_feeHistory": Method(_fee_history, 2, 3, is_heavy=True),
    "eth_getBlockByNumber": Method(_block_by_number, 1, 2),
    "eth_getBlockByHash": Method(_block_by_hash, 1, 2),
    "eth_getBlockTransactionCountByHash": Method(_count_by, 1, 1),
    "eth_getBlockTransactionCountByNumber": Method(_count_by, 1, 1),
    "eth_getUncleCountByBlockHash": Method(_uncle_count, 1, 1),
    "eth_getUncleCountByBlockNumber": Method(_uncle_count, 1, 1),
    "eth_getUncleByBlockHashAndIndex": Method(_uncle, 2, 2),
    "eth_getUncleByBlockNumberAndIndex": Method(_uncle, 2, 2),
    "eth_getBlockReceipts": Method(_block_receipts, 1, 1),
    "eth_getTransactionByHash": Method(_transaction, 1, 1),
    "eth_getTransactionByBlockHashAndIndex": Method(_transaction_in, 2, 2),
    "eth_getTransactionByBlockNumberAndIndex": Method(_transaction_in, 2, 2),
    "eth_getTransactionReceipt": Method(_receipt, 1, 1),
    "eth_getLogs": Method(_logs, 1, 1, is_heavy=True),
}
"""What this module answers."""
