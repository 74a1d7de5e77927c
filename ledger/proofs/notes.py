"""
Signed notes (C2SP signed-note): a text, an empty line, and signatures of whoever stands by it.

Two kinds of signature are known: Ed25519 over the text, and the timestamped cosignature of a
witness (C2SP tlog-cosignature). Signatures of unknown keys are carried along and prove nothing.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.errors import InvalidRequest, NotAuthenticated
from ledger.units import UnixSeconds

NOTE_BYTES_MAX: Final = 1_000_000
SIGNATURES_MAX: Final = 100
TIME_MAX: Final = 2**63 - 1
_DASH: Final = "— "
_KEY_ID_BYTES: Final = 4
_TIME_BYTES: Final = 8
_PUBLIC_KEY_BYTES: Final = 32
_SPACE: Final = 0x20


class BadNoteError(InvalidRequest):
    """A text that is no signed note, or a key that is none of a note."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_note", detail)


class NoteUnsignedError(NotAuthenticated):
    """No key that is trusted signed the note, or a line under a trusted key is forged."""

    def __init__(self, detail: str) -> None:
        super().__init__("note_unsigned", detail)


class SignatureKind(IntEnum):
    """What a signature is over; the number is the type byte that the key's id commits to."""

    ED25519 = 0x01
    """Over the text."""
    COSIGNATURE = 0x04
    """Over ``cosignature/v1``, an instant and the text; the instant comes before it."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line of a note."""

    name: str
    """Name of the key."""
    key_id: bytes
    """Id of the key, 4 bytes."""
    body: bytes
    """What the key made, at least 1 byte."""

    def line(self) -> str:
        """Return the line, its newline included."""
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.body)}\n"

    @property
    def time_s(self) -> UnixSeconds:
        """Instant that a cosignature names, in Unix seconds."""
        return UnixSeconds(int.from_bytes(self.body[:_TIME_BYTES]))


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key whose signatures a reader of notes trusts."""

    name: str
    """Name, without spaces and plus signs."""
    key: Ed25519PublicKey
    """The key."""
    kind: SignatureKind = SignatureKind.ED25519
    """What it signs."""

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of the hash over name, kind and key."""
        head = self.name.encode() + b"\n" + bytes([self.kind])
        return hashlib.sha256(head + self.key.public_bytes_raw()).digest()[:_KEY_ID_BYTES]

    def encoded(self) -> str:
        """Return the key in one line, ``name+id+key``, as it is handed to others."""
        raw = bytes([self.kind]) + self.key.public_bytes_raw()
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(raw)}"

    def check(self, text: str, signature: Signature) -> None:
        """
        Check a signature of this key over a note's text.

        Raises
        ------
        NoteUnsignedError
            If the key did not make it.
        """
        message, body = text.encode(), signature.body
        if self.kind is SignatureKind.COSIGNATURE:
            if signature.time_s > TIME_MAX:
                raise NoteUnsignedError(f"the cosignature of {self.name} is of no instant")
            message, body = cosigned_message(text, signature.time_s), body[_TIME_BYTES:]
        try:
            self.key.verify(body, message)
        except InvalidSignature as fault:
            raise NoteUnsignedError(f"the note is not signed by {self.name}") from fault


@dataclass(frozen=True, slots=True)
class Note:
    """A text with signatures, as parsed: nothing of it is proven."""

    text: str
    """The text, its last newline included."""
    signatures: tuple[Signature, ...]
    """The signatures, in order."""

    def encoded(self) -> str:
        """Return the note as it is sent."""
        return f"{self.text}\n{''.join(one.line() for one in self.signatures)}"

    def signed_by(self, keys: Sequence[NoteKey]) -> tuple[Signature, ...]:
        """
        Return the signatures of ``keys``, each checked; those of other keys are passed over.

        Raises
        ------
        NoteUnsignedError
            If there is none, or one of them does not hold.
        """
        known = {(key.name, key.key_id): key for key in keys}
        found = [one for one in self.signatures if (one.name, one.key_id) in known]
        if not found:
            names = ", ".join(key.name for key in keys)
            raise NoteUnsignedError(f"the note carries no signature of {names}")
        for one in found:
            known[one.name, one.key_id].check(self.text, one)
        return tuple(found)


def parse_note(raw: bytes) -> Note:
    """
    Return the note that ``raw`` holds.

    Raises
    ------
    BadNoteError
        If it is longer than 1,000,000 bytes, not UTF-8, carries a control character other than
        the newline, or is not text, empty line and signature lines exactly.
    """
    if len(raw) > NOTE_BYTES_MAX:
        raise BadNoteError(f"a note of {len(raw)} bytes")
    try:
        note = raw.decode()
    except UnicodeDecodeError as fault:
        raise BadNoteError("a note that is not UTF-8") from fault
    if any(byte < _SPACE and byte != ord("\n") for byte in raw):
        raise BadNoteError("a note with a control character")
    text, empty, lines = note.rpartition("\n\n")
    if not empty:
        raise BadNoteError("a note without an empty line before its signatures")
    return Note(f"{text}\n", parse_signatures(lines))


def parse_signatures(lines: str) -> tuple[Signature, ...]:
    """
    Return the signatures that lines of a note hold, at least one.

    Raises
    ------
    BadNoteError
        If one is not em dash, space, name, space, base64 and newline exactly.
    """
    if not lines.endswith("\n"):
        raise BadNoteError("a note without signatures, or cut off")
    split = lines[:-1].split("\n")
    if len(split) > SIGNATURES_MAX:
        raise BadNoteError(f"a note with {len(split)} signatures")
    return tuple(_parse_line(line) for line in split)


def parse_key(encoded: str) -> NoteKey:
    """
    Return the key that ``NoteKey.encoded`` gave.

    Raises
    ------
    BadNoteError
        If it is not of that form, of an unknown kind, or its id is that of another key.
    """
    name, _, rest = encoded.partition("+")
    key_id, _, key = rest.partition("+")
    check_name(name)
    raw = decode_base64(key)
    kinds = {kind.value: kind for kind in SignatureKind}
    if len(raw) != 1 + _PUBLIC_KEY_BYTES or raw[0] not in kinds:
        raise BadNoteError(f"{encoded} is no Ed25519 key of a note")
    found = NoteKey(name, Ed25519PublicKey.from_public_bytes(raw[1:]), kinds[raw[0]])
    if found.encoded() != encoded or key_id != found.key_id.hex():
        raise BadNoteError(f"{encoded} does not carry the id {found.key_id.hex()}")
    return found


def sign(text: str, name: str, key: Ed25519PrivateKey) -> Signature:
    """Return the Ed25519 signature over a note's text."""
    check_name(name)
    return Signature(name, NoteKey(name, key.public_key()).key_id, key.sign(text.encode()))


def cosign(text: str, name: str, key: Ed25519PrivateKey, *, at_s: UnixSeconds) -> Signature:
    """Return a witness's cosignature over a checkpoint's text at ``at_s`` (tlog-cosignature)."""
    check_name(name)
    known = NoteKey(name, key.public_key(), SignatureKind.COSIGNATURE)
    signature = key.sign(cosigned_message(text, at_s))
    return Signature(name, known.key_id, at_s.to_bytes(_TIME_BYTES) + signature)


def cosigned_message(text: str, at_s: UnixSeconds) -> bytes:
    """Return what a cosignature at ``at_s`` is over."""
    return f"cosignature/v1\ntime {at_s}\n{text}".encode()


def check_name(name: str) -> None:
    """
    Check that ``name`` can be a key's.

    Raises
    ------
    BadNoteError
        If it is empty, or has a plus sign, a space of Unicode or a control character.
    """
    odd = any(one == "+" or one.isspace() or ord(one) < _SPACE for one in name)
    if not name or odd:
        raise BadNoteError(f"{name!r} is no name of a key")


def encode_base64(raw: bytes) -> str:
    """Return standard base64 (RFC 4648, section 4)."""
    return base64.b64encode(raw).decode()


def decode_base64(encoded: str) -> bytes:
    """
    Return what standard base64 holds.

    Raises
    ------
    BadNoteError
        If it is not exactly what ``encode_base64`` gives: each value has one text alone.
    """
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as fault:
        raise BadNoteError("what should be base64 is not") from fault
    if encode_base64(raw) != encoded:
        raise BadNoteError("base64 with bits left over")
    return raw


def _parse_line(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise BadNoteError("a signature line that is none")
    check_name(name)
    raw = decode_base64(encoded)
    if len(raw) <= _KEY_ID_BYTES:
        raise BadNoteError(f"the signature of {name} is empty")
    return Signature(name, raw[:_KEY_ID_BYTES], raw[_KEY_ID_BYTES:])
