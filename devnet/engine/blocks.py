"""
Describe headers, receipts and blocks, and encode them as any fork does.

A field that a fork does not have is None; fields are added at the end of the header, fork by fork,
so the first None ends it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from devnet.engine.encoding import (
    BadRlpError,
    integer,
    joined_list,
    keccak,
    rlp_decode,
    rlp_encode,
)
from devnet.engine.transactions import LEGACY, Transaction, decode
from devnet.engine.trie import EMPTY_ROOT

EMPTY_UNCLES: Final = keccak(b"\xc0")
"""Hash of no uncles."""
NO_REQUESTS: Final = bytes.fromhex(
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)
"""Hash of no requests, SHA-256 of nothing (EIP-7685)."""
ZERO_HASH: Final = bytes(32)
BLOOM_LENGTH: Final = 256

_BLOOM_BITS: Final = 0x7FF
_TYPE_ABOVE: Final = 0x7F
_STATUS_MAX: Final = 1
_HEADER_FIELDS: Final = range(15, 22)
_BLOCK_PARTS: Final = (3, 4)
_WITHDRAWAL_FIELDS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A block header of any fork."""

    parent_hash: bytes
    """Hash of the block before."""
    uncles_hash: bytes = EMPTY_UNCLES
    """Hash of the uncles' headers."""
    coinbase: bytes = bytes(20)
    """Who earns the tips."""
    state_root: bytes
    """Root of the accounts after the block."""
    transaction_root: bytes = EMPTY_ROOT
    """Root over its transactions."""
    receipt_root: bytes = EMPTY_ROOT
    """Root over their receipts."""
    bloom: bytes = bytes(BLOOM_LENGTH)
    """Filter over the logs' addresses and topics."""
    difficulty: int = 0
    """Work that it took; 0 since the merge."""
    block_number: int
    """Height; genesis is 0."""
    gas_limit: int
    """Most gas of a block."""
    gas_used: int = 0
    """Gas its transactions used."""
    timestamp: int
    """Block time, in Unix seconds."""
    extra_data: bytes = b""
    """Free text."""
    mix_hash: bytes = ZERO_HASH
    """Randomness since the merge (EIP-4399)."""
    nonce: bytes = bytes(8)
    """Proof of work, zero since the merge."""
    base_fee_per_gas: int | None = 0
    """Wei per gas that are burned (EIP-1559)."""
    withdrawals_root: bytes | None = EMPTY_ROOT
    """Root over withdrawals from the beacon chain (EIP-4895)."""
    blob_gas_used: int | None = 0
    """Blob gas of its transactions (EIP-4844)."""
    excess_blob_gas: int | None = 0
    """Blob gas above target so far (EIP-4844)."""
    parent_beacon_block_root: bytes | None = ZERO_HASH
    """Root of the beacon chain's parent block (EIP-4788)."""
    requests_hash: bytes | None = NO_REQUESTS
    """Hash over the requests to the consensus layer (EIP-7685)."""

    @property
    def hash(self) -> bytes:
        """Return the hash of the header."""
        return keccak(self.encode())

    def encode(self) -> bytes:
        """Return the RLP of the header."""
        fields: list[bytes] = [
            self.parent_hash,
            self.uncles_hash,
            self.coinbase,
            self.state_root,
            self.transaction_root,
            self.receipt_root,
            self.bloom,
            integer(self.difficulty),
            integer(self.block_number),
            integer(self.gas_limit),
            integer(self.gas_used),
            integer(self.timestamp),
            self.extra_data,
            self.mix_hash,
            self.nonce,
        ]
        later = (
            self.base_fee_per_gas,
            self.withdrawals_root,
            self.blob_gas_used,
            self.excess_blob_gas,
            self.parent_beacon_block_root,
            self.requests_hash,
        )
        for field in later:
            if field is None:
                break
            fields.append(field if isinstance(field, bytes) else integer(field))
        return rlp_encode(fields)

    @staticmethod
    def decode(fields: list[bytes]) -> "Header":
        """
        Return the header of its decoded RLP.

        Raises
        ------
        BadRlpError
            If no fork has a header of so many fields.
        """
        if len(fields) not in _HEADER_FIELDS or not all(isinstance(one, bytes) for one in fields):
            raise BadRlpError("wrong fields of types.Header")
        later = [*fields[15:], *[None] * (6 - len(fields[15:]))]
        return Header(
            parent_hash=fields[0],
            uncles_hash=fields[1],
            coinbase=fields[2],
            state_root=fields[3],
            transaction_root=fields[4],
            receipt_root=fields[5],
            bloom=fields[6],
            difficulty=_number(fields[7]),
            block_number=_number(fields[8]),
            gas_limit=_number(fields[9]),
            gas_used=_number(fields[10]),
            timestamp=_number(fields[11]),
            extra_data=fields[12],
            mix_hash=fields[13],
            nonce=fields[14],
            base_fee_per_gas=_maybe_number(later[0]),
            withdrawals_root=later[1],
            blob_gas_used=_maybe_number(later[2]),
            excess_blob_gas=_maybe_number(later[3]),
            parent_beacon_block_root=later[4],
            requests_hash=later[5],
        )


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Coins that came from the beacon chain (EIP-4895)."""

    index: int
    """Running number."""
    validator_index: int
    """Whose stake it was."""
    address: bytes
    """Who gets it."""
    amount: int
    """How much, in gwei."""

    def encode(self) -> bytes:
        """Return its RLP."""
        numbers = (self.index, self.validator_index, self.amount)
        index, validator, amount = (integer(number) for number in numbers)
        return rlp_encode((index, validator, self.address, amount))


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
    status: int | None
    """1 if it was executed to its end; None before Byzantium."""
    state_root: bytes | None
    """Root after it, before Byzantium; None since."""
    cumulative_gas_used: int
    """Gas used in the block up to and with it."""
    bloom: bytes
    """Filter over its logs."""
    logs: tuple[Log, ...]
    """What it emitted, in order."""

    def encode(self) -> bytes:
        """Return its encoding in the block's receipts trie."""
        outcome = self.state_root if self.state_root is not None else integer(self.status or 0)
        payload = rlp_encode(
            (
                outcome,
                integer(self.cumulative_gas_used),
                self.bloom,
                [(log.address, log.topics, log.data) for log in self.logs],
            )
        )
        return payload if self.type_id == LEGACY else bytes((self.type_id,)) + payload

    @staticmethod
    def decode(encoded: bytes) -> "Receipt":
        """Return the receipt of its encoding."""
        legacy = encoded[0] > _TYPE_ABOVE
        fields = rlp_decode(encoded if legacy else encoded[1:])
        outcome, gas, bloom, logs = cast("tuple[bytes, bytes, bytes, list[Any]]", fields)
        has_status = len(outcome) <= _STATUS_MAX
        return Receipt(
            type_id=LEGACY if legacy else encoded[0],
            status=_number(outcome) if has_status else None,
            state_root=None if has_status else outcome,
            cumulative_gas_used=_number(gas),
            bloom=bloom,
            logs=tuple(Log(address, tuple(topics), data) for address, topics, data in logs),
        )


@dataclass(frozen=True, slots=True)
class Block:
    """A sealed block."""

    hash: bytes
    """Hash of its header."""
    header: Header
    """Its header."""
    transactions: tuple[Transaction, ...]
    """What it executed, in order."""
    uncles: tuple[Header, ...]
    """Headers of uncles; none since the merge."""
    withdrawals: tuple[Withdrawal, ...] | None
    """Coins from the beacon chain; None before Shanghai."""
    raw: bytes
    """Its RLP."""

    @property
    def number(self) -> int:
        """Return its height."""
        return self.header.block_number

    @property
    def size(self) -> int:
        """Return the length of its RLP, in bytes."""
        return len(self.raw)


def encode_block(
    header: bytes,
    transactions: tuple[Transaction, ...],
    uncles: tuple[Header, ...] = (),
    withdrawals: tuple[Withdrawal, ...] | None = (),
) -> bytes:
    """Return the RLP of a block from its header's; no withdrawals (None) as before Shanghai."""
    # A typed transaction is a string inside a block, a legacy one the list that it is.
    listed = [t.raw if t.type_id == LEGACY else rlp_encode(t.raw) for t in transactions]
    parts = [
        header,
        joined_list(listed),
        joined_list([uncle.encode() for uncle in uncles]),
    ]
    if withdrawals is not None:
        parts.append(joined_list([one.encode() for one in withdrawals]))
    return joined_list(parts)


def decode_block(raw: bytes, senders: Mapping[int, bytes] | None = None) -> Block:
    """
    Return the block that ``raw`` encodes.

    Parameters
    ----------
    senders
        By place in the block: senders that are known, so that nothing is recovered.

    Raises
    ------
    BadRlpError
        If it is none.
    UndecodableTransactionError, UnrecoverableSenderError
        If it holds what is no transaction.
    """
    parts = rlp_decode(raw)
    if not isinstance(parts, list) or not all(isinstance(part, list) for part in parts):
        raise BadRlpError("expected input list for types.Block")
    if len(parts) not in _BLOCK_PARTS:
        raise BadRlpError("wrong fields of types.Block")
    header, transactions, uncles, *rest = cast("list[list[Any]]", parts)
    known = senders or {}
    return Block(
        hash=keccak(rlp_encode(header)),
        header=Header.decode(header),
        transactions=tuple(
            decode(one if isinstance(one, bytes) else rlp_encode(one), known.get(index))
            for index, one in enumerate(transactions)
        ),
        uncles=tuple(Header.decode(one) for one in uncles),
        withdrawals=tuple(_withdrawal(one) for one in rest[0]) if rest else None,
        raw=raw,
    )


def bloom_of(logs: tuple[Log, ...]) -> bytes:
    """Return the filter over addresses and topics (Yellow Paper, 4.3.1)."""
    if not logs:
        return bytes(BLOOM_LENGTH)
    bits = 0
    for log in logs:
        for value in (log.address, *log.topics):
            bits |= _bits_of(value)
    return bits.to_bytes(BLOOM_LENGTH, "big")


def _bits_of(value: bytes) -> int:
    digest = keccak(value)
    bits = 0
    for at in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[at : at + 2], "big") & _BLOOM_BITS)
    return bits


def _withdrawal(fields: list[bytes]) -> Withdrawal:
    if len(fields) != _WITHDRAWAL_FIELDS or not all(isinstance(one, bytes) for one in fields):
        raise BadRlpError("wrong fields of types.Withdrawal")
    index, validator, address, amount = fields
    return Withdrawal(_number(index), _number(validator), address, _number(amount))


def _number(field: bytes) -> int:
    return int.from_bytes(field, "big")


def _maybe_number(field: bytes | None) -> int | None:
    return None if field is None else int.from_bytes(field, "big")
