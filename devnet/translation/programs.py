"""
Translate code that runs often into Python, block by block.

A block begins where control can arrive and ends where it leaves. In a translated block the stack
lives in local variables and the gas of all simple opcodes is charged at once; whatever reads gas or
reaches beyond stack and memory stays py-evm's own opcode object, called in between. Charging early
changes nothing that can be seen: a block whose gas does not suffice fails as a whole either way.

Gas costs come from py-evm's table of opcodes, and stock py-evm judges every block that is made.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from eth.exceptions import Halt, InsufficientStack
from eth.vm import opcode_values as op
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES
from eth.vm.logic.invalid import InvalidOpcode

from devnet.translation import words
from devnet.translation.emission import Emitter

Step = Callable[[Any, list[int], Any], int]
"""Runs a block on (computation, stack, gas counter) and returns where control goes."""

_WARM_AFTER: Final = 12
"""Runs of a block by py-evm's loop before it pays to translate it."""

_PROGRAMS: Final = 512
_LEAVING: Final = frozenset((op.JUMP, op.JUMPI))


class Program:
    """One contract's code, with the blocks that are translated so far."""

    __slots__ = ("_code", "_counts", "_jumps", "_steps")

    def __init__(self, code: bytes) -> None:
        """Find where control may arrive in ``code``."""
        self._code = code
        self._jumps = _jump_destinations(code)
        self._steps: dict[int, Step] = {}
        self._counts: dict[int, int] = {}

    def run(self, computation: Any) -> None:
        """
        Run the code from its beginning.

        Raises
        ------
        eth.exceptions.VMError
            Whatever ends it but STOP, RETURN and SELFDESTRUCT.
        """
        steps = self._steps
        stack: list[int] = computation._stack.values
        counter = computation._gas_meter
        at = 0
        try:
            while True:
                step = steps.get(at)
                if step is None:
                    step = self._prepare(at)
                at = step(computation, stack, counter)
        except Halt:
            return
        except IndexError:
            raise InsufficientStack("stack underflow") from None

    def _prepare(self, at: int) -> Step:
        """Return what runs the block at ``at``: translated if it ran often, py-evm's loop else."""
        count = self._counts.get(at, 0) + 1
        if count < _WARM_AFTER:
            self._counts[at] = count
            return self._interpreted(at)
        step = self._steps[at] = self._translated(at)
        return step

    def _interpreted(self, start: int) -> Step:
        code, jumps = self._code, self._jumps

        def run_block(computation: Any, _stack: list[int], _counter: Any) -> int:
            stream = computation.code
            stream.program_counter = start
            while True:
                at = int(stream.program_counter)
                opcode = code[at] if at < len(code) else op.STOP
                if opcode == op.JUMPDEST and at in jumps and at != start:
                    return at
                stream.program_counter = at + 1
                opcode_of(opcode)(computation=computation)
                if opcode in _LEAVING:
                    return int(stream.program_counter)

        return run_block

    def _translated(self, start: int) -> Step:
        emitter = Emitter(self._jumps)
        code, at = self._code, start
        while not emitter.closed:
            opcode = code[at] if at < len(code) else op.STOP
            if opcode == op.JUMPDEST and at in self._jumps and at != start:
                emitter.leave(at)
                break
            width = max(0, opcode - op.PUSH1 + 1) if op.PUSH1 <= opcode <= op.PUSH32 else 0
            push = code[at + 1 : at + 1 + width].ljust(width, b"\0")
            emitter.add(at, opcode, int.from_bytes(push, "big"), opcode_of(opcode))
            at += 1 + width
        names: dict[str, Any] = dict(words.RUNTIME) | emitter.constants
        # The source is made here from opcodes and numbers alone; nothing from outside gets into it.
        exec(compile(emitter.source(), f"<evm {start}>", "exec"), names)  # noqa: S102 - see above
        step: Step = names["step"]
        return step


@lru_cache(_PROGRAMS)
def program_of(code: bytes) -> Program:
    """Return the program of ``code``; the most recent ones are kept."""
    return Program(code)


def opcode_of(opcode: int) -> Any:
    """Return py-evm's object for ``opcode``."""
    known = PRAGUE_OPCODES.get(opcode)
    return InvalidOpcode(opcode) if known is None else known


def _jump_destinations(code: bytes) -> frozenset[int]:
    found, at = [], 0
    while at < len(code):
        opcode = code[at]
        if opcode == op.JUMPDEST:
            found.append(at)
        elif op.PUSH1 <= opcode <= op.PUSH32:
            at += opcode - op.PUSH1 + 1
        at += 1
    return frozenset(found)
