"""A token of a few opcodes that treats holders as it likes; no token of the product would."""

from contracts.typed_data import keccak
from tests.unit.devnet.support import init_code

# A token of two tables: balances by holder, and what it does to a holder, by the complement of the
# address. 0 pays, 1 reverts, 2 answers false, 3 answers nothing, 4 calls the vault back first.
CAPRICIOUS = """
    PUSH0 CALLDATALOAD PUSH1 e0 SHR
    DUP1 PUSH4 a9059cbb EQ PUSH1 :transfer JUMPI
    DUP1 PUSH4 70a08231 EQ PUSH1 :balance JUMPI
    DUP1 PUSH4 {treat} EQ PUSH1 :treat JUMPI
    DUP1 PUSH4 ef55bec6 EQ PUSH1 :receive JUMPI
    DUP1 PUSH4 23b872dd EQ PUSH1 :receive JUMPI
    STOP
  :balance
    PUSH1 04 CALLDATALOAD SLOAD PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :treat
    PUSH1 24 CALLDATALOAD PUSH1 04 CALLDATALOAD NOT SSTORE STOP
  :receive
    PUSH1 {fee} PUSH1 44 CALLDATALOAD SUB
    PUSH1 24 CALLDATALOAD SLOAD ADD PUSH1 24 CALLDATALOAD SSTORE STOP
  :transfer
    PUSH1 04 CALLDATALOAD NOT SLOAD
    DUP1 PUSH1 01 EQ PUSH1 :refuse JUMPI
    DUP1 PUSH1 02 EQ PUSH1 :deny JUMPI
    DUP1 PUSH1 04 EQ PUSH1 :reenter JUMPI
  :pay
    PUSH1 24 CALLDATALOAD PUSH1 04 CALLDATALOAD SLOAD ADD PUSH1 04 CALLDATALOAD SSTORE
    PUSH1 03 EQ PUSH1 :silent JUMPI
    PUSH1 01 PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :silent
    STOP
  :refuse
    PUSH0 PUSH0 REVERT
  :deny
    PUSH0 PUSH0 MSTORE PUSH1 20 PUSH0 RETURN
  :reenter
    PUSH4 {again} PUSH0 MSTORE
    PUSH0 PUSH0 PUSH1 44 PUSH1 1c PUSH0 CALLER GAS CALL
    PUSH1 :pay JUMPI
    RETURNDATASIZE PUSH0 PUSH0 RETURNDATACOPY RETURNDATASIZE PUSH0 REVERT
"""
OPCODES = {
    "STOP": 0x00, "ADD": 0x01, "SUB": 0x03, "EQ": 0x14, "NOT": 0x19, "SHR": 0x1C, "CALLER": 0x33,
    "CALLDATALOAD": 0x35, "RETURNDATASIZE": 0x3D, "RETURNDATACOPY": 0x3E, "MSTORE": 0x52,
    "SLOAD": 0x54, "SSTORE": 0x55, "JUMPI": 0x57, "GAS": 0x5A, "PUSH0": 0x5F, "PUSH1": 0x60,
    "PUSH4": 0x63, "DUP1": 0x80, "CALL": 0xF1, "RETURN": 0xF3, "REVERT": 0xFD,
}  # fmt: skip
JUMPDEST = 0x5B
PAYS, REVERTS, DENIES, SILENT, REENTERS = range(5)
TREAT = keccak(b"treat(address,uint256)")[:4]


def assemble(text: str) -> bytes:
    """Return the bytes of a program; a line ``:name`` is a place to jump to."""
    words, places, code = text.split(), {}, bytearray()
    pushed = False
    for word in words:
        if pushed:
            code += bytes(1) if word.startswith(":") else bytes.fromhex(word)
        elif word.startswith(":"):
            places[word] = len(code)
            code.append(JUMPDEST)
        else:
            code.append(OPCODES[word])
        pushed = not pushed and word in {"PUSH1", "PUSH4"}
    at = 0
    for before, word in zip(["", *words], words, strict=False):
        if before in {"PUSH1", "PUSH4"}:
            if word in places:
                code[at] = places[word]
            at += 1 if before == "PUSH1" else 4
        else:
            at += 1
    return bytes(code)


def deploy(world, fee: int = 0) -> bytes:
    """Return a token that keeps ``fee`` micros of each payment it is told to make, mined."""
    again = keccak(b"withdrawEarned(address,uint64)")[:4].hex()
    runtime = assemble(CAPRICIOUS.format(treat=TREAT.hex(), again=again, fee=f"{fee:02x}"))
    return world.mine(world.owner, None, init_code(runtime)).contract_address
