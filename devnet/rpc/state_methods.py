"""Answer what accounts hold, now and after any block."""

from typing import Final

from eth.abc import StateAPI
from eth_typing import Address

from devnet.engine.encoding import keccak
from devnet.node.chain import Devnet
from devnet.rpc import params, views
from devnet.rpc.errors import INVALID_PARAMS, Method, RpcFault, bad_param
from devnet.rpc.params import Json

_MAX_SLOTS: Final = 1_024
_KEY_DIGITS: Final = 66


def _state(devnet: Devnet, which: Json, index: int) -> StateAPI:
    return params.state_after(devnet, params.state_block(devnet, which, index))


def _nonce(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = params.address(who, 0)
    if params.is_pending(which):
        return views.quantity(devnet.pool.next_nonce(where, devnet.next_nonce(where)))
    return views.quantity(_state(devnet, which, 1).get_nonce(Address(where)))


def _balance(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    return views.quantity(_state(devnet, which, 1).get_balance(where))


def _code(devnet: Devnet, who: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    return views.data(_state(devnet, which, 1).get_code(where))


def _storage(devnet: Devnet, who: Json, key: Json, which: Json = None) -> str:
    where = Address(params.address(who, 0))
    number = params.slot(key)
    return views.word(_state(devnet, which, 2).get_storage(where, number))


def _storage_values(devnet: Devnet, wanted: Json, which: Json = None) -> dict[str, list[str]]:
    if not isinstance(wanted, dict):
        raise bad_param(0, "an object of addresses with slots is wanted")
    if not wanted:
        raise RpcFault(INVALID_PARAMS, "empty request")
    state = _state(devnet, which, 1)
    found: dict[str, list[str]] = {}
    count = 0
    for who, keys in wanted.items():
        if not isinstance(keys, list):
            raise bad_param(0, "slots are an array")
        count += len(keys)
        if count > _MAX_SLOTS:
            raise RpcFault(INVALID_PARAMS, f"too many slots (max {_MAX_SLOTS})")
        where = Address(params.address(who, 0))
        slots = [int.from_bytes(params.word(key, 0), "big") for key in keys]
        found[who] = [views.word(state.get_storage(where, slot)) for slot in slots]
    return found


def _proof(devnet: Devnet, who: Json, keys: Json, which: Json = None) -> views.View:
    where = params.address(who, 0)
    if not isinstance(keys, list) or len(keys) > _MAX_SLOTS:
        raise bad_param(1, f"storage keys are an array of at most {_MAX_SLOTS}")
    slots = tuple(params.slot(key) for key in keys)
    number = params.state_block(devnet, which, 2)
    shown = tuple(
        views.word(slot) if len(str(key)) == _KEY_DIGITS else views.quantity(slot)
        for key, slot in zip(keys, slots, strict=True)
    )
    return views.proof(devnet.proof(number, where, slots), shown)


def _account_info(devnet: Devnet, who: Json, which: Json = None) -> dict[str, str]:
    where = Address(params.address(who, 0))
    state = _state(devnet, which, 1)
    return {
        "balance": views.quantity(state.get_balance(where)),
        "nonce": views.quantity(state.get_nonce(where)),
        "code": views.data(state.get_code(where)),
    }


def _account(devnet: Devnet, who: Json, which: Json = None) -> dict[str, str]:
    where = params.address(who, 0)
    found = devnet.proof(params.state_block(devnet, which, 1), where, ())
    return {
        "balance": views.quantity(found.balance),
        "nonce": views.quantity(found.nonce),
        "codeHash": views.data(found.code_hash),
        "storageRoot": views.data(found.storage_root),
    }


def _sha3(_devnet: Devnet, value: Json) -> str:
    return views.data(keccak(params.data(value, 0)))


METHODS: Final[dict[str, Method]] = {
    "eth_getTransactionCount": Method(_nonce, 1, 2),
    "eth_getBalance": Method(_balance, 1, 2),
    "eth_getCode": Method(_code, 1, 2),
    "eth_getStorageAt": Method(_storage, 2, 3),
    "eth_getStorageValues": Method(_storage_values, 1, 2),
    "eth_getProof": Method(_proof, 2, 3, is_heavy=True),
    "eth_getAccount": Method(_account, 1, 2, is_heavy=True),
    "eth_getAccountInfo": Method(_account_info, 1, 2),
    "web3_sha3": Method(_sha3, 1, 1),
}
"""What this module answers."""
