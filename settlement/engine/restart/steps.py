"""The steps of a restart that need nothing but a service, in the order in which they are taken."""

from typing import Final

from sqlalchemy import select

from ledger.proofs import open_checkpoint
from ledger.store import Posted
from ledger.store.faults import explained
from ledger.store.replay import check_file, check_tail
from ledger.tables import checkpoint
from settlement.chain.identity import hold_chain
from settlement.chain.indexer import ChainBehindError, ReorganizedBelowFinalityError
from settlement.engine.checkpoints import origin_of
from settlement.engine.finality import advance
from settlement.engine.restart.protocol import Step
from settlement.engine.service import Service
from settlement.tables import block

_EXPIRED_AT_ONCE: Final = 1_000


def standard_steps(service: Service) -> tuple[Step, ...]:
    """Return the steps in order; the lease of the one writer is taken before them."""
    return (
        Step("database", lambda: check_database(service)),
        Step("journal", lambda: check_journal(service)),
        Step("identity", lambda: hold_identity(service)),
        Step("chain", lambda: check_head(service)),
        Step("intents", lambda: walk_intents(service)),
        Step("blocks", lambda: check_blocks(service)),
        Step("holds", lambda: expire_holds(service)),
        Step("open_writes", lambda: catch_up(service)),
    )


def check_database(service: Service) -> str:
    """
    Let SQLite check the structure of its file; PostgreSQL checks its pages by itself.

    Raises
    ------
    DatabaseDamagedError
        If it finds a fault.
    """
    with explained(), service.reading() as connection:
        check_file(connection)
    return service.database.dialect.name


def check_journal(service: Service) -> str:
    """
    Check the journal from the last checkpoint to its end, and that we signed the checkpoint.

    Raises
    ------
    JournalDamagedError
        If an entry is missing or was changed.
    BadLogProofError
        If the checkpoint is not signed by our key.
    """
    with service.reading() as connection:
        newest = connection.execute(
            select(checkpoint.c.size, checkpoint.c.note).order_by(checkpoint.c.size.desc()).limit(1)
        ).first()
        if newest is not None:
            open_checkpoint(newest.note, origin_of(service), service.log_key.public_key())
        first = newest.size if newest else 0
        count = check_tail(connection, first)
    return f"{count} entries read, for the checkpoint of {first}"


def hold_identity(service: Service) -> str:
    """
    See that the chain that answers is the one the books follow; bind new books to it.

    Raises
    ------
    ChainUnavailable
        If the node does not answer.
    ChainReplacedError
        If it serves another chain, as one that was restarted empty does.
    """
    with service.writing() as connection:
        identity = hold_chain(connection, service.gateway)
    return f"chain {identity.chain_id}, genesis {identity.genesis_hash}"


def check_head(service: Service) -> str:
    """
    Check that the node has come at least as far as the books have seen the chain final.

    Raises
    ------
    ChainUnavailable
        If the node does not answer.
    ChainBehindError
        If it has not.
    """
    head = service.gateway.head_number()
    with service.reading() as connection:
        final = service.indexer.final_height(connection)
    if head < final:
        raise ChainBehindError(head, final)
    return f"block {head}, final {max(final, 0)}"


def walk_intents(service: Service) -> str:
    """
    Look for what was signed and has not come to its end; the last step sends what is missing.

    Raises
    ------
    ChainUnavailable
        If the node does not answer.
    ForeignNonceError
        If somebody else used our key.
    """
    with service.reading() as connection:
        service.outbox.check_nonce(connection, service.gateway)
        outstanding = service.outbox.outstanding(connection)
    hashes = [attempt.hash for one in outstanding for attempt in one.attempts]
    found = service.gateway.receipts(hashes) if hashes else ()
    mined = sum(one is not None for one in found)
    return f"{len(outstanding)} outstanding, {mined} mined"


def check_blocks(service: Service) -> str:
    """
    Check that the chain still contains the last final block; what is above it may change.

    Raises
    ------
    ReorganizedBelowFinalityError
        If it does not.
    """
    with service.reading() as connection:
        final = service.indexer.final_height(connection)
        ours = connection.execute(select(block.c.hash).where(block.c.number == final)).scalar()
    if ours is None:
        return "no block is final yet"
    [theirs] = service.gateway.headers(final, final)
    if theirs.hash != ours:
        raise ReorganizedBelowFinalityError(final, final, ours, theirs.hash)
    return f"block {final} is {ours}"


def expire_holds(service: Service) -> str:
    """Release the holds whose time was over while nobody was there."""
    released = 0
    with service.writing() as connection:
        while due := service.book.expire_due(
            connection, at_s=service.clock.now_s(), limit=_EXPIRED_AT_ONCE
        ):
            posted = sum(isinstance(one, Posted) for one in due)
            released += posted
            if posted < _EXPIRED_AT_ONCE:
                break
    return f"{released} holds released"


def catch_up(service: Service) -> str:
    """Read what happened meanwhile and post what has become final; then writes are open."""
    waiting = advance(service)
    return f"{waiting} intents still wait"
