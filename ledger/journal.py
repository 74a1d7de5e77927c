r"""
Link entries into a journal: each commits to the one before, and is a leaf of the log (law L7).

An entry is text that anybody can hash by hand: lines that end in ``\n``, then the body.

::

    voisin-entry-2
    <position, from 0>
    <domain instant, in Unix seconds>
    <hash of the entry before, in hex>
    <salt, in hex>
    <name>
    <trace id>
    <body>

Its hash is its leaf's in the log, SHA-256 of a zero byte and the text (RFC 9162, 2.1.1): the same
32 bytes link the entries and stand at the foot of the tree. The foot of the tree is public, and few
amounts are possible: so each entry has a salt, which only the ledger's secret seed gives and which
goes to whoever may read the entry. A transfer's body is lines too. Golden vectors pin the bytes.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ledger.errors import VoisinError
from ledger.transfers import Transfer
from ledger.units import UnixSeconds

_VERSION: Final = b"\0voisin-entry-2"
GENESIS: Final = hashlib.sha256(b"voisin-journal-2").digest()
"""What the first entry commits to."""
SEED_BYTES: Final = 32
"""Length of a ledger's secret seed."""
_SALT_BYTES: Final = 16
_SEQ_BYTES: Final = 8
TRANSFER: Final = "transfer"
"""Name of an entry whose body is a transfer."""
REFUSAL: Final = "refusal"
"""Name of an entry whose body tells of a group that was refused."""

Record = tuple[str, str, bytes]
"""Name, trace id and body of an entry to be."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal."""

    seq: int
    """Position, from 0."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""
    name: str
    """``transfer``, ``refusal``, or the name of a record; one line of text."""
    trace_id: str
    """Session id, ``community/interval/run``, or the empty string; one line of text."""
    body: bytes
    """What is recorded."""
    previous: bytes
    """Hash of the entry before, 32 bytes."""
    salt: bytes
    """What keeps its hash from being guessed, 16 bytes."""

    def leaf(self) -> bytes:
        """Return the entry's bytes: the leaf of the log."""
        lines = (self.seq, self.at_s, self.previous.hex(), self.salt.hex(), self.name)
        head = "".join(f"\n{line}" for line in (*lines, self.trace_id))
        return _VERSION[1:] + head.encode() + b"\n" + self.body

    def hash(self) -> bytes:
        """Return what the next entry commits to and the log holds, 32 bytes."""
        return hashlib.sha256(b"\0" + self.leaf()).digest()


def salt_of(seed: bytes, seq: int) -> bytes:
    """Return the salt of the entry at position ``seq``, 16 bytes, from the ledger's secret seed."""
    return hashlib.sha256(seed + seq.to_bytes(_SEQ_BYTES)).digest()[:_SALT_BYTES]


def link(
    end: tuple[bytes, int], seed: bytes, at_s: UnixSeconds, records: Iterable[Record]
) -> Iterator[bytes]:
    """Yield the hash of each record's entry; ``end`` is the hash before and the first position."""
    sha256 = hashlib.sha256
    previous, seq = end
    for name, trace_id, body in records:
        head = b"%b\n%d\n%d\n%b\n%b\n%b\n%b\n" % (
            _VERSION,
            seq,
            at_s,
            previous.hex().encode(),
            salt_of(seed, seq).hex().encode(),
            name.encode(),
            trace_id.encode(),
        )
        previous = sha256(head + body).digest()
        seq += 1
        yield previous


def transfer_body(transfer: Transfer, group_seq: int) -> bytes:
    """
    Return the bytes of a transfer: its fields, a line each; empty for what it does not have.

    The last line is the position of its group's first entry, so that the log says what was taken
    together.
    """
    return (
        f"{transfer.id}\n{transfer.kind.value}\n{transfer.debit}\n{transfer.credit}\n"
        f"{transfer.amount}\n{transfer.code}\n{transfer.trace_id}\n{transfer.pending_id or ''}\n"
        f"{'' if transfer.expires_s is None else transfer.expires_s}\n{group_seq}"
    ).encode()


def fields_of(body: bytes) -> tuple[str, ...]:
    """Return the fields of a transfer's bytes, in order."""
    return tuple(body.decode().split("\n"))


def refusal_body(name: str, body_hash: bytes, fault: VoisinError) -> bytes:
    """Return the bytes of a refusal: the id, the hash of the group, the code and what was said."""
    return f"{name}\n{body_hash.hex()}\n{fault.code}\n{fault}".encode()


def group_hash(transfers: Iterable[Transfer]) -> bytes:
    """
    Return what tells a group from every other, 32 bytes, whatever was put into its fields.

    Groups that cannot be taken have one too: text that is no ASCII is escaped, and a number may
    have any length.
    """
    digest = hashlib.sha256()
    for one in transfers:
        for field in (one.id, one.kind, one.debit, one.credit, one.code, one.trace_id):
            digest.update(ascii(field).encode() + b"\n")
        digest.update(f"{one.amount:x}\n{one.pending_id!a}\n{one.expires_s}\n".encode())
    return digest.digest()
