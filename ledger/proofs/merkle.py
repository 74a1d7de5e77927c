"""Merkle trees of RFC 9162 over SHA-256: roots, proofs from all leaf hashes, and their checks."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final

from ledger.errors import Integrity

HASH_BYTES: Final = 32
EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
"""Root of the tree without leaves (RFC 9162, 2.1.1)."""
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"
Range = tuple[int, int]
"""Leaves ``[start, end)`` under one node."""


class BadLogProofError(Integrity):
    """A proof that does not hold."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_log_proof", detail)


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(_LEAF + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node (RFC 9162, 2.1.1)."""
    return hashlib.sha256(_NODE + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append and to know the root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        """Leaves."""
        self.peaks = list(peaks)
        """Roots of the complete trees that it is made of, the largest first, 32 bytes each."""

    def append(self, leaf: bytes) -> None:
        """Append a leaf's hash."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.peaks.pop(), node)
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def extend(self, leaves: Iterable[bytes]) -> None:
        """Append the hashes of many leaves, level by level, which is several times faster."""
        nodes, waiting, edge = list(leaves), self.size, []
        self.size += len(nodes)
        while nodes:
            if waiting & 1:
                nodes.insert(0, self.peaks.pop())
            if len(nodes) & 1:
                edge.append(nodes.pop())
            nodes = _parents(nodes)
            waiting >>= 1
        self.peaks += reversed(edge)

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        return fold(self.peaks)


def fold(peaks: Sequence[bytes]) -> bytes:
    """Return the root over adjoining complete trees, the largest first, given their roots."""
    if not peaks:
        return EMPTY_ROOT
    root = peaks[-1]
    for peak in reversed(peaks[:-1]):
        root = node_hash(peak, root)
    return root


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (RFC 9162, 2.1.1); a million take half a second."""
    level = list(hashes)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        # The last of an odd number goes up alone: its sibling is the tree that does not exist.
        alone = [level[-1]] if len(level) & 1 else []
        level = _parents(level) + alone
    return level[0]


def _parents(nodes: Sequence[bytes]) -> list[bytes]:
    """Return the nodes above pairs of nodes; the last of an odd number is left out."""
    sha256, one_by_one = hashlib.sha256, iter(nodes)
    pairs = zip(one_by_one, one_by_one, strict=False)
    return [sha256(b"\x01" + left + right).digest() for left, right in pairs]


def inclusion_ranges(size: int, index: int) -> tuple[Range, ...]:
    """Return what the nodes of an inclusion proof stand over, in order (RFC 9162, 2.1.3.1)."""
    start, end, ranges = 0, size, list[Range]()
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return tuple(reversed(ranges))


def consistency_ranges(old_size: int, size: int) -> tuple[Range, ...]:
    """Return what the nodes of a consistency proof stand over, in order (RFC 9162, 2.1.4.1)."""
    if not 0 < old_size < size:
        return ()
    start, end, ranges = 0, size, list[Range]()
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        # The old tree's last part is no complete tree of its own, so its root must be given.
        ranges.append((start, end))
    return tuple(reversed(ranges))


def inclusion_proof(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the proof that leaf ``index`` is under the root (RFC 9162, 2.1.3.1)."""
    ranges = inclusion_ranges(len(hashes), index)
    return tuple(root_of(hashes[start:end]) for start, end in ranges)


def consistency_proof(hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``old_size`` is a prefix (RFC 9162, 2.1.4.1)."""
    ranges = consistency_ranges(old_size, len(hashes))
    return tuple(root_of(hashes[start:end]) for start, end in ranges)


def check_inclusion(
    root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]
) -> None:
    """
    Check an inclusion proof (RFC 9162, 2.1.3.2).

    A proof binds ``leaf`` and ``index`` to ``root``. It cannot bind ``size``: trees of other sizes
    may have the same path. Take size and root from one signed checkpoint.

    Raises
    ------
    BadLogProofError
        If it does not lead from ``leaf`` to ``root``.
    """
    if not 0 <= index < size:
        raise BadLogProofError(f"leaf {index} of a tree of {size}")
    _check_lengths((root, leaf, *proof))
    fn, sn, node = index, size - 1, leaf
    for sibling in proof:
        if sn == 0:
            raise BadLogProofError("the proof is too long")
        if fn & 1 or fn == sn:
            node = node_hash(sibling, node)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            node = node_hash(node, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or node != root:
        raise BadLogProofError("the proof does not lead to the root")


def check_consistency(
    old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]
) -> None:
    """
    Check that the ``new`` (size, root) extends the ``old`` one (RFC 9162, 2.1.4.2).

    Take each size with its root from one signed checkpoint, as for an inclusion proof.

    Raises
    ------
    BadLogProofError
        If it does not.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    _check_lengths((old_root, new_root, *proof))
    if old_size in {0, new_size}:
        _check_trivial(old, new, proof)
        return
    if not 0 < old_size < new_size or not proof:
        raise BadLogProofError("a log that shrank, or no proof")
    path = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    fn, sn = old_size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    older = newer = path[0]
    for sibling in path[1:]:
        if sn == 0:
            raise BadLogProofError("the proof is too long")
        if fn & 1 or fn == sn:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            newer = node_hash(newer, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn != 0 or older != old_root or newer != new_root:
        raise BadLogProofError("the new tree does not extend the old one")


def _check_trivial(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> None:
    """Check a pair of which the older is empty or of the same size: nothing is to be proven."""
    forged = any(size == 0 and root != EMPTY_ROOT for size, root in (old, new))
    shrank = old[0] > new[0]
    if proof or forged or shrank or (old[0] == new[0] and old[1] != new[1]):
        raise BadLogProofError("equal sizes with different roots, or a proof of nothing")


def _check_lengths(hashes: Sequence[bytes]) -> None:
    """Refuse what is no hash: bytes moved from one to the next would give the same node."""
    if any(len(one) != HASH_BYTES for one in hashes):
        raise BadLogProofError("a hash that is not of 32 bytes")


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1
