"""What translated blocks call: memory, storage and the arithmetic that is more than one line."""

from typing import Any, Final

from eth.exceptions import FullStack, InvalidJumpDestination, OutOfGas
from eth.vm.forks.berlin.constants import COLD_SLOAD_COST, WARM_STORAGE_READ_COST

from contracts.typed_data import keccak

MASK: Final = (1 << 256) - 1
"""The greatest word."""

SIGN: Final = 1 << 255
"""The sign bit of a word."""

_WORD: Final = 32
_WORD_BITS: Final = 256
_SHA3_WORD_GAS: Final = 6


def load(computation: Any, at: int) -> int:
    """Return the word of memory at ``at``."""
    memory = computation._memory._bytes
    if at + _WORD > len(memory):
        computation.extend_memory(at, _WORD)
        memory = computation._memory._bytes
    return int.from_bytes(memory[at : at + _WORD], "big")


def store(computation: Any, at: int, value: int) -> None:
    """Set the word of memory at ``at``."""
    memory = computation._memory._bytes
    if at + _WORD > len(memory):
        computation.extend_memory(at, _WORD)
        memory = computation._memory._bytes
    memory[at : at + _WORD] = value.to_bytes(_WORD, "big")


def store_byte(computation: Any, at: int, value: int) -> None:
    """Set the byte of memory at ``at``."""
    computation.extend_memory(at, 1)
    computation._memory._bytes[at] = value & 0xFF


def hashed(computation: Any, at: int, size: int) -> int:
    """Return the hash of ``size`` bytes of memory at ``at``, and charge for the words."""
    computation.extend_memory(at, size)
    computation.consume_gas(_SHA3_WORD_GAS * ((size + _WORD - 1) // _WORD), "hashed words")
    return int.from_bytes(keccak(bytes(computation._memory._bytes[at : at + size])), "big")


def call_data(computation: Any, at: int) -> int:
    """Return the word of call data at ``at``, zeros beyond its end."""
    return int.from_bytes(computation.msg.data[at : at + _WORD].ljust(_WORD, b"\0"), "big")


def stored(computation: Any, slot: int) -> int:
    """Return a slot's value, and charge for reading it (EIP-2929)."""
    state, address = computation.state, computation.msg.storage_address
    if state.is_storage_warm(address, slot):
        computation.consume_gas(WARM_STORAGE_READ_COST, "SLOAD")
    else:
        state.mark_storage_warm(address, slot)
        computation.consume_gas(COLD_SLOAD_COST, "SLOAD")
    return int(state.get_storage(address, slot))


def signed_quotient(a: int, b: int) -> int:
    """Return a / b of signed words, rounded towards zero; 0 if b is 0."""
    if not b:
        return 0
    x, y = _signed(a), _signed(b)
    quotient = abs(x) // abs(y)
    return (quotient if (x < 0) == (y < 0) else -quotient) & MASK


def signed_remainder(a: int, b: int) -> int:
    """Return the remainder of signed words, with the sign of a; 0 if b is 0."""
    if not b:
        return 0
    x, y = _signed(a), _signed(b)
    remainder = abs(x) % abs(y)
    return (-remainder if x < 0 else remainder) & MASK


def shifted_right_signed(shift: int, value: int) -> int:
    """Return a signed word shifted right."""
    if shift >= _WORD_BITS:
        return MASK if value & SIGN else 0
    return (_signed(value) >> shift) & MASK


def extended(size: int, value: int) -> int:
    """Return ``value`` with the sign of its lowest ``size`` + 1 bytes extended."""
    if size >= _WORD:
        return value
    bit = size * 8 + 7
    if value >> bit & 1:
        return value | (MASK ^ ((1 << bit) - 1))
    return value & ((1 << (bit + 1)) - 1)


def no_destination() -> int:
    """
    Refuse a jump.

    Raises
    ------
    InvalidJumpDestination
        Always.
    """
    raise InvalidJumpDestination("Invalid Jump Destination")


def _signed(value: int) -> int:
    return value - (1 << _WORD_BITS) if value & SIGN else value


RUNTIME: Final[dict[str, Any]] = {
    "FullStack": FullStack,
    "MASK": MASK,
    "OutOfGas": OutOfGas,
    "SIGN": SIGN,
    "call_data": call_data,
    "extended": extended,
    "hashed": hashed,
    "load": load,
    "no_destination": no_destination,
    "shifted_right_signed": shifted_right_signed,
    "signed_quotient": signed_quotient,
    "signed_remainder": signed_remainder,
    "store": store,
    "store_byte": store_byte,
    "stored": stored,
}
"""Names that translated blocks may use."""
