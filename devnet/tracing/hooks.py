"""
Watch py-evm execute: a computation that tells a tracer of every step and every message.

The opcodes stay py-evm's. What a step costs is the sum of what its opcode charges, as geth counts
it: with the gas that a call passes on, without the gas that a creation passes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from eth._utils.numeric import ceil32
from eth.abc import ComputationAPI, MessageAPI, OpcodeAPI, StateAPI, TransactionContextAPI
from eth.exceptions import VMError
from eth.vm import opcode_values as op
from eth.vm.computation import BaseComputation, memory_gas_cost
from eth.vm.logic.invalid import InvalidOpcode

from devnet.engine.transactions import Transaction

CALLS: Final = frozenset((op.CALL, op.CALLCODE, op.DELEGATECALL, op.STATICCALL))
"""Opcodes that run the code of another account."""
CREATES: Final = frozenset((op.CREATE, op.CREATE2))
"""Opcodes that make a contract."""
READS_ADDRESS: Final = frozenset(
    (op.EXTCODECOPY, op.EXTCODEHASH, op.EXTCODESIZE, op.BALANCE, op.SELFDESTRUCT)
)
"""Opcodes whose topmost argument is an address."""
STORAGE: Final = frozenset((op.SLOAD, op.SSTORE))
"""Opcodes whose topmost argument is a slot."""

_CALL_ITEMS: Final = 5
_ADDRESS_BITS: Final = (1 << 160) - 1
_CREATE_NAMES: Final = frozenset(("CREATE", "CREATE2"))


@dataclass(slots=True)
class Step:
    """One opcode being executed."""

    computation: "TracedComputation"
    """The message that it belongs to."""
    opcode: int
    """Its number."""
    program_counter: int
    """Where in the code it stands."""
    gas: int
    """Gas left before it."""
    stack: list[int]
    """The stack before it, topmost last; not to be changed."""
    cost: int = 0
    """Gas that it charged, or tried to charge; known after it."""
    error: VMError | None = None
    """Why it failed; known after it."""

    @property
    def address(self) -> bytes:
        """Return the account whose storage the message uses."""
        return bytes(self.computation.msg.storage_address)

    @property
    def state(self) -> StateAPI:
        """Return the state as it is now."""
        return self.computation.state

    def touched(self) -> bytes | None:
        """Return the account that the step reads, or whose code it runs."""
        stack = self.stack
        if self.opcode in READS_ADDRESS and stack:
            return address_of(stack[-1])
        if self.opcode in CALLS and len(stack) >= _CALL_ITEMS:
            return address_of(stack[-2])
        return None

    def slot(self) -> int | None:
        """Return the slot that the step reads or writes."""
        return self.stack[-1] if self.opcode in STORAGE and self.stack else None


class Tracer:
    """Is told what happens; a tracer overrides what it wants to hear."""

    refund: int = 0
    """Gas to be refunded so far."""

    def begin(self, state: StateAPI, transaction: Transaction) -> None:
        """Hear that ``transaction`` is about to be executed on ``state``."""

    def before(self, step: Step) -> None:
        """Hear of a step before it is executed."""

    def after(self, step: Step) -> None:
        """Hear of a step after it, and after the messages that it sent."""

    def enter(self, step: Step, message: MessageAPI) -> None:
        """Hear that ``step`` sends a message."""

    def leave(self, child: ComputationAPI | None, error: VMError | None) -> None:
        """Hear how the message went; it has no computation if it could not begin."""

    def finish(self, computation: ComputationAPI, gas_used: int) -> None:
        """Hear how the transaction went."""

    def result(self) -> dict[str, Any]:
        """Return what was seen, as JSON."""
        return {}


class TracedComputation(BaseComputation):
    """What is put before a fork's own computation; ``traced`` combines the two."""

    tracer: ClassVar[Tracer]
    step: Step
    """The step being executed."""
    charged: int = 0
    """Gas that it charged so far."""
    creation_charges: int = 0
    """How often it charged for a creation; the second charge is the gas passed on."""

    def __init__(
        self, state: StateAPI, message: MessageAPI, transaction_context: TransactionContextAPI
    ) -> None:
        """Begin a message."""
        super().__init__(state, message, transaction_context)
        if message.depth == 0:
            self.tracer.refund = message.refund

    @classmethod
    def apply_computation(
        cls,
        state: StateAPI,
        message: MessageAPI,
        transaction_context: TransactionContextAPI,
        parent_computation: ComputationAPI | None = None,
    ) -> ComputationAPI:
        """Run the code by py-evm's own loop, which asks for every opcode by its number."""
        # The method of BaseComputation itself: the flat one translates code.
        loop: Any = BaseComputation.__dict__["apply_computation"].__func__
        return cast(
            "ComputationAPI", loop(cls, state, message, transaction_context, parent_computation)
        )

    def apply_child_computation(self, child_msg: MessageAPI) -> ComputationAPI:
        """Run a message, telling of its begin and end."""
        refund = self.tracer.refund
        self.tracer.enter(self.step, child_msg)
        try:
            child = super().apply_child_computation(child_msg)
        except VMError as error:
            self.tracer.leave(None, error)
            raise
        if child.is_error:
            self.tracer.refund = refund
        self.tracer.leave(child, child.error if child.is_error else None)
        return child

    def consume_gas(self, amount: int, reason: str) -> None:
        """Take gas, noting what the step costs even if it is too much."""
        if reason in _CREATE_NAMES:
            self.creation_charges += 1
        if self.creation_charges <= 1:
            self.charged += amount
        super().consume_gas(amount, reason)

    def extend_memory(self, start_position: int, size: int) -> None:
        """Make room in memory; py-evm would charge for it past ``consume_gas``."""
        if not size:
            return
        wanted, present = ceil32(start_position + size), len(self._memory)
        if wanted > present:
            self.consume_gas(memory_gas_cost(wanted) - memory_gas_cost(present), "memory")
            self._memory.extend(start_position, size)

    def refund_gas(self, amount: int) -> None:
        """Note a refund."""
        self.tracer.refund += amount
        super().refund_gas(amount)

    def open_step(self, opcode: int) -> Step:
        """Return the step that is about to be executed."""
        self.charged = self.creation_charges = 0
        # The interfaces do not say it, but both stacks have their items.
        items: list[Any] = cast("Any", self._stack).values
        stack = [one if isinstance(one, int) else int.from_bytes(one, "big") for one in items]
        at = self.code.program_counter
        if not self._is_past_end(opcode):
            at -= 1
        self.step = Step(self, opcode, at, self._gas_meter.gas_remaining, stack)
        return self.step

    def _is_past_end(self, opcode: int) -> bool:
        """Tell whether a STOP is the one that stands behind all code, which py-evm counts not."""
        length, at = len(self.code), self.code.program_counter
        if opcode != op.STOP or at < length:
            return False
        return at > length or self.code[-1] != op.STOP or not self.code.is_valid_opcode(length - 1)

    def memory(self) -> bytes:
        """Return the memory as it is now."""
        return self._memory.read_bytes(0, len(self._memory))


class _TracedOpcode:
    """An opcode that tells of itself."""

    def __init__(self, opcode: int, run: OpcodeAPI, tracer: Tracer) -> None:
        self._opcode = opcode
        # py-evm hides deprecated opcodes behind a function that warns.
        self._run = getattr(run, "__wrapped__", run)
        self._tracer = tracer

    def __call__(self, computation: TracedComputation) -> None:
        if not computation.msg.code:
            # Where there is no code, py-evm runs a STOP all the same, and geth nothing.
            self._run(computation)
            return
        step = computation.open_step(self._opcode)
        self._tracer.before(step)
        try:
            self._run(computation)
        except VMError as error:
            step.error = error
            raise
        finally:
            step.cost = computation.charged
            self._tracer.after(step)


class _TracedOpcodes(dict[int, _TracedOpcode]):
    """The opcodes of a fork, made telling when they are first met; undefined ones too."""

    def __init__(self, opcodes: Mapping[int, OpcodeAPI], tracer: Tracer) -> None:
        super().__init__()
        self._opcodes = opcodes
        self._tracer = tracer

    def __missing__(self, opcode: int) -> _TracedOpcode:
        run = self._opcodes.get(opcode) or InvalidOpcode(opcode)
        made = self[opcode] = _TracedOpcode(opcode, run, self._tracer)
        return made


def trace(state: StateAPI, tracer: Tracer) -> None:
    """Let ``tracer`` hear of whatever ``state`` executes from now on."""
    base: Any = type(state).computation_class
    fields = {"tracer": tracer, "opcodes": _TracedOpcodes(base.opcodes, tracer)}
    # The attribute is the class's; setting it on one state leaves all others as they are.
    cast("Any", state).computation_class = type("Traced", (TracedComputation, base), fields)


def address_of(item: int) -> bytes:
    """Return the address that a stack item means."""
    return (item & _ADDRESS_BITS).to_bytes(20, "big")
