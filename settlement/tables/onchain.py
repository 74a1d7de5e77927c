"""Transactions of ours, blocks and events seen, and what differs from the books."""

from typing import Final

from sqlalchemy import Column, ForeignKey, Index, LargeBinary, Table, Text, UniqueConstraint, text

from ledger.tables import Int
from settlement.tables.registry import metadata

IS_WAITING: Final = "state IN ('signed', 'broadcast', 'mined')"
"""What intents are that have not come to their end; queries say it in these words."""

intent = Table(
    "intent",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=True),
    Column("business_key", Text, nullable=False, unique=True),
    Column("trace_id", Text, nullable=False),
    Column("signer", Text, nullable=False),
    Column("nonce", Int, nullable=False),
    Column("state", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("waits_since", Int),
    Column("block_number", Int),
    Column("block_hash", Text),
    Column("gas_used", Int),
    Column("error", Text),
    UniqueConstraint("signer", "nonce", name="uq_intent_nonce"),
    Index("ix_intent_state", "state"),
    # All that ever ended is never looked at again when something is sent.
    Index(
        "ix_intent_waiting",
        "signer",
        "nonce",
        sqlite_where=text(IS_WAITING),
        postgresql_where=text(IS_WAITING),
    ),
    Index("ix_intent_trace", "trace_id"),
)

attempt = Table(
    "attempt",
    metadata,
    Column("hash", Text, primary_key=True),
    Column("intent_id", Int, ForeignKey("intent.id"), nullable=False),
    Column("number", Int, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Column("call", Text, nullable=False),
    Column("max_fee_wei", Int, nullable=False),
    Column("tip_wei", Int, nullable=False),
    Column("cancels", Int, nullable=False),
    UniqueConstraint("intent_id", "number", name="uq_attempt_number"),
)

observed = Table(
    "observed",
    metadata,
    Column("block_hash", Text, nullable=False),
    Column("transaction_hash", Text, nullable=False),
    Column("log_index", Int, nullable=False),
    Column("block_number", Int, nullable=False),
    Column("contract", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("final", Int, nullable=False),
    UniqueConstraint("block_hash", "log_index", name="uq_observed"),
    Index("ix_observed_final", "final"),
    Index("ix_observed_transaction", "transaction_hash"),
)

block = Table(
    "block",
    metadata,
    Column("number", Int, primary_key=True),
    Column("hash", Text, nullable=False),
    Column("timestamp_s", Int, nullable=False),
)

break_ = Table(
    "break_",
    metadata,
    Column("id", Int, primary_key=True, autoincrement=True),
    Column("equation", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("ledger_value", Text, nullable=False),
    Column("other_value", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("found_block", Int, nullable=False),
    Column("found_at_s", Int, nullable=False),
    Column("cleared_block", Int),
    Column("cleared_at_s", Int),
    Index(
        "uq_break_open",
        "equation",
        "subject",
        unique=True,
        sqlite_where=text("cleared_at_s IS NULL"),
        postgresql_where=text("cleared_at_s IS NULL"),
    ),
)
