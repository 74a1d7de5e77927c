"""
Build a block around a transaction, complete as Prague wants it.

System calls come first and last (EIP-4788, 2935, 7002, 7251), the state is sealed once, and nothing
of it counts before ``FlatAccounts.adopt``: who builds may still throw the block away.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any, Final, cast

from eth.constants import SYSTEM_ADDRESS, SYSTEM_MESSAGE_GAS
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

from devnet.engine.blocks import (
    ZERO_HASH,
    Block,
    Header,
    Log,
    Receipt,
    bloom_of,
    encode_block,
)
from devnet.engine.encoding import keccak
from devnet.engine.state import EngineState, FlatAccounts
from devnet.engine.transactions import Transaction
from devnet.engine.trie import root_of
from devnet.precompile import VoisinVM

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
    encoded: bytes
    """Its RLP."""
    nodes: dict[bytes, bytes]
    """Trie nodes and code that its state adds, by hash."""


def state_in(
    accounts: FlatAccounts, header: Header, chain_id: int, ancestors: Iterator[bytes]
) -> EngineState:
    """
    Return py-evm's state for executing in the block of ``header``.

    Parameters
    ----------
    ancestors
        Hashes of the blocks before, newest first.
    """
    context = ExecutionContext(
        coinbase=Address(header.coinbase),
        timestamp=header.timestamp_s,
        block_number=BlockNumber(header.number),
        difficulty=0,
        mix_hash=Hash32(ZERO_HASH),
        gas_limit=header.gas_limit,
        prev_hashes=(Hash32(ancestor) for ancestor in ancestors),
        chain_id=chain_id,
        base_fee_per_gas=header.base_fee,
        excess_blob_gas=0,
    )
    return EngineState(accounts, context)


def build(
    accounts: FlatAccounts,
    header: Header,
    chain_id: int,
    ancestors: Iterator[bytes],
    transaction: Transaction,
) -> Built:
    """
    Execute ``transaction`` in a block of its own and return the block.

    ``accounts`` holds the changes afterwards; the caller adopts them or rolls them back.

    Parameters
    ----------
    header
        The new block's, with everything that is known before execution.
    """
    state = state_in(accounts, header, chain_id, ancestors)
    _before(state, header)
    state.lock_changes()
    # The executor is written against py-evm's own transaction class; ours has what it reads.
    signed = cast("Any", transaction)
    computation = state.apply_transaction(signed)
    gas_used = VoisinVM.finalize_gas_used(signed, computation)
    logs = tuple(
        Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), bytes(data))
        for address, topics, data in computation.get_log_entries()
    )
    bloom = bloom_of(logs)
    receipt = Receipt(transaction.type_id, computation.is_success, gas_used, bloom, logs)
    requests_hash = _after(state)
    root, nodes = accounts.seal()
    sealed = replace(
        header,
        state_root=root,
        transactions_root=root_of((transaction.raw,)),
        receipts_root=root_of((receipt.encode(),)),
        bloom=bloom,
        gas_used=gas_used,
        requests_hash=requests_hash,
    )
    encoded = encode_block(sealed, (transaction,))
    block = Block(keccak(sealed.encode()), sealed, (transaction,), (receipt,), len(encoded))
    return Built(block, encoded, nodes)


def _before(state: EngineState, header: Header) -> None:
    """Store the beacon root, always zero here (EIP-4788), and the parent's hash (EIP-2935)."""
    slot = header.timestamp_s % HISTORY_BUFFER_LENGTH
    state.set_storage(BEACON_ROOTS_ADDRESS, slot, header.timestamp_s)
    state.set_storage(BEACON_ROOTS_ADDRESS, slot + HISTORY_BUFFER_LENGTH, 0)
    state.set_storage(
        HISTORY_STORAGE_ADDRESS,
        (header.number - 1) % HISTORY_SERVE_WINDOW,
        int.from_bytes(header.parent_hash, "big"),
    )


def _after(state: EngineState) -> bytes:
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


def _system_call(state: EngineState, address: Address) -> bytes:
    message = Message(
        gas=SYSTEM_MESSAGE_GAS,
        to=address,
        sender=SYSTEM_ADDRESS,
        value=0,
        data=b"",
        code=state.get_code(address),
        code_address=address,
    )
    context = state.get_transaction_context_class()(gas_price=0, origin=SYSTEM_ADDRESS)
    return state.computation_class.apply_computation(state, message, context).output
