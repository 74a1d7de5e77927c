"""
The ledger's tables. Rows of those named in ``IMMUTABLE`` never change.

``balance`` and ``log_state`` follow from the entries and are rewritten in the same transaction;
``LedgerStore.replay`` proves that they do.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata: Final = MetaData()

entry = Table(
    "entry",
    metadata,
    Column("seq", BigInteger, primary_key=True),
    Column("at_s", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("leaf_hash", LargeBinary, nullable=False),
)

transfer = Table(
    "transfer",
    metadata,
    Column("seq", BigInteger, ForeignKey("entry.seq"), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount", BigInteger, nullable=False),
    Column("code", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("pending_id", Text, ForeignKey("transfer.id"), unique=True),
    Column("at_s", BigInteger, nullable=False),
    CheckConstraint("debit <> credit", name="ck_transfer_two_accounts"),
    CheckConstraint("amount >= 0", name="ck_transfer_amount"),
    Index("ix_transfer_trace", "trace_id"),
)

refused = Table(
    "refused",
    metadata,
    Column("id", Text, primary_key=True),
    Column("body_hash", LargeBinary, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
)

balance = Table(
    "balance",
    metadata,
    Column("account", Text, primary_key=True),
    Column("debits_posted", BigInteger, nullable=False),
    Column("credits_posted", BigInteger, nullable=False),
    Column("debits_pending", BigInteger, nullable=False),
    Column("credits_pending", BigInteger, nullable=False),
    CheckConstraint("debits_pending >= 0 AND credits_pending >= 0", name="ck_balance_pending"),
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("last_hash", LargeBinary, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("at_s", BigInteger, nullable=False),
    Column("note", Text, nullable=False),
)

cosignature = Table(
    "cosignature",
    metadata,
    Column("size", BigInteger, ForeignKey("checkpoint.size"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("line", Text, nullable=False),
    Column("at_s", BigInteger, nullable=False),
)

IMMUTABLE: Final = ("entry", "transfer", "refused", "checkpoint", "cosignature")
"""Tables whose rows may neither change nor go."""


def immutability_triggers() -> tuple[str, ...]:
    """Return the statements that make the rows of ``IMMUTABLE`` unchangeable on SQLite."""
    return tuple(
        f"CREATE TRIGGER IF NOT EXISTS {name}_no_{action} BEFORE {action.upper()} ON {name} "
        f"BEGIN SELECT RAISE(ABORT, '{name} rows are immutable'); END"
        for name in IMMUTABLE
        for action in ("update", "delete")
    )
