"""Forge proofs, notes and submissions: one honest thing in, one that differs out, by chance."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ledger.proofs import HASH_BYTES
from scripts.campaigns.honest_log import HonestLog

Head = tuple[int, bytes]
"""Size and root of a tree."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The claim that a leaf is at a place of a tree."""

    head: Head
    """The tree, out of a signed checkpoint."""
    index: int
    """The place, from 0."""
    leaf: bytes
    """The leaf's hash."""
    proof: tuple[bytes, ...]
    """The path."""


@dataclass(frozen=True, slots=True)
class Consistency:
    """The claim that a tree holds an older one whole."""

    old: Head
    """The older tree, out of a signed checkpoint."""
    new: Head
    """The newer tree, out of a signed checkpoint."""
    proof: tuple[bytes, ...]
    """The proof."""


class Forger:
    """Makes forgeries of an honest log; the same seed makes the same ones."""

    def __init__(self, log: HonestLog, rng: random.Random) -> None:
        self._log: Final = log
        self._rng: Final = rng

    def inclusion(self) -> tuple[str, Inclusion]:
        """Return the name of a forgery, and a claim that was changed in that way."""
        size = self._rng.choice(self._log.sizes)
        index = self._rng.randrange(size)
        honest = Inclusion(
            self._log.head(size),
            index,
            self._log.leaves[index],
            self._log.inclusion_proof(size, index),
        )
        ways: tuple[tuple[str, Callable[[], Inclusion]], ...] = (
            ("hash", lambda: replace(honest, proof=self._forged(honest.proof))),
            ("leaf", lambda: replace(honest, leaf=self._flipped(honest.leaf))),
            ("other leaf", lambda: replace(honest, leaf=self._rng.choice(self._log.leaves))),
            ("root", lambda: replace(honest, head=(size, self._flipped(honest.head[1])))),
            ("index", lambda: replace(honest, index=self._other(index))),
            ("checkpoint", lambda: replace(honest, head=self._some_head())),
            ("other proof", lambda: replace(honest, proof=self._some_proof(size))),
            ("moved bytes", lambda: self._moved(honest)),
        )
        name, way = self._rng.choice(ways)
        return name, way()

    def consistency(self) -> tuple[str, Consistency]:
        """Return the name of a forgery, and a claim that was changed in that way."""
        old, new = sorted(self._rng.choices(self._log.sizes, k=2))
        proof = self._log.consistency_proof(new, old)
        honest = Consistency(self._log.head(old), self._log.head(new), proof)
        ways: tuple[tuple[str, Callable[[], Consistency]], ...] = (
            ("hash", lambda: replace(honest, proof=self._forged(proof))),
            ("old root", lambda: replace(honest, old=(old, self._flipped(honest.old[1])))),
            ("new root", lambda: replace(honest, new=(new, self._flipped(honest.new[1])))),
            ("old checkpoint", lambda: replace(honest, old=self._some_head())),
            ("new checkpoint", lambda: replace(honest, new=self._some_head())),
            ("turned round", lambda: replace(honest, old=honest.new, new=honest.old)),
            ("other proof", lambda: replace(honest, proof=self._some_consistency(new))),
        )
        name, way = self._rng.choice(ways)
        return name, way()

    def note(self) -> tuple[str, bytes]:
        """Return the name of a forgery, and a cosigned checkpoint changed in that way."""
        first, second = (self._rng.choice(self._log.notes) for _ in range(2))
        ways: tuple[tuple[str, Callable[[], bytes]], ...] = (
            *self._in_bytes(first),
            ("other text", lambda: second.partition(b"\n\n")[0] + first[first.index(b"\n\n") :]),
            ("lines", lambda: self._shuffled_lines(first)),
            ("other cosignature", lambda: b"\n".join([*first.split(b"\n")[:-2], _last(second)])),
            ("size", lambda: self._other_size(first)),
        )
        name, way = self._rng.choice(ways)
        return name, way()

    def submission(self) -> tuple[str, int, bytes]:
        """Return the name of a forgery, the size a witness holds, and a body changed so."""
        held_size, honest = self._rng.choice(self._log.submissions)
        other = self._rng.choice(self._log.submissions)[1]
        ways: tuple[tuple[str, Callable[[], bytes]], ...] = (
            *self._in_bytes(honest),
            ("other note", lambda: _proof_of(honest) + other[len(_proof_of(other)) :]),
            ("other proof", lambda: _proof_of(other) + honest[len(_proof_of(honest)) :]),
            ("lines", lambda: self._shuffled_lines(honest)),
            ("line dropped", lambda: self._dropped_line(honest)),
        )
        name, way = self._rng.choice(ways)
        return name, held_size, way()

    def _in_bytes(self, raw: bytes) -> tuple[tuple[str, Callable[[], bytes]], ...]:
        at, to = self._rng.randrange(len(raw)), self._rng.randrange(len(raw))
        return (
            ("bit", lambda: self._flipped(raw)),
            ("byte dropped", lambda: raw[:at] + raw[at + 1 :]),
            ("byte added", lambda: raw[:at] + self._rng.randbytes(1) + raw[at:]),
            ("bytes swapped", lambda: _swapped(raw, at, to)),
            ("cut", lambda: raw[:at]),
            ("doubled", lambda: raw + raw[at:]),
        )

    def _forged(self, proof: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Change the hashes of a proof: flip, drop, add, swap, turn round, shorten, repeat."""
        at = self._rng.randrange(len(proof) + 1)
        added = (*proof[:at], self._rng.randbytes(HASH_BYTES), *proof[at:])
        if at == len(proof):
            return added
        to = self._rng.randrange(len(proof))
        swapped = list(proof)
        swapped[at], swapped[to] = swapped[to], swapped[at]
        return self._rng.choice(
            (
                added,
                (*proof[:at], self._flipped(proof[at]), *proof[at + 1 :]),
                (*proof[:at], *proof[at + 1 :]),
                (*proof[:at], proof[at], *proof[at:]),
                (*proof[:at], proof[at][:-1], *proof[at + 1 :]),
                (*proof[:at], bytes(HASH_BYTES), *proof[at + 1 :]),
                tuple(swapped),
                proof[::-1],
                proof[:at],
                (),
            )
        )

    def _moved(self, honest: Inclusion) -> Inclusion:
        """Move bytes from the leaf to its sibling: joined, they are what they were."""
        if not honest.proof:
            return replace(honest, leaf=honest.leaf[:-1])
        joined, at = honest.leaf + honest.proof[0], self._rng.randrange(2 * HASH_BYTES)
        return replace(honest, leaf=joined[:at], proof=(joined[at:], *honest.proof[1:]))

    def _flipped(self, raw: bytes) -> bytes:
        at = self._rng.randrange(len(raw))
        return raw[:at] + bytes([raw[at] ^ 1 << self._rng.randrange(8)]) + raw[at + 1 :]

    def _other(self, index: int) -> int:
        """Return a place near or far, inside the tree or outside."""
        far = self._rng.randrange(-1, len(self._log.leaves) + 1)
        return self._rng.choice((index + 1, index - 1, index ^ 1, index << 1, index >> 1, far))

    def _some_head(self) -> Head:
        return self._log.head(self._rng.choice(self._log.sizes))

    def _some_proof(self, size: int) -> tuple[bytes, ...]:
        return self._log.inclusion_proof(size, self._rng.randrange(size))

    def _some_consistency(self, size: int) -> tuple[bytes, ...]:
        older = [one for one in self._log.sizes if one <= size]
        return self._log.consistency_proof(size, self._rng.choice(older))

    def _shuffled_lines(self, raw: bytes) -> bytes:
        lines: list[bytes] = raw.split(b"\n")
        at, to = (self._rng.randrange(len(lines)) for _ in range(2))
        lines[at], lines[to] = lines[to], lines[at]
        return b"\n".join(lines)

    def _dropped_line(self, raw: bytes) -> bytes:
        lines = raw.split(b"\n")
        del lines[self._rng.randrange(len(lines))]
        return b"\n".join(lines)

    def _other_size(self, raw: bytes) -> bytes:
        """State another size, a near one above all: a proof alone could not tell it apart."""
        origin, size, *rest = raw.split(b"\n")
        near = int(size) + self._rng.choice((-1, 1, int(size)))
        return b"\n".join((origin, str(near).encode(), *rest))


def _last(note: bytes) -> bytes:
    """Return the last line of a note and its newline."""
    lines: Sequence[bytes] = note.split(b"\n")
    return lines[-2] + b"\n"


def _proof_of(body: bytes) -> bytes:
    """Return what of a submission stands before the checkpoint."""
    return body[: body.index(b"\n\n")]


def _swapped(raw: bytes, at: int, to: int) -> bytes:
    altered = bytearray(raw)
    altered[at], altered[to] = raw[to], raw[at]
    return bytes(altered)
