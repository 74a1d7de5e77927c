"""Any proof comes from a few tiles, the same as from all leaf hashes; every path has one form."""

import hashlib
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.proofs import (
    EMPTY_ROOT,
    BadLogProofError,
    Tile,
    TileBuilder,
    TiledTree,
    UnknownTileError,
    check_consistency,
    check_inclusion,
    completed_nodes,
    consistency_proof,
    inclusion_proof,
    parse_tile_path,
    root_of,
    tile_root,
)
from ledger.proofs.tiles import BadTileError, width_in

SMALL = 70
EDGES = (255, 256, 257, 65_535, 65_536, 65_537)
LEAVES = [hashlib.sha256(n.to_bytes(4)).digest() for n in range(70_000)]


def levels_of(count):
    """The hashes of each level of tiles over the first leaves, from the definition."""
    levels = [LEAVES[:count]]
    while len(levels[-1]) >= 256:
        below = levels[-1]
        full = len(below) // 256 * 256
        levels.append([root_of(below[at : at + 256]) for at in range(0, full, 256)])
    return levels


LEVELS = levels_of(len(LEAVES))


class Shelf:
    """Gives tiles, and remembers which were asked for."""

    def __init__(self):
        self.reads = []

    def __call__(self, level, index, width):
        assert 1 <= width <= 256
        self.reads.append((level, index, width))
        return b"".join(LEVELS[level][index * 256 : index * 256 + width])


def tree(size):
    return TiledTree(size, Shelf())


class TestProofsFromTiles:
    @pytest.mark.parametrize("size", range(SMALL + 1))
    def test_are_those_from_all_leaves_for_every_pair(self, size):
        hashes = LEAVES[:size]
        root = root_of(hashes)
        assert tree(size).root() == root
        for index in range(size):
            proof = tree(size).inclusion_proof(index)
            assert proof == inclusion_proof(hashes, index)
            check_inclusion(root, size, index, hashes[index], proof)
        for old in range(size + 1):
            proof = tree(size).consistency_proof(old)
            assert proof == consistency_proof(hashes, old)
            check_consistency((old, root_of(hashes[:old])), (size, root), proof)

    @pytest.mark.parametrize("size", EDGES)
    def test_hold_where_tiles_begin_and_end(self, size):
        hashes, root = LEAVES[:size], root_of(LEAVES[:size])
        assert tree(size).root() == root
        for index in {0, 1, 254, 255, 256, size // 2, size - 257, size - 2, size - 1}:
            if 0 <= index < size:
                proof = tree(size).inclusion_proof(index)
                assert proof == inclusion_proof(hashes, index)
                check_inclusion(root, size, index, tree(size).leaf(index), proof)
        for old in {0, 1, 254, 255, 256, 257, size // 2, 65_280, 65_536, size - 1, size}:
            if old <= size:
                proof = tree(size).consistency_proof(old)
                assert proof == consistency_proof(hashes, old)
                check_consistency((old, root_of(hashes[:old])), (size, root), proof)

    @given(st.integers(1, len(LEAVES)), st.data())
    @settings(max_examples=60, deadline=None)
    def test_hold_anywhere_and_read_a_few_tiles_once(self, size, data):
        index = data.draw(st.integers(0, size - 1))
        old = data.draw(st.integers(0, size))
        grown = tree(size)
        root = grown.root()
        check_inclusion(root, size, index, LEAVES[index], grown.inclusion_proof(index))
        proof = grown.consistency_proof(old)
        check_consistency((old, tree(old).root()), (size, root), proof)
        reads = grown._read.reads
        assert len(reads) == len(set(reads)) <= 3 * 3
        assert all(width == width_in(size, level, index) for level, index, width in reads)

    def test_of_what_is_not_there_are_refused(self):
        for index in (-1, 5, 6):
            with pytest.raises(BadLogProofError):
                tree(5).inclusion_proof(index)
        for old in (-1, 6):
            with pytest.raises(BadLogProofError):
                tree(5).consistency_proof(old)

    @pytest.mark.parametrize("length", [0, 31, 32 * 4, 32 * 6, 32 * 256])
    def test_from_a_tile_of_another_length_are_refused(self, length):
        short = TiledTree(5, lambda _level, _index, _width: bytes(length))
        with pytest.raises(BadTileError) as caught:
            short.inclusion_proof(2)
        assert caught.value.code == "bad_tile"

    @pytest.mark.parametrize("size", [300, 65_600])
    def test_from_any_damaged_tile_are_refused_by_who_checks_them(self, size):
        root = root_of(LEAVES[:size])
        for index in range(0, size, size // 7):
            whole = Shelf()
            TiledTree(size, whole).inclusion_proof(index)
            for where in whole.reads:

                def damaged(level, number, width, where=where):
                    flip = (level, number, width) == where
                    return bytes(one ^ flip for one in Shelf()(level, number, width))

                broken = TiledTree(size, damaged)
                proof, leaf = broken.inclusion_proof(index), broken.leaf(index)
                with pytest.raises(BadLogProofError):
                    check_inclusion(root, size, index, leaf, proof)


class TestGrowth:
    @given(st.lists(st.integers(0, 1_500), max_size=12))
    @settings(max_examples=40, deadline=None)
    def test_gives_every_node_once_when_it_is_complete(self, batches):
        builder, first, nodes = TileBuilder(), 0, {}
        for count in batches:
            before = builder.size
            made = builder.extend(LEAVES[first : first + count])
            first += count
            assert [(one.level, one.index) for one in made] == list(
                completed_nodes(before, builder.size)
            )
            nodes |= {(one.level, one.index): one.hash for one in made}
        wanted = {
            (level, index): one
            for level, hashes in enumerate(levels_of(first))
            if level
            for index, one in enumerate(hashes)
        }
        assert nodes == wanted

    @pytest.mark.parametrize("size", [0, 1, *EDGES, 69_999])
    def test_goes_on_from_stored_tiles(self, size):
        shelf = Shelf()
        builder = TileBuilder.load(size, shelf)
        assert len(shelf.reads) <= 3
        made = builder.extend(LEAVES[size:])
        assert [(one.level, one.index) for one in made] == list(completed_nodes(size, len(LEAVES)))
        assert all(LEVELS[one.level][one.index] == one.hash for one in made)

    def test_begins_with_no_other_edge_than_the_size_has(self):
        for size, edge in ((3, [LEAVES[:2]]), (256, [LEAVES[:1], LEAVES[:1]]), (0, [LEAVES[:1]])):
            with pytest.raises(BadTileError):
                TileBuilder(size, edge)

    def test_hashes_no_partial_tile(self):
        joined = b"".join(LEAVES[:256])
        assert tile_root(joined) == root_of(LEAVES[:256]) == LEVELS[1][0]
        for wrong in (b"", joined[:-32], joined[:-1], joined + LEAVES[0]):
            with pytest.raises(BadLogProofError):
                tile_root(wrong)

    def test_of_an_empty_tree_completes_nothing(self):
        assert TileBuilder().extend(()) == ()
        assert list(completed_nodes(0, 255)) == []
        assert tree(0).root() == EMPTY_ROOT
        assert tree(0)._read.reads == []


class TestPath:
    @pytest.mark.parametrize(
        ("tile", "path"),
        [
            (Tile(0, 0), "tile/0/000"),
            (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
            (Tile(1, 999, 17), "tile/1/999.p/17"),
            (Tile(63, 1_000, 255), "tile/63/x001/000.p/255"),
        ],
    )
    def test_is_that_of_the_specification(self, tile, path):
        assert tile.path() == path
        assert parse_tile_path(path) == tile

    @given(st.integers(0, 63), st.integers(0, 10**21 - 1), st.integers(1, 256))
    def test_leads_back_to_its_tile(self, level, index, width):
        tile = Tile(level, index, width)
        assert parse_tile_path(tile.path()) == tile

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "tile/0",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/-1/000",
            "tile/0/x000/001",
            "tile/0/x001",
            "tile/0/001/002",
            "tile/0/X001/002",
            "tile/0/000.p/0",
            "tile/0/000.p/01",
            "tile/0/000.p/256",
            "tile/0/000.p/300",
            "tile/0/000.p/",
            "tile/0/000/",
            "/tile/0/000",
            "tile/0/000\n",
            "tile/0/\u0660\u0660\u0660",
            "tile/entries/000",
            "tile/0/000.p/5.p/5",
            "tile/0/" + "x001/" * 30 + "000",
        ],
    )
    def test_of_any_other_form_is_refused(self, path):
        with pytest.raises(UnknownTileError) as caught:
            parse_tile_path(path)
        assert caught.value.code == "unknown_tile"

    @given(st.text("tile/x.p0123456789", max_size=30))
    def test_that_is_taken_is_the_one_form(self, text):
        try:
            found = parse_tile_path(text)
        except UnknownTileError:
            return
        assert found.path() == text
        assert re.fullmatch(r"tile/\d+/(x\d{3}/)*\d{3}(\.p/\d+)?", text)

    def test_is_there_as_far_as_the_tree_goes(self):
        """A tree of 70,000: the example of the specification."""
        assert [width_in(70_000, 0, n) for n in (0, 272, 273, 274)] == [256, 256, 112, 0]
        assert [width_in(70_000, 1, n) for n in (0, 1, 2)] == [256, 17, 0]
        assert [width_in(70_000, level, 0) for level in (2, 3, 63)] == [1, 0, 0]
        assert Tile(0, 273, 112).is_in(70_000)
        assert not Tile(0, 273, 113).is_in(70_000)
        assert not Tile(0, 273).is_in(70_000)
