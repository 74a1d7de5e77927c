"""Prove what the log holds: Merkle trees of RFC 9162 over SHA-256, signed checkpoints."""

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.errors import Integrity
from ledger.units import UnixSeconds

EMPTY_ROOT: Final = hashlib.sha256(b"").digest()
_KEY_ID: Final = 4
_ED25519: Final = b"\x01"
_CHECKPOINT_LINES: Final = 4


class BadLogProofError(Integrity):
    """A proof that does not hold."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_log_proof", detail)


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node (RFC 9162, 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Frontier:
    """The right edge of a growing tree: enough to append and to know the root."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = ()) -> None:
        self.size = size
        self.peaks = list(peaks)

    def append(self, leaf: bytes) -> None:
        """Append a leaf's hash."""
        node, size = leaf, self.size
        while size & 1:
            node = node_hash(self.peaks.pop(), node)
            size >>= 1
        self.peaks.append(node)
        self.size += 1

    def root(self) -> bytes:
        """Return the root over all leaves so far."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(hashes: Sequence[bytes]) -> bytes:
    """Return the root over leaf hashes (RFC 9162, 2.1.1)."""
    frontier = Frontier()
    for one in hashes:
        frontier.append(one)
    return frontier.root()


def inclusion_proof(hashes: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """Return the proof that leaf ``index`` is under the root (RFC 9162, 2.1.3.1)."""
    if len(hashes) <= 1:
        return ()
    split = _split(len(hashes))
    if index < split:
        return (*inclusion_proof(hashes[:split], index), root_of(hashes[split:]))
    return (*inclusion_proof(hashes[split:], index - split), root_of(hashes[:split]))


def consistency_proof(hashes: Sequence[bytes], old_size: int) -> tuple[bytes, ...]:
    """Return the proof that the tree of ``old_size`` is a prefix (RFC 9162, 2.1.4.1)."""
    return _subproof(hashes, old_size, complete=True) if 0 < old_size < len(hashes) else ()


def check_inclusion(
    root: bytes, size: int, index: int, leaf: bytes, proof: Sequence[bytes]
) -> None:
    """
    Check an inclusion proof (RFC 9162, 2.1.3.2).

    Raises
    ------
    BadLogProofError
        If it does not lead from ``leaf`` to ``root``.
    """
    if not 0 <= index < size:
        raise BadLogProofError(f"leaf {index} of a tree of {size}")
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

    Raises
    ------
    BadLogProofError
        If it does not.
    """
    (old_size, old_root), (new_size, new_root) = old, new
    if old_size in {0, new_size}:
        _check_trivial(old, new, proof)
        return
    if old_size > new_size or not proof:
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
    forged = old[0] == 0 and old[1] != EMPTY_ROOT
    if proof or forged or (old[0] == new[0] and old[1] != new[1]):
        raise BadLogProofError("equal sizes with different roots, or a proof of nothing")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What the log said of itself at an instant."""

    origin: str
    """Name of the log."""
    size: int
    """Entries."""
    root: bytes
    """Root over them, 32 bytes."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""

    def text(self) -> str:
        """Return the note's text (C2SP tlog-checkpoint), the instant as an extension line."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n{self.at_s}\n"


def sign_checkpoint(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a signed note (C2SP signed-note, Ed25519)."""
    text = checkpoint.text()
    signature = _key_id(name, key.public_key()) + key.sign(text.encode())
    return f"{text}\n— {name} {base64.b64encode(signature).decode()}\n"


def open_checkpoint(note: str, name: str, key: Ed25519PublicKey) -> Checkpoint:
    """
    Return the checkpoint of a signed note.

    Raises
    ------
    BadLogProofError
        If the key did not sign it, or it is no checkpoint.
    """
    text, _, signatures = note.partition("\n\n")
    marker = f"— {name} "
    encoded = [line[len(marker) :] for line in signatures.split("\n") if line.startswith(marker)]
    if not encoded:
        raise BadLogProofError(f"the note carries no signature of {name}")
    try:
        signed = base64.b64decode(encoded[0], validate=True)
        key.verify(signed[_KEY_ID:], f"{text}\n".encode())
    except (ValueError, InvalidSignature) as fault:
        raise BadLogProofError(f"the note is not signed by {name}") from fault
    if signed[:_KEY_ID] != _key_id(name, key):
        raise BadLogProofError("the note is no checkpoint of this key")
    return _read_checkpoint(text)


def _read_checkpoint(text: str) -> Checkpoint:
    lines = text.split("\n")
    if len(lines) != _CHECKPOINT_LINES:
        raise BadLogProofError("the note is no checkpoint")
    try:
        size, at_s = int(lines[1]), UnixSeconds(int(lines[3]))
        root = base64.b64decode(lines[2], validate=True)
    except ValueError as fault:
        raise BadLogProofError("the note is no checkpoint") from fault
    if size < 0 or len(root) != len(EMPTY_ROOT):
        raise BadLogProofError("the note is no checkpoint")
    return Checkpoint(lines[0], size, root, at_s)


def _key_id(name: str, key: Ed25519PublicKey) -> bytes:
    raw = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + raw).digest()[:_KEY_ID]


def _split(size: int) -> int:
    """Return the largest power of two below ``size``."""
    return 1 << (size - 1).bit_length() - 1


def _subproof(hashes: Sequence[bytes], old_size: int, *, complete: bool) -> tuple[bytes, ...]:
    if old_size == len(hashes):
        return () if complete else (root_of(hashes),)
    split = _split(len(hashes))
    if old_size <= split:
        left = _subproof(hashes[:split], old_size, complete=complete)
        return (*left, root_of(hashes[split:]))
    right = _subproof(hashes[split:], old_size - split, complete=False)
    return (*right, root_of(hashes[:split]))
