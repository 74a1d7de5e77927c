"""Prove a run's leaves, all of them in one pass over its tree."""

from collections.abc import Iterator
from dataclasses import dataclass

from settlement.engine.batch.running import BatchRun
from settlement.trading.tree import Leaf, merkle_proofs


@dataclass(frozen=True, slots=True)
class Proven:
    """A leaf with the way from it to the root of its run."""

    leaf: Leaf
    """What the run says of one account."""
    hash: bytes
    """The leaf, hashed."""
    siblings: tuple[bytes, ...]
    """Siblings from the leaf up."""


def proofs(run: BatchRun) -> Iterator[Proven]:
    """Yield every leaf of a run with its proof."""
    leaves = run.settlement.leaves
    hashes = [leaf.hash() for leaf in leaves]
    for leaf, digest, siblings in zip(leaves, hashes, merkle_proofs(hashes), strict=True):
        yield Proven(leaf, digest, siblings)
