"""
Try a transaction without mining it: calls, and how much gas a transaction needs.

What is tried runs through the same executor as a mined transaction, on a state that is thrown away,
at base fee 0 and price 0, so the caller needs no coins for gas.
"""

from dataclasses import dataclass, replace
from typing import Any, Final, cast

from eth.abc import BlockHeaderAPI, ChainAPI, SignedTransactionAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
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
from eth.vm.forks.prague.transactions import PragueUnsignedLegacyTransaction
from eth.vm.spoof import SpoofTransaction
from eth_typing import Address
from eth_utils.exceptions import ValidationError

from devnet.admission import MAX_TRANSACTION_GAS, Refusal, TransactionRefusedError, gas_needs
from ledger.errors import ChainReverted

# geth stops searching when the range is below 1.5 % of its upper end.
_CLOSE_ENOUGH: Final = (15, 1_000)

_TEXTS: Final[tuple[tuple[type[VMError], str], ...]] = (
    (Revert, "execution reverted"),
    (OutOfGas, "out of gas"),
    (InvalidJumpDestination, "invalid jump destination"),
    (InsufficientStack, "stack underflow"),
    (InvalidInstruction, "invalid opcode"),
    (WriteProtection, "write protection"),
    (StackDepthLimit, "max call depth exceeded"),
)


class CallFailedError(ChainReverted):
    """A call, or the transaction whose gas was asked for, does not succeed."""

    def __init__(self, text: str, output: bytes, *, reverted: bool) -> None:
        super().__init__("call_failed", text)
        self.output: Final = output
        """What the contract said when it reverted."""
        self.reverted: Final = reverted
        """Whether it was the contract that refused, not the machine."""


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction to be tried."""

    sender: bytes
    """Who would send it, 20 bytes; no signature is asked for."""
    to: bytes
    """The contract, 20 bytes; empty to make one."""
    data: bytes
    """Input, or the code that makes the contract."""
    value: int
    """Coins to go along, in wei."""
    gas: int
    """Gas limit."""
    access_list: tuple[tuple[bytes, int], ...] = ()
    """Addresses with the number of their slots, for the gas they cost."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a tried transaction did."""

    output: bytes
    """What it returned, or the reason of a revert."""
    gas_used: int
    """Gas used after refunds."""
    error: VMError | None
    """Why it failed, if it did."""


def call(chain: ChainAPI, header: BlockHeaderAPI, request: Call) -> bytes:
    """
    Return what a call returns in the block of ``header``, on the state after it.

    Raises
    ------
    CallFailedError
        If it reverts or runs out of something.
    TransactionRefusedError
        If the sender has not the coins, or the gas is below the intrinsic gas.
    """
    outcome = attempt(chain, header, request)
    if outcome.error is not None:
        raise _failure(outcome)
    return outcome.output


def estimate_gas(chain: ChainAPI, header: BlockHeaderAPI, request: Call) -> int:
    """
    Return a gas limit with which the transaction succeeds, at most about 1.5 % above the least.

    Parameters
    ----------
    request
        Its gas limit is the upper end of the search.

    Raises
    ------
    CallFailedError
        If it fails with that limit.
    TransactionRefusedError
        If the sender has not the coins.
    """
    high = min(request.gas, MAX_TRANSACTION_GAS)
    first = attempt(chain, header, replace(request, gas=high))
    if first.error is not None:
        raise _failure(first)
    least = _least_gas(request)
    # Refunds come at the end and 1/64 stays behind at each call, so a little more may be needed.
    low = max(first.gas_used, least) - 1
    while (high - low) * _CLOSE_ENOUGH[1] > high * _CLOSE_ENOUGH[0]:
        # Most transactions need little more than they use: probe near the lower end first.
        middle = min((high + low) // 2, low * 2)
        if attempt(chain, header, replace(request, gas=middle)).error is None:
            high = middle
        else:
            low = middle
    return high


def attempt(chain: ChainAPI, header: BlockHeaderAPI, request: Call) -> Outcome:
    """
    Run ``request`` in the block of ``header`` on a state that is thrown away.

    Raises
    ------
    TransactionRefusedError
        If the sender has not the coins, or the gas is below the intrinsic gas.
    """
    least = _least_gas(request)
    if request.gas < least:
        gas = f"gas {request.gas}, minimum needed {least}"
        raise TransactionRefusedError(Refusal.INTRINSIC_GAS, gas)
    state = chain.get_vm(header.copy(base_fee_per_gas=0)).state
    unsigned = PragueUnsignedLegacyTransaction(
        nonce=state.get_nonce(Address(request.sender)),
        gas_price=0,
        gas=request.gas,
        to=Address(request.to or CREATE_CONTRACT_ADDRESS),
        value=request.value,
        data=request.data,
    )
    spoof = SpoofTransaction(
        unsigned,
        from_=Address(request.sender),
        max_fee_per_gas=0,
        max_priority_fee_per_gas=0,
        access_list=(),
    )
    try:
        # SpoofTransaction answers to the interface without declaring it.
        result = state.apply_transaction(cast("SignedTransactionAPI", spoof))
    except ValidationError as error:
        raise TransactionRefusedError(Refusal.FUNDS, str(error)) from error
    spent = request.gas - result.get_gas_remaining()
    refund = min(result.get_gas_refund(), spent // 5)  # EIP-3529
    # data_floor_gas is not in py-evm's interface.
    floor: int = cast("Any", result).data_floor_gas
    return Outcome(
        output=bytes(result.output),
        gas_used=spent - refund + floor,
        error=result.error if result.is_error else None,
    )


def _least_gas(request: Call) -> int:
    needs = gas_needs(
        request.data, creates=not request.to, access_list=request.access_list, authorizations=0
    )
    return max(needs.intrinsic, needs.floor)


def _failure(outcome: Outcome) -> CallFailedError:
    error = outcome.error
    text = next((text for kind, text in _TEXTS if isinstance(error, kind)), str(error))
    reverted = isinstance(error, Revert)
    return CallFailedError(text, outcome.output if reverted else b"", reverted=reverted)
