"""Commit to a run: one leaf for each account, trades below their seller's leaf (decision 0003)."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from contracts.typed_data import keccak
from ledger.errors import Integrity

EMPTY: Final = bytes(32)
_WORD: Final = 32
ESTIMATED: Final = keccak(b"estimated")


class BadProofError(Integrity):
    """A proof that does not lead to the root."""

    def __init__(self) -> None:
        super().__init__("bad_proof", "the proof does not lead to the root")


@dataclass(frozen=True, slots=True)
class Leaf:
    """What a run says of one account."""

    run: int
    """Number of the run."""
    interval: int
    """Interval."""
    account: str
    """Wallet, lower case."""
    net_micros: int
    """The account's delta, in micros."""
    wh_in: int
    """Bought from neighbours, in Wh."""
    wh_out: int
    """Sold to neighbours, in Wh."""
    order_hash: bytes
    """Struct hash of the mandate in force, or zero."""
    readings_hash: bytes
    """Hash of the readings' digests, of ``estimated``, or zero."""
    trades_root: bytes
    """Root over the account's sales, or zero."""
    salt: bytes
    """32 bytes, since the rest can be guessed."""

    def hash(self) -> bytes:
        """Return the leaf, hashed twice so that no node can pass for it."""
        words = (
            _uint(self.run),
            _uint(self.interval),
            bytes.fromhex(self.account[2:]).rjust(_WORD, b"\0"),
            self.net_micros.to_bytes(_WORD, "big", signed=True),
            _uint(self.wh_in),
            _uint(self.wh_out),
            self.order_hash,
            self.readings_hash,
            self.trades_root,
            self.salt,
        )
        return keccak(keccak(b"".join(words)))


def trade_leaf(
    seller: str,
    buyer: str,
    energy_wh: int,
    price_micros_per_kwh: int,
    amount_micros: int,
    salt: bytes,
) -> bytes:
    """Return the leaf of one sale; amounts and prices may be negative."""
    words = (
        bytes.fromhex(seller[2:]).rjust(_WORD, b"\0"),
        bytes.fromhex(buyer[2:]).rjust(_WORD, b"\0"),
        _uint(energy_wh),
        price_micros_per_kwh.to_bytes(_WORD, "big", signed=True),
        amount_micros.to_bytes(_WORD, "big", signed=True),
        salt,
    )
    return keccak(keccak(b"".join(words)))


def readings_hash(digests: Sequence[bytes], *, estimated: bool) -> bytes:
    """Return the hash of the readings used, in their order, or of ``estimated``, or zero."""
    if estimated:
        return ESTIMATED
    return keccak(b"".join(digests)) if digests else EMPTY


def salt_of(key: bytes, run: int, *accounts: str) -> bytes:
    """Return the salt of a leaf: HMAC-SHA-256 over run and accounts."""
    subject = run.to_bytes(8) + b"".join(bytes.fromhex(account[2:]) for account in accounts)
    return hmac.digest(key, subject, hashlib.sha256)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root; of one leaf itself, of none 32 zero bytes."""
    level = list(leaves)
    if not level:
        return EMPTY
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the siblings from leaf ``index`` up to the root."""
    proof = []
    level = list(leaves)
    while len(level) > 1:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        level = _next_level(level)
        index >>= 1
    return tuple(proof)


def merkle_proofs(leaves: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
    """Return the proof of every leaf; the tree is hashed once for all of them."""
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        levels.append(_next_level(levels[-1]))
    found = []
    for index in range(len(leaves)):
        proof = []
        for height, level in enumerate(levels):
            sibling = (index >> height) ^ 1
            if sibling < len(level):
                proof.append(level[sibling])
        found.append(tuple(proof))
    return tuple(found)


def check_proof(root: bytes, leaf: bytes, proof: Sequence[bytes]) -> None:
    """
    Check that ``leaf`` is under ``root`` (OpenZeppelin ``MerkleProof``).

    Raises
    ------
    BadProofError
        If the proof leads elsewhere.
    """
    node = leaf
    for sibling in proof:
        node = _node(node, sibling)
    if node != root:
        raise BadProofError


def _next_level(level: list[bytes]) -> list[bytes]:
    pairs = [_node(level[i], level[i + 1]) for i in range(0, len(level) - 1, 2)]
    return pairs + level[len(pairs) * 2 :]


def _node(one: bytes, other: bytes) -> bytes:
    return keccak(min(one, other) + max(one, other))


def _uint(value: int) -> bytes:
    return value.to_bytes(_WORD)
