"""What anybody may have of the log: its newest checkpoint, its tiles, and proofs of entries."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import NotFound
from ledger.proofs import UnknownTileError, parse_tile_path
from ledger.store.log import read_tile, tree
from ledger.tables import checkpoint, cosignature, entry

SEQ: Final = entry.c.seq
LEAF_HASH: Final = entry.c.hash
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
    found = tree(connection, head.size)
    return EntryProof(seq, found.leaf(seq), found.inclusion_proof(seq), head)
