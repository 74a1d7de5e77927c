"""Say what a transaction costs before and after it ran, by the rules of the state's fork."""

from dataclasses import dataclass
from typing import Any, Final, cast

from eth.abc import ComputationAPI, StateAPI
from eth.vm.forks.homestead.state import HomesteadState
from eth.vm.forks.istanbul.state import IstanbulState
from eth.vm.forks.london.state import LondonState
from eth.vm.forks.prague.state import PragueState
from eth.vm.forks.shanghai.state import ShanghaiState

from devnet.engine.transactions import Transaction
from devnet.tracing.failures import CallRefusedError, GasTooLowError

TRANSFER_GAS: Final = 21_000
"""What a transaction costs that only moves coins."""

_MAX_INITCODE: Final = 49_152  # EIP-3860
_INITCODE_WORD_GAS: Final = 2
_WORD: Final = 32
_CREATION_GAS: Final = 32_000
_EXTRA_BYTE_GAS: Final = 68 - 16  # EIP-2028 made bytes cheaper.
_ZERO_TOKENS, _OTHER_TOKENS, _TOKEN_GAS = 1, 4, 10  # EIP-7623
_QUOTIENT: Final = 5  # EIP-3529
_OLD_QUOTIENT: Final = 2


class FrontierCall(Transaction):
    """A call on a state of Frontier, when making a contract cost nothing more (EIP-2)."""

    @property
    def intrinsic_gas(self) -> int:
        """Return the gas that it costs before any code runs."""
        return _before_2028(self, super().intrinsic_gas) - (0 if self.to else _CREATION_GAS)


class HomesteadCall(Transaction):
    """A call on a state from Homestead up to Petersburg."""

    @property
    def intrinsic_gas(self) -> int:
        """Return the gas that it costs before any code runs."""
        return _before_2028(self, super().intrinsic_gas)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a transaction cost."""

    used: int
    """Gas charged in the end: what the receipt says."""
    peak: int
    """Least gas limit by this account: what was used before refunds, or the floor."""
    refund: int
    """Gas refunded, within its limit."""


def kind_for(state: StateAPI) -> type[Transaction]:
    """Return the class of transactions that costs what the state's fork says."""
    if isinstance(state, IstanbulState):
        return Transaction
    return HomesteadCall if isinstance(state, HomesteadState) else FrontierCall


def check_gas(state: StateAPI, transaction: Transaction) -> None:
    """
    Check that the gas limit covers what is charged in any case.

    Raises
    ------
    GasTooLowError
        If it does not.
    CallRefusedError
        If the code that makes a contract is longer than any may be (EIP-3860).
    """
    have, want = transaction.gas, transaction.intrinsic_gas
    size = len(transaction.data)
    if not transaction.to and isinstance(state, ShanghaiState):
        if size > _MAX_INITCODE:
            raise CallRefusedError(
                f"max initcode size exceeded: code size {size} limit {_MAX_INITCODE}"
            )
        want += _INITCODE_WORD_GAS * -(-size // _WORD)
    if have < want:
        raise GasTooLowError(f"intrinsic gas too low: have {have}, want {want}")
    if isinstance(state, PragueState):
        zeros = transaction.data.count(0)
        tokens = _ZERO_TOKENS * zeros + _OTHER_TOKENS * (size - zeros)
        floor = TRANSFER_GAS + _TOKEN_GAS * tokens
        if have < floor:
            raise GasTooLowError(
                f"insufficient gas for floor data gas cost: have {have}, want {floor}"
            )


def spent_by(state: StateAPI, transaction: Transaction, computation: ComputationAPI) -> Spent:
    """Return what ``transaction`` cost, which went as ``computation`` says."""
    spent = transaction.gas - computation.get_gas_remaining()
    quotient = _QUOTIENT if isinstance(state, LondonState) else _OLD_QUOTIENT
    # Frontier's refunds for deleted accounts were added when the executor finished.
    refund = min(computation.get_gas_refund(), spent // quotient)
    # data_floor_gas is not in py-evm's interface: what is missing to the floor of EIP-7623.
    used = spent - refund + int(cast("Any", computation).data_floor_gas)
    return Spent(used, max(spent, used), refund)


def _before_2028(transaction: Transaction, gas: int) -> int:
    data = transaction.data
    return gas + _EXTRA_BYTE_GAS * (len(data) - data.count(0))
