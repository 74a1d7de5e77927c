"""
The port to an EVM chain: what the service asks of a node, in its own words.

Everything else in ``settlement.chain`` is written against this protocol; ``web3_gateway`` is the
one module that knows web3.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from ledger.errors import ChainError
from ledger.units import UnixSeconds


@dataclass(frozen=True, slots=True)
class ChainIdentity:
    """What tells one chain from every other, a restarted empty devnet included."""

    chain_id: int
    """EIP-155 chain id."""
    genesis_hash: str
    """Hash of block 0, 0x-prefixed."""


@dataclass(frozen=True, slots=True)
class Header:
    """The part of a block header that the indexer needs."""

    number: int
    """Height; genesis is 0."""
    hash: str
    """Block hash, 0x-prefixed."""
    parent_hash: str
    """Hash of the block before, 0x-prefixed."""
    timestamp_s: UnixSeconds
    """Block time, in Unix seconds."""
    base_fee_wei: int
    """What the block burned, in wei per gas; 0 where gas is free."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event that a contract emitted."""

    block_number: int
    """Height of its block."""
    block_hash: str
    """Hash of its block, 0x-prefixed."""
    transaction_hash: str
    """Hash of its transaction, 0x-prefixed."""
    log_index: int
    """Position within the block."""
    address: str
    """Contract that emitted it, lower case."""
    topics: tuple[bytes, ...]
    """Topics, 32 bytes each."""
    data: bytes
    """ABI-encoded unindexed arguments."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a mined transaction."""

    transaction_hash: str
    """Hash of the transaction, 0x-prefixed."""
    block_number: int
    """Height of its block."""
    block_hash: str
    """Hash of its block, 0x-prefixed."""
    succeeded: bool
    """Whether it was executed to its end."""
    gas_used: int
    """Gas it used."""


class Answer(StrEnum):
    """What a node says to signed bytes that it does not refuse for ever."""

    TAKEN = "taken"
    """It has them now."""
    KNOWN = "known"
    """It had them before, or has mined them."""
    NONCE_TOO_LOW = "nonce_too_low"
    """The chain holds a transaction of that nonce: these bytes, an earlier attempt, or another."""
    REPLACES_TOO_CHEAPLY = "replaces_too_cheaply"
    """It holds other bytes of that nonce, which pay as much or nearly."""
    TOO_CHEAP = "too_cheap"
    """They pay less than it asks now, so it has not kept them."""
    NO_ROOM = "no_room"
    """It has not kept them for want of room; later it may."""


@dataclass(frozen=True, slots=True)
class FeeQuote:
    """What a node asks for gas."""

    base_fee_wei: int
    """What the next block burns, in wei per gas."""
    tip_wei: int
    """What the node suggests to give whoever makes the block, in wei per gas."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a node said at one time about one sender and some of its transactions."""

    receipts: tuple[Receipt | None, ...]
    """The receipt of each transaction, or None for one that is not mined."""
    count: int
    """How many transactions the sender has on the chain."""
    head: Header
    """The newest block, not older than any receipt."""


class ChainGateway(Protocol):
    """A node of an EVM chain."""

    def identity(self) -> ChainIdentity:
        """Return chain id and genesis hash."""
        ...

    def head_number(self) -> int:
        """Return the height of the newest block."""
        ...

    def head(self) -> Header:
        """Return the header of the newest block."""
        ...

    def headers(self, first: int, last: int) -> tuple[Header, ...]:
        """Return the headers from ``first`` to ``last``, both included, or none."""
        ...

    def logs(self, first: int, last: int, addresses: tuple[str, ...]) -> tuple[Log, ...]:
        """Return the logs of ``addresses`` in blocks ``first`` to ``last``, both included."""
        ...

    def logs_in(self, hashes: Sequence[str], addresses: tuple[str, ...]) -> tuple[Log, ...]:
        """
        Return the logs of ``addresses`` in the blocks of these hashes, on whatever fork they are.

        Raises
        ------
        ChainUnavailable
            If the node does not know one of the blocks any more.
        """
        ...

    def receipts(self, hashes: Sequence[str]) -> tuple[Receipt | None, ...]:
        """Return the receipt of each transaction, or None for one that is not mined."""
        ...

    def transaction_count(self, address: str) -> int:
        """Return how many transactions ``address`` has on the chain."""
        ...

    def look(self, hashes: Sequence[str], address: str) -> Look:
        """Return receipts, the count of ``address`` and the newest block, in one round trip."""
        ...

    def fees(self) -> FeeQuote:
        """Return what the node asks for gas now."""
        ...

    def codes(self, addresses: Sequence[str]) -> tuple[bytes, ...]:
        """Return the code at each address, empty where there is none."""
        ...

    def send(self, raw: bytes) -> Answer:
        """
        Give signed bytes to the node and return what it says; never send them twice.

        Raises
        ------
        ChainUnavailable
            If the node gave no answer; the same bytes may be sent again.
        TransactionRefusedError
            If the node refuses these bytes.
        """
        ...

    def send_all(self, raws: Sequence[bytes]) -> tuple[Answer | ChainError, ...]:
        """
        Give the bytes of several transactions to the node in one round trip; never send them twice.

        Returns what it says to each, in order; a refusal stands in its place and touches no other.

        Raises
        ------
        ChainUnavailable
            If the node gave no answer; the same bytes may be sent again.
        """
        ...

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        """
        Return what a call would return, without a transaction.

        Raises
        ------
        CallRevertedError
            If the contract refuses; carries the revert data.
        """
        ...

    def calls_at(self, block: int, calls: Sequence[tuple[str, bytes]]) -> tuple[bytes, ...]:
        """
        Return what each call (contract, data) returns after ``block``, asked in one round.

        Raises
        ------
        ChainUnavailable
            If the node does not answer, or no longer has the state of that block.
        """
        ...
