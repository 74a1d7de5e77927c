"""
Judge checkpoints as a witness does (C2SP tlog-witness), and ask a witness to.

A witness remembers of each log only the last tree that it cosigned. It cosigns a larger one if that
is proven to hold the last one whole, so a log cannot show it two histories.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.errors import Conflict, InvalidRequest, NotFound, NotPermitted
from ledger.proofs.checkpoints import TreeHead, parse_decimal, parse_head
from ledger.proofs.merkle import EMPTY_ROOT, HASH_BYTES, BadLogProofError, check_consistency
from ledger.proofs.notes import (
    NOTE_BYTES_MAX,
    BadNoteError,
    Note,
    NoteKey,
    NoteUnsignedError,
    SignatureKind,
    cosign,
    decode_base64,
    encode_base64,
    parse_note,
)
from ledger.units import UnixSeconds

PROOF_LINES_MAX: Final = 63
_OLD: Final = "old "
_PROOF_LINE_BYTES: Final = 45
SUBMISSION_BYTES_MAX: Final = NOTE_BYTES_MAX + (PROOF_LINES_MAX + 1) * _PROOF_LINE_BYTES


class BadSubmissionError(InvalidRequest):
    """What was sent to a witness is no submission, or its old size is above the new one."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_submission", detail)


class UnknownLogError(NotFound):
    """The witness was not told to watch the log."""

    def __init__(self, origin: str) -> None:
        super().__init__("unknown_log", f"{origin} is not watched here")


class NotTheLogsError(NotPermitted):
    """The checkpoint does not carry a signature of the log that it is about."""

    def __init__(self, detail: str) -> None:
        super().__init__("not_the_logs", detail)


class HeldDiffersError(Conflict):
    """The witness holds another tree than the one that the submission goes on from."""

    def __init__(self, origin: str, held_size: int) -> None:
        super().__init__("held_differs", f"the tree of {origin} held here has {held_size} entries")
        self.held_size: Final = held_size
        """Entries of the tree that it cosigned last."""


class NotConsistentError(InvalidRequest):
    """It is not proven that the new tree holds the one that the witness cosigned."""

    def __init__(self, origin: str, detail: str) -> None:
        super().__init__("not_consistent", f"{origin}: {detail}")


@dataclass(frozen=True, slots=True)
class Held:
    """What a witness keeps of a log."""

    size: int = 0
    """Entries of the tree that it cosigned last, 0 if none."""
    root: bytes = EMPTY_ROOT
    """Root over them, 32 bytes."""


NOTHING: Final = Held()


@dataclass(frozen=True, slots=True)
class Submission:
    """A checkpoint sent to a witness, with the proof that it goes on from the last one."""

    old_size: int
    """Entries of the last tree that the witness is thought to have cosigned."""
    proof: tuple[bytes, ...]
    """Consistency proof from it, 32 bytes each."""
    note: Note
    """The checkpoint."""

    def encoded(self) -> bytes:
        """Return the body of the request."""
        proof = "".join(f"{encode_base64(one)}\n" for one in self.proof)
        return f"{_OLD}{self.old_size}\n{proof}\n{self.note.encoded()}".encode()


@dataclass(frozen=True, slots=True)
class Cosigned:
    """What a witness says yes with: keep ``held``, then send ``line``."""

    origin: str
    """The log."""
    held: Held
    """What the witness holds of it from now on."""
    line: str
    """The cosignature's line, its newline included."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Who cosigns, and whose checkpoints."""

    name: str
    """Name of its key."""
    key: Ed25519PrivateKey
    """Its key, used for nothing else."""
    logs: Mapping[str, tuple[NoteKey, ...]]
    """The logs it watches: the keys that it trusts of each, by origin."""

    @property
    def public_key(self) -> NoteKey:
        """The key that checks its cosignatures."""
        return NoteKey(self.name, self.key.public_key(), SignatureKind.COSIGNATURE)

    def judge(self, submission: Submission) -> TreeHead:
        """
        Return the tree head submitted, if it is the watched log's own.

        Raises
        ------
        BadSubmissionError
            If the note is no checkpoint, or the old size lies above the new one.
        UnknownLogError
            If the log is not watched.
        NotTheLogsError
            If the log's key did not sign it.
        """
        try:
            head = parse_head(submission.note.text)
        except BadNoteError as fault:
            raise BadSubmissionError(str(fault)) from fault
        keys = self.logs.get(head.origin)
        if keys is None:
            raise UnknownLogError(head.origin)
        try:
            submission.note.signed_by(keys)
        except NoteUnsignedError as fault:
            raise NotTheLogsError(str(fault)) from fault
        if submission.old_size > head.size:
            raise BadSubmissionError(f"old {submission.old_size} is above {head.size}")
        return head

    def add_checkpoint(self, held: Held, submission: Submission, *, at_s: UnixSeconds) -> Cosigned:
        """
        Cosign a checkpoint that goes on from ``held``, what is kept of its log.

        Keep the answer's ``held`` durably before its line leaves, and let no other checkpoint of
        the log be judged in between.

        Raises
        ------
        HeldDiffersError
            If ``held`` is of another size than the submission goes on from, or of another root.
        NotConsistentError
            If the proof does not hold.
        VoisinError
            What ``judge`` raises.
        """
        head = self.judge(submission)
        same_size = submission.old_size == head.size
        if submission.old_size != held.size or (same_size and head.root != held.root):
            raise HeldDiffersError(head.origin, held.size)
        try:
            check_consistency((held.size, held.root), (head.size, head.root), submission.proof)
        except BadLogProofError as fault:
            raise NotConsistentError(head.origin, str(fault)) from fault
        line = cosign(submission.note.text, self.name, self.key, at_s=at_s).line()
        return Cosigned(head.origin, Held(head.size, head.root), line)


def parse_submission(body: bytes) -> Submission:
    """
    Return what a request's body submits.

    Raises
    ------
    BadSubmissionError
        If it is not the old size, at most 63 hashes, an empty line and a note exactly.
    """
    head, empty, note = body.partition(b"\n\n")
    if len(body) > SUBMISSION_BYTES_MAX or not empty or not head.isascii():
        raise BadSubmissionError("a body without proof, empty line and note, or too large")
    old, *lines = head.decode().split("\n")
    if not old.startswith(_OLD) or len(lines) > PROOF_LINES_MAX:
        raise BadSubmissionError("a body that does not begin with an old size and its proof")
    try:
        proof = tuple(decode_base64(line) for line in lines)
        submission = Submission(parse_decimal(old.removeprefix(_OLD)), proof, parse_note(note))
    except BadNoteError as fault:
        raise BadSubmissionError(str(fault)) from fault
    if any(len(one) != HASH_BYTES for one in proof):
        raise BadSubmissionError("a proof of hashes that are not of 32 bytes")
    return submission
