"""Say in geth's words why a message failed: clients look for them."""

import re
from typing import Final

from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    InsufficientFunds,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfBoundsRead,
    OutOfGas,
    ReservedBytesInCode,
    Revert,
    StackDepthLimit,
    VMError,
    WriteProtection,
)
from eth.vm.forks.prague.opcodes import PRAGUE_OPCODES

from ledger.errors import ChainReverted, InvalidRequest

OUT_OF_GAS: Final = "out of gas"
"""geth's text for a gas limit that did not suffice."""
REVERTED: Final = "execution reverted"
"""geth's text for a contract that refused."""

_TEXTS: Final[tuple[tuple[type[VMError], str], ...]] = (
    (Revert, REVERTED),
    (OutOfGas, OUT_OF_GAS),
    (InvalidJumpDestination, "invalid jump destination"),
    (InsufficientStack, "stack underflow"),
    (FullStack, "stack limit reached 1024 (1023)"),
    (WriteProtection, "write protection"),
    (StackDepthLimit, "max call depth exceeded"),
    (InsufficientFunds, "insufficient balance for transfer"),
    (ContractCreationCollision, "contract address collision"),
    (OutOfBoundsRead, "return data out of bounds"),
    (ReservedBytesInCode, "invalid code: must not begin with 0xef"),
)
# What py-evm calls out of gas too, by the beginning of its text or its reason.
_OTHER_THAN_GAS: Final = (
    ("Contract code size exceeds EIP170", "max code size exceeded"),
    ("Contract code size exceeds EIP-3860", "max initcode size exceeded"),
    ("Write contract code for CREATE", "contract creation code storage out of gas"),
)
_PANICS: Final = {
    0x00: "generic panic",
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x21: "enum overflow",
    0x22: "invalid encoded storage byte array accessed",
    0x31: "out-of-bounds array access; popping on an empty array",
    0x32: "out-of-bounds access of an array or bytesN",
    0x41: "out of memory",
    0x51: "uninitialized function",
}
_ERROR: Final = bytes.fromhex("08c379a0")
_PANIC: Final = bytes.fromhex("4e487b71")
_WORD: Final = 32
_INVALID: Final = 0xFE
_SHA3: Final = 0x20
_DIFFICULTY: Final = 0x44


class CallRefusedError(InvalidRequest):
    """What is to be tried cannot even begin; the texts are geth's."""

    def __init__(self, detail: str) -> None:
        super().__init__("call_refused", detail)


class GasTooLowError(CallRefusedError):
    """The gas limit is below what the transaction costs before any code runs."""


class CallFailedError(ChainReverted):
    """A call, or the transaction whose gas was asked for, does not succeed."""

    def __init__(self, text: str, output: bytes, *, reverted: bool) -> None:
        super().__init__("call_failed", text)
        self.output: Final = output
        """What the contract said when it reverted."""
        self.reverted: Final = reverted
        """Whether it was the contract that refused, not the machine."""


def failure_of(error: VMError, output: bytes) -> CallFailedError:
    """Return the error to raise for a message that failed with ``error``."""
    if not isinstance(error, Revert):
        return CallFailedError(failure_text(error), b"", reverted=False)
    reason = revert_reason(output)
    text = REVERTED if reason is None else f"{REVERTED}: {reason}"
    return CallFailedError(text, output, reverted=True)


def failure_text(error: VMError) -> str:
    """Return geth's text for what py-evm calls ``error``."""
    if isinstance(error, OutOfGas):
        told = str(error)
        return next((text for part, text in _OTHER_THAN_GAS if part in told), OUT_OF_GAS)
    if isinstance(error, InvalidInstruction):
        found = re.search(r"0x([0-9a-f]+)", str(error))
        return f"invalid opcode: {opcode_name(int(found[1], 16))}" if found else "invalid opcode"
    return next((text for kind, text in _TEXTS if isinstance(error, kind)), str(error))


def revert_reason(output: bytes) -> str | None:
    """Return what ``Error(string)`` or ``Panic(uint256)`` says; None if it is neither."""
    selector, arguments = output[:4], output[4:]
    if selector == _PANIC and len(arguments) >= _WORD:
        code = int.from_bytes(arguments[:_WORD], "big")
        return _PANICS.get(code, f"unknown panic code: {code:#x}")
    if selector != _ERROR or len(arguments) < 2 * _WORD:
        return None
    at = int.from_bytes(arguments[:_WORD], "big") + _WORD
    length = int.from_bytes(arguments[at - _WORD : at], "big")
    text = arguments[at : at + length]
    if at > len(arguments) or len(text) != length:
        return None
    return text.decode(errors="replace")


def opcode_name(opcode: int) -> str:
    """Return geth's name of an opcode, the same in every fork."""
    return _NAMES.get(opcode) or f"opcode {opcode:#x} not defined"


def _mnemonic(opcode: object) -> str:
    # py-evm hides deprecated opcodes behind a function that warns.
    name: str = getattr(opcode, "__wrapped__", opcode).mnemonic  # type: ignore[attr-defined]
    return name


_NAMES: Final = {value: _mnemonic(opcode) for value, opcode in PRAGUE_OPCODES.items()} | {
    _INVALID: "INVALID",
    _SHA3: "KECCAK256",
    _DIFFICULTY: "DIFFICULTY",
}
