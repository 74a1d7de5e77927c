from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from trie import HexaryTrie
from trie.exceptions import BadTrieProof, ValidationError

from devnet.engine import trie as module
from devnet.engine.encoding import HASH, integer, keccak, rlp_decode, rlp_encode
from devnet.engine.trie import EMPTY_ROOT, Trie, root_of

DOE = ((b"doe", b"reindeer"), (b"dog", b"puppy"), (b"dogglesworth", b"cat"))
DOGE = ((b"do", b"verb"), (b"horse", b"stallion"), (b"doge", b"coin"), (b"dog", b"puppy"))

# Few nibbles, so that keys share long beginnings and one key often begins another.
CROWDED = st.lists(st.sampled_from((0x00, 0x01, 0x10, 0x11)), max_size=4).map(bytes)
# Of one length, as every key of a state trie is; alike up to the last bytes, or not at all.
EQUAL = st.builds(
    lambda head, tail: head * 30 + tail,
    st.sampled_from((b"\x00", b"\xab")),
    st.lists(st.sampled_from((0x00, 0x0F, 0xF0)), min_size=2, max_size=2).map(bytes),
)
HASHED = st.integers(0, 40).map(lambda number: keccak(integer(number)))
KEYS = st.one_of(CROWDED, EQUAL, HASHED)
# Around the lengths where RLP and the inlining of nodes change.
VALUES = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.builds(bytes.ljust, st.binary(min_size=1, max_size=2), st.integers(20, 60)),
    st.binary(min_size=250, max_size=260),
)
CHANGES = st.lists(st.tuples(KEYS, st.one_of(VALUES, st.just(b""))), max_size=40)
CONTENTS = st.dictionaries(KEYS, VALUES, max_size=25)


def stock(contents: dict[bytes, bytes]) -> HexaryTrie:
    trie = HexaryTrie({})
    for key, value in contents.items():
        trie[key] = value
    return trie


def check(root: bytes, key: bytes, proof: tuple[bytes, ...]) -> bytes:
    """Return the value that ``proof`` shows, judged by the library and by the letter."""
    shown = read(root, key, {keccak(node): rlp_decode(node) for node in proof})
    try:
        judged = HexaryTrie.get_from_proof(root, key, [rlp_decode(node) for node in proof])
    except ValidationError as error:
        # The library cannot look for a key that ends inside an extension.
        assert "never return an extension node" in str(error)  # noqa: PT017 - no other fault counts
        return shown
    assert shown == judged
    return judged


def read(root: bytes, key: bytes, nodes: dict[bytes, Any]) -> bytes:
    """Follow ``key`` from ``root`` on through ``nodes`` (Yellow Paper, appendix D)."""
    path, node = key.hex(), b"" if root == EMPTY_ROOT else root
    while node:
        if isinstance(node, bytes):
            if node not in nodes:
                raise BadTrieProof(node.hex())
            node = nodes[node]
        elif len(node) == 17:
            if not path:
                return node[16]
            node, path = node[int(path[0], 16)], path[1:]
        else:
            packed = node[0].hex()
            own = packed[1:] if int(packed[0]) & 1 else packed[2:]
            if int(packed[0]) >= 2:
                return node[1] if own == path else b""
            if not path.startswith(own):
                return b""
            node, path = node[1], path[len(own) :]
    return b""


class TestRoot:
    def test_of_nothing_is_the_one_everybody_knows(self) -> None:
        assert EMPTY_ROOT.hex() == (
            "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
        )
        assert Trie().root() == root_of(()) == EMPTY_ROOT

    @pytest.mark.parametrize(
        ("items", "root"),
        [
            (DOE, "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3"),
            (DOGE, "5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84"),
        ],
        ids=["dogglesworth", "horse"],
    )
    def test_is_that_of_the_published_examples(
        self, items: tuple[tuple[bytes, bytes], ...], root: str
    ) -> None:
        assert Trie(items).root().hex() == root
        assert Trie(reversed(items)).root().hex() == root

    def test_of_one_node_shorter_than_a_hash_is_hashed_all_the_same(self) -> None:
        trie = Trie([(b"\x01", b"v")])
        (node,) = trie.prove(b"\x01")
        assert len(node) < HASH
        assert trie.root() == keccak(node) == stock({b"\x01": b"v"}).root_hash

    @given(CHANGES)
    def test_is_that_of_the_library_after_every_change(
        self, changes: list[tuple[bytes, bytes]]
    ) -> None:
        ours, theirs = Trie(), HexaryTrie({})
        for key, value in changes:
            ours.put(key, value)
            theirs[key] = value
            assert ours.root() == theirs.root_hash

    @given(CHANGES, st.sets(st.integers(0, 40)))
    def test_does_not_depend_on_when_it_was_asked(
        self, changes: list[tuple[bytes, bytes]], asked: set[int]
    ) -> None:
        trie, contents = Trie(), {}
        for position, (key, value) in enumerate(changes):
            trie.put(key, value)
            contents[key] = value
            if position in asked:
                trie.root()
        left = {key: value for key, value in contents.items() if value}
        assert trie.root() == Trie(left.items()).root() == stock(left).root_hash

    @given(st.data(), CONTENTS)
    def test_does_not_depend_on_the_order_of_puts(
        self, data: st.DataObject, contents: dict[bytes, bytes]
    ) -> None:
        shuffled = data.draw(st.permutations(list(contents.items())))
        assert Trie(shuffled).root() == Trie(contents.items()).root()


class TestPut:
    @given(CONTENTS, st.dictionaries(KEYS, VALUES, min_size=1, max_size=10))
    def test_then_delete_brings_the_root_back(
        self, contents: dict[bytes, bytes], extra: dict[bytes, bytes]
    ) -> None:
        trie = Trie(contents.items())
        before = trie.root()
        for key, value in extra.items():
            trie.put(key, value)
        trie.root()
        for key in extra:
            trie.put(key, contents.get(key, b""))
        assert trie.root() == before

    @given(CONTENTS)
    def test_of_nothing_to_every_key_leaves_an_empty_trie(
        self, contents: dict[bytes, bytes]
    ) -> None:
        trie = Trie(contents.items())
        trie.root()
        for key in contents:
            trie.put(key, b"")
        assert trie.root() == EMPTY_ROOT

    @given(CONTENTS, KEYS)
    def test_of_nothing_to_an_absent_key_changes_nothing(
        self, contents: dict[bytes, bytes], absent: bytes
    ) -> None:
        contents.pop(absent, None)
        trie = Trie(contents.items())
        before = trie.root()
        trie.put(absent, b"")
        assert trie.root() == before

    def test_hashes_only_the_nodes_on_the_way(self, monkeypatch: pytest.MonkeyPatch) -> None:
        items = [(keccak(integer(number)), bytes([number]) * 80) for number in range(1, 200)]
        trie = Trie(items)
        trie.root()
        hashed: list[bytes] = []
        monkeypatch.setattr(module, "keccak", _noting(hashed))
        trie.root()
        assert hashed == []
        trie.put(items[7][0], b"new" * 30)
        trie.root()
        monkeypatch.undo()
        assert hashed == list(reversed(trie.prove(items[7][0])))


def _noting(hashed: list[bytes]) -> Callable[[bytes], bytes]:
    def noting(data: bytes) -> bytes:
        hashed.append(data)
        return keccak(data)

    return noting


class TestProve:
    @given(CONTENTS, KEYS)
    @example({bytes(32): b"\0", bytes(31) + b"\x0f": b"\0"}, b"\0")
    def test_convinces_the_library_of_what_is_there_and_what_is_not(
        self, contents: dict[bytes, bytes], other: bytes
    ) -> None:
        trie = Trie(contents.items())
        for key in {*contents, other}:
            assert check(trie.root(), key, trie.prove(key)) == contents.get(key, b"")

    @given(CONTENTS, KEYS)
    def test_lists_the_root_first_and_then_what_the_node_before_names_by_hash(
        self, contents: dict[bytes, bytes], other: bytes
    ) -> None:
        trie = Trie(contents.items())
        for key in {*contents, other}:
            named = trie.root()
            for above, node in enumerate(proof := trie.prove(key)):
                assert keccak(node) in named
                assert above == 0 or len(node) >= HASH
                named = proof[above]

    @given(CONTENTS, CHANGES)
    def test_follows_every_change_without_asking_for_the_root(
        self, contents: dict[bytes, bytes], changes: list[tuple[bytes, bytes]]
    ) -> None:
        trie = Trie(contents.items())
        for key, value in changes:
            trie.put(key, value)
            proof = trie.prove(key)
            assert check(trie.root(), key, proof) == value

    def test_needs_every_node_it_lists(self) -> None:
        items = {keccak(integer(number)): bytes([number]) * 80 for number in range(1, 60)}
        trie = Trie(items.items())
        key = keccak(integer(5))
        proof = trie.prove(key)
        assert len(proof) > 1
        for left_out in range(len(proof)):
            with pytest.raises(BadTrieProof):
                check(trie.root(), key, proof[:left_out] + proof[left_out + 1 :])

    def test_keeps_short_nodes_inside_the_one_above(self) -> None:
        trie = Trie(DOGE)
        # The leaf of "doge" and the branch it hangs on are too short to be named by a hash.
        proof = trie.prove(b"doge")
        assert all(len(node) >= HASH for node in proof)
        assert b"coin" in proof[-1]
        assert check(trie.root(), b"doge", proof) == b"coin"

    @pytest.mark.parametrize(("length", "nodes"), [(26, 1), (27, 2)], ids=["31", "32"])
    def test_lists_a_node_from_the_length_of_a_hash_on(self, length: int, nodes: int) -> None:
        # The leaf is a list of a packed path, in 3 bytes, and the value: 5 bytes longer than that.
        contents = {b"\x00\x00": b"v" * length, b"\x10\x00": b"w" * 40}
        trie = Trie(contents.items())
        proof = trie.prove(b"\x00\x00")
        assert len(proof) == nodes
        assert trie.root() == stock(contents).root_hash
        assert check(trie.root(), b"\x00\x00", proof) == b"v" * length

    def test_of_an_empty_trie_is_empty(self) -> None:
        assert Trie().prove(keccak(b"anything")) == ()


class TestRootOf:
    @pytest.mark.parametrize("count", [1, 2, 16, 17, 127, 128, 129, 257, 300])
    def test_is_over_the_index_in_rlp(self, count: int) -> None:
        values = [bytes([number % 255 + 1]) * (number % 90 + 1) for number in range(count)]
        keyed = {rlp_encode(integer(index)): value for index, value in enumerate(values)}
        assert root_of(values) == stock(keyed).root_hash

    def test_depends_on_the_order(self) -> None:
        assert root_of([b"one", b"two"]) != root_of([b"two", b"one"])
