"""Build blocks: system calls, transactions, receipts and roots, in one pass."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, cast

from eth.constants import SYSTEM_ADDRESS, SYSTEM_MESSAGE_GAS
from eth.exceptions import VMError
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.cancun.constants import BEACON_ROOTS_ADDRESS, HISTORY_BUFFER_LENGTH
from eth.vm.forks.prague.constants import (
    CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    CONSOLIDATION_REQUEST_TYPE,
    HISTORY_SERVE_WINDOW,
    HISTORY_STORAGE_ADDRESS,
    WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
    WITHDRAWAL_REQUEST_TYPE,
)
from eth.vm.message import Message
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError

from devnet.engine.blocks import Block, Header, Log, Receipt, bloom_of, encode_block
from devnet.engine.encoding import keccak
from devnet.engine.executor import apply
from devnet.engine.state import FlatState
from devnet.engine.transactions import Transaction
from devnet.engine.trie import root_of
from devnet.engine.world import Base, Changes, World
from devnet.precompile import VoisinVM

MAX_BLOCK_BYTES: Final = 8_388_608
"""Longest block, in bytes (EIP-7934: 10 MiB less a margin of 2 MiB)."""

_HEAD_BYTES: Final = 1_024
_ELASTICITY: Final = 2
"""A block that uses more than this part of its limit would raise the base fee (EIP-1559)."""
_REQUESTS: Final = (
    (WITHDRAWAL_REQUEST_TYPE, Address(WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS)),
    (CONSOLIDATION_REQUEST_TYPE, Address(CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS)),
)
_QUEUE_SLOTS: Final = range(4)
"""Where the request contracts keep excess, count, head and tail of their queue (EIP-7002)."""


@dataclass(frozen=True, slots=True)
class Built:
    """A block that nothing knows of yet."""

    block: Block
    """The block."""
    receipts: tuple[Receipt, ...]
    """The outcomes of its transactions, in order."""
    raw_receipts: tuple[bytes, ...]
    """Their encodings, as in the block's receipts trie."""
    changes: Changes
    """What it does to the state."""
    refused: tuple[tuple[Transaction, str], ...]
    """Transactions that could not be executed, and why; they left no trace."""


def state_in(base: Base, header: Header, chain_id: int, ancestors: Iterable[bytes]) -> FlatState:
    """
    Return a state on ``base`` for executing in the block of ``header``.

    Parameters
    ----------
    ancestors
        Hashes of the blocks before, newest first.
    """
    context = ExecutionContext(
        coinbase=Address(header.coinbase),
        timestamp=header.timestamp,
        block_number=BlockNumber(header.block_number),
        difficulty=0,
        mix_hash=Hash32(header.mix_hash),
        gas_limit=header.gas_limit,
        prev_hashes=(Hash32(ancestor) for ancestor in ancestors),
        chain_id=chain_id,
        base_fee_per_gas=header.base_fee_per_gas or 0,
        excess_blob_gas=header.excess_blob_gas or 0,
    )
    return FlatState(base, context)


def build(
    world: World,
    header: Header,
    chain_id: int,
    ancestors: Iterable[bytes],
    transactions: Sequence[Transaction],
) -> Built:
    """
    Execute ``transactions`` in a block on the newest state and seal it.

    A transaction that cannot be executed is left out and named; the others go on. The tries of
    ``world`` hold the block afterwards: the caller commits it, or throws the world away.

    Parameters
    ----------
    header
        The new block's, with everything that is known before execution.
    transactions
        Each may enter the block at its place: nonces in order, senders can pay.
    """
    state = state_in(world, header, chain_id, ancestors)
    begin_block(state, header)
    taken: list[Transaction] = []
    receipts: list[Receipt] = []
    refused: list[tuple[Transaction, str]] = []
    room = MAX_BLOCK_BYTES - _HEAD_BYTES
    gas, target = 0, header.gas_limit // _ELASTICITY
    for transaction in transactions:
        if len(transaction.raw) > room or gas + transaction.gas > target:
            break
        outcome = _execute(state, transaction, gas)
        if isinstance(outcome, str):
            refused.append((transaction, outcome))
            continue
        gas = outcome.cumulative_gas_used
        room -= len(transaction.raw)
        taken.append(transaction)
        receipts.append(outcome)
    requests_hash = _requests_hash(state)
    changes = state.changes()
    raw_receipts = tuple(receipt.encode() for receipt in receipts)
    sealed = replace(
        header,
        state_root=world.root_after(changes),
        transaction_root=root_of([transaction.raw for transaction in taken]),
        receipt_root=root_of(raw_receipts),
        bloom=_joined_bloom(receipts),
        gas_used=gas,
        requests_hash=requests_hash,
    )
    head = sealed.encode()
    raw = encode_block(head, tuple(taken))
    block = Block(keccak(head), sealed, tuple(taken), (), (), raw)
    return Built(block, tuple(receipts), raw_receipts, changes, tuple(refused))


def begin_block(state: FlatState, header: Header) -> None:
    """Do what comes before the transactions: store the roots of EIP-4788 and EIP-2935."""
    slot = header.timestamp % HISTORY_BUFFER_LENGTH
    root = int.from_bytes(header.parent_beacon_block_root or b"", "big")
    state.set_storage(BEACON_ROOTS_ADDRESS, slot, header.timestamp)
    state.set_storage(BEACON_ROOTS_ADDRESS, slot + HISTORY_BUFFER_LENGTH, root)
    state.set_storage(
        HISTORY_STORAGE_ADDRESS,
        (header.block_number - 1) % HISTORY_SERVE_WINDOW,
        int.from_bytes(header.parent_hash, "big"),
    )


def _execute(state: FlatState, transaction: Transaction, gas_before: int) -> Receipt | str:
    """Return the receipt of a transaction, or why it cannot be executed."""
    why = _objection(state, transaction)
    if why is not None:
        return why
    try:
        computation = apply(state, transaction)
    except (ValidationError, VMError) as error:
        state.revert(_START)
        return str(error)
    # py-evm's signature asks for its own class; ours has what it reads.
    gas = VoisinVM.finalize_gas_used(cast("Any", transaction), computation)
    logs = tuple(
        Log(bytes(address), tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))
        for address, topics, data in computation.get_log_entries()
    )
    return Receipt(
        type_id=transaction.type_id,
        status=int(computation.is_success),
        state_root=None,
        cumulative_gas_used=gas_before + gas,
        bloom=bloom_of(logs),
        logs=logs,
    )


def _objection(state: FlatState, transaction: Transaction) -> str | None:
    """
    Return why the transaction does not follow what the block did before it.

    An account that delegates its code (EIP-7702) can be moved to another nonce, or relieved of its
    coins, by a transaction of somebody else.
    """
    sender = transaction.sender
    nonce, balance = state.get_nonce(sender), state.get_balance(sender)
    if transaction.nonce != nonce:
        return f"nonce too {'low' if transaction.nonce < nonce else 'high'}: next is {nonce}"
    cost = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if cost > balance:
        return f"insufficient funds for gas * price + value: balance {balance}, tx cost {cost}"
    return None


_START: Final[Any] = (b"", 0)
"""The mark of a transaction's beginning: the journal was empty then."""


def _joined_bloom(receipts: Sequence[Receipt]) -> bytes:
    if len(receipts) == 1:
        return receipts[0].bloom
    bits = 0
    for receipt in receipts:
        if receipt.logs:
            bits |= int.from_bytes(receipt.bloom, "big")
    return bits.to_bytes(256, "big")


def _requests_hash(state: FlatState) -> bytes:
    """
    Ask for withdrawal and consolidation requests; return the hash over them (EIP-7685).

    There are no deposits: nobody can make a contract at the deposit contract's address. A queue
    that holds nothing and remembers nothing is not asked: it would answer nothing and change
    nothing.
    """
    hashes = b""
    for kind, address in _REQUESTS:
        if any(state.get_storage(address, slot) for slot in _QUEUE_SLOTS):
            output = _system_call(state, address)
            if output:
                hashes += sha256(kind + output).digest()
    return sha256(hashes).digest()


def _system_call(state: FlatState, address: Address) -> bytes:
    message = Message(
        gas=SYSTEM_MESSAGE_GAS,
        to=address,
        sender=SYSTEM_ADDRESS,
        value=0,
        data=b"",
        code=state.get_code(address),
        code_address=address,
    )
    state.lock_changes()
    context = state.get_transaction_context_class()(gas_price=0, origin=SYSTEM_ADDRESS)
    return bytes(state.computation_class.apply_computation(state, message, context).output)
