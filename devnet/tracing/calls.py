"""
Try a transaction without mining it: calls, gas limits and access lists.

What is tried runs through the executor of the state's own fork, as a mined transaction does, but
nobody signed it: its nonce is not looked at, and an account with code may send it. Without a price
it runs at base fee 0, so that its sender needs no coins for gas. States are used up: whoever asks
for more than one try gives a way to get fresh ones.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from eth.abc import SignedTransactionAPI, StateAPI
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.london.state import LondonState
from eth.vm.forks.prague.transactions import Authorization
from eth_typing import Address
from eth_utils.address import to_checksum_address
from eth_utils.exceptions import ValidationError

from devnet.engine.blocks import Log
from devnet.engine.transactions import BLOB, DYNAMIC_FEE, SET_CODE, Slots, Transaction
from devnet.precompile import VoisinState
from devnet.tracing.access_tracer import AccessTracer
from devnet.tracing.failures import (
    OUT_OF_GAS,
    CallFailedError,
    CallRefusedError,
    GasTooLowError,
    failure_of,
    failure_text,
)
from devnet.tracing.gas import TRANSFER_GAS, check_gas, kind_for, spent_by
from devnet.tracing.hooks import Tracer, trace

CALL_GAS: Final = 50_000_000
"""Gas that a call gets if it names none, and at most, as in geth."""

_MAX_TRANSACTION_GAS: Final = 1 << 24  # EIP-7825
_BLOB_GAS: Final = 131_072  # EIP-4844
_STIPEND: Final = 2_300
# geth stops searching when the range is below 1.5 % of its upper end.
_CLOSE_ENOUGH: Final = (15, 1_000)

Fresh = Callable[[], StateAPI]
"""Gives a state to try something on; each time the same, each time a new one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A transaction to be tried."""

    sender: bytes = bytes(20)
    """Who would send it, 20 bytes; no signature is asked for."""
    to: bytes = b""
    """Whom it calls, 20 bytes; empty to make a contract."""
    data: bytes = b""
    """Input, or the code that makes the contract."""
    value: int = 0
    """Coins to go along, in wei."""
    gas: int | None = None
    """Gas limit; None for as much as is allowed."""
    gas_price: int | None = None
    """Wei per gas, tip included; None if it names none, or names a cap and a tip."""
    max_fee_per_gas: int | None = None
    """Most that it would pay, in wei per gas."""
    max_priority_fee_per_gas: int | None = None
    """Most that it would tip, in wei per gas."""
    access_list: Slots = ()
    """Addresses and slots that are warm from its beginning."""
    authorization_list: tuple[Authorization, ...] = ()
    """Code delegations that it carries (EIP-7702)."""
    blob_versioned_hashes: tuple[bytes, ...] = ()
    """Which blobs it carries (EIP-4844)."""
    max_fee_per_blob_gas: int = 0
    """Most that it would pay for blobs, in wei per blob gas."""

    @property
    def cap(self) -> int:
        """Return the most that it would pay, in wei per gas."""
        return (self.max_fee_per_gas or 0) if self.gas_price is None else self.gas_price

    @property
    def tip(self) -> int:
        """Return the most that it would tip, in wei per gas."""
        return (self.max_priority_fee_per_gas or 0) if self.gas_price is None else self.gas_price


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tried transaction did."""

    output: bytes
    """What it returned, or the reason of a revert."""
    gas_used: int
    """Gas used, as a receipt says it."""
    gas_limit_used: int
    """Gas used before refunds, or the floor of its data."""
    refund: int
    """Gas refunded."""
    error: VMError | None
    """Why it failed, if it did."""
    logs: tuple[Log, ...]
    """What it emitted, in order."""


def call(state: StateAPI, request: Call) -> bytes:
    """
    Return what a call returns.

    Raises
    ------
    CallFailedError
        If it reverts or runs out of something.
    CallRefusedError
        If the sender has not the coins, or the gas or the fees cannot be right.
    """
    outcome = attempt(state, request)
    if outcome.error is not None:
        raise failure_of(outcome.error, outcome.output)
    return outcome.output


def attempt(state: StateAPI, request: Call, tracer: Tracer | None = None) -> Outcome:
    """
    Execute ``request`` on ``state``, which is used up.

    Parameters
    ----------
    tracer
        Who hears of every step.

    Raises
    ------
    CallRefusedError
        If the sender has not the coins, or the gas or the fees cannot be right.
    """
    transaction = _pretended(state, request)
    if isinstance(state, LondonState):
        _settle_fees(state, request)
    _check_funds(state, transaction)
    check_gas(state, transaction)
    if tracer is not None:
        trace(state, tracer)
        tracer.begin(state, transaction)
    executor = cast("Any", state.get_transaction_executor())
    # Nobody signed it and its nonce is none: what the fork would check does not hold.
    executor.validate_transaction = _accept
    try:
        computation = executor(cast("SignedTransactionAPI", transaction))
    except (ValidationError, VMError) as error:
        raise CallRefusedError(str(error)) from error
    spent = spent_by(state, transaction, computation)
    if tracer is not None:
        tracer.finish(computation, spent.used)
    return Outcome(
        output=bytes(computation.output),
        gas_used=spent.used,
        gas_limit_used=spent.peak,
        refund=spent.refund,
        error=computation.error if computation.is_error else None,
        logs=tuple(
            Log(bytes(address), tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))
            for address, topics, data in computation.get_log_entries()
        ),
    )


def estimate_gas(fresh: Fresh, request: Call) -> int:
    """
    Return a gas limit with which the transaction succeeds, at most about 1.5 % above the least.

    Parameters
    ----------
    request
        Its gas limit is the upper end of the search, if it has one that any transaction can have.

    Raises
    ------
    CallFailedError
        If it fails with that limit.
    CallRefusedError
        If the sender has not the coins.
    """
    state = fresh()
    high = _highest(state, request)
    plain = not request.data and request.to and not state.get_code(Address(request.to))
    if plain and _fits(fresh, request, TRANSFER_GAS):
        return TRANSFER_GAS
    first = _try(fresh, request, high)
    if first is None or (first.error is not None and failure_text(first.error) == OUT_OF_GAS):
        raise CallFailedError(f"gas required exceeds allowance ({high})", b"", reverted=False)
    if first.error is not None:
        raise failure_of(first.error, first.output)
    low = first.gas_used - 1
    # Refunds come at the end and 1/64 stays behind at each call, so a little more may be needed.
    guess = (first.gas_limit_used + _STIPEND) * 64 // 63
    if guess < high:
        low, high = (low, guess) if _fits(fresh, request, guess) else (guess, high)
    while low + 1 < high and (high - low) * _CLOSE_ENOUGH[1] >= high * _CLOSE_ENOUGH[0]:
        # Most transactions need little more than they use: probe near the lower end first.
        middle = min((high + low) // 2, low * 2)
        low, high = (low, middle) if _fits(fresh, request, middle) else (middle, high)
    return high


def access_list(fresh: Fresh, request: Call) -> tuple[Slots, int, str | None]:
    """
    Return what the transaction touches, and its gas and failure when it names all that.

    Naming more makes gas cheaper, which may lead the contract elsewhere; it is tried until nothing
    new comes. Who is warm anyway is not named without slots.

    Raises
    ------
    CallRefusedError
        If the sender has not the coins, or the gas or the fees cannot be right.
    """
    known = request.access_list
    while True:
        tracer = AccessTracer(known)
        outcome = attempt(fresh(), replace(request, access_list=known), tracer)
        found = tracer.slots()
        if set(found) == set(known):
            error = None if outcome.error is None else failure_of(outcome.error, outcome.output)
            return found, outcome.gas_used, None if error is None else str(error)
        known = found


def _pretended(state: StateAPI, request: Call) -> Transaction:
    sender = Address(request.sender)
    type_id = BLOB if request.blob_versioned_hashes else DYNAMIC_FEE
    if request.authorization_list:
        type_id = SET_CODE
    return kind_for(state)(
        type_id=type_id,
        sender=sender,
        nonce=state.get_nonce(sender),
        max_priority_fee_per_gas=request.tip,
        max_fee_per_gas=request.cap,
        gas=CALL_GAS if request.gas is None else min(request.gas, CALL_GAS),
        to=Address(request.to),
        value=request.value,
        data=request.data,
        access_list=request.access_list,
        authorization_list=request.authorization_list,
        max_fee_per_blob_gas=request.max_fee_per_blob_gas,
        blob_versioned_hashes=request.blob_versioned_hashes,
    )


def _settle_fees(state: LondonState, request: Call) -> None:
    """Take the base fee away if no price is named, or check the price against it."""
    context = state.execution_context
    cap, tip, base_fee = request.cap, request.tip, context.base_fee_per_gas or 0
    sender = to_checksum_address(request.sender)
    if not cap and not tip:
        if base_fee:
            state.execution_context = _free(state)
        return
    if cap < tip:
        raise CallRefusedError(
            "max priority fee per gas higher than max fee per gas: "
            f"address {sender}, maxPriorityFeePerGas: {tip}, maxFeePerGas: {cap}"
        )
    if cap < base_fee:
        raise CallRefusedError(
            "max fee per gas less than block base fee: "
            f"address {sender}, maxFeePerGas: {cap}, baseFee: {base_fee}"
        )


def _free(state: LondonState) -> ExecutionContext:
    context = state.execution_context
    return ExecutionContext(
        coinbase=context.coinbase,
        timestamp=context.timestamp,
        block_number=context.block_number,
        difficulty=context.difficulty,
        mix_hash=context.mix_hash,
        gas_limit=context.gas_limit,
        prev_hashes=context.prev_hashes,
        chain_id=context.chain_id,
        base_fee_per_gas=0,
        excess_blob_gas=context.excess_blob_gas if isinstance(state, CancunState) else None,
    )


def _check_funds(state: StateAPI, transaction: Transaction) -> None:
    want = transaction.gas * transaction.max_fee_per_gas + transaction.value
    want += _BLOB_GAS * len(transaction.blob_versioned_hashes) * transaction.max_fee_per_blob_gas
    if not want:
        return
    have = state.get_balance(transaction.sender)
    if have < want:
        sender = to_checksum_address(transaction.sender)
        raise CallRefusedError(
            f"insufficient funds for gas * price + value: address {sender} have {have} want {want}"
        )


def _accept(_transaction: SignedTransactionAPI) -> None:
    """Let anything pass."""


def _highest(state: StateAPI, request: Call) -> int:
    """Return the highest gas limit that the transaction can have and its sender can pay."""
    asked = request.gas or 0
    high = min(asked if asked >= TRANSFER_GAS else state.gas_limit, CALL_GAS)
    if isinstance(state, VoisinState):
        high = min(high, _MAX_TRANSACTION_GAS)
    if request.cap:
        left = state.get_balance(Address(request.sender)) - request.value
        if left < 0 or (left == 0 and request.value):
            raise CallRefusedError("insufficient funds for transfer")
        high = min(high, left // request.cap)
    return high


def _try(fresh: Fresh, request: Call, gas: int) -> Outcome | None:
    """Return how it goes with that gas limit; None if it cannot even begin with so little."""
    try:
        return attempt(fresh(), replace(request, gas=gas))
    except GasTooLowError:
        return None


def _fits(fresh: Fresh, request: Call, gas: int) -> bool:
    outcome = _try(fresh, request, gas)
    return outcome is not None and outcome.error is None
