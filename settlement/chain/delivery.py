"""
Move what waits for the chain: send, look for receipts, read new blocks, hand on what is final.

Before anything is sent the chain is read, so that it is known to contain the last block that was
read: a node that was restarted empty, or left for another chain, gets nothing. Asking the node
happens outside of the database's transactions; what it said is written in one transaction with all
that follows from it. Everything here may be killed at any point and run again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Final, Protocol

from sqlalchemy import Connection

from ledger.errors import ChainError, ChainUnavailable, Integrity
from settlement.chain.gateway import Answer, ChainGateway, Header, Receipt
from settlement.chain.identity import compare_chain, keep_code
from settlement.chain.indexer import FinalEvent, Indexer, Page
from settlement.chain.outbox import Outbox
from settlement.chain.sending.intents import (
    Outstanding,
    end_intents,
    note_waiting,
    settle_intents,
)

_log: Final = logging.getLogger(__name__)


class ForeignTransactionError(Integrity):
    """The chain holds, under a nonce of ours, a transaction that is none of our attempts."""

    def __init__(self, signer: str, one: Outstanding) -> None:
        signed = ", ".join(attempt.hash for attempt in one.attempts)
        super().__init__(
            "foreign_transaction",
            f"nonce {one.nonce} of {signer} is used on the chain, but not by {signed}, "
            f"signed for {one.business_key}",
        )


class Host(Protocol):
    """Whoever has a database, a chain and transactions for it."""

    @property
    def gateway(self) -> ChainGateway:
        """The chain."""
        ...

    @property
    def outbox(self) -> Outbox:
        """The transactions."""
        ...

    @property
    def indexer(self) -> Indexer:
        """The reader of events."""
        ...

    def writing(self) -> AbstractContextManager[Connection]:
        """Open the one write transaction; it commits at the end, or nothing of it is kept."""
        ...

    def reading(self) -> AbstractContextManager[Connection]:
        """Open a transaction that only reads."""
        ...


@dataclass(frozen=True, slots=True)
class Reactions:
    """What shall follow from the chain, in the transaction that takes note of it."""

    explain: Callable[[Connection, Outstanding], str]
    """Says why an intent was reverted; may ask the node."""
    failed: Callable[[Connection, Outstanding, str], None]
    """Told of an intent that is reverted for ever, and why."""
    superseded: Callable[[Connection, Outstanding], None]
    """Told of an intent that was cancelled for ever."""
    happened: Callable[[Connection, Sequence[FinalEvent]], None]
    """Told of the events that have become final, in chain order."""


@dataclass(frozen=True, slots=True)
class _Sought:
    """An intent that was sent, and what the node said of it."""

    intent: Outstanding
    """The intent."""
    receipt: Receipt | None
    """The receipt of whichever attempt was mined."""
    too_cheap: bool
    """Whether the node has not kept its bytes because they pay too little."""


@dataclass(frozen=True, slots=True)
class _News:
    """What a node said that is to be written in one transaction."""

    page: Page | None = None
    """New blocks."""
    sought: tuple[_Sought, ...] = ()
    """What was sent and looked for."""
    mined: tuple[Outstanding, ...] | None = None
    """What was mined already; None if nobody looked."""


@dataclass(frozen=True, slots=True)
class _Left:
    """What is left to do after the chain was read."""

    waiting: tuple[Outstanding, ...] = ()
    """Intents that have not come to their end."""
    more_to_send: bool = False
    """Whether something is to be sent that was not, or again."""


def advance(host: Host, reactions: Reactions, *, parcel: int = 1) -> int:
    """
    Read, send and look until nothing changes; return how many intents still wait.

    On a chain that mines at once and is final at depth 0, one call ends with nothing waiting.

    Parameters
    ----------
    parcel
        How many transactions go to the node in one request. With one, a node that mines at once
        puts each into a block of its own, so that the same work makes the same chain; with more,
        what is sent together is quicker, and may share a block.

    Raises
    ------
    ChainUnavailable
        If the node does not answer; call again later.
    TransactionRefusedError
        If the node refuses bytes for a reason that has nothing to do with their fee or nonce.
    Integrity
        If the chain or a law broke; nothing was sent since.
    """
    _read(host, reactions, host.gateway.head(), _News())
    while True:
        with host.reading() as connection:
            waiting = host.outbox.outstanding(connection)
        unmined = tuple(one for one in waiting if not one.mined)
        if not unmined:
            return len(waiting)
        host.outbox.steps.reach("committed")
        answers = _send(host, unmined, parcel)
        head, news = _look(host, waiting, answers)
        left = _read(host, reactions, head, news)
        for one in left.waiting:
            refusal = answers.get(one.intent_id)
            if isinstance(refusal, ChainError) and not one.mined:
                raise refusal
        if not left.more_to_send:
            return len(left.waiting)


def _send(
    host: Host, unmined: Sequence[Outstanding], parcel: int
) -> Mapping[int, Answer | ChainError]:
    """
    Send the newest bytes of every intent, in nonce order, the same ones each time.

    A refusal is kept for later: what the chain says must be written down all the same.
    """
    answers: dict[int, Answer | ChainError] = {}
    for first in range(0, len(unmined), parcel):
        part = unmined[first : first + parcel]
        host.outbox.steps.reach("sending")
        said = host.gateway.send_all([one.newest.raw for one in part])
        answers |= zip((one.intent_id for one in part), said, strict=True)
        host.outbox.steps.reach("sent")
    return answers


def _look(
    host: Host,
    waiting: tuple[Outstanding, ...],
    answers: Mapping[int, Answer | ChainError],
) -> tuple[Header, _News]:
    """
    Ask what became of every attempt of what was sent.

    Raises
    ------
    ForeignNonceError, ForeignTransactionError
        If somebody else used our key.
    """
    if Answer.TOO_CHEAP in answers.values():
        host.outbox.quote = host.gateway.fees()
    unmined = [one for one in waiting if not one.mined]
    host.outbox.steps.reach("looking")
    hashes = [attempt.hash for one in unmined for attempt in one.attempts]
    look = host.gateway.look(hashes, host.outbox.address)
    host.outbox.steps.reach("looked")
    by_hash = {one.transaction_hash: one for one in look.receipts if one is not None}
    sought = tuple(
        _Sought(
            one,
            next((by_hash[a.hash] for a in one.attempts if a.hash in by_hash), None),
            too_cheap=answers[one.intent_id] is Answer.TOO_CHEAP,
        )
        for one in unmined
    )
    if look.count > waiting[-1].nonce + 1:
        with host.reading() as connection:
            host.outbox.check_count(connection, look.count)
    for one in sought:
        if one.receipt is None and look.count > one.intent.nonce:
            _confirm_foreign(host, one.intent, look.head)
    mined = tuple(one for one in waiting if one.mined)
    return look.head, _News(sought=sought, mined=mined)


def _confirm_foreign(host: Host, one: Outstanding, head: Header) -> None:
    """
    Look again at a nonce that is used though no attempt under it has a receipt.

    A chain that moved while it was looked at proves nothing; the next delivery looks again.
    """
    hashes = [attempt.hash for attempt in one.attempts]
    again = host.gateway.look(hashes, host.outbox.address)
    used = again.count > one.nonce and not any(again.receipts)
    if used and again.head.hash == head.hash:
        raise ForeignTransactionError(host.outbox.address, one)


def _read(host: Host, reactions: Reactions, head: Header, news: _News) -> _Left:
    """
    Read the blocks up to ``head`` and write them down, the last ones together with ``news``.

    Raises
    ------
    ChainReplacedError
        If another chain answers.
    ReorganizedBelowFinalityError
        If final blocks are gone.
    ForeignNonceError
        If others have made blocks, and used our key for it.
    """
    host.outbox.note_head(host.gateway, head)
    is_forked = False
    while True:
        with host.reading() as connection:
            last = host.indexer.last(connection)
        if last is not None and (last.number, last.hash) == (head.number, head.hash):
            return _write(host, reactions, news, is_forked=is_forked) if news.sought else _Left()
        page = None
        if last is None or head.number > last.number:
            page = host.indexer.next_page(host.gateway, last, head)
        if page is None:
            _discard(host, head)
            is_forked = True
            continue
        if not news.sought:
            with host.reading() as connection:
                host.outbox.check_nonce(connection, host.gateway)
        if page.headers[-1].number >= head.number:
            return _write(host, reactions, replace(news, page=page), is_forked=is_forked)
        _write(host, reactions, _News(page=page), is_forked=is_forked)


def _discard(host: Host, head: Header) -> None:
    """Forget the unfinal blocks that the chain no longer contains; what they held waits again."""
    with host.reading() as connection:
        compare_chain(connection, host.gateway)
        last = host.indexer.cursor(connection)
        common = host.indexer.fork(connection, host.gateway, head)
    if common == last:
        raise ChainUnavailable(f"block {head.number} changed while it was read")
    with host.writing() as connection:
        host.indexer.discard(connection, common)
        host.outbox.unmine(connection, common)
    _log.warning("blocks %d to %d were reorganized away", common + 1, last)


def _write(host: Host, reactions: Reactions, news: _News, *, is_forked: bool) -> _Left:
    """Write down what a node said, with all that follows from it."""
    reasons = _reasons(host, reactions, news)
    codes = _codes(host, news)
    with host.writing() as connection:
        if news.page is not None:
            host.indexer.keep(connection, news.page)
        rest = _note_mined(host, connection, news.sought, reasons)
        waiting = _end_final(host, connection, reactions, codes)
        reactions.happened(connection, host.indexer.take_final(connection))
        head = host.indexer.cursor(connection)
        note_waiting(connection, [one.intent for one in rest], head)
        bumped = [host.outbox.bump(connection, one) for one in _due(host.outbox, rest, head)]
        host.outbox.steps.reach("settled")
    return _Left(waiting, more_to_send=is_forked or any(bumped))


def _reasons(host: Host, reactions: Reactions, news: _News) -> Mapping[int, str]:
    """Ask why each intent that was reverted was, by the row of the intent."""
    reverted = [one for one in news.sought if one.receipt and not one.receipt.succeeded]
    if not reverted:
        return {}
    with host.reading() as connection:
        return {one.intent.intent_id: reactions.explain(connection, one.intent) for one in reverted}


def _note_mined(
    host: Host, connection: Connection, sought: Sequence[_Sought], reasons: Mapping[int, str]
) -> tuple[_Sought, ...]:
    """Take note of what is mined in a block that we have read; return what is not."""
    heights = {one.receipt.block_number for one in sought if one.receipt is not None}
    hashes = {height: host.indexer.hash_at(connection, height) for height in heights}
    mined = {
        one.intent.intent_id: one.receipt
        for one in sought
        if one.receipt is not None and hashes[one.receipt.block_number] == one.receipt.block_hash
    }
    settle_intents(connection, mined, reasons)
    return tuple(one for one in sought if one.intent.intent_id not in mined)


def _end_final(
    host: Host, connection: Connection, reactions: Reactions, codes: Mapping[str, bytes]
) -> tuple[Outstanding, ...]:
    """Bring what is mined in final blocks to its end; return what still waits."""
    waiting, done, final = [], [], host.indexer.final_height(connection)
    for one in host.outbox.outstanding(connection):
        if one.block_number is None or one.block_number > final:
            waiting.append(one)
        elif _undone(connection, reactions, one):
            continue
        else:
            done.append(one)
            created = host.outbox.created_by(one)
            if created is not None:
                keep_code(connection, created, codes[created])
    end_intents(connection, done, "final")
    return tuple(waiting)


def _undone(connection: Connection, reactions: Reactions, one: Outstanding) -> bool:
    """End an intent that was reverted or cancelled, and say whether it was."""
    winner = next(attempt for attempt in one.attempts if attempt.hash == one.hash)
    if one.error is not None:
        end_intents(connection, (one,), "failed")
        reactions.failed(connection, one, one.error)
    elif winner.cancels:
        end_intents(connection, (one,), "superseded")
        reactions.superseded(connection, one)
    return one.error is not None or winner.cancels


def _codes(host: Host, news: _News) -> Mapping[str, bytes]:
    """Ask for the code of every contract of ours that may become final now."""
    mined = news.mined
    if mined is None:
        with host.reading() as connection:
            mined = tuple(one for one in host.outbox.outstanding(connection) if one.mined)
    ending = [*mined, *(one.intent for one in news.sought if one.receipt is not None)]
    created = [where for one in ending if (where := host.outbox.created_by(one)) is not None]
    if not created:
        return {}
    return dict(zip(created, host.gateway.codes(created), strict=True))


def _due(outbox: Outbox, rest: Sequence[_Sought], head: int) -> tuple[Outstanding, ...]:
    """
    Return what must offer more: what the node does not keep, and what blocks pass by.

    What was never kept is raised at once, the rest when it has waited long enough: a price that
    rose for a moment falls by itself. Of what the node keeps only the lowest nonce can be passed
    by; those after it wait for it. Where gas is free the price is not what keeps one waiting.
    """
    quote = outbox.quote
    if quote is None:
        return ()
    asked = outbox.policy.first(quote)
    due = []
    for place, one in enumerate(rest):
        offered = one.intent.newest.fees
        asks_more = asked.max_fee_wei > offered.max_fee_wei or asked.tip_wei > offered.tip_wei
        since = one.intent.waits_since
        passed_by = since is not None and head - since >= outbox.policy.patience_blocks
        costs = quote.base_fee_wei or quote.tip_wei or one.too_cheap
        refused = one.too_cheap and asks_more and since is None
        if refused or (passed_by and costs and (place == 0 or one.too_cheap)):
            due.append(one.intent)
    return tuple(due)
