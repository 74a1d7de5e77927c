"""A log that is what it says: leaves, tiles, checkpoints, proofs, cosignatures, to be forged."""

import hashlib
import random
from functools import lru_cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.proofs import (
    TILE_WIDTH,
    Checkpoint,
    Note,
    NoteKey,
    TileBuilder,
    TiledTree,
    cosign,
    parse_note,
    sign_checkpoint,
)
from ledger.proofs.witness import Held, Submission, Witness
from ledger.units import UnixSeconds

ORIGIN: Final = "voisin/campaign"
AT_S: Final = UnixSeconds(1_557_100_800)
_NAME: Final = "witness.example/campaign"
_SMALL: Final = 70
_KEY_BYTES: Final = 32
_SIZES, _SPECIMENS = 200, 400
_PROOFS_KEPT: Final = 4_096


class HonestLog:
    """A log of ``count`` leaves with checkpoints at many sizes; the same seed gives the same."""

    def __init__(self, count: int, rng: random.Random) -> None:
        self.leaves: Final = [hashlib.sha256(rng.randbytes(8)).digest() for _ in range(count)]
        """Leaf hashes."""
        self._nodes = {(0, n): leaf for n, leaf in enumerate(self.leaves)}
        for one in TileBuilder().extend(self.leaves):
            self._nodes[one.level, one.index] = one.hash
        edges = {n + d for n in (256, 512, 1_024, 65_536, count) for d in (-1, 0, 1)}
        chosen = {*range(1, _SMALL + 1), *edges, *rng.choices(range(1, count + 1), k=_SIZES)}
        self.sizes: Final = sorted(one for one in chosen if 0 < one <= count)
        """Sizes at which there is a checkpoint."""
        self._roots = {size: self._tree(size).root() for size in self.sizes}
        self._key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(_KEY_BYTES))
        witness_key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(_KEY_BYTES))
        self.key: Final = NoteKey(ORIGIN, self._key.public_key())
        """Key of its checkpoints."""
        self.witness: Final = Witness(_NAME, witness_key, {ORIGIN: (self.key,)})
        """Its witness."""
        self.inclusion_proof = lru_cache(_PROOFS_KEPT)(self._inclusion_proof)
        """Gives the proof of (size, index)."""
        self.consistency_proof = lru_cache(_PROOFS_KEPT)(self._consistency_proof)
        """Gives the proof of (new size, old size)."""
        signed = rng.choices(self.sizes, k=_SPECIMENS)
        self.notes: Final = [self._cosigned(size).encoded().encode() for size in signed]
        """Checkpoints with the log's signature and the witness's."""
        self.submissions: Final = [self._submission(rng) for _ in range(_SPECIMENS)]
        """What the witness is sent: the size that it holds, and the body."""

    def head(self, size: int) -> tuple[int, bytes]:
        """Return size and root of a checkpoint."""
        return size, self._roots[size]

    def held(self, size: int) -> Held:
        """Return what a witness holds that cosigned the checkpoint of ``size``; 0 for none."""
        return Held(size, self._roots[size]) if size else Held()

    def _tree(self, size: int) -> TiledTree:
        return TiledTree(size, self._read_tile)

    def _read_tile(self, level: int, index: int, width: int) -> bytes:
        first = index * TILE_WIDTH
        return b"".join(self._nodes[level, n] for n in range(first, first + width))

    def _inclusion_proof(self, size: int, index: int) -> tuple[bytes, ...]:
        return self._tree(size).inclusion_proof(index)

    def _consistency_proof(self, size: int, old_size: int) -> tuple[bytes, ...]:
        return self._tree(size).consistency_proof(old_size)

    def _signed(self, size: int) -> Note:
        made = Checkpoint(ORIGIN, size, self._roots[size], UnixSeconds(AT_S + size))
        return parse_note(sign_checkpoint(made, ORIGIN, self._key).encode())

    def _cosigned(self, size: int) -> Note:
        note, witness = self._signed(size), self.witness
        line = cosign(note.text, witness.name, witness.key, at_s=AT_S)
        return Note(note.text, (*note.signatures, line))

    def _submission(self, rng: random.Random) -> tuple[int, bytes]:
        old, new = sorted(rng.choices([0, *self.sizes], k=2))
        new = new or 1
        proof = self._consistency_proof(new, old)
        return old, Submission(old, proof, self._signed(new)).encoded()
