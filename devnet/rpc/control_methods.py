"""
Move time, state and blocks by hand, by the names that anvil, hardhat and ganache gave it.

All of it is for tests. What no block could do, setting accounts and sending without a signature,
leaves a mark in the log, and ``voisin devnet verify`` refuses such a chain.
"""

from collections.abc import Callable
from threading import Lock
from typing import Any, Final

from devnet.engine.signing import sign, unsigned
from devnet.engine.world import Account
from devnet.node.chain import Devnet
from devnet.rpc import params, views
from devnet.rpc.call_methods import fill
from devnet.rpc.errors import INVALID_PARAMS, SERVER, Method, RpcFault, Sent, bad_param
from devnet.rpc.params import Json
from devnet.rpc.pool_methods import sent
from devnet.store.faults import POINTS

_MAX_BLOCKS: Final = 100_000
_MAX_NONCE: Final = (1 << 64) - 2  # EIP-2681
# Beyond the year 9999 calendars end; a year is longer than any wait, and than any clock's limit.
_MAX_TIME_S: Final = 253_402_300_799
_MAX_WAIT_S: Final = 31_536_000
_MAX_STALL_MS: Final = 3_600_000
_FAUCET_WEI: Final = 10**18
_MS: Final = 1_000
_SENDING: Final = Lock()


# Blocks and time.


def _snapshot(devnet: Devnet) -> str:
    return views.quantity(devnet.snapshot())


def _revert(devnet: Devnet, snapshot: Json) -> bool:
    return devnet.revert(params.number(snapshot, 0))


def _mine_one(devnet: Devnet, timestamp: Json = None) -> str:
    # Some tools send an object of options here, which say nothing about time.
    if timestamp is not None and not isinstance(timestamp, dict):
        _set_next_timestamp(devnet, timestamp)
    devnet.mine()
    return "0x0"


def _mine_many(devnet: Devnet, count: Json = None, spacing: Json = None) -> None:
    wanted = 1 if count is None else params.number(count, 0, _MAX_BLOCKS)
    devnet.mine(wanted, 1 if spacing is None else max(1, params.number(spacing, 1, _MAX_WAIT_S)))


def _increase_time(devnet: Devnet, seconds: Json) -> str:
    with devnet.lock:
        parent_s = devnet.head.header.timestamp
        most_s = max(0, _MAX_TIME_S - devnet.time.next_s(parent_s))
        ahead_s = devnet.time.advance(params.number(seconds, 0, most_s), parent_s)
    return views.quantity(max(0, ahead_s))


def _set_next_timestamp(devnet: Devnet, timestamp: Json) -> None:
    wanted_s = params.number(timestamp, 0, _MAX_TIME_S)
    with devnet.lock:
        devnet.time.set_next(wanted_s, devnet.head.header.timestamp)


def _set_time(devnet: Devnet, timestamp: Json) -> int:
    """Let time go on from an instant; return by how many seconds it moved."""
    with devnet.lock:
        before_s = devnet.time.next_s(devnet.head.header.timestamp)
        _set_next_timestamp(devnet, timestamp)
        return devnet.time.next_s(devnet.head.header.timestamp) - before_s


def _set_automine(devnet: Devnet, automatic: Json) -> None:
    if not isinstance(automatic, bool):
        raise bad_param(0, "not a boolean")
    devnet.miner.set_automatic(automatic=automatic)


def _automine(devnet: Devnet) -> bool:
    return devnet.miner.is_automatic


def _set_interval_s(devnet: Devnet, seconds: Json) -> None:
    devnet.miner.set_interval(params.number(seconds, 0, _MAX_WAIT_S))


def _set_interval_ms(devnet: Devnet, milliseconds: Json) -> None:
    devnet.miner.set_interval(params.number(milliseconds, 0, _MAX_WAIT_S * _MS) / _MS)


def _drop(devnet: Devnet, which: Json) -> str | None:
    name = params.word(which, 0)
    return views.data(name) if devnet.drop(name) else None


def _drop_all(devnet: Devnet) -> None:
    devnet.drop_all()


def _reorganize(devnet: Devnet, depth: Json, transactions: Json = None) -> None:
    if transactions:
        raise bad_param(1, "the new blocks hold what the old ones held, nothing else")
    devnet.reorganize(params.number(depth, 0))


# Accounts.


def _change(
    devnet: Devnet,
    where: bytes,
    code: bytes | None = None,
    slots: dict[int, int] | None = None,
    **parts: Any,
) -> None:
    """Set parts of an account; the lock keeps blocks from changing the others meanwhile."""
    with devnet.lock:
        account: Account = devnet.newest_account(where)
        devnet.change(where, account._replace(**parts), code, slots or {})


def _set_balance(devnet: Devnet, who: Json, wei: Json) -> None:
    _change(devnet, params.address(who, 0), balance=params.number(wei, 1))


def _set_nonce(devnet: Devnet, who: Json, nonce: Json) -> None:
    _change(devnet, params.address(who, 0), nonce=params.number(nonce, 1, _MAX_NONCE))


def _set_code(devnet: Devnet, who: Json, code: Json) -> None:
    _change(devnet, params.address(who, 0), params.data(code, 1))


def _set_storage(devnet: Devnet, who: Json, key: Json, value: Json) -> bool:
    slots = {params.slot(key): int.from_bytes(params.word(value, 2), "big")}
    _change(devnet, params.address(who, 0), slots=slots)
    return True


def _impersonate(devnet: Devnet, who: Json) -> None:
    devnet.impersonated.add(params.address(who, 0))


def _stop_impersonating(devnet: Devnet, who: Json) -> None:
    devnet.impersonated.discard(params.address(who, 0))


def _accounts(devnet: Devnet) -> list[str]:
    return [views.data(address) for address in devnet.keys]


def _send(devnet: Devnet, request: Json) -> Sent:
    # Two at a time would get the same nonce.
    with _SENDING:
        wanted = fill(devnet, request)
        key = devnet.keys.get(wanted.sender)
        if key is not None:
            return sent(devnet.submit(sign(wanted, key)))
        if wanted.sender in devnet.impersonated:
            return sent(devnet.submit_unsigned(unsigned(wanted)))
    raise RpcFault(SERVER, "unknown account")


def _faucet(devnet: Devnet, who: Json) -> Sent:
    """Give an account a coin from the last built-in account."""
    if not devnet.keys:
        raise RpcFault(SERVER, "the faucet is dry: the node has no built-in accounts")
    giver = list(devnet.keys)[-1]
    request: dict[str, Json] = {
        "from": views.data(giver),
        "to": views.data(params.address(who, 0)),
        "value": views.quantity(_FAUCET_WEI),
        "gas": views.quantity(21_000),
    }
    return _send(devnet, request)


def _node_info(devnet: Devnet) -> dict[str, Any]:
    header = devnet.head.header
    return {
        "currentBlockNumber": views.quantity(devnet.head_number),
        "currentBlockTimestamp": header.timestamp,
        "currentBlockHash": devnet.head_hash,
        "hardFork": "prague",
        "transactionOrder": "fees",
        "environment": {
            "baseFee": views.quantity(header.base_fee_per_gas or 0),
            "chainId": devnet.genesis.chain_id,
            "gasLimit": views.quantity(header.gas_limit),
            "gasPrice": views.quantity(header.base_fee_per_gas or 0),
        },
        "forkConfig": {"forkUrl": None, "forkBlockNumber": None, "forkRetryBackoff": None},
    }


# Faults.


def _kill_at(devnet: Devnet, point: Json, passes: Json = None) -> None:
    if not devnet.faults.is_armed:
        raise RpcFault(SERVER, "the node was not started with --faults")
    if point not in POINTS:
        raise RpcFault(INVALID_PARAMS, f"invalid argument 0: one of {', '.join(POINTS)}")
    devnet.faults.kill_at(str(point), 1 if passes is None else params.number(passes, 1))


def _stall(devnet: Devnet, milliseconds: Json) -> None:
    if not devnet.faults.is_armed:
        raise RpcFault(SERVER, "the node was not started with --faults")
    devnet.faults.stall(params.number(milliseconds, 0, _MAX_STALL_MS) / _MS)


def _named(names: tuple[str, ...], run: Callable[..., Any], needed: int, most: int) -> Any:
    return {name: Method(run, needed, most, is_heavy=True) for name in names}


METHODS: Final[dict[str, Method]] = {
    **_named(("evm_snapshot", "anvil_snapshot"), _snapshot, 0, 0),
    **_named(("evm_revert", "anvil_revert"), _revert, 1, 1),
    **_named(("evm_mine",), _mine_one, 0, 1),
    **_named(("anvil_mine", "hardhat_mine"), _mine_many, 0, 2),
    **_named(("evm_increaseTime", "anvil_increaseTime"), _increase_time, 1, 1),
    **_named(
        ("evm_setNextBlockTimestamp", "anvil_setNextBlockTimestamp"), _set_next_timestamp, 1, 1
    ),
    **_named(("evm_setTime", "anvil_setTime"), _set_time, 1, 1),
    **_named(("evm_setAutomine", "anvil_setAutomine"), _set_automine, 1, 1),
    **_named(("anvil_getAutomine", "hardhat_getAutomine"), _automine, 0, 0),
    **_named(("anvil_setIntervalMining",), _set_interval_s, 1, 1),
    **_named(("evm_setIntervalMining",), _set_interval_ms, 1, 1),
    **_named(("anvil_dropTransaction", "hardhat_dropTransaction"), _drop, 1, 1),
    **_named(("anvil_dropAllTransactions", "devnet_dropMempool"), _drop_all, 0, 0),
    **_named(("anvil_reorg", "devnet_reorganize"), _reorganize, 1, 2),
    **_named(("anvil_setBalance", "hardhat_setBalance"), _set_balance, 2, 2),
    **_named(("anvil_setNonce", "hardhat_setNonce"), _set_nonce, 2, 2),
    **_named(("anvil_setCode", "hardhat_setCode"), _set_code, 2, 2),
    **_named(("anvil_setStorageAt", "hardhat_setStorageAt"), _set_storage, 3, 3),
    **_named(("anvil_impersonateAccount", "hardhat_impersonateAccount"), _impersonate, 1, 1),
    **_named(
        ("anvil_stopImpersonatingAccount", "hardhat_stopImpersonatingAccount"),
        _stop_impersonating,
        1,
        1,
    ),
    **_named(("eth_sendTransaction",), _send, 1, 1),
    **_named(("devnet_faucet",), _faucet, 1, 1),
    **_named(("devnet_killAt",), _kill_at, 1, 2),
    **_named(("devnet_stall",), _stall, 1, 1),
    "eth_accounts": Method(_accounts, 0, 0),
    "anvil_nodeInfo": Method(_node_info, 0, 0),
}
"""What this module answers."""
