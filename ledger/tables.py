"""
The ledger's tables. Rows of ``IMMUTABLE`` tables never change and never go.

``balance`` and ``log_state`` follow from the entries and are rewritten in the same transaction;
``LedgerStore.replay`` proves that they do. ``node`` follows from them too and is only added to. The
migrations in ``ledger/migrations`` make these tables; a test compares both.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
)

NAMING: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}
"""How constraints are called, so that a migration can name each of them."""

metadata: Final = MetaData(naming_convention=NAMING)

# SQLite's strict tables, which refuse a value of another type, know INTEGER only.
Int: Final = BigInteger().with_variant(Integer(), "sqlite")
"""A signed integer of 64 bits on both databases."""

entry = Table(
    "entry",
    metadata,
    Column("seq", Int, primary_key=True, autoincrement=False),
    Column("at_s", Int, nullable=False),
    Column("name", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)

transfer = Table(
    "transfer",
    metadata,
    Column("seq", Int, ForeignKey("entry.seq"), primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("debit", Text, nullable=False),
    Column("credit", Text, nullable=False),
    Column("amount", Int, nullable=False),
    Column("code", Text, nullable=False),
    Column("trace_id", Text, nullable=False),
    Column("pending_id", Text, ForeignKey("transfer.id"), unique=True),
    Column("expires_s", Int),
    Column("at_s", Int, nullable=False),
    Column("group_seq", Int, nullable=False),
    Column("debit_debits_posted", Int, nullable=False),
    Column("debit_credits_posted", Int, nullable=False),
    Column("debit_debits_pending", Int, nullable=False),
    Column("debit_credits_pending", Int, nullable=False),
    Column("credit_debits_posted", Int, nullable=False),
    Column("credit_credits_posted", Int, nullable=False),
    Column("credit_debits_pending", Int, nullable=False),
    Column("credit_credits_pending", Int, nullable=False),
    CheckConstraint("kind IN ('posted', 'pending', 'post', 'void', 'expire')", name="kind"),
    CheckConstraint("debit <> credit", name="two_accounts"),
    CheckConstraint("substr(debit, 1, 3) = substr(credit, 1, 3)", name="one_ledger"),
    CheckConstraint("(amount > 0) = (kind NOT IN ('void', 'expire'))", name="amount"),
    CheckConstraint("(pending_id IS NULL) = (kind IN ('posted', 'pending'))", name="hold_named"),
    CheckConstraint("expires_s IS NULL OR kind = 'pending'", name="hold_expires"),
    CheckConstraint("group_seq <= seq", name="group_begins"),
    Index("ix_transfer_trace_id", "trace_id"),
    Index(
        "ix_transfer_expires_s",
        "expires_s",
        sqlite_where=Column("expires_s").isnot(None),
        postgresql_where=Column("expires_s").isnot(None),
    ),
    sqlite_strict=True,
)

refused = Table(
    "refused",
    metadata,
    Column("id", Text, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("code", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("seq", Int, ForeignKey("entry.seq"), nullable=False),
    PrimaryKeyConstraint("id", "body_hash"),
    sqlite_strict=True,
)

balance = Table(
    "balance",
    metadata,
    Column("account", Text, primary_key=True),
    Column("limited", Int, nullable=False),
    Column("debits_posted", Int, nullable=False),
    Column("credits_posted", Int, nullable=False),
    Column("debits_pending", Int, nullable=False),
    Column("credits_pending", Int, nullable=False),
    CheckConstraint("debits_posted >= 0 AND credits_posted >= 0", name="posted"),
    CheckConstraint("debits_pending >= 0 AND credits_pending >= 0", name="pending"),
    CheckConstraint(
        "limited = 0 OR credits_posted - debits_posted - debits_pending >= 0", name="limit"
    ),
    sqlite_strict=True,
)

log_state = Table(
    "log_state",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=False),
    Column("size", Int, nullable=False),
    Column("last_hash", LargeBinary, nullable=False),
    Column("peaks", LargeBinary, nullable=False),
    Column("newest_s", Int, nullable=False),
    Column("seed", LargeBinary, nullable=False),
    CheckConstraint("id = 0", name="one_row"),
    sqlite_strict=True,
)

node = Table(
    "node",
    metadata,
    Column("level", Int, nullable=False),
    Column("position", Int, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("level", "position"),
    CheckConstraint("level > 0", name="level"),
    CheckConstraint("length(hash) = 32", name="hash"),
    sqlite_strict=True,
)

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("size", Int, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    Column("at_s", Int, nullable=False),
    Column("note", Text, nullable=False),
    CheckConstraint("length(root) = 32", name="root"),
    sqlite_strict=True,
)

lease = Table(
    "lease",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=False),
    Column("epoch", Int, nullable=False),
    CheckConstraint("id = 0", name="one_row"),
    sqlite_strict=True,
)

IMMUTABLE: Final = ("entry", "transfer", "refused", "node", "checkpoint")
"""Tables whose rows may neither change nor go; triggers and privileges see to it."""
