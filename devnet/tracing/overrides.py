"""Change accounts and the block for one call, as clients may ask for with it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from eth._utils.calculations import fake_exponential
from eth.abc import StateAPI
from eth.vm.forks.cancun.constants import BLOB_BASE_FEE_UPDATE_FRACTION
from eth.vm.forks.prague.constants import BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
from eth_typing import Address

from devnet.engine.blocks import Header
from devnet.engine.state import FlatState
from devnet.engine.world import Base
from ledger.errors import InvalidRequest

_UINT64_MAX: Final = (1 << 64) - 1


class BadOverrideError(InvalidRequest):
    """A change asked for with a call that cannot be made."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_override", detail)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountOverride:
    """What to change of an account; None leaves a part as it is."""

    balance: int | None = None
    """Coins, in wei."""
    nonce: int | None = None
    """How many transactions it sent."""
    code: bytes | None = None
    """Its code."""
    state: Mapping[int, int] | None = None
    """All of its slots: any other is empty."""
    state_diff: Mapping[int, int] | None = None
    """Some of its slots: any other stays."""
    move_precompile_to: bytes | None = None
    """Where the precompile at this address is to be called instead; not to be had here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockOverride:
    """What to change of the block; None leaves a part as it is."""

    number: int | None = None
    """Height."""
    time: int | None = None
    """Block time, in Unix seconds."""
    gas_limit: int | None = None
    """Most gas of the block."""
    fee_recipient: bytes | None = None
    """Who earns the tips."""
    prev_randao: bytes | None = None
    """Randomness, 32 bytes."""
    base_fee_per_gas: int | None = None
    """Wei per gas that are burned."""
    blob_base_fee: int | None = None
    """Wei per blob gas that are burned."""


class _Emptied:
    """A base in which one account stores nothing."""

    def __init__(self, base: Base, address: bytes) -> None:
        self._base = base
        self._address = address
        self.account = base.account
        self.code = base.code

    def slot(self, address: bytes, slot: int) -> int:
        """Return the value of a slot."""
        return 0 if address == self._address else self._base.slot(address, slot)


def override_accounts(state: StateAPI, overrides: Mapping[bytes, AccountOverride]) -> None:
    """
    Change accounts of ``state``, which is to be thrown away, before anything is executed on it.

    Raises
    ------
    BadOverrideError
        If a change cannot be made; the state is not to be used then.
    """
    for address, override in overrides.items():
        _check(address, override)
        account = Address(address)
        if override.balance is not None:
            state.set_balance(account, override.balance)
        if override.nonce is not None:
            state.set_nonce(account, override.nonce)
        if override.code is not None:
            state.set_code(account, override.code)
        if override.state is not None:
            _empty(state, account)
        for slot, value in (override.state or override.state_diff or {}).items():
            state.set_storage(account, slot, value)
    # What was there before the transaction is what was written here (EIP-2200).
    state.lock_changes()


def override_block(header: Header, override: BlockOverride) -> Header:
    """
    Return the header of the block that ``override`` makes of the block of ``header``.

    Raises
    ------
    BadOverrideError
        If the block's fork does not have what is to be changed.
    """
    if override.base_fee_per_gas is not None and header.base_fee_per_gas is None:
        raise BadOverrideError("the block has no base fee to override")
    named = {
        "block_number": override.number,
        "timestamp": override.time,
        "gas_limit": override.gas_limit,
        "coinbase": override.fee_recipient,
        "mix_hash": override.prev_randao,
        "base_fee_per_gas": override.base_fee_per_gas,
        "excess_blob_gas": _excess_for(header, override.blob_base_fee),
    }
    changed: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    return replace(header, **changed)


def _check(address: bytes, override: AccountOverride) -> None:
    text = "0x" + address.hex()
    if override.move_precompile_to is not None:
        raise BadOverrideError(f"account {text}: movePrecompileToAddress is not supported")
    if override.state is not None and override.state_diff is not None:
        raise BadOverrideError(f"account {text} has both 'state' and 'stateDiff'")
    if override.nonce is not None and override.nonce > _UINT64_MAX:
        raise BadOverrideError(f"account {text}: nonce above 64 bits")


def _empty(state: StateAPI, address: Address) -> None:
    state.delete_storage(address)
    if isinstance(state, FlatState):
        # A flat state deletes only what lies above its base; the base is hidden here.
        bare = cast("Any", state)
        bare._base = _Emptied(bare._base, address)  # noqa: SLF001 - nothing public replaces it


def _excess_for(header: Header, fee: int | None) -> int | None:
    """Return the least excess of blob gas at which blob gas costs ``fee``, or hardly more."""
    if fee is None:
        return None
    if header.excess_blob_gas is None:
        raise BadOverrideError("the block has no blob base fee to override")
    if header.requests_hash is None:
        fraction = BLOB_BASE_FEE_UPDATE_FRACTION
    else:
        fraction = BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
    low, high = 0, fraction * max(1, fee.bit_length())
    while low < high:
        middle = (low + high) // 2
        if fake_exponential(1, middle, fraction) < fee:
            low = middle + 1
        else:
            high = middle
    return low
