"""Make block 0 and the state that it stands for."""

from devnet.engine.blocks import Block, Header, encode_block
from devnet.engine.encoding import keccak
from devnet.engine.world import EMPTY_CODE, Account, World
from devnet.genesis import SYSTEM_CONTRACTS, Genesis


def begin(genesis: Genesis) -> tuple[World, Block]:
    """Return the state and the block that a chain of ``genesis`` begins with."""
    accounts = {
        bytes.fromhex(address.removeprefix("0x")): Account(0, wei, EMPTY_CODE)
        for address, wei in genesis.balances
        if wei
    }
    codes = []
    for contract, code in SYSTEM_CONTRACTS:
        accounts[bytes(contract)] = Account(1, 0, keccak(code))
        codes.append(code)
    world = World(accounts, {}, codes)
    header = Header(
        parent_hash=bytes(32),
        state_root=world.root(),
        block_number=0,
        gas_limit=genesis.gas_limit,
        timestamp=genesis.timestamp_s,
    )
    raw = encode_block(header.encode(), ())
    return world, Block(keccak(header.encode()), header, (), (), (), raw)
