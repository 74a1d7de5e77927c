"""Execute calls that leave nothing behind, and find the gas that a transaction needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from eth.abc import ComputationAPI
from eth.exceptions import (
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfGas,
    Revert,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

from devnet.engine.rules import INITCODE_MAX, floor_gas, least_gas
from devnet.engine.state import EngineState
from devnet.engine.transactions import GAS_TRANSACTION, Transaction
from ledger.errors import ChainError, ChainReverted

_ERROR_SELECTOR: Final = bytes.fromhex("08c379a0")
_PANIC_SELECTOR: Final = bytes.fromhex("4e487b71")
_STIPEND: Final = 2_300
_TOLERANCE_DIVISOR: Final = 64
_FAULTS: Final[tuple[tuple[type[VMError], str], ...]] = (
    (OutOfGas, "out of gas"),
    (InvalidInstruction, "invalid opcode"),
    (InvalidJumpDestination, "invalid jump destination"),
    (InsufficientStack, "stack underflow"),
    (StackDepthLimit, "max call depth exceeded"),
    (WriteProtection, "write protection"),
)


class CallRevertedError(ChainReverted):
    """The contract refused; ``data`` is what it said."""

    def __init__(self, data: bytes) -> None:
        reason = reason_of(data)
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        super().__init__("call_reverted", message)
        self.data: Final = data
        """ABI-encoded error, or nothing."""


class CallFailedError(ChainError):
    """The call could not be executed to its end; the message is geth's."""

    def __init__(self, message: str) -> None:
        super().__init__("call_failed", message)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call came to."""

    output: bytes
    """What it returned, or what the revert said."""
    gas_used: int
    """Gas it was charged, refunds taken off."""
    gas_limit_used: int
    """Gas it needed before refunds."""
    fault: VMError | None
    """Why it was not executed to its end."""


def run(state: EngineState, call: Transaction) -> Outcome:
    """
    Execute ``call`` on ``state`` without looking at nonces; the caller throws the state away.

    Raises
    ------
    CallFailedError
        If it cannot even begin.
    """
    balance = state.get_balance(call.sender)
    cost = call.value + call.gas * call.max_fee_per_gas
    if balance < cost:
        raise CallFailedError(
            "insufficient funds for gas * price + value: "
            f"address 0x{call.sender.hex()} have {balance} want {cost}"
        )
    least = max(least_gas(call), floor_gas(call.data))
    if call.gas < least:
        raise CallFailedError(f"intrinsic gas too low: have {call.gas}, want {least}")
    if not call.to and len(call.data) > INITCODE_MAX:
        raise CallFailedError(
            f"max initcode size exceeded: code size {len(call.data)}, limit {INITCODE_MAX}"
        )
    computation = _execute(state, call)
    refund = computation.get_gas_refund()
    before_refund = call.gas - computation.get_gas_remaining()
    after_refund = before_refund - min(refund, before_refund // 5)
    return Outcome(
        output=bytes(computation.output),
        gas_used=max(after_refund, floor_gas(call.data)),
        gas_limit_used=before_refund,
        fault=computation.error if computation.is_error else None,
    )


def _execute(state: EngineState, call: Transaction) -> ComputationAPI:
    state.lock_changes()
    executor = state.get_transaction_executor()
    # The executor is written against py-evm's own transaction class; ours has what it reads.
    pretended = cast("Any", call)
    message = executor.build_evm_message(pretended)
    return executor.build_computation(message, pretended)


def output_of(outcome: Outcome) -> bytes:
    """
    Return what a call returned.

    Raises
    ------
    CallRevertedError
        If the contract refused.
    CallFailedError
        If it failed otherwise.
    """
    if outcome.fault is None:
        return outcome.output
    if isinstance(outcome.fault, Revert):
        raise CallRevertedError(outcome.output)
    for kind, text in _FAULTS:
        if isinstance(outcome.fault, kind):
            raise CallFailedError(text)
    raise CallFailedError(str(outcome.fault))


def reason_of(data: bytes) -> str:
    """Return the text of ``Error(string)`` or ``Panic(uint256)`` in revert data, or none."""
    if data[:4] == _PANIC_SELECTOR and len(data) == 36:  # noqa: PLR2004 - selector and word
        code = int.from_bytes(data[4:], "big")
        return f"panic 0x{code:x}"
    if data[:4] != _ERROR_SELECTOR:
        return ""
    body = data[4:]
    offset = int.from_bytes(body[:32], "big")
    length = int.from_bytes(body[offset : offset + 32], "big")
    text = body[offset + 32 : offset + 32 + length]
    return text.decode("utf-8", errors="replace") if len(text) == length else ""


def estimate(attempt: Callable[[Transaction], Outcome], call: Transaction) -> int:
    """
    Return a gas limit with which ``call`` is executed to its end, at most 1/64 above the least.

    Parameters
    ----------
    attempt
        Executes a call on a fresh state.
    call
        With the most gas that may be used.

    Raises
    ------
    CallRevertedError
        If the contract refuses at the highest limit.
    CallFailedError
        If it fails there otherwise, or needs more.
    """
    most = call.gas
    outcome = attempt(call)
    if isinstance(outcome.fault, OutOfGas):
        raise CallFailedError(f"gas required exceeds allowance ({most})")
    output_of(outcome)

    def enough(gas: int) -> bool:
        return attempt(replace(call, gas=gas)).fault is None

    least = max(least_gas(call), floor_gas(call.data))
    if least == GAS_TRANSACTION and outcome.gas_limit_used == GAS_TRANSACTION:
        return GAS_TRANSACTION
    low = max(outcome.gas_limit_used, least) - 1
    # A call passes on at most 63/64 of its gas, so a little more than was used is often enough.
    guess = min(most, (low + 1 + _STIPEND) * 64 // 63)
    high = guess if enough(guess) else most
    while high - low > 1 and high - low > high // _TOLERANCE_DIVISOR:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    return high
