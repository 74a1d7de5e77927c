"""Checkpoints of the log (C2SP tlog-checkpoint): what it said of itself, signed."""

from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import VoisinError
from ledger.proofs.merkle import HASH_BYTES, BadLogProofError
from ledger.proofs.notes import (
    BadNoteError,
    Note,
    NoteKey,
    decode_base64,
    encode_base64,
    parse_note,
    sign,
)
from ledger.units import UnixSeconds

_SIZE_MAX: Final = 2**63 - 1
_HEAD_LINES: Final = 3


@dataclass(frozen=True, slots=True)
class TreeHead:
    """What every log's checkpoint says first."""

    origin: str
    """Name of the log."""
    size: int
    """Entries."""
    root: bytes
    """Root over them, 32 bytes."""
    extensions: tuple[str, ...]
    """Whatever lines the log adds; ours adds one, the instant."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What our log said of itself at an instant."""

    origin: str
    """Name of the log."""
    size: int
    """Entries."""
    root: bytes
    """Root over them, 32 bytes."""
    at_s: UnixSeconds
    """Domain instant, in Unix seconds."""

    def text(self) -> str:
        """Return the note's text (C2SP tlog-checkpoint), the instant as an extension line."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n{self.at_s}\n"


def parse_head(text: str) -> TreeHead:
    """
    Return the tree head that a note's text states, of whatever log.

    Raises
    ------
    BadNoteError
        If it is not origin, size, root and extension lines exactly, none of them empty.
    """
    lines = text.removesuffix("\n").split("\n")
    if not text.endswith("\n") or len(lines) < _HEAD_LINES or not all(lines):
        raise BadNoteError("the note is no checkpoint")
    size, root = parse_decimal(lines[1]), decode_base64(lines[2])
    if len(root) != HASH_BYTES:
        raise BadNoteError(f"a checkpoint with a root of {len(root)} bytes")
    return TreeHead(lines[0], size, root, tuple(lines[_HEAD_LINES:]))


def parse_decimal(digits: str) -> int:
    """
    Return the number that decimal digits state, 0 to 2**63 - 1.

    Raises
    ------
    BadNoteError
        If they have a sign, a space, a leading zero, or other digits than 0 to 9.
    """
    plain = digits.isascii() and digits.isdecimal() and len(digits) <= len(str(_SIZE_MAX))
    if not plain or str(int(digits)) != digits or int(digits) > _SIZE_MAX:
        raise BadNoteError("what should be a number is not")
    return int(digits)


def sign_checkpoint(checkpoint: Checkpoint, name: str, key: Ed25519PrivateKey) -> str:
    """Return the checkpoint as a signed note (C2SP signed-note, Ed25519)."""
    text = checkpoint.text()
    return Note(text, (sign(text, name, key),)).encoded()


def open_checkpoint(note: str, name: str, key: Ed25519PublicKey) -> Checkpoint:
    """
    Return the checkpoint of a signed note.

    Raises
    ------
    BadLogProofError
        If the key did not sign it, or it is no checkpoint of ours.
    """
    try:
        parsed = parse_note(note.encode())
        parsed.signed_by((NoteKey(name, key),))
        head = parse_head(parsed.text)
        if len(head.extensions) != 1:
            raise BadNoteError("a checkpoint without its instant")
        at_s = UnixSeconds(parse_decimal(head.extensions[0]))
    except (VoisinError, UnicodeEncodeError) as fault:
        raise BadLogProofError(str(fault)) from fault
    return Checkpoint(head.origin, head.size, head.root, at_s)
