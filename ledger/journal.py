"""
Link entries into a journal: each commits to the one before, and is a leaf of the log (law L7).

An entry's bytes are fixed: a version, then length-prefixed fields. Golden vectors pin them.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from ledger.transfers import Transfer
from ledger.units import UnixSeconds

_VERSION: Final = b"voisin-entry-1"
_LENGTH_BYTES: Final = 4
GENESIS: Final = hashlib.sha256(b"voisin-journal-1").digest()
"""What the first entry commits to."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal."""

    seq: int
    """Position, from 0."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""
    name: str
    """``transfer``, ``refusal``, or the name of a record."""
    trace_id: str
    """Session id, ``community/interval/run``, or the empty string."""
    body: bytes
    """What is recorded."""
    previous: bytes
    """Hash of the entry before, 32 bytes."""

    def leaf(self) -> bytes:
        """Return the entry's bytes: the leaf of the log."""
        fields = (
            self.seq.to_bytes(8),
            self.at_s.to_bytes(8),
            self.name.encode(),
            self.trace_id.encode(),
            self.body,
            self.previous,
        )
        return _VERSION + b"".join(_prefixed(field) for field in fields)

    def hash(self) -> bytes:
        """Return what the next entry commits to, 32 bytes."""
        return hashlib.sha256(self.leaf()).digest()


def transfer_body(transfer: Transfer) -> bytes:
    """Return the bytes of a transfer; the same transfer always gives the same."""
    fields = (
        transfer.id,
        transfer.kind,
        transfer.debit,
        transfer.credit,
        str(transfer.amount),
        transfer.code,
        transfer.trace_id,
        transfer.pending_id or "",
    )
    return b"".join(_prefixed(field.encode()) for field in fields)


def fields_of(body: bytes) -> tuple[str, ...]:
    """Return the fields of a transfer's bytes, in order."""
    fields, at = [], 0
    while at < len(body):
        length = int.from_bytes(body[at : at + _LENGTH_BYTES])
        at += _LENGTH_BYTES
        fields.append(body[at : at + length].decode())
        at += length
    return tuple(fields)


def _prefixed(field: bytes) -> bytes:
    return len(field).to_bytes(_LENGTH_BYTES) + field
