"""What proves an account and its slots to somebody who knows a state root alone (EIP-1186)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SlotProof:
    """A slot with its proof."""

    slot: int
    """Number of the slot."""
    value: int
    """What it holds; 0 if nothing."""
    proof: tuple[bytes, ...]
    """Nodes of the storage trie from its root on, in RLP."""


@dataclass(frozen=True, slots=True)
class Proof:
    """An account with its proof."""

    address: bytes
    """The account, 20 bytes."""
    nonce: int
    """How many transactions it sent, or contracts it made."""
    balance: int
    """Its coins, in wei."""
    code_hash: bytes
    """Hash of its code."""
    storage_root: bytes
    """Root of its storage."""
    account_proof: tuple[bytes, ...]
    """Nodes of the state trie from its root on, in RLP."""
    storage: tuple[SlotProof, ...]
    """The slots asked for, in the order they were asked."""
