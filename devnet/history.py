"""
Find transactions, receipts and logs of the past, without reading the chain's tries.

Everything here follows from the blocks and their receipts; it is built again at each start.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eth.abc import BlockAPI, ReceiptAPI, SignedTransactionAPI
from eth.constants import CREATE_CONTRACT_ADDRESS
from eth_utils.address import to_canonical_address

from contracts.typed_data import keccak


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

    transaction: SignedTransactionAPI
    """What was sent."""
    block: BlockAPI
    """The block that holds it."""
    index: int
    """Place in the block, from 0."""
    succeeded: bool
    """False if the contract refused; the nonce is used up all the same."""
    gas_used: int
    """Gas that this transaction used."""
    cumulative_gas_used: int
    """Gas that the block had used after it."""
    bloom: int
    """The 2048-bit filter of the receipt."""
    logs: tuple[LogEntry, ...]
    """Its events, in order."""

    @property
    def contract_address(self) -> bytes | None:
        """The contract that it made, if it was to make one."""
        if self.transaction.to != CREATE_CONTRACT_ADDRESS:
            return None
        return created_address(self.transaction.sender, self.transaction.nonce)


class History:
    """The indexes over all blocks so far."""

    def __init__(self, genesis_block: BlockAPI) -> None:
        """Start with block 0, which has no transactions."""
        self._blocks = [genesis_block]
        self._numbers = {bytes(genesis_block.hash): 0}
        self._mined: dict[bytes, Mined] = {}
        self._by_block: list[tuple[Mined, ...]] = [()]
        self._logs: list[LogEntry] = []
        self._logs_by_address: dict[bytes, list[LogEntry]] = {}

    @property
    def head_number(self) -> int:
        """Number of the newest block."""
        return len(self._blocks) - 1

    def add(self, block: BlockAPI, receipts: Sequence[ReceiptAPI]) -> None:
        """Take in the block after the newest one."""
        mined = tuple(_outcomes(block, receipts))
        for outcome in mined:
            self._mined[bytes(outcome.transaction.hash)] = outcome
            for entry in outcome.logs:
                self._logs.append(entry)
                self._logs_by_address.setdefault(entry.address, []).append(entry)
        self._by_block.append(mined)
        self._numbers[bytes(block.hash)] = block.number
        self._blocks.append(block)

    def block(self, number: int) -> BlockAPI | None:
        """Return block ``number``, if there is one."""
        return self._blocks[number] if 0 <= number < len(self._blocks) else None

    def number_of(self, block_hash: bytes) -> int | None:
        """Return the number of the block with that hash, if there is one."""
        return self._numbers.get(block_hash)

    def outcomes(self, number: int) -> tuple[Mined, ...]:
        """Return the transactions of block ``number`` with their outcomes, in order."""
        return self._by_block[number]

    def mined(self, transaction_hash: bytes) -> Mined | None:
        """Return a transaction with its outcome, if it was mined."""
        return self._mined.get(transaction_hash)

    def logs(self, first: int, last: int, addresses: frozenset[bytes]) -> list[LogEntry]:
        """
        Return the events of blocks ``first`` to ``last``, both included, in order.

        Parameters
        ----------
        addresses
            The contracts asked for; none means all.
        """
        if not addresses:
            return _between(self._logs, first, last)
        found = [
            entry
            for address in addresses
            for entry in _between(self._logs_by_address.get(address, []), first, last)
        ]
        return sorted(found, key=lambda entry: (entry.block_number, entry.log_index))


def created_address(sender: bytes, nonce: int) -> bytes:
    """Return the address of the contract made by the ``nonce``-th transaction of ``sender``."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    # RLP of [sender, nonce]: a byte below 0x80 stands for itself (Yellow Paper, appendix B).
    is_itself = len(number) == 1 and number[0] < 0x80  # noqa: PLR2004 - RLP's own bound
    encoded = number if is_itself else bytes([0x80 + len(number)]) + number
    body = b"\x94" + sender + encoded
    return to_canonical_address(keccak(bytes([0xC0 + len(body)]) + body)[-20:])


def _outcomes(block: BlockAPI, receipts: Sequence[ReceiptAPI]) -> Iterable[Mined]:
    gas_before = 0
    log_index = 0
    for index, (transaction, receipt) in enumerate(zip(block.transactions, receipts, strict=True)):
        logs = tuple(
            LogEntry(
                address=bytes(log.address),
                topics=tuple(topic.to_bytes(32, "big") for topic in log.topics),
                data=bytes(log.data),
                block_number=block.number,
                block_hash=bytes(block.hash),
                block_timestamp_s=block.header.timestamp,
                transaction_hash=bytes(transaction.hash),
                transaction_index=index,
                log_index=log_index + at,
            )
            for at, log in enumerate(receipt.logs)
        )
        yield Mined(
            transaction=transaction,
            block=block,
            index=index,
            succeeded=receipt.state_root == b"\x01",
            gas_used=receipt.gas_used - gas_before,
            cumulative_gas_used=receipt.gas_used,
            bloom=receipt.bloom,
            logs=logs,
        )
        gas_before = receipt.gas_used
        log_index += len(logs)


def _between(entries: list[LogEntry], first: int, last: int) -> list[LogEntry]:
    start = bisect_left(entries, first, key=lambda entry: entry.block_number)
    stop = bisect_right(entries, last, key=lambda entry: entry.block_number)
    return entries[start:stop]
