"""The tree commits to every leaf: its bytes are the contract's, and each one proves alone."""

import dataclasses
import hashlib
import hmac

import pytest
from Crypto.Hash import keccak
from eth_abi import encode
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.trading.tree import (
    EMPTY,
    ESTIMATED,
    BadProofError,
    Leaf,
    check_proof,
    merkle_proof,
    merkle_root,
    readings_hash,
    salt_of,
    trade_leaf,
)

LEAF = Leaf(
    run=3,
    interval=1_730_112,
    account="0x" + "aa" * 20,
    net_micros=-12_345,
    wh_in=700,
    wh_out=0,
    order_hash=b"\1" * 32,
    readings_hash=b"\2" * 32,
    trades_root=EMPTY,
    salt=b"\3" * 32,
)
LEAF_TYPES = (
    *("uint64", "uint64", "address", "int64", "uint64", "uint64"),
    *("bytes32", "bytes32", "bytes32", "bytes32"),
)
TRADE_TYPES = ("address", "address", "uint64", "int32", "int64", "bytes32")


def hashed(data):
    return keccak.new(digest_bits=256, data=data).digest()


words = st.binary(min_size=32, max_size=32)
uints = st.integers(0, 2**64 - 1)
wallets = st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())


class TestLeaf:
    @given(
        st.builds(
            Leaf, uints, uints, wallets, st.integers(-(2**63), 2**63 - 1), uints, uints,
            words, words, words, words,
        )
    )  # fmt: skip
    @settings(max_examples=100, deadline=None)
    def test_is_what_solidity_hashes_twice(self, leaf):
        expected = hashed(hashed(encode(LEAF_TYPES, list(dataclasses.astuple(leaf)))))
        assert leaf.hash() == expected

    @pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Leaf)])
    def test_changes_with_every_field(self, field):
        value = getattr(LEAF, field)
        if isinstance(value, int):
            changed = value + 1
        elif isinstance(value, bytes):
            changed = value[:-1] + b"\xff"
        else:
            changed = value[:-1] + "b"
        assert dataclasses.replace(LEAF, **{field: changed}).hash() != LEAF.hash()

    @pytest.mark.parametrize("change", [{"run": -1}, {"wh_in": -1}, {"wh_out": -1}], ids=str)
    def test_has_no_energy_below_zero(self, change):
        with pytest.raises(OverflowError):
            dataclasses.replace(LEAF, **change).hash()


class TestTradeLeaf:
    @given(
        st.tuples(
            wallets,
            wallets,
            uints,
            st.integers(-(2**31), 2**31 - 1),
            st.integers(-(2**63), 2**63 - 1),
            words,
        )
    )
    @settings(max_examples=100, deadline=None)
    def test_is_what_solidity_hashes_twice(self, fields):
        assert trade_leaf(*fields) == hashed(hashed(encode(TRADE_TYPES, list(fields))))


class TestReadingsHash:
    def test_is_over_the_digests_in_their_order(self):
        one, other = b"\1" * 32, b"\2" * 32
        assert readings_hash((one, other), estimated=False) == hashed(one + other)
        assert readings_hash((other, one), estimated=False) != hashed(one + other)

    def test_of_an_estimate_says_so_whatever_was_read(self):
        assert readings_hash((b"\1" * 32,), estimated=True) == ESTIMATED == hashed(b"estimated")
        assert readings_hash((), estimated=True) == ESTIMATED

    def test_of_nothing_is_zero(self):
        assert readings_hash((), estimated=False) == EMPTY == bytes(32)


class TestSaltOf:
    @given(words, uints, st.lists(wallets, max_size=2))
    @settings(deadline=None)
    def test_is_an_hmac_over_run_and_accounts(self, key, run, accounts):
        subject = run.to_bytes(8, "big") + b"".join(bytes.fromhex(a[2:]) for a in accounts)
        assert salt_of(key, run, *accounts) == hmac.new(key, subject, hashlib.sha256).digest()

    def test_differs_by_key_run_and_account(self):
        one, other = "0x" + "01" * 20, "0x" + "02" * 20
        salts = {
            salt_of(b"k", 1, one),
            salt_of(b"l", 1, one),
            salt_of(b"k", 2, one),
            salt_of(b"k", 1, other),
            salt_of(b"k", 1, one, other),
            salt_of(b"k", 1, other, one),
        }
        assert len(salts) == 6


def leaves_of(size):
    return [hashed(n.to_bytes(2, "big")) for n in range(size)]


class TestMerkleRoot:
    def test_of_none_is_zero_and_of_one_the_leaf(self):
        assert merkle_root([]) == EMPTY
        assert merkle_root(leaves_of(1)) == leaves_of(1)[0]

    def test_of_three_moves_the_odd_one_up(self):
        a, b, c = leaves_of(3)
        node = hashed(min(a, b) + max(a, b))
        assert merkle_root([a, b, c]) == hashed(min(node, c) + max(node, c))

    @pytest.mark.parametrize("size", range(1, 18))
    def test_commits_to_every_leaf_and_to_their_number(self, size):
        leaves = leaves_of(size)
        root = merkle_root(leaves)
        for index in range(size):
            altered = [*leaves[:index], hashed(b"other"), *leaves[index + 1 :]]
            assert merkle_root(altered) != root
        assert merkle_root([*leaves, hashed(b"other")]) != root

    def test_does_not_change_what_it_is_given(self):
        leaves = leaves_of(5)
        merkle_root(leaves)
        merkle_proof(leaves, 2)
        assert leaves == leaves_of(5)


class TestMerkleProof:
    @pytest.mark.parametrize("size", range(1, 24))
    def test_leads_from_every_leaf_to_the_root_and_from_no_other(self, size):
        leaves = leaves_of(size)
        root = merkle_root(leaves)
        for index, leaf in enumerate(leaves):
            proof = merkle_proof(leaves, index)
            check_proof(root, leaf, proof)
            for other in (hashed(b"other"), EMPTY, leaf[:-1] + bytes([leaf[-1] ^ 1])):
                with pytest.raises(BadProofError):
                    check_proof(root, other, proof)

    @pytest.mark.parametrize("size", [2, 3, 7, 8, 13])
    def test_cannot_be_altered_cut_or_lengthened(self, size):
        leaves = leaves_of(size)
        root = merkle_root(leaves)
        for index, leaf in enumerate(leaves):
            proof = merkle_proof(leaves, index)
            altered = [
                (*proof[:at], node[:5] + bytes([node[5] ^ 1]) + node[6:], *proof[at + 1 :])
                for at, node in enumerate(proof)
            ]
            for wrong in [*altered, proof[:-1], proof[1:], (*proof, EMPTY)]:
                with pytest.raises(BadProofError) as caught:
                    check_proof(root, leaf, wrong)
                assert caught.value.code == "bad_proof"
