import pytest
from eth.exceptions import (
    ContractCreationCollision,
    FullStack,
    InvalidInstruction,
    OutOfGas,
    StackDepthLimit,
    VMError,
    WriteProtection,
)

from devnet.tracing.failures import failure_text, opcode_name, revert_reason


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (OutOfGas("Needed 3 for ADD"), "out of gas"),
        (OutOfGas("Contract code size exceeds EIP170 limit of 24576."), "max code size exceeded"),
        (
            OutOfGas("Contract code size exceeds EIP-3860 limit of 49152."),
            "max initcode size exceeded",
        ),
        (
            OutOfGas("Out of gas: Needed 9 for Write contract code for CREATE"),
            "contract creation code storage out of gas",
        ),
        (InvalidInstruction("Invalid opcode 0xfe @ 4"), "invalid opcode: INVALID"),
        (InvalidInstruction("strange"), "invalid opcode"),
        (FullStack("x"), "stack limit reached 1024 (1023)"),
        (WriteProtection("x"), "write protection"),
        (StackDepthLimit("x"), "max call depth exceeded"),
        (ContractCreationCollision("x"), "contract address collision"),
        (VMError("something new"), "something new"),
    ],
)
def test_failures_have_geths_texts(error: VMError, text: str) -> None:
    assert failure_text(error) == text


@pytest.mark.parametrize(
    ("opcode", "name"),
    [
        (0x20, "KECCAK256"),
        (0x44, "DIFFICULTY"),
        (0x5F, "PUSH0"),
        (0xFE, "INVALID"),
        (0xFF, "SELFDESTRUCT"),
        (0x0C, "opcode 0xc not defined"),
    ],
)
def test_opcodes_have_geths_names(opcode: int, name: str) -> None:
    assert opcode_name(opcode) == name


@pytest.mark.parametrize(
    "output",
    [
        b"",
        bytes.fromhex("08c379a0"),
        bytes.fromhex("08c379a0") + b"\xff" * 64,
        bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + b"\xff" * 32,
        bytes.fromhex("4e487b71") + bytes(31),
        bytes(68),
    ],
)
def test_what_is_no_reason_is_not_read_as_one(output: bytes) -> None:
    assert revert_reason(output) is None
