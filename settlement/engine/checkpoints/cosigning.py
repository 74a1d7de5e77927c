"""
Ask the witnesses to cosign the newest checkpoint, outside any transaction.

A witness that is down, slow or odd is asked again later and stops nothing. One that holds a tree
which the log does not grow out of stops everything: either the log shows two histories, or it lost
entries that it had signed.
"""

from typing import Final

from sqlalchemy import Connection, func, select

from ledger.errors import Integrity, VoisinError
from ledger.proofs import (
    BadNoteError,
    Note,
    NoteUnsignedError,
    Signature,
    parse_head,
    parse_note,
    parse_signatures,
)
from ledger.proofs.witness import HeldDiffersError, NotConsistentError, Submission
from ledger.store.log import tree
from ledger.tables import checkpoint, cosignature, entry
from settlement.engine.checkpoints.http_witness import WitnessSilentError
from settlement.engine.checkpoints.published import SignedHead, newest_head
from settlement.engine.service import Service, WitnessPort

CONTRADICTION: Final = "witness_contradicts"
"""Name of the journal's entry that says a witness holds another history."""
_ATTEMPTS: Final = 2


class SplitViewError(Integrity):
    """A witness cosigned a tree that the log does not grow out of."""

    def __init__(self, name: str, detail: str) -> None:
        super().__init__("log_split_view", f"{name} {detail}")


def gather_cosignatures(service: Service) -> int:
    """
    Ask every witness that has not cosigned the newest checkpoint; return how many did now.

    Idempotent: a checkpoint keeps one cosignature of each witness.

    Raises
    ------
    SplitViewError
        If a witness holds another history; that is in the journal then. The others were asked.
    """
    if not service.witnesses:
        return 0
    with service.reading() as connection:
        head = newest_head(connection)
        kept = _cosigners(connection, head.size) if head else frozenset()
    gathered, splits = 0, list[SplitViewError]()
    for witness in service.witnesses:
        if head is None or witness.key.name in kept:
            continue
        try:
            gathered += _gather(service, witness, head)
        except SplitViewError as fault:
            _record(service, fault)
            splits.append(fault)
    if splits:
        raise splits[0]
    return gathered


def _gather(service: Service, witness: WitnessPort, head: SignedHead) -> bool:
    """Ask one witness and keep its cosignature; say whether there is one now."""
    note = parse_note(head.note.encode())
    submitted = Note(note.text, note.signatures[:1])
    try:
        signature = _ask(service, witness, head, submitted)
    except WitnessSilentError:
        return False
    with service.writing() as connection:
        if witness.key.name not in _cosigners(connection, head.size):
            connection.execute(
                cosignature.insert().values(
                    size=head.size,
                    name=witness.key.name,
                    line=signature.line(),
                    at_s=signature.time_s,
                )
            )
    return True


def _ask(service: Service, witness: WitnessPort, head: SignedHead, note: Note) -> Signature:
    """Return the witness's cosignature; go on from the size that it says it holds."""
    with service.reading() as connection:
        old_size = _last_cosigned(connection, witness.key.name)
    for _ in range(_ATTEMPTS):
        with service.reading() as connection:
            proof = tree(connection, head.size).consistency_proof(old_size)
        try:
            return witness.add_checkpoint(Submission(old_size, proof, note))
        except HeldDiffersError as fault:
            held_size = fault.held_size
            if held_size > head.size:
                detail = f"holds {held_size} entries, the log has signed {head.size}"
                raise SplitViewError(witness.key.name, detail) from fault
            if held_size == old_size == head.size:
                detail = f"holds another tree of {held_size} entries"
                raise SplitViewError(witness.key.name, detail) from fault
            old_size = held_size
        except NotConsistentError as fault:
            if _proves_us_right(service, witness, old_size):
                detail = "denies what it cosigned itself"
                raise WitnessSilentError(witness.key.name, detail) from fault
            detail = f"does not find its {old_size} entries in the log's {head.size}"
            raise SplitViewError(witness.key.name, detail) from fault
    raise WitnessSilentError(witness.key.name, "does not stay with the size that it holds")


def _proves_us_right(service: Service, witness: WitnessPort, old_size: int) -> bool:
    """Say whether the witness itself cosigned the tree that the log had at ``old_size``."""
    with service.reading() as connection:
        kept = connection.execute(
            select(checkpoint.c.root, checkpoint.c.note, cosignature.c.line)
            .join(cosignature, cosignature.c.size == checkpoint.c.size)
            .where(cosignature.c.size == old_size, cosignature.c.name == witness.key.name)
        ).first()
        if kept is None or tree(connection, old_size).root() != kept.root:
            return False
    text = parse_note(kept.note.encode()).text
    try:
        Note(text, parse_signatures(kept.line)).signed_by((witness.key,))
    except (BadNoteError, NoteUnsignedError):
        return False
    return bool(parse_head(text).root == kept.root)


def _cosigners(connection: Connection, size: int) -> frozenset[str]:
    names = select(cosignature.c.name).where(cosignature.c.size == size)
    return frozenset(connection.execute(names).scalars())


def _last_cosigned(connection: Connection, name: str) -> int:
    """Return the size of the last tree that a witness cosigned for us, 0 if none."""
    newest = select(func.max(cosignature.c.size)).where(cosignature.c.name == name)
    return connection.execute(newest).scalar() or 0


def _record(service: Service, fault: VoisinError) -> None:
    """Write the contradiction into the journal, once."""
    body = str(fault).encode()
    same = select(entry.c.seq).where(entry.c.name == CONTRADICTION, entry.c.body == body)
    with service.writing() as connection:
        if connection.execute(same.limit(1)).first() is None:
            service.book.append_record(
                connection,
                name=CONTRADICTION,
                trace_id=f"{service.rules.community_id}/log",
                body=body,
                at_s=service.clock.now_s(),
            )
