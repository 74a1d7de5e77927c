"""
Random programs that mostly mean something.

They are made from a seed, not drawn bit by bit: a search that changes one draw at a time visits far
fewer opcodes in the same time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from eth.vm import opcode_values as op

from tests.unit.devnet.engine.support import CONTRACTS, PEOPLE, PRECOMPILES, init_code

TOP = 1 << 256


@dataclass(frozen=True)
class Label:
    """A place to jump to."""

    name: object


@dataclass(frozen=True)
class PushLabel:
    """Pushes where a label is."""

    name: object


Pieces = list[bytes | Label | PushLabel]


def assemble(pieces: Sequence[bytes | Label | PushLabel]) -> bytes:
    """Return the code; labels are two bytes wide where they are pushed."""
    places: dict[object, int] = {}
    at = 0
    for piece in pieces:
        if isinstance(piece, Label):
            places[piece.name] = at
        at += len(piece) if isinstance(piece, bytes) else 1 if isinstance(piece, Label) else 3
    code = b""
    for piece in pieces:
        if isinstance(piece, bytes):
            code += piece
        elif isinstance(piece, Label):
            code += bytes((op.JUMPDEST,))
        else:
            code += bytes((op.PUSH2,)) + places[piece.name].to_bytes(2, "big")
    return code


def push(value: int) -> bytes:
    if not value:
        return bytes((op.PUSH0,))
    text = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes((op.PUSH0 + len(text),)) + text


def joined(*parts: int | bytes) -> bytes:
    """Return code: numbers are opcodes."""
    return b"".join(part if isinstance(part, bytes) else bytes((part,)) for part in parts)


ARITHMETIC = {
    **dict.fromkeys((op.ISZERO, op.NOT), 1),
    **dict.fromkeys((op.ADDMOD, op.MULMOD), 3),
    **dict.fromkeys(
        (
            *(op.ADD, op.MUL, op.SUB, op.DIV, op.SDIV, op.MOD, op.SMOD, op.EXP, op.SIGNEXTEND),
            *(op.LT, op.GT, op.SLT, op.SGT, op.EQ, op.AND, op.OR, op.XOR, op.BYTE),
            *(op.SHL, op.SHR, op.SAR),
        ),
        2,
    ),
}
"""Opcodes of arithmetic, with how many words they take."""

ENVIRONMENT = (
    *(op.ADDRESS, op.ORIGIN, op.CALLER, op.CALLVALUE, op.CALLDATASIZE, op.CODESIZE, op.GASPRICE),
    *(op.RETURNDATASIZE, op.COINBASE, op.TIMESTAMP, op.NUMBER, op.PREVRANDAO, op.GASLIMIT),
    *(op.CHAINID, op.SELFBALANCE, op.BASEFEE, op.BLOBBASEFEE, op.PC, op.MSIZE, op.GAS),
)

_EDGES = (0, 1, 2, 31, 32, 33, 255, 256, 257, TOP - 1, TOP - 2, TOP >> 1, (TOP >> 1) - 1)
_FAR = (1 << 20, 1 << 32, 1 << 64, TOP - 1, TOP - 32)


class Author(Random):
    """Writes programs."""

    def word(self) -> int:
        """Return a word, often at the edge of a sign, a size or a shift."""
        pick = self.randrange(4)
        if pick == 0:
            return self.choice(_EDGES)
        if pick == 1:
            return self.randrange(40)
        if pick == 2:
            return 1 << self.randrange(256)
        return self.getrandbits(256)

    def near(self) -> bytes:
        """Push where to read or write memory."""
        return push(self.choice((0, self.randrange(100), self.randrange(100), 1_000)))

    def size(self) -> bytes:
        return push(self.choice((0, self.randrange(70), self.randrange(70), 213, 3_000)))

    def slot(self) -> bytes:
        return push(self.randrange(4))

    def address(self) -> bytes:
        who = self.choice((CONTRACTS, CONTRACTS, PEOPLE, PRECOMPILES))
        return self.choice(who)

    def who(self) -> bytes:
        return push(int.from_bytes(self.address(), "big"))

    def calculation(self) -> Pieces:
        code = b""
        for _ in range(self.randint(1, 4)):
            opcode = self.choice(tuple(ARITHMETIC))
            code += joined(*(push(self.word()) for _ in range(ARITHMETIC[opcode])), opcode)
        return [code + (joined(self.slot(), op.SSTORE) if self.randrange(3) == 0 else b"")]

    def storage(self) -> Pieces:
        """Change and read storage, for good or for the transaction."""
        slot = self.slot()
        value = self.choice((push(0), push(1), push(7), joined(op.DUP1), joined(op.GAS)))
        keeps = self.choice((op.SSTORE, op.SSTORE, op.TSTORE))
        reads = self.choice((op.SLOAD, op.TLOAD))
        code = (joined(value, slot, keeps), joined(slot, reads), joined(self.slot(), reads))
        return self.sample(code, self.randint(1, 3))

    def memory(self) -> Pieces:
        at, far, size = self.near(), self.near(), self.size()
        return [
            self.choice(
                (
                    joined(op.GAS, at, op.MSTORE),
                    joined(op.CALLER, at, op.MSTORE),
                    joined(op.GAS, at, op.MSTORE8),
                    joined(at, op.MLOAD),
                    joined(size, at, op.SHA3),
                    joined(size, far, at, op.MCOPY),
                    joined(size, far, at, op.CALLDATACOPY),
                    joined(size, push(self.choice(_FAR)), at, op.CALLDATACOPY),
                    joined(size, far, at, op.CODECOPY),
                    joined(op.RETURNDATASIZE, push(0), at, op.RETURNDATACOPY),
                    joined(at, op.CALLDATALOAD),
                    joined(push(self.choice(_FAR)), op.CALLDATALOAD),
                )
            )
        ]

    def question(self) -> Pieces:
        who = self.who()
        which = self.choice((op.BALANCE, op.EXTCODESIZE, op.EXTCODEHASH))
        return [
            self.choice(
                (
                    joined(who, which),
                    joined(push(40), push(0), push(3), who, op.EXTCODECOPY),
                    joined(push(self.randrange(5)), op.BLOCKHASH),
                    joined(push(0), op.BLOBHASH),
                    *(joined(self.choice(ENVIRONMENT)) for _ in range(6)),
                )
            )
        ]

    def call(self) -> Pieces:
        kind = self.choice((op.CALL, op.CALL, op.CALLCODE, op.DELEGATECALL, op.STATICCALL))
        memory = (self.size(), self.near(), self.size(), self.near())
        value = push(self.choice((0, 0, 1, 10**30))) if kind in (op.CALL, op.CALLCODE) else b""
        amounts = (0, 2_299, 2_300, 5_000, 30_000, 100_000, TOP - 1)
        gas = self.choice((joined(op.GAS), push(self.choice(amounts))))
        return [joined(*memory, value, self.who(), gas, kind)]

    def creation(self) -> Pieces:
        """Make a contract of a few bytes or of whatever the memory holds; perhaps call it."""
        made = self.choice((b"\x33\xff", b"\xfe", b"", bytes.fromhex("60015f5500")))
        refused = bytes.fromhex("60ef5f5360015ff3")
        made = self.choice((made, init_code(made)[:32], bytes.fromhex("600160015d5f5ff3"), refused))
        stored = joined(push(int.from_bytes(made.ljust(32, b"\0"), "big")), push(0), op.MSTORE)
        size = self.choice((push(len(made)), push(len(made)), self.size()))
        value = push(self.choice((0, 0, 1)))
        twice = self.randrange(2)
        salt = self.slot() if twice else b""
        head = joined(salt, size, push(0), value, op.CREATE2 if twice else op.CREATE)
        called = joined(*((op.PUSH0,) * 5), op.DUP6, op.GAS, op.CALL)
        return [stored, head, called if self.randrange(2) else b""]

    def log(self) -> Pieces:
        topics = self.randrange(5)
        words = [push(self.word()) for _ in range(topics)]
        return [joined(*words, self.size(), self.near(), op.LOG0 + topics)]

    def arrangement(self) -> Pieces:
        """Move what lies on the stack; sixteen words always do."""
        moves = (self.randint(op.DUP1, op.SWAP16), op.PC, op.PUSH0, op.DUP1, op.SWAP1)
        return [bytes(self.choice(moves) for _ in range(self.randint(1, 6)))]

    def drop(self) -> Pieces:
        return [joined(*((op.POP,) * self.randint(1, 3)))]

    def loop(self) -> Pieces:
        """Repeat something; the counter is in memory, because the stack is anybody's."""
        again = object()
        counter = push(32 * self.randint(100, 103))
        # What a call would do in a loop, it does again in every call inside.
        kinds = (self.calculation, self.storage, self.memory, self.arrangement, self.question)
        inner = [piece for _ in range(self.randint(1, 3)) for piece in self.choice(kinds)()]
        return [
            joined(push(0), counter, op.MSTORE),
            Label(again),
            *inner,
            joined(counter, op.MLOAD, push(1), op.ADD, op.DUP1, counter, op.MSTORE),
            joined(push(self.randint(1, 15)), op.GT),
            PushLabel(again),
            joined(op.JUMPI),
        ]

    def branch(self) -> Pieces:
        """Do something only if the first word of the call data is odd; or jump over rubbish."""
        over = object()
        if self.randrange(3) == 0:
            return [PushLabel(over), joined(op.JUMP, self.randbytes(4)), Label(over)]
        odd = joined(push(0), op.CALLDATALOAD, push(1), op.AND, op.ISZERO)
        done = self.choice((self.ending, self.call, self.storage, self.calculation))()
        return [odd, PushLabel(over), joined(op.JUMPI), *done, Label(over)]

    def ending(self) -> Pieces:
        size, at, heir = self.size(), self.near(), self.who()
        endings = (
            joined(op.STOP),
            joined(size, at, op.RETURN),
            joined(size, at, op.REVERT),
            joined(heir, op.SELFDESTRUCT),
            joined(op.ADDRESS, op.SELFDESTRUCT),
        )
        return [self.choice(endings)]

    def failure(self) -> Pieces:
        """Do what nobody may: run away, jump nowhere, reach too far."""
        far, near, size = push(self.choice(_FAR)), self.near(), self.size()
        failures = (
            joined(0xFE),
            joined(self.choice((0x0C, 0x21, 0xB0, 0xEF, 0xF6))),
            joined(push(1), op.JUMP),
            joined(op.CALLER, op.JUMP),
            joined(push(1), far, op.JUMPI),
            joined(op.GAS, far, op.MSTORE),
            joined(op.GAS, far, op.MSTORE8),
            joined(far, op.MLOAD),
            joined(far, near, op.SHA3),
            joined(size, near, far, op.MCOPY),
            joined(far, near, op.RETURN),
            joined(push(1), op.RETURNDATASIZE, push(0), op.RETURNDATACOPY),
            joined(*((op.POP,) * 40)),
            joined(*((op.SWAP16,) * 2), *((op.POP,) * 13), op.DUP16, op.SWAP16),
        )
        return [self.choice((*failures, self.randbytes(self.randint(1, 6))))]

    def tower(self) -> Pieces:
        """Fill the stack up to its limit, nearly, or beyond it, a few words a round."""
        again, words = object(), self.randint(1, 9)
        rounds = (self.randint(985, 1_030) - self.randint(0, 20)) // words
        kinds = (op.PC, op.PUSH0, op.DUP1, op.POP)
        body = bytes(self.choice(kinds) for _ in range(self.randrange(12)))
        return [
            push(0),
            Label(again),
            joined(*((op.DUP1,) * words), push(1), op.ADD),
            joined(op.DUP1, push(rounds), op.GT),
            PushLabel(again),
            joined(op.JUMPI, body, op.GAS, body),
        ]

    def parts(self, count: int) -> Pieces:
        kinds: tuple[Callable[[], Pieces], ...] = (
            *(self.calculation, self.calculation, self.storage, self.storage, self.memory),
            *(self.memory, self.question, self.question, self.call, self.call, self.creation),
            *(self.log, self.arrangement, self.arrangement, self.drop, self.loop, self.branch),
        )
        return [piece for _ in range(count) for piece in self.choice(kinds)()]

    def program(self) -> bytes:
        """Return a program that does several things, and sometimes ends badly."""
        if self.randrange(20) == 0:
            return self.randbytes(self.randrange(60))
        stack = joined(*(push(self.choice((0, 1, self.word()))) for _ in range(20)))
        pieces: Pieces = [stack, *self.parts(self.randint(2, 12))]
        if self.randrange(8) == 0:
            pieces += self.tower()
        if self.randrange(4) == 0:
            pieces += self.failure()
        # What is on the stack now is told to whoever reads the storage.
        pieces += [joined(op.DUP1, push(9), op.SSTORE, op.GAS, push(8), op.SSTORE)]
        return assemble([*pieces, *(self.ending() if self.randrange(2) else ())])
