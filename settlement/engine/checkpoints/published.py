"""What anybody may have of the log: its newest checkpoint, its tiles, and proofs of entries."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import NotFound
from ledger.proofs import (
    TILE_WIDTH,
    TiledTree,
    UnknownTileError,
    parse_tile_path,
    tile_root,
)
from ledger.tables import checkpoint, cosignature, entry

SEQ: Final = entry.c.seq
LEAF_HASH: Final = entry.c.leaf_hash
"""Column of an entry's leaf hash."""


class NoCheckpointError(NotFound):
    """The log has not been signed yet."""

    def __init__(self) -> None:
        super().__init__("no_checkpoint", "the log has no checkpoint yet")


class EntryNotSignedError(NotFound):
    """No checkpoint covers the entry yet, or there is no such entry."""

    def __init__(self, seq: int, size: int) -> None:
        super().__init__("entry_not_signed", f"{seq} is not among the {size} entries signed")


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint with everybody's signature."""

    size: int
    """Entries."""
    root: bytes
    """Root over them, 32 bytes."""
    note: str
    """The signed note: the log's signature, then the witnesses'."""


@dataclass(frozen=True, slots=True)
class EntryProof:
    """What proves an entry to somebody who has only the log's key."""

    index: int
    """Position of the entry, from 0."""
    leaf: bytes
    """Its leaf hash, 32 bytes."""
    proof: tuple[bytes, ...]
    """Inclusion proof to the checkpoint's root, 32 bytes each."""
    head: SignedHead
    """The checkpoint."""


def newest_head(connection: Connection) -> SignedHead | None:
    """Return the newest checkpoint with all its signatures, None if there is none."""
    found = connection.execute(
        select(checkpoint).order_by(checkpoint.c.size.desc()).limit(1)
    ).first()
    if found is None:
        return None
    return SignedHead(found.size, found.root, with_cosignatures(connection, found.size, found.note))


def signed_head(connection: Connection) -> SignedHead:
    """
    Return the newest checkpoint with all its signatures.

    Raises
    ------
    NoCheckpointError
        If there is none.
    """
    found = newest_head(connection)
    if found is None:
        raise NoCheckpointError
    return found


def with_cosignatures(connection: Connection, size: int, note: str) -> str:
    """Return a checkpoint's note with the cosignatures that are kept of it, by witness."""
    lines = connection.execute(
        select(cosignature.c.line).where(cosignature.c.size == size).order_by(cosignature.c.name)
    ).scalars()
    return note + "".join(lines)


def tree_of(connection: Connection, size: int) -> TiledTree:
    """Return the tree over the first ``size`` entries."""
    return TiledTree(size, lambda level, index, width: read_tile(connection, level, index, width))


def read_tile(connection: Connection, level: int, index: int, width: int) -> bytes:
    """Return the first ``width`` hashes of a tile, joined; fewer if the log is shorter."""
    first = index * TILE_WIDTH
    if level == 0:
        leaves = select(LEAF_HASH).where(first <= SEQ, first + width > SEQ).order_by(SEQ)
        return b"".join(connection.execute(leaves).scalars())
    below = (read_tile(connection, level - 1, first + n, TILE_WIDTH) for n in range(width))
    return b"".join(tile_root(one) for one in below)


def published_tile(connection: Connection, path: str) -> bytes:
    """
    Return the hashes of a tile (C2SP tlog-tiles), as far as the newest checkpoint goes.

    Raises
    ------
    UnknownTileError
        If the path is no tile's, or the checkpoint's tree has no such tile.
    """
    tile, head = parse_tile_path(path), newest_head(connection)
    if head is None or not tile.is_in(head.size):
        raise UnknownTileError(path)
    return read_tile(connection, tile.level, tile.index, tile.width)


def prove_entry(connection: Connection, seq: int) -> EntryProof:
    """
    Return the proof that entry ``seq`` is under the newest checkpoint.

    Raises
    ------
    NoCheckpointError
        If there is no checkpoint.
    EntryNotSignedError
        If the newest one does not cover the entry.
    """
    head = signed_head(connection)
    if not 0 <= seq < head.size:
        raise EntryNotSignedError(seq, head.size)
    tree = tree_of(connection, head.size)
    return EntryProof(seq, tree.leaf(seq), tree.inclusion_proof(seq), head)
