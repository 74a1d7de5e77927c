"""
The tree in tiles of 256 hashes (C2SP tlog-tiles), and any proof from a few of them.

A tile of level 0 holds leaf hashes; each hash of level ``n`` is the root over a full tile of level
``n - 1``. So a proof at a million leaves reads three tiles or a few more, and never the whole log.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.errors import Integrity, NotFound
from ledger.proofs.merkle import (
    HASH_BYTES,
    BadLogProofError,
    Range,
    consistency_ranges,
    fold,
    inclusion_ranges,
    root_of,
)

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
LEVEL_MAX: Final = 63
_INDEX_DIGITS: Final = 3
_PATH: Final = re.compile(
    r"tile/(0|[1-9][0-9]?)/((?:x[0-9]{3}/){0,6}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?"
)

ReadTile = Callable[[int, int, int], bytes]
"""Gives the first ``width`` hashes of tile ``(level, index, width)``, joined, 32 bytes each."""


class UnknownTileError(NotFound):
    """A path names no tile, or none that the log has at this size."""

    def __init__(self, path: str) -> None:
        super().__init__("unknown_tile", f"{path} is no tile of this log")


class BadTileError(Integrity):
    """A tile came back with another number of hashes than the log's size asks for."""

    def __init__(self, tile: "Tile", length: int) -> None:
        super().__init__("bad_tile", f"{tile.path()} has {length} bytes")


@dataclass(frozen=True, slots=True)
class Tile:
    """Where a tile is, and how much of it there is."""

    level: int
    """Height over the leaves, in tiles, 0 to 63."""
    index: int
    """Position within its level, from 0."""
    width: int = TILE_WIDTH
    """How many hashes, 1 to 256."""

    def path(self) -> str:
        """Return its path below the log's prefix, ``tile/<L>/<N>[.p/<W>]``."""
        digits = str(self.index)
        digits = digits.zfill(-(-len(digits) // _INDEX_DIGITS) * _INDEX_DIGITS)
        parts = [digits[at : at + _INDEX_DIGITS] for at in range(0, len(digits), _INDEX_DIGITS)]
        place = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
        partial = "" if self.width == TILE_WIDTH else f".p/{self.width}"
        return f"tile/{self.level}/{place}{partial}"

    def is_in(self, size: int) -> bool:
        """Say whether a tree of ``size`` leaves has this tile with at least this many hashes."""
        return self.width <= width_in(size, self.level, self.index)


@dataclass(frozen=True, slots=True)
class Node:
    """The root over a full tile: one hash of the level above."""

    level: int
    """Level of the tile that it is a hash of, at least 1."""
    index: int
    """Position within its level, from 0; equal to the index of the tile below."""
    hash: bytes
    """The hash, 32 bytes."""


def parse_tile_path(path: str) -> Tile:
    """
    Return the tile that a path names.

    Raises
    ------
    UnknownTileError
        If the path is not exactly what ``Tile.path`` gives for a tile.
    """
    found = _PATH.fullmatch(path)
    if found is None or not path.isascii():
        raise UnknownTileError(path)
    index = int(found[2].replace("x", "").replace("/", ""))
    tile = Tile(int(found[1]), index, int(found[3] or TILE_WIDTH))
    if tile.level > LEVEL_MAX or tile.width > TILE_WIDTH or tile.path() != path:
        raise UnknownTileError(path)
    return tile


def width_in(size: int, level: int, index: int) -> int:
    """Return how many hashes tile ``(level, index)`` has in a tree of ``size`` leaves, 0 to 256."""
    hashes = size >> (TILE_HEIGHT * level)
    return max(0, min(TILE_WIDTH, hashes - index * TILE_WIDTH))


def tile_root(hashes: bytes) -> bytes:
    """
    Return the root over a full tile, which is one hash of the level above.

    Raises
    ------
    BadLogProofError
        If the tile is not full: a partial one must not be hashed into the level above.
    """
    if len(hashes) != TILE_WIDTH * HASH_BYTES:
        raise BadLogProofError(f"a tile of {len(hashes)} bytes is not full")
    return root_of(split_hashes(hashes))


def split_hashes(joined: bytes) -> list[bytes]:
    """Return the hashes of a tile one by one."""
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]


def completed_nodes(old_size: int, size: int) -> Iterator[tuple[int, int]]:
    """
    Give (level, index) of each node of level 1 and above that growth has completed, in order.

    Node ``(level, index)`` is the root over the full tile ``(level - 1, index)``.
    """
    level = 1
    while size >> (TILE_HEIGHT * level):
        shift = TILE_HEIGHT * level
        yield from ((level, index) for index in range(old_size >> shift, size >> shift))
        level += 1


class TileBuilder:
    """The partial tiles at the right edge; gives each node as appending completes it."""

    def __init__(self, size: int = 0, edge: Sequence[Sequence[bytes]] = ()) -> None:
        """Begin at ``size`` leaves with the hashes of the partial tile of each level."""
        self.size = size
        """Leaves."""
        self._edge = [list(one) for one in edge]
        for level in range(max(len(self._edge), (size.bit_length() + 7) // TILE_HEIGHT)):
            wanted = (size >> (TILE_HEIGHT * level)) % TILE_WIDTH
            found = len(self._edge[level]) if level < len(self._edge) else 0
            if wanted != found:
                raise BadTileError(
                    Tile(level, size >> (TILE_HEIGHT * (level + 1)), wanted), found * HASH_BYTES
                )

    @staticmethod
    def load(size: int, read_tile: ReadTile) -> "TileBuilder":
        """Return the builder of a tree of ``size`` leaves, its edge read from the tiles."""
        edge, level = list[list[bytes]](), 0
        while size >> (TILE_HEIGHT * level):
            hashes = size >> (TILE_HEIGHT * level)
            width = hashes % TILE_WIDTH
            joined = read_tile(level, hashes // TILE_WIDTH, width) if width else b""
            edge.append(split_hashes(joined))
            level += 1
        return TileBuilder(size, edge)

    def extend(self, leaves: Iterable[bytes]) -> tuple[Node, ...]:
        """Append leaf hashes; return the nodes that this completed, lower levels first."""
        hashes = list(leaves)
        first, level, completed = self.size, 0, list[Node]()
        self.size += len(hashes)
        while hashes:
            if level == len(self._edge):
                self._edge.append([])
            held = self._edge[level] + hashes
            index = (first >> (TILE_HEIGHT * level)) // TILE_WIDTH
            full = len(held) // TILE_WIDTH * TILE_WIDTH
            self._edge[level] = held[full:]
            hashes = [root_of(held[at : at + TILE_WIDTH]) for at in range(0, full, TILE_WIDTH)]
            level += 1
            completed += [Node(level, index + n, one) for n, one in enumerate(hashes)]
        return tuple(completed)


class TiledTree:
    """A tree of a given size that is read tile by tile; each tile is read at most once."""

    def __init__(self, size: int, read_tile: ReadTile) -> None:
        self.size: Final = size
        """Leaves."""
        self._read: Final = read_tile
        self._tiles: dict[tuple[int, int], bytes] = {}

    def root(self) -> bytes:
        """Return the root."""
        return self.root_over((0, self.size))

    def leaf(self, index: int) -> bytes:
        """Return the hash of leaf ``index``."""
        return self._hashes(0, index, 1)[0]

    def inclusion_proof(self, index: int) -> tuple[bytes, ...]:
        """
        Return the proof that leaf ``index`` is under the root (RFC 9162, 2.1.3.1).

        Raises
        ------
        BadLogProofError
            If there is no such leaf.
        """
        if not 0 <= index < self.size:
            raise BadLogProofError(f"leaf {index} of a tree of {self.size}")
        return tuple(self.root_over(one) for one in inclusion_ranges(self.size, index))

    def consistency_proof(self, old_size: int) -> tuple[bytes, ...]:
        """
        Return the proof that the tree of ``old_size`` is a prefix (RFC 9162, 2.1.4.1).

        Raises
        ------
        BadLogProofError
            If the older tree is the larger one.
        """
        if not 0 <= old_size <= self.size:
            raise BadLogProofError(f"a tree of {old_size} is no prefix of one of {self.size}")
        return tuple(self.root_over(one) for one in consistency_ranges(old_size, self.size))

    def root_over(self, leaves: Range) -> bytes:
        """Return the root over leaves ``[start, end)``, a subtree of RFC 9162's definition."""
        start, end = leaves
        peaks = []
        while start < end:
            height = (end - start).bit_length() - 1
            peaks.append(self._complete(start, height))
            start += 1 << height
        return fold(peaks)

    def _complete(self, start: int, height: int) -> bytes:
        """Return the root over the complete tree of ``2**height`` leaves from ``start``."""
        level, rest = divmod(height, TILE_HEIGHT)
        return root_of(self._hashes(level, start >> (TILE_HEIGHT * level), 1 << rest))

    def _hashes(self, level: int, first: int, count: int) -> list[bytes]:
        """Return ``count`` hashes of a level, all of one tile."""
        index, at = divmod(first, TILE_WIDTH)
        joined = self._tiles.get((level, index))
        if joined is None:
            tile = Tile(level, index, width_in(self.size, level, index))
            joined = self._read(tile.level, tile.index, tile.width)
            if len(joined) != tile.width * HASH_BYTES:
                raise BadTileError(tile, len(joined))
            self._tiles[level, index] = joined
        return split_hashes(joined[at * HASH_BYTES : (at + count) * HASH_BYTES])
