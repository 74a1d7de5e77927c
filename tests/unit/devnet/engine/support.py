"""Chains by the flat engine, and signed transactions for them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from eth.vm import opcode_values as op
from eth_account import Account as Keys
from eth_account.datastructures import SignedSetCodeAuthorization
from eth_account.signers.local import LocalAccount

from devnet.admission import check_state, check_stateless
from devnet.engine.blocks import Block
from devnet.engine.executor import address_made_by
from devnet.engine.flat import FlatEngine
from devnet.engine.transactions import Transaction, decode
from devnet.engine.world import NOBODY, Changes
from devnet.genesis import Genesis
from devnet.store.beginning import begin
from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds

CHAIN_ID = 1_337
RICH, POOR, OTHER = (Keys.from_key(bytes((at,)) * 32) for at in (0x11, 0x22, 0x33))
GENESIS = Genesis(
    chain_id=CHAIN_ID,
    timestamp_s=UnixSeconds(1_494_230_400),
    balances=((RICH.address, 10**24), (OTHER.address, 10**6)),
)


def of(key: LocalAccount) -> bytes:
    return bytes.fromhex(key.address[2:])


class Chain:
    """A chain that is built, block by block."""

    def __init__(self, genesis: Genesis = GENESIS) -> None:
        world, first = begin(genesis)
        self.blocks: list[Block] = [first]
        self.changes: list[Changes] = []
        self.engine = FlatEngine(world, first.header, genesis.chain_id, self.ancestors)

    def ancestors(self, number: int) -> Iterator[bytes]:
        return (block.hash for block in reversed(self.blocks[:number]))

    def mine(
        self, transactions: Sequence[Transaction], coinbase: bytes = bytes(20), seconds: int = 7
    ) -> Block:
        header = self.engine.next_header(self.blocks[-1].header.timestamp + seconds)
        built = self.engine.build(replace(header, coinbase=coinbase), transactions)
        self.engine.commit(built.block, built.changes)
        self.blocks.append(built.block)
        self.changes.append(built.changes)
        return built.block

    def admits(self, transaction: Transaction) -> bool:
        """Tell whether the transaction may be the next of its sender."""
        number = len(self.blocks) - 1
        account = self.engine.account(transaction.sender, number) or NOBODY
        code = self.engine.code(account.code_hash)
        try:
            check_stateless(transaction, CHAIN_ID, GENESIS.gas_limit)
            check_state(transaction, account, code, 0)
        except InvalidRequest:
            return False
        return True

    @property
    def raw(self) -> list[bytes]:
        return [block.raw for block in self.blocks[1:]]


def signed(key: LocalAccount, nonce: int, **fields: object) -> Transaction:
    """Return a transaction of type 2 that costs nothing, changed by ``fields``; None drops one."""
    transaction = {
        "chainId": CHAIN_ID,
        "nonce": nonce,
        "gas": 1_000_000,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "value": 0,
        "data": b"",
        "to": bytes(19) + b"\x77",
    } | fields
    given = {name: value for name, value in transaction.items() if value is not None}
    return decode(bytes(key.sign_transaction(given).raw_transaction))


def init_code(runtime: bytes) -> bytes:
    """Return the code whose execution leaves ``runtime`` as the contract."""
    copied = bytes((op.PUSH2,)) + len(runtime).to_bytes(2, "big")
    head = copied + bytes((op.DUP1, op.PUSH1, 12, op.PUSH0, op.CODECOPY, op.PUSH0, op.RETURN))
    return head.ljust(12, bytes((op.STOP,))) + runtime


def authorization(
    key: LocalAccount, address: bytes, nonce: int, chain_id: int = CHAIN_ID
) -> SignedSetCodeAuthorization:
    return key.sign_authorization({"chainId": chain_id, "address": address, "nonce": nonce})


CONTRACTS = tuple(address_made_by(of(RICH), nonce) for nonce in range(3))
"""Where the first contracts go that the rich make."""
PEOPLE = (of(RICH), of(POOR), of(OTHER), bytes(20), b"\x77" * 20)
PRECOMPILES = tuple(number.to_bytes(20, "big") for number in (*range(1, 0x13), 0x100))
