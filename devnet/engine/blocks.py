"""Describe headers, receipts and blocks as Prague encodes them."""

from dataclasses import dataclass
from typing import Any, Final, cast

from devnet.engine.encoding import HASH, integer, keccak, rlp_decode, rlp_encode
from devnet.engine.transactions import LEGACY, Transaction
from devnet.engine.trie import EMPTY_ROOT

EMPTY_UNCLES: Final = keccak(rlp_encode([]))
"""Hash of no uncles."""
NO_REQUESTS: Final = bytes.fromhex(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)
"""Hash of no requests, SHA-256 of nothing (EIP-7685)."""
ZERO_HASH: Final = bytes(HASH)

_BLOOM: Final = 256
_BLOOM_BITS: Final = 0x7FF
_ZERO_NONCE: Final = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block header of Prague."""

    parent_hash: bytes
    """Hash of the block before."""
    coinbase: bytes = bytes(20)
    """Who earns the tips."""
    state_root: bytes
    """Root of the accounts after the block."""
    transactions_root: bytes = EMPTY_ROOT
    """Root over its transactions."""
    receipts_root: bytes = EMPTY_ROOT
    """Root over their receipts."""
    bloom: bytes = bytes(_BLOOM)
    """Filter over the logs' addresses and topics."""
    number: int
    """Height; genesis is 0."""
    gas_limit: int
    """Most gas of a block."""
    gas_used: int = 0
    """Gas its transactions used."""
    timestamp_s: int
    """Block time, in Unix seconds."""
    extra_data: bytes = b""
    """Free text."""
    base_fee: int = 0
    """Wei per gas that are burned."""
    requests_hash: bytes = NO_REQUESTS
    """Hash over the requests to the consensus layer (EIP-7685)."""

    def encode(self) -> bytes:
        """Return the RLP of the header; what a devnet never uses is zero."""
        return rlp_encode(
            (
                self.parent_hash,
                EMPTY_UNCLES,
                self.coinbase,
                self.state_root,
                self.transactions_root,
                self.receipts_root,
                self.bloom,
                b"",
                integer(self.number),
                integer(self.gas_limit),
                integer(self.gas_used),
                integer(self.timestamp_s),
                self.extra_data,
                ZERO_HASH,
                _ZERO_NONCE,
                integer(self.base_fee),
                EMPTY_ROOT,
                b"",
                b"",
                ZERO_HASH,
                self.requests_hash,
            )
        )

    @staticmethod
    def decode(fields: list[bytes]) -> "Header":
        """Return the header of its decoded RLP."""
        number, gas_limit, gas_used, timestamp_s = (int.from_bytes(f, "big") for f in fields[8:12])
        return Header(
            parent_hash=fields[0],
            coinbase=fields[2],
            state_root=fields[3],
            transactions_root=fields[4],
            receipts_root=fields[5],
            bloom=fields[6],
            number=number,
            gas_limit=gas_limit,
            gas_used=gas_used,
            timestamp_s=timestamp_s,
            extra_data=fields[12],
            base_fee=int.from_bytes(fields[15], "big"),
            requests_hash=fields[20],
        )


@dataclass(frozen=True, slots=True)
class Log:
    """One event that a contract emitted."""

    address: bytes
    """The contract."""
    topics: tuple[bytes, ...]
    """Topics, 32 bytes each."""
    data: bytes
    """ABI-encoded unindexed arguments."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of one transaction."""

    type_id: int
    """EIP-2718 type of its transaction."""
    succeeded: bool
    """Whether it was executed to its end."""
    cumulative_gas: int
    """Gas used in the block up to and with it."""
    bloom: bytes
    """Filter over its logs."""
    logs: tuple[Log, ...]
    """What it emitted, in order."""

    def encode(self) -> bytes:
        """Return its encoding in the block's receipts trie."""
        payload = rlp_encode(
            (
                b"\1" if self.succeeded else b"",
                integer(self.cumulative_gas),
                self.bloom,
                [(log.address, log.topics, log.data) for log in self.logs],
            )
        )
        return payload if self.type_id == LEGACY else bytes((self.type_id,)) + payload

    @staticmethod
    def decode(encoded: bytes) -> "Receipt":
        """Return the receipt of its encoding."""
        legacy = encoded[0] > 0x7F  # noqa: PLR2004 - EIP-2718: a type is below
        fields = rlp_decode(encoded if legacy else encoded[1:])
        status, gas, bloom, logs = cast("tuple[bytes, bytes, bytes, list[Any]]", fields)
        return Receipt(
            type_id=LEGACY if legacy else encoded[0],
            succeeded=status == b"\1",
            cumulative_gas=int.from_bytes(gas, "big"),
            bloom=bloom,
            logs=tuple(Log(address, tuple(topics), data) for address, topics, data in logs),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block with its receipts."""

    hash: bytes
    """Hash of its header."""
    header: Header
    """Its header."""
    transactions: tuple[Transaction, ...]
    """What it executed, in order."""
    receipts: tuple[Receipt, ...]
    """Their outcomes, in order."""
    size: int
    """Length of its RLP, in bytes."""

    @property
    def number(self) -> int:
        """Return its height."""
        return self.header.number


def encode_block(header: Header, transactions: tuple[Transaction, ...]) -> bytes:
    """Return the RLP of a block without uncles and withdrawals."""
    # A typed transaction is a string inside a block, a legacy one the list that it is.
    listed = b"".join(t.raw if t.type_id == LEGACY else rlp_encode(t.raw) for t in transactions)
    body = header.encode() + _list_of(listed) + rlp_encode([]) + rlp_encode([])
    return _list_of(body)


def _list_of(payload: bytes) -> bytes:
    """Return the list whose items are encoded in ``payload`` already."""
    length = len(payload)
    if length <= 55:  # noqa: PLR2004 - Yellow Paper, appendix B
        return bytes((0xC0 + length,)) + payload
    size = integer(length)
    return bytes((0xF7 + len(size),)) + size + payload


def bloom_of(logs: tuple[Log, ...]) -> bytes:
    """Return the filter over addresses and topics (Yellow Paper, 4.3.1)."""
    bits = 0
    for log in logs:
        for value in (log.address, *log.topics):
            digest = keccak(value)
            for at in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & _BLOOM_BITS)
    return bits.to_bytes(_BLOOM, "big")
