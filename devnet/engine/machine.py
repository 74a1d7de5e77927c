"""
Run a message: py-evm's opcodes and precompiles, with lighter parts around them.

Stack items are always numbers, gas is counted without building the reason of each charge, and code
that runs often is translated (``devnet.translation.programs``). What an opcode does and costs stays
py-evm's.
"""

from typing import Any, Final, cast

from eth.abc import ComputationAPI, MessageAPI, StateAPI, TransactionContextAPI
from eth.constants import STACK_DEPTH_LIMIT
from eth.exceptions import (
    FullStack,
    InsufficientFunds,
    InsufficientStack,
    OutOfGas,
    StackDepthLimit,
)
from eth.vm.code_stream import CodeStream
from eth.vm.computation import NO_RESULT
from eth.vm.memory import Memory
from eth_typing import Address

from devnet.precompile import VoisinComputation
from devnet.translation.programs import program_of

_STACK_MAX: Final = 1_024
_WORD: Final = 32
_MEMORY_GAS: Final = 3
_MEMORY_QUADRATIC: Final = 512


class IntStack:
    """The stack of a message, of unsigned 256-bit numbers alone."""

    __slots__ = ("pop_any", "values")

    def __init__(self) -> None:
        """Begin empty."""
        self.values: list[int] = []
        self.pop_any = self.pop_ints

    def push_int(self, value: int) -> None:
        """Push a number."""
        if len(self.values) >= _STACK_MAX:
            raise FullStack("Stack limit reached")
        self.values.append(value)

    def push_bytes(self, value: bytes) -> None:
        """Push the number that ``value`` is, big-endian."""
        self.push_int(int.from_bytes(value, "big"))

    def pop1_int(self) -> int:
        """Pop a number."""
        try:
            return self.values.pop()
        except IndexError:
            raise InsufficientStack("Wanted 1 stack item, had none") from None

    pop1_any = pop1_int

    def pop1_bytes(self) -> bytes:
        """Pop a number as bytes without leading zeros; zero is one byte."""
        value = self.pop1_int()
        return value.to_bytes((value.bit_length() + 7) // 8 or 1, "big")

    def pop_ints(self, count: int) -> tuple[int, ...]:
        """Pop ``count`` numbers, the topmost first."""
        values = self.values
        if count > len(values):
            raise InsufficientStack(f"Wanted {count} stack items, only had {len(values)}")
        popped = values[: -count - 1 : -1]
        del values[-count:]
        return tuple(popped)

    def pop_bytes(self, count: int) -> tuple[bytes, ...]:
        """Pop ``count`` numbers as bytes, the topmost first."""
        return tuple(self.pop1_bytes() for _ in range(count))

    def swap(self, position: int) -> None:
        """Swap the topmost item with the one ``position`` below."""
        values = self.values
        if position >= len(values):
            raise InsufficientStack(f"Insufficient stack items for SWAP{position}")
        values[-1], values[-position - 1] = values[-position - 1], values[-1]

    def dup(self, position: int) -> None:
        """Push the item that is ``position``-th from the top."""
        if position > len(self.values):
            raise InsufficientStack(f"Insufficient stack items for DUP{position}")
        self.push_int(self.values[-position])


class GasCounter:
    """The gas of a message."""

    __slots__ = ("gas_refunded", "gas_remaining", "start_gas")

    def __init__(self, start_gas: int) -> None:
        """Begin with ``start_gas``."""
        self.start_gas = start_gas
        self.gas_remaining = start_gas
        self.gas_refunded = 0

    def consume_gas(self, amount: int, reason: str) -> None:
        """Take ``amount``, or run out of gas."""
        if amount > self.gas_remaining:
            raise OutOfGas(f"Out of gas: Needed {amount} for {reason}")
        self.gas_remaining -= amount

    def return_gas(self, amount: int) -> None:
        """Give back what a message to another contract left."""
        self.gas_remaining += amount

    def refund_gas(self, amount: int) -> None:
        """Note a refund for the end of the transaction; it may be negative (EIP-1283)."""
        self.gas_refunded += amount


class FlatComputation(VoisinComputation):
    """py-evm's computation of Prague, with the lighter parts."""

    def __init__(
        self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> None:
        """Begin a message; the base class would build every part that is replaced here."""
        self.state = state
        self.msg = message
        self.transaction_context = transaction_context
        self.code = CodeStream(message.code)
        self.children = []
        self.accounts_to_delete = []
        self.beneficiaries = []
        self._gas_meter = cast("Any", GasCounter(message.gas))
        self._stack = cast("Any", IntStack())
        self._memory = Memory()
        self._log_entries = []
        self.data_floor_cost = 0
        state.mark_address_warm(state.coinbase)  # EIP-3651

    def consume_gas(self, amount: int, reason: str) -> None:
        """Take ``amount`` of gas, or run out of it."""
        counter = self._gas_meter
        if amount > counter.gas_remaining:
            raise OutOfGas(f"Out of gas: Needed {amount} for {reason}")
        counter.gas_remaining -= amount

    def extend_memory(self, start_position: int, size: int) -> None:
        """Make room for ``size`` bytes at ``start_position``, and charge for it."""
        if not size:
            return
        words = (start_position + size + _WORD - 1) // _WORD
        present = len(self._memory) // _WORD
        if words > present:
            gas = _memory_gas(words) - _memory_gas(present)
            self.consume_gas(gas, "memory")
            self._memory.extend(start_position, size)

    def add_log_entry(self, account: Address, topics: tuple[int, ...], data: bytes) -> None:
        """Note an event."""
        counter = self.transaction_context.get_next_log_counter()
        self._log_entries.append((counter, account, topics, data))

    @classmethod
    def apply_message(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """Move the coins of a message, run it, and undo both if it fails."""
        mark = state.snapshot()
        if message.depth > STACK_DEPTH_LIMIT:
            raise StackDepthLimit("Stack depth limit reached")
        if message.value and message.should_transfer_value:
            balance = state.get_balance(message.sender)
            if balance < message.value:
                raise InsufficientFunds(f"Insufficient funds: {balance} < {message.value}")
            state.delta_balance(message.sender, -message.value)
            state.delta_balance(message.storage_address, message.value)
        computation = cls.apply_computation(state, message, transaction_context, parent_computation)
        if computation.is_error:
            state.revert(mark)
        return computation

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """Run the code of a message, or the precompile at its address."""
        with cls(state, message, transaction_context) as computation:
            # py-evm asks who the sender is, not whether this is the first message: an account that
            # delegates its code and is the origin counts too. The judge does the same.
            if computation.is_origin_computation:
                computation.contracts_created = []
                if message.is_create:
                    cls.consume_initcode_gas_cost(computation)
            if parent_computation is not None:
                computation.contracts_created = parent_computation.contracts_created
            if message.is_create:
                computation.contracts_created.append(message.storage_address)
            precompile = computation.precompiles.get(message.code_address, NO_RESULT)
            if precompile is not NO_RESULT:
                if not message.is_delegation:
                    precompile(computation)
            elif message.code:
                program_of(message.code).run(computation)
        return computation


def _memory_gas(words: int) -> int:
    return words * _MEMORY_GAS + words * words // _MEMORY_QUADRATIC
