"""Try transactions: calls, gas, access lists, with changed accounts and blocks on request."""

from collections.abc import Callable
from typing import Any, Final

from eth.abc import StateAPI

from devnet.engine.blocks import Header
from devnet.engine.encoding import integer, rlp_encode
from devnet.engine.transactions import DYNAMIC_FEE, Transaction
from devnet.node.chain import Devnet
from devnet.rpc import params, views
from devnet.rpc.errors import SERVER, Method, RpcFault, bad_param
from devnet.rpc.params import Json
from devnet.tracing.calls import CALL_GAS, access_list, call, estimate_gas
from devnet.tracing.overrides import (
    AccountOverride,
    BlockOverride,
    override_accounts,
    override_block,
)

_Reader = Callable[[Json, int], Any]


def fresh(
    devnet: Devnet, which: Json, index: int, accounts: Json = None, block: Json = None
) -> Callable[[], StateAPI]:
    """
    Return what gives states to try things on, in the block asked for.

    Parameters
    ----------
    index
        Place of ``which`` among the parameters; changes of accounts and of the block follow.
    """
    number, header = _block_for(devnet, which, index)
    changes = _account_overrides(accounts, index + 1)
    if block is not None:
        header = override_block(header, _block_override(block, index + 2))

    def begin() -> StateAPI:
        state = params.state_after(devnet, number, header)
        override_accounts(state, changes)
        return state

    return begin


def _block_for(devnet: Devnet, which: Json, index: int) -> tuple[int, Header]:
    if params.is_pending(which):
        header = devnet.next_header()
        return header.block_number - 1, header
    number = params.state_block(devnet, which, index)
    found = devnet.block(number)
    if found is None:
        raise RpcFault(SERVER, "header not found")
    return number, found.header


def _call(
    devnet: Devnet, request: Json, which: Json = None, accounts: Json = None, block: Json = None
) -> str:
    read = params.call(request, 0, CALL_GAS)
    return views.data(call(fresh(devnet, which, 1, accounts, block)(), read))


def _estimate(
    devnet: Devnet, request: Json, which: Json = None, accounts: Json = None, block: Json = None
) -> str:
    # A block comes only with a transaction, so the newest one may be old: what will run is the
    # next one, with its later time.
    wanted = "pending" if which in (None, "latest") else which
    read = params.call(request, 0, devnet.genesis.gas_limit // 2)
    return views.quantity(estimate_gas(fresh(devnet, wanted, 1, accounts, block), read))


def _access_list(
    devnet: Devnet, request: Json, which: Json = None, accounts: Json = None
) -> dict[str, Any]:
    read = params.call(request, 0, CALL_GAS)
    found, gas, error = access_list(fresh(devnet, which, 1, accounts), read)
    named = sorted((where, tuple(sorted(slots))) for where, slots in found)
    view: dict[str, Any] = {
        "accessList": views.access_list(tuple(named)),
        "gasUsed": views.quantity(gas),
    }
    return view if error is None else view | {"error": error}


def _fill(devnet: Devnet, request: Json) -> dict[str, Any]:
    filled = fill(devnet, request)
    return {"raw": views.data(_raw(filled)), "tx": views.filled(filled)}


def fill(devnet: Devnet, request: Json) -> Transaction:
    """Complete a transaction, of type 2, for signing: nonce, gas, fees and chain."""
    read = params.call(request, 0, devnet.genesis.gas_limit // 2)
    given = request.get("nonce") if isinstance(request, dict) else None
    nonce = params.maybe(given, 0)
    if nonce is None:
        nonce = devnet.pool.next_nonce(read.sender, devnet.next_nonce(read.sender))
    base = devnet.next_header().base_fee_per_gas or 0
    priced = read.gas_price is not None or read.max_fee_per_gas is not None
    return Transaction(
        type_id=DYNAMIC_FEE,
        sender=params.account(read.sender),
        chain_id=devnet.genesis.chain_id,
        nonce=nonce,
        max_priority_fee_per_gas=read.tip,
        # The base fee can double before the transaction's block, as geth reckons too.
        max_fee_per_gas=read.cap if priced else 2 * base + read.tip,
        gas=read.gas or estimate_gas(fresh(devnet, "pending", 1), read),
        to=params.account(read.to),
        value=read.value,
        data=read.data,
        access_list=read.access_list,
    )


def _raw(filled: Transaction) -> bytes:
    """Return a transaction of type 2 as it is sent, with zeros in place of the signature."""
    numbers = (
        filled.chain_id or 0,
        filled.nonce,
        filled.max_priority_fee_per_gas,
        filled.max_fee_per_gas,
        filled.gas,
    )
    slots = [
        [where, [slot.to_bytes(32, "big") for slot in named]] for where, named in filled.access_list
    ]
    rest = [filled.to, integer(filled.value), filled.data, slots, b"", b"", b""]
    return bytes((DYNAMIC_FEE,)) + rlp_encode([*map(integer, numbers), *rest])


def _account_overrides(value: Json, index: int) -> dict[bytes, AccountOverride]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_param(index, "state overrides are an object")
    return {
        params.address(who, index): AccountOverride(**_fields(change, _ACCOUNT_FIELDS, index))
        for who, change in value.items()
    }


def _block_override(value: Json, index: int) -> BlockOverride:
    return BlockOverride(**_fields(value, _BLOCK_FIELDS, index))


def _fields(value: Json, known: dict[str, tuple[str, _Reader]], index: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise bad_param(index, "an override is an object")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise bad_param(index, f"there is no override {unknown[0]}")
    return {
        known[name][0]: known[name][1](given, index)
        for name, given in value.items()
        if given is not None
    }


def _slots(value: Json, index: int) -> dict[int, int]:
    if not isinstance(value, dict):
        raise bad_param(index, "slots are an object")
    return {
        int.from_bytes(params.word(key, index), "big"): int.from_bytes(
            params.word(given, index), "big"
        )
        for key, given in value.items()
    }


_ACCOUNT_FIELDS: Final[dict[str, tuple[str, _Reader]]] = {
    "balance": ("balance", params.quantity),
    "nonce": ("nonce", params.quantity),
    "code": ("code", params.data),
    "state": ("state", _slots),
    "stateDiff": ("state_diff", _slots),
    "movePrecompileToAddress": ("move_precompile_to", params.address),
}
_BLOCK_FIELDS: Final[dict[str, tuple[str, _Reader]]] = {
    "number": ("number", params.quantity),
    "time": ("time", params.quantity),
    "gasLimit": ("gas_limit", params.quantity),
    "feeRecipient": ("fee_recipient", params.address),
    "prevRandao": ("prev_randao", params.word),
    "baseFeePerGas": ("base_fee_per_gas", params.quantity),
    "blobBaseFee": ("blob_base_fee", params.quantity),
}

METHODS: Final[dict[str, Method]] = {
    "eth_call": Method(_call, 1, 4, is_heavy=True),
    "eth_estimateGas": Method(_estimate, 1, 4, is_heavy=True),
    "eth_createAccessList": Method(_access_list, 1, 3, is_heavy=True),
    "eth_fillTransaction": Method(_fill, 1, 1, is_heavy=True),
}
"""What this module answers."""
