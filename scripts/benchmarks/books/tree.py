"""Measure the log's mathematics: the root over a million leaves, and checking proofs."""

import hashlib
from collections.abc import Sequence
from typing import Final

from ledger.proofs import check_inclusion, inclusion_proof, root_of
from scripts.benchmarks.measuring import NS_PER_S, each, in_turn, medians_ns, per_second
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense

LEAVES: Final = 1_000_000
_PROOFS: Final = 200
_CHECKS: Final = 5_000
_ROUNDS: Final = 3
_PROOF_BYTES: Final = 640


def rows(command: str) -> tuple[Row, ...]:
    """Return the rows of the tree."""
    leaves = [hashlib.sha256(n.to_bytes(8)).digest() for n in range(LEAVES)]
    pair = b"\x01" + bytes(64)

    def hash_nodes() -> None:
        for _ in range(LEAVES - 1):
            hashlib.sha256(pair).digest()

    ours_ns, floor_ns = medians_ns(in_turn(lambda: root_of(leaves), hash_nodes), _ROUNDS)
    root = Row(
        "root_1m_s",
        each(ours_ns, 1, NS_PER_S),
        "s",
        Baseline(
            each(floor_ns, 1, NS_PER_S),
            "SHA-256 of 65 bytes, as often as the tree has nodes",
            Sense.SHARE,
        ),
        command,
    )
    return root, _checked(leaves, command)


def _checked(leaves: Sequence[bytes], command: str) -> Row:
    root = root_of(leaves)
    indexes = [n * 4_999 % LEAVES for n in range(_PROOFS)]
    proofs = [inclusion_proof(leaves, index) for index in indexes[:4]]
    if any(len(b"".join(proof)) > _PROOF_BYTES for proof in proofs):
        raise BenchmarkInvalidError("a proof has more than 640 bytes")
    node = b"\x01" + bytes(64)

    def check_all() -> None:
        for turn in range(_CHECKS):
            one = turn % len(proofs)
            check_inclusion(root, LEAVES, indexes[one], leaves[indexes[one]], proofs[one])

    def hash_all() -> None:
        for turn in range(_CHECKS):
            for _ in proofs[turn % len(proofs)]:
                hashlib.sha256(node).digest()

    ours_ns, floor_ns = medians_ns(in_turn(check_all, hash_all), _ROUNDS)
    return Row(
        "proof_verify",
        per_second(_CHECKS, ours_ns),
        "proofs/s",
        Baseline(
            per_second(_CHECKS, floor_ns),
            "SHA-256 of 65 bytes, as often as a proof at a million leaves has hashes (20: 640 "
            "bytes)",
            Sense.SHARE,
        ),
        command,
    )
