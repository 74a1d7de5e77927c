"""Say how transactions went, as clients ask for it: outcome by outcome, event by event."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

from devnet.engine.blocks import Block, Receipt
from devnet.engine.executor import address_made_by
from devnet.engine.transactions import Transaction

_KEPT_TRANSACTIONS: Final = 4_096


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One event, with where it happened."""

    address: bytes
    """The contract that spoke, 20 bytes."""
    topics: tuple[bytes, ...]
    """Up to four words of 32 bytes."""
    data: bytes
    """The rest of the event, ABI-encoded."""
    block_number: int
    """Number of its block."""
    block_hash: bytes
    """Hash of its block, 32 bytes."""
    block_timestamp_s: int
    """Instant of its block, in Unix seconds."""
    transaction_hash: bytes
    """Hash of its transaction, 32 bytes."""
    transaction_index: int
    """Place of the transaction in the block, from 0."""
    log_index: int
    """Place of the event in the block, from 0."""


@dataclass(frozen=True, slots=True)
class Mined:
    """A transaction with its outcome."""

    transaction: Transaction
    """What was sent."""
    block: Block
    """The block that holds it."""
    index: int
    """Place in the block, from 0."""
    receipt: Receipt
    """Its receipt."""
    gas_used: int
    """Gas that this transaction used."""
    logs: tuple[LogEntry, ...]
    """Its events, in order."""

    @property
    def succeeded(self) -> bool:
        """Return False if the contract refused; the nonce is used up all the same."""
        return self.receipt.status == 1

    @property
    def cumulative_gas_used(self) -> int:
        """Return the gas that the block had used after it."""
        return self.receipt.cumulative_gas_used

    @property
    def bloom(self) -> bytes:
        """Return the filter of the receipt."""
        return self.receipt.bloom

    @property
    def contract_address(self) -> bytes | None:
        """Return the contract that it made, if it was to make one."""
        if self.transaction.to:
            return None
        return address_made_by(self.transaction.sender, self.transaction.nonce)


@dataclass(frozen=True, slots=True)
class Past:
    """A block with its outcomes."""

    block: Block
    """The block."""
    outcomes: tuple[Mined, ...]
    """Its transactions, in order."""


class RecentBlocks:
    """The blocks asked for last, up to some thousand transactions; the others are read again."""

    def __init__(self, read: Callable[[int], Past]) -> None:
        """Read what is not there by ``read``."""
        self._read = read
        self._blocks: dict[int, Past] = {}
        self._transactions = 0
        self._age = 0
        self._lock = Lock()

    def get(self, number: int) -> Past:
        """Return block ``number``."""
        found = self._blocks.get(number)
        if found is None:
            age = self._age
            found = self._read(number)
            self.put(found, age)
        return found

    def put(self, past: Past, age: int | None = None) -> None:
        """
        Keep a block, and let the oldest go.

        Parameters
        ----------
        age
            How often the chain had gone back when it was read; if it has gone back since, the block
            may be part of it no more.
        """
        with self._lock:
            if past.block.number in self._blocks or age not in (None, self._age):
                return
            self._blocks[past.block.number] = past
            self._transactions += 1 + len(past.outcomes)
            while self._transactions > _KEPT_TRANSACTIONS and len(self._blocks) > 1:
                oldest = next(iter(self._blocks))
                self._transactions -= 1 + len(self._blocks.pop(oldest).outcomes)

    def clear(self) -> None:
        """Forget all: the chain went back."""
        with self._lock:
            self._blocks.clear()
            self._transactions = 0
            self._age += 1


def outcomes_of(block: Block, receipts: Sequence[Receipt]) -> tuple[Mined, ...]:
    """Return the transactions of ``block`` with their outcomes, in order."""
    outcomes = []
    gas_before = log_index = 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
        logs = tuple(
            LogEntry(
                address=log.address,
                topics=log.topics,
                data=log.data,
                block_number=block.number,
                block_hash=block.hash,
                block_timestamp_s=block.header.timestamp,
                transaction_hash=transaction.hash,
                transaction_index=index,
                log_index=log_index + at,
            )
            for at, log in enumerate(receipt.logs)
        )
        gas_used = receipt.cumulative_gas_used - gas_before
        outcomes.append(Mined(transaction, block, index, receipt, gas_used, logs))
        gas_before = receipt.cumulative_gas_used
        log_index += len(logs)
    return tuple(outcomes)
