"""Write the Python source of one translated block, opcode by opcode."""

from collections.abc import Callable
from typing import Any, Final

from eth.vm import opcode_values as op
from eth.vm.logic.invalid import InvalidOpcode

_STACK_MAX: Final = 1_024

_EXPRESSIONS: Final[dict[int, tuple[int, str]]] = {
    op.ADD: (2, "({0} + {1}) & MASK"),
    op.MUL: (2, "({0} * {1}) & MASK"),
    op.SUB: (2, "({0} - {1}) & MASK"),
    op.DIV: (2, "{0} // {1} if {1} else 0"),
    op.SDIV: (2, "signed_quotient({0}, {1})"),
    op.MOD: (2, "{0} % {1} if {1} else 0"),
    op.SMOD: (2, "signed_remainder({0}, {1})"),
    op.ADDMOD: (3, "({0} + {1}) % {2} if {2} else 0"),
    op.MULMOD: (3, "({0} * {1}) % {2} if {2} else 0"),
    op.SIGNEXTEND: (2, "extended({0}, {1})"),
    op.LT: (2, "1 if {0} < {1} else 0"),
    op.GT: (2, "1 if {0} > {1} else 0"),
    op.SLT: (2, "1 if ({0} ^ SIGN) < ({1} ^ SIGN) else 0"),
    op.SGT: (2, "1 if ({0} ^ SIGN) > ({1} ^ SIGN) else 0"),
    op.EQ: (2, "1 if {0} == {1} else 0"),
    op.ISZERO: (1, "0 if {0} else 1"),
    op.AND: (2, "{0} & {1}"),
    op.OR: (2, "{0} | {1}"),
    op.XOR: (2, "{0} ^ {1}"),
    op.NOT: (1, "{0} ^ MASK"),
    op.BYTE: (2, "{1} >> (248 - 8 * {0}) & 255 if {0} < 32 else 0"),
    op.SHL: (2, "({1} << {0}) & MASK if {0} < 256 else 0"),
    op.SHR: (2, "{1} >> {0} if {0} < 256 else 0"),
    op.SAR: (2, "shifted_right_signed({0}, {1})"),
    op.SHA3: (2, "hashed(c, {0}, {1})"),
    op.ADDRESS: (0, "int.from_bytes(c.msg.storage_address, 'big')"),
    op.CALLER: (0, "int.from_bytes(c.msg.sender, 'big')"),
    op.CALLVALUE: (0, "c.msg.value"),
    op.CALLDATALOAD: (1, "call_data(c, {0})"),
    op.CALLDATASIZE: (0, "len(c.msg.data)"),
    op.RETURNDATASIZE: (0, "len(c.return_data)"),
    op.TIMESTAMP: (0, "c.state.timestamp"),
    op.MLOAD: (1, "load(c, {0})"),
    op.SLOAD: (1, "stored(c, {0})"),
}
"""Opcodes that push one value: how many they pop, and the value from what they pop."""

_STATEMENTS: Final[dict[int, tuple[int, str]]] = {
    op.MSTORE: (2, "store(c, {0}, {1})"),
    op.MSTORE8: (2, "store_byte(c, {0}, {1})"),
}
"""Opcodes that push nothing: how many they pop, and what they do."""

_ENDS: Final = frozenset((op.STOP, op.RETURN, op.REVERT, op.SELFDESTRUCT))


class Emitter:
    """
    The source of one block, while it is written.

    Items that the block pushed are names or numbers here; what lies below them is popped from the
    real stack when it is needed. A segment is what one charge of gas covers.
    """

    def __init__(self, jumps: frozenset[int]) -> None:
        """Begin a block in code whose jumps may go to ``jumps``."""
        self.closed = False
        """Whether control has left the block."""
        self.constants: dict[str, Any] = {"jumps": jumps}
        """Objects that the source names."""
        self._jumps = jumps
        self._lines: list[str] = []
        self._symbols: list[str] = []
        self._names = 0
        self._segment_at = 0
        self._segment_gas = 0
        self._depth = 0
        self._highest = 0
        self._open_segment()

    def source(self) -> str:
        """Return the source: a function ``step``."""
        return "def step(c, s, g):\n" + "\n".join(f"    {line}" for line in self._lines)

    def add(self, at: int, opcode: int, pushed: int, known: Any) -> None:
        """Translate the opcode at ``at``; ``known`` is py-evm's object for it."""
        if opcode in _EXPRESSIONS:
            self._charge(known)
            pops, template = _EXPRESSIONS[opcode]
            self._push(self._name(template.format(*self._pop_many(pops))))
        elif opcode in _STATEMENTS:
            self._charge(known)
            pops, template = _STATEMENTS[opcode]
            self._lines.append(template.format(*self._pop_many(pops)))
        elif op.PUSH0 <= opcode <= op.SWAP16 or opcode in (op.POP, op.PC, op.JUMPDEST):
            self._charge(known)
            self._arrange(at, opcode, pushed)
        elif opcode in (op.JUMP, op.JUMPI):
            self._charge(known)
            self._jump(opcode)
        else:
            self._call(at, opcode, known)

    def leave(self, at: int) -> None:
        """End the block; control goes on at ``at``."""
        self._close_segment()
        self._flush()
        self._lines.append(f"return {at}")
        self.closed = True

    # Opcodes.

    def _arrange(self, at: int, opcode: int, pushed: int) -> None:
        if op.DUP1 <= opcode <= op.DUP16:
            place = opcode - op.DUP1 + 1
            self._need(place)
            self._push(self._symbols[-place])
        elif op.SWAP1 <= opcode <= op.SWAP16:
            place = opcode - op.SWAP1 + 2
            self._need(place)
            symbols = self._symbols
            symbols[-1], symbols[-place] = symbols[-place], symbols[-1]
        elif opcode == op.POP:
            self._pop()
        elif opcode == op.PC:
            self._push(str(at))
        elif opcode != op.JUMPDEST:
            self._push(str(pushed))

    def _jump(self, opcode: int) -> None:
        target = self._pop()
        if opcode == op.JUMP:
            self._close_segment()
            self._flush()
            self._lines.append(f"return {self._destination(target)}")
            self.closed = True
            return
        condition = self._pop()
        self._close_segment()
        # What is left below is put back on both ways: the names stay valid on the way on.
        self._flush()
        self._lines.append(f"if {condition}: return {self._destination(target)}")
        self._open_segment()

    def _destination(self, target: str) -> str:
        if target.isdigit():
            return target if int(target) in self._jumps else "no_destination()"
        return f"{target} if {target} in jumps else no_destination()"

    def _call(self, at: int, opcode: int, known: Callable[..., None]) -> None:
        """Let py-evm's own object do it, on the real stack and with exact gas."""
        self._close_segment()
        self._flush()
        name = f"op_{opcode}_{at}"
        self.constants[name] = known
        self._lines.append(f"c.code.program_counter = {at + 1}")
        self._lines.append(f"{name}(computation=c)")
        if opcode in _ENDS or isinstance(known, InvalidOpcode):
            # Control never comes back from these; the line keeps the function's type.
            self._lines.append(f"return {at + 1}")
            self.closed = True
            return
        self._open_segment()

    # Gas and the stack's height.

    def _open_segment(self) -> None:
        self._segment_at = len(self._lines)
        self._segment_gas = 0
        self._depth = self._highest = 0

    def _charge(self, known: Any) -> None:
        self._segment_gas += known.gas_cost

    def _close_segment(self) -> None:
        head = []
        if self._highest > 0:
            head.append(f"if len(s) > {_STACK_MAX - self._highest}: raise FullStack('stack limit')")
        if self._segment_gas:
            head.append(f"left = g.gas_remaining - {self._segment_gas}")
            head.append("if left < 0: raise OutOfGas('out of gas')")
            head.append("g.gas_remaining = left")
        self._lines[self._segment_at : self._segment_at] = head

    # The stack.

    def _name(self, expression: str) -> str:
        name = f"t{self._names}"
        self._names += 1
        self._lines.append(f"{name} = {expression}")
        return name

    def _push(self, symbol: str) -> None:
        self._symbols.append(symbol)
        self._depth += 1
        self._highest = max(self._highest, self._depth)

    def _need(self, count: int) -> None:
        missing = count - len(self._symbols)
        for _ in range(missing):
            self._symbols.insert(0, self._name("s.pop()"))

    def _pop(self) -> str:
        self._need(1)
        self._depth -= 1
        return self._symbols.pop()

    def _pop_many(self, count: int) -> tuple[str, ...]:
        return tuple(self._pop() for _ in range(count))

    def _flush(self) -> None:
        """Put what the block pushed onto the real stack."""
        if len(self._symbols) == 1:
            self._lines.append(f"s.append({self._symbols[0]})")
        elif self._symbols:
            self._lines.append(f"s += ({', '.join(self._symbols)})")
        self._symbols = []
