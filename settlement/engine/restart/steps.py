"""The steps of a restart that need nothing but a service, in the order in which they are taken."""

from typing import Final

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DatabaseError

from ledger.errors import Integrity
from ledger.journal import GENESIS, Entry
from ledger.proofs import open_checkpoint
from ledger.tables import checkpoint, entry, log_state
from ledger.units import UnixSeconds
from settlement.chain.indexer import ReorganizedBelowFinalityError
from settlement.chain.outbox import deliver
from settlement.engine.checkpoints import origin_of
from settlement.engine.finality import advance
from settlement.engine.restart.protocol import Step
from settlement.engine.service import Service
from settlement.tables import block

_SQLITE: Final = "sqlite"


class DatabaseDamagedError(Integrity):
    """The database file fails its own check."""

    def __init__(self, detail: str) -> None:
        super().__init__("database_damaged", f"the database says: {detail}")


class JournalDamagedError(Integrity):
    """An entry of the journal since the last checkpoint is not what its hash says."""

    def __init__(self, detail: str) -> None:
        super().__init__("journal_damaged", detail)


class ChainBehindError(Integrity):
    """The node is not yet, or no longer, where the books have seen the chain final."""

    def __init__(self, head: int, final: int) -> None:
        super().__init__(
            "chain_behind", f"the node is at block {head}, block {final} was final already"
        )


def standard_steps(service: Service) -> tuple[Step, ...]:
    """Return the steps in order; a lease comes before them, expiring holds before the last."""
    database = (Step("database", lambda: check_database(service)),)
    return (
        *(database if service.database.dialect.name == _SQLITE else ()),
        Step("journal", lambda: check_journal(service)),
        Step("chain", lambda: check_head(service)),
        Step("intents", lambda: walk_intents(service)),
        Step("blocks", lambda: check_blocks(service)),
        Step("open_writes", lambda: catch_up(service)),
    )


def check_database(service: Service) -> str:
    """
    Let SQLite check the structure of its file.

    Raises
    ------
    DatabaseDamagedError
        If it finds a fault.
    """
    try:
        with service.reading() as connection:
            found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    except DatabaseError as fault:
        raise DatabaseDamagedError(str(fault.orig)) from fault
    if found != "ok":
        raise DatabaseDamagedError(str(found))
    return "quick_check ok"


def check_journal(service: Service) -> str:
    """
    Check the links of the journal from the last checkpoint to its end.

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
        first = 0
        if newest is not None:
            open_checkpoint(newest.note, origin_of(service), service.log_key.public_key())
            first = newest.size
        size, last_hash = _follow(connection, first)
        state = connection.execute(select(log_state.c.size, log_state.c.last_hash)).first()
    if state is not None and (state.size, state.last_hash) != (size, last_hash):
        raise JournalDamagedError(f"the log says {state.size} entries, there are {size}")
    return f"{size - first} entries since the checkpoint of {first}"


def _follow(connection: Connection, first: int) -> tuple[int, bytes]:
    """Follow the links from the entry before ``first``; return size and last hash of the log."""
    before = connection.execute(select(entry.c.hash).where(entry.c.seq == first - 1)).scalar()
    if first and before is None:
        raise JournalDamagedError(f"entry {first - 1} is missing")
    last_hash, size = before or GENESIS, first
    rows = connection.execute(select(entry).where(entry.c.seq >= first).order_by(entry.c.seq))
    for row in rows:
        if row.seq != size:
            raise JournalDamagedError(f"entry {size} is missing")
        one = Entry(row.seq, UnixSeconds(row.at_s), row.name, row.trace_id, row.body, last_hash)
        if one.hash() != row.hash:
            raise JournalDamagedError(f"entry {row.seq} was changed")
        last_hash, size = row.hash, size + 1
    return size, last_hash


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
    Send what the chain may not have, in the order of nonces, the same bytes as ever.

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
    deliver(service.gateway, outstanding)
    return f"{len(outstanding)} outstanding"


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
        raise ReorganizedBelowFinalityError(final, ours, theirs.hash)
    return f"block {final} is {ours}"


def catch_up(service: Service) -> str:
    """Read what happened meanwhile and post what has become final; then writes are open."""
    waiting = advance(service)
    return f"{waiting} intents still wait"
