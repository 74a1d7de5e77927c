"""The log proves what it holds and that it only grew, and an altered proof proves nothing."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs import (
    EMPTY_ROOT,
    BadLogProofError,
    Frontier,
    check_consistency,
    check_inclusion,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_of,
)

SIZE_MAX = 70
HASHES = [leaf_hash(n.to_bytes(2, "big")) for n in range(SIZE_MAX + 1)]
SIZES = range(1, SIZE_MAX + 1)

# The test log and roots of the certificate-transparency project, used by every RFC 6962 log.
KNOWN_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
KNOWN_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)


def tree_hash(hashes):
    """MTH of RFC 9162, 2.1.1, as it is written there."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    split = 1
    while split * 2 < len(hashes):
        split *= 2
    left, right = tree_hash(hashes[:split]), tree_hash(hashes[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


ROOTS = [tree_hash(HASHES[:size]) for size in range(SIZE_MAX + 1)]


def flipped(node, at):
    return node[:at] + bytes([node[at] ^ 0x01]) + node[at + 1 :]


def refuses(check, *arguments):
    with pytest.raises(BadLogProofError) as caught:
        check(*arguments)
    assert caught.value.code == "bad_log_proof"


class TestRoot:
    @pytest.mark.parametrize("size", range(1, 9))
    def test_of_the_known_log_is_the_known_root(self, size):
        assert (
            root_of([leaf_hash(one) for one in KNOWN_LEAVES[:size]]).hex() == KNOWN_ROOTS[size - 1]
        )

    def test_of_every_size_is_that_of_the_definition(self):
        frontier = Frontier()
        assert frontier.root() == EMPTY_ROOT == ROOTS[0]
        for size in SIZES:
            frontier.append(HASHES[size - 1])
            assert frontier.size == size
            assert len(frontier.peaks) == size.bit_count()
            assert frontier.root() == root_of(HASHES[:size]) == ROOTS[size]

    def test_goes_on_from_stored_peaks(self):
        for size in SIZES:
            first = Frontier()
            for one in HASHES[:size]:
                first.append(one)
            again = Frontier(first.size, tuple(first.peaks))
            again.append(HASHES[size])
            assert again.root() == tree_hash(HASHES[: size + 1])
            assert first.size == size

    @given(st.lists(st.integers(0, 90), max_size=8))
    @settings(max_examples=100, deadline=None)
    def test_grows_in_batches_as_one_by_one(self, batches):
        """However the leaves come, the edge is the same."""
        hashes = [leaf_hash(n.to_bytes(2, "big")) for n in range(sum(batches))]
        batched, single, first = Frontier(), Frontier(), 0
        for count in batches:
            batched.extend(hashes[first : first + count])
            for one in hashes[first : first + count]:
                single.append(one)
            first += count
            assert (batched.size, batched.peaks) == (single.size, single.peaks)
        assert batched.root() == root_of(hashes) == tree_hash(hashes)

    def test_no_leaf_can_pass_for_a_node(self):
        one, other = HASHES[:2]
        assert leaf_hash(one + other) != node_hash(one, other)
        assert node_hash(one, other) != node_hash(other, one)


class TestInclusion:
    @pytest.mark.parametrize("size", SIZES)
    def test_of_every_leaf_is_proven(self, size):
        for index in range(size):
            proof = inclusion_proof(HASHES[:size], index)
            assert len(proof) <= (size - 1).bit_length()
            check_inclusion(ROOTS[size], size, index, HASHES[index], proof)

    @pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13, 40])
    def test_with_any_single_byte_changed_is_refused(self, size):
        for index in {0, size // 2, size - 1}:
            root, leaf, proof = ROOTS[size], HASHES[index], inclusion_proof(HASHES[:size], index)
            for at in range(32):
                refuses(check_inclusion, flipped(root, at), size, index, leaf, proof)
                refuses(check_inclusion, root, size, index, flipped(leaf, at), proof)
                for n, node in enumerate(proof):
                    altered = (*proof[:n], flipped(node, at), *proof[n + 1 :])
                    refuses(check_inclusion, root, size, index, leaf, altered)

    @pytest.mark.parametrize("size", SIZES)
    def test_of_one_leaf_is_none_of_another_place(self, size):
        for index in range(size):
            proof = inclusion_proof(HASHES[:size], index)
            for other in range(-1, size + 2):
                if other != index:
                    refuses(check_inclusion, ROOTS[size], size, other, HASHES[index], proof)

    @pytest.mark.parametrize("size", SIZES)
    def test_cut_or_lengthened_is_refused(self, size):
        for index in range(size):
            proof = inclusion_proof(HASHES[:size], index)
            arguments = ROOTS[size], size, index, HASHES[index]
            refuses(check_inclusion, *arguments, (*proof, EMPTY_ROOT))
            if proof:
                refuses(check_inclusion, *arguments, proof[:-1])
                refuses(check_inclusion, *arguments, proof[1:])

    def test_with_bytes_moved_between_leaf_and_sibling_is_refused(self):
        """Hashed together, the bytes would be the same; a hash has 32 of them."""
        [sibling] = inclusion_proof(HASHES[:2], 0)
        leaf, root = HASHES[0], ROOTS[2]
        refuses(check_inclusion, root, 2, 0, leaf + sibling[:1], (sibling[1:],))
        refuses(check_inclusion, root, 2, 0, leaf[:-1], (leaf[-1:] + sibling,))

    @pytest.mark.parametrize(("size", "index"), [(0, 0), (1, 1), (5, 5), (5, -1), (-1, 0)])
    def test_outside_the_tree_is_refused(self, size, index):
        refuses(check_inclusion, HASHES[0], size, index, HASHES[0], ())


class TestConsistency:
    @pytest.mark.parametrize("size", SIZES)
    def test_with_every_earlier_size_is_proven(self, size):
        for old in range(size + 1):
            proof = consistency_proof(HASHES[:size], old)
            check_consistency((old, ROOTS[old]), (size, ROOTS[size]), proof)

    @pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 7), (4, 8), (6, 13), (8, 40), (39, 40)])
    def test_with_any_single_byte_changed_is_refused(self, old, new):
        proof = consistency_proof(HASHES[:new], old)
        for at in range(32):
            bad_old, bad_new = flipped(ROOTS[old], at), flipped(ROOTS[new], at)
            refuses(check_consistency, (old, bad_old), (new, ROOTS[new]), proof)
            refuses(check_consistency, (old, ROOTS[old]), (new, bad_new), proof)
            for n, node in enumerate(proof):
                altered = (*proof[:n], flipped(node, at), *proof[n + 1 :])
                refuses(check_consistency, (old, ROOTS[old]), (new, ROOTS[new]), altered)

    @pytest.mark.parametrize("new", range(2, SIZE_MAX + 1))
    def test_cut_lengthened_or_left_out_is_refused(self, new):
        for old in range(1, new):
            proof = consistency_proof(HASHES[:new], old)
            for wrong in ((), proof[:-1], proof[1:], (*proof, EMPTY_ROOT)):
                refuses(check_consistency, (old, ROOTS[old]), (new, ROOTS[new]), wrong)

    @pytest.mark.parametrize("new", range(2, SIZE_MAX + 1))
    def test_of_a_log_that_rewrote_an_entry_is_refused(self, new):
        rewritten = [leaf_hash(b"rewritten"), *HASHES[1:new]]
        for old in range(1, new):
            proof = consistency_proof(rewritten, old)
            refuses(check_consistency, (old, ROOTS[old]), (new, tree_hash(rewritten)), proof)

    def test_of_a_log_that_shrank_is_refused(self):
        proof = consistency_proof(HASHES[:8], 5)
        refuses(check_consistency, (8, ROOTS[8]), (5, ROOTS[5]), proof)
        refuses(check_consistency, (8, ROOTS[8]), (5, ROOTS[5]), ())
        refuses(check_consistency, (8, ROOTS[8]), (0, ROOTS[0]), ())

    def test_of_equal_sizes_needs_equal_roots_and_no_proof(self):
        check_consistency((5, ROOTS[5]), (5, ROOTS[5]), ())
        refuses(check_consistency, (5, ROOTS[5]), (5, ROOTS[6]), ())
        refuses(check_consistency, (5, ROOTS[5]), (5, ROOTS[5]), (ROOTS[5],))

    @pytest.mark.parametrize("new", [3, 7, 13, 40, 70])
    def test_covers_the_whole_range(self, new):
        """No leaf of the old log or of the new ones can change between the two roots."""
        for old in range(1, new):
            proof = consistency_proof(HASHES[:new], old)
            for at in range(new):
                altered = [*HASHES[:at], leaf_hash(b"altered"), *HASHES[at + 1 : new]]
                refuses(check_consistency, (old, ROOTS[old]), (new, tree_hash(altered)), proof)

    def test_with_bytes_moved_between_its_hashes_is_refused(self):
        first, second, *rest = consistency_proof(HASHES[:7], 3)
        moved = (first + second[:1], second[1:], *rest)
        refuses(check_consistency, (3, ROOTS[3]), (7, ROOTS[7]), moved)

    def test_of_a_size_below_nothing_is_refused(self):
        refuses(check_consistency, (-1, EMPTY_ROOT), (5, ROOTS[5]), (ROOTS[5],))
        refuses(check_consistency, (0, EMPTY_ROOT), (-5, ROOTS[5]), ())
        refuses(check_consistency, (0, EMPTY_ROOT), (0, ROOTS[5]), ())

    def test_from_nothing_with_a_root_is_refused(self):
        refuses(check_consistency, (0, ROOTS[5]), (5, ROOTS[5]), ())

    def test_with_an_empty_log_needs_no_proof(self):
        check_consistency((0, EMPTY_ROOT), (5, ROOTS[5]), ())
        refuses(check_consistency, (0, EMPTY_ROOT), (5, ROOTS[5]), (ROOTS[5],))
