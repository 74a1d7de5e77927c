"""
Take messages from outside: kept byte for byte, judged once, answered the same ever after.

The business key says what a message is about. The same key and content returns the first answer
and changes nothing (law L6). What is refused is kept too, with its reason, and journaled; it does
not claim the key, so a right message can follow a wrong one. Readings, of which there are most, are
kept in a table of their own (``settlement.engine.market.registers``).
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select

from ledger.errors import ExistsWithDifferent, Integrity, VoisinError
from ledger.store import LedgerStore
from ledger.units import UnixSeconds
from settlement.tables import event, inbox, refusal

Outcome = Mapping[str, Any]

# Every message passes here, so its statements are made once.
_PRIOR: Final = select(inbox.c.content_hash, inbox.c.outcome).where(
    inbox.c.key == bindparam("message_key")
)
_KEEP: Final = inbox.insert()
_TELL: Final = event.insert()


class MessageDiffersError(ExistsWithDifferent):
    """The same business key came with other content."""

    def __init__(self, key: str) -> None:
        super().__init__("message_differs", f"{key} was received before with other content")


@dataclass(frozen=True, slots=True)
class Message:
    """Something that came from outside."""

    key: str
    """Business key: what it is about."""
    kind: str
    """``reading``, ``mandate``, ``member``, ``session`` or ``ocpp``."""
    source: str
    """Who sent it, as far as known."""
    body: bytes
    """What was sent, byte for byte."""
    trace_id: str
    """Trace id it belongs to, or the empty string."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a message."""

    outcome: Outcome
    """The answer, the first one for ever."""
    replayed: bool
    """Whether the message had been judged before."""


def take(
    connection: Connection,
    book: LedgerStore,
    message: Message,
    *,
    at_s: UnixSeconds,
    judge: Callable[[], Outcome],
) -> Verdict | VoisinError:
    """
    Judge ``message`` unless it was judged before, and keep it with its outcome.

    Runs in the caller's transaction. A refusal is returned, not raised, so that the caller commits
    the record of it; what ``judge`` wrote before it refused is undone.

    Raises
    ------
    Integrity
        If a law broke while judging; nothing of it is kept.
    """
    content = content_hash(message)
    prior = connection.execute(_PRIOR, {"message_key": message.key}).first()
    if prior is not None and prior[0] == content:
        return Verdict(json.loads(prior[1]), replayed=True)
    try:
        if prior is not None:
            raise MessageDiffersError(message.key)
        with connection.begin_nested():
            outcome = judge()
    except Integrity:
        raise
    except VoisinError as fault:
        refuse(connection, book, message, fault, at_s=at_s)
        return fault
    connection.execute(
        _KEEP,
        {
            "key": message.key,
            "content_hash": content,
            "kind": message.kind,
            "source": message.source,
            "body": message.body,
            "outcome": json.dumps(outcome, sort_keys=True),
            "at_s": at_s,
        },
    )
    return Verdict(outcome, replayed=False)


def is_taken(connection: Connection, message: Message) -> bool:
    """Return whether the message, with just this content, was judged good before."""
    prior = connection.execute(
        select(inbox.c.content_hash).where(inbox.c.key == message.key)
    ).scalar()
    return prior is not None and prior == content_hash(message)


def first_outcome(connection: Connection, key: str) -> Outcome:
    """Return the answer that the first message under a business key got; there must be one."""
    found = connection.execute(select(inbox.c.outcome).where(inbox.c.key == key)).scalar_one()
    return dict(json.loads(found))


def content_hash(message: Message) -> bytes:
    """Return what tells whether a message came before with the same content."""
    return hashlib.sha256(message.body).digest()


def refusal_hash(message: Message) -> bytes:
    """Return what a refusal is known by: what the message is about and what it says."""
    return hashlib.sha256(message.key.encode() + b"\0" + message.body).digest()


def is_refused(connection: Connection, message: Message) -> bool:
    """Return whether the message, with just this content, was refused before."""
    known = connection.execute(
        select(refusal.c.seq).where(refusal.c.content_hash == refusal_hash(message))
    ).scalar()
    return known is not None


def refuse(
    connection: Connection,
    book: LedgerStore,
    message: Message,
    fault: VoisinError,
    *,
    at_s: UnixSeconds,
) -> None:
    """Keep a refused message with its reason, once, and journal it."""
    if is_refused(connection, message):
        return
    content = refusal_hash(message)
    connection.execute(
        refusal.insert().values(
            kind=message.kind,
            source=message.source,
            code=fault.code,
            detail=str(fault),
            body=message.body,
            content_hash=content,
            trace_id=message.trace_id,
            at_s=at_s,
        )
    )
    book.append_record(
        connection,
        name="message_refused",
        trace_id=message.trace_id,
        body=content + fault.code.encode(),
        at_s=at_s,
    )


def emit(
    connection: Connection,
    name: str,
    *,
    trace_id: str,
    at_s: UnixSeconds,
    **body: object,
) -> None:
    """Append an event; its name is in the past tense."""
    connection.execute(
        _TELL,
        {
            "name": name,
            "version": 1,
            "trace_id": trace_id,
            "body": json.dumps(body, sort_keys=True),
            "at_s": at_s,
        },
    )
