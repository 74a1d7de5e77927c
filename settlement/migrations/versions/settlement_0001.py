"""Make the tables of messages and of the chain."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0001"
down_revision: Final = None
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("inbox", "refusal", "frame", "event", "attempt")


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (
        _block,
        _observed,
        _intent,
        _attempt,
        _meta,
        _break_,
        _inbox,
        _refusal,
        _frame,
        _event,
        _latency,
        _lane,
    ):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _block() -> None:
    op.create_table(
        "block",
        sa.Column("number", _INT, nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("timestamp_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_block")),
    )


def _observed() -> None:
    op.create_table(
        "observed",
        sa.Column("block_hash", sa.Text(), nullable=False),
        sa.Column("transaction_hash", sa.Text(), nullable=False),
        sa.Column("log_index", _INT, nullable=False),
        sa.Column("block_number", _INT, nullable=False),
        sa.Column("contract", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("final", _INT, nullable=False),
        sa.UniqueConstraint("block_hash", "log_index", name="uq_observed"),
    )
    op.create_index("ix_observed_final", "observed", ["final"], unique=False)
    op.create_index("ix_observed_transaction", "observed", ["transaction_hash"], unique=False)


def _intent() -> None:
    op.create_table(
        "intent",
        sa.Column("id", _INT, autoincrement=True, nullable=False),
        sa.Column("business_key", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("waits_since", _INT, nullable=True),
        sa.Column("block_number", _INT, nullable=True),
        sa.Column("block_hash", sa.Text(), nullable=True),
        sa.Column("gas_used", _INT, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intent")),
        sa.UniqueConstraint("business_key", name=op.f("uq_intent_business_key")),
        sa.UniqueConstraint("signer", "nonce", name="uq_intent_nonce"),
    )
    op.create_index("ix_intent_state", "intent", ["state"], unique=False)
    op.create_index("ix_intent_trace", "intent", ["trace_id"], unique=False)


def _attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("intent_id", _INT, nullable=False),
        sa.Column("number", _INT, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("call", sa.Text(), nullable=False),
        sa.Column("max_fee_wei", _INT, nullable=False),
        sa.Column("tip_wei", _INT, nullable=False),
        sa.Column("cancels", _INT, nullable=False),
        sa.ForeignKeyConstraint(["intent_id"], ["intent.id"], name=op.f("fk_attempt_intent_id")),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_attempt")),
        sa.UniqueConstraint("intent_id", "number", name="uq_attempt_number"),
    )


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_meta")),
    )


def _break_() -> None:
    op.create_table(
        "break_",
        sa.Column("id", _INT, autoincrement=True, nullable=False),
        sa.Column("equation", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("ledger_value", sa.Text(), nullable=False),
        sa.Column("other_value", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("found_block", _INT, nullable=False),
        sa.Column("found_at_s", _INT, nullable=False),
        sa.Column("cleared_block", _INT, nullable=True),
        sa.Column("cleared_at_s", _INT, nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_")),
    )
    op.create_index(
        "uq_break_open",
        "break_",
        ["equation", "subject"],
        unique=True,
        sqlite_where=sa.text("cleared_at_s IS NULL"),
        postgresql_where=sa.text("cleared_at_s IS NULL"),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_inbox")),
    )


def _refusal() -> None:
    op.create_table(
        "refusal",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("content_hash", sa.LargeBinary(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_refusal")),
        sa.UniqueConstraint("content_hash", name=op.f("uq_refusal_content_hash")),
    )


def _frame() -> None:
    op.create_table(
        "frame",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("station_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_frame")),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("seq", _INT, autoincrement=True, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", _INT, nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_event")),
    )
    op.create_index("ix_event_trace", "event", ["trace_id"], unique=False)


def _latency() -> None:
    op.create_table(
        "latency",
        sa.Column("session_id", sa.Text(), nullable=False),
        sa.Column("refund_us", _INT, nullable=False),
        sa.PrimaryKeyConstraint("session_id", name=op.f("pk_latency")),
    )


def _lane() -> None:
    op.create_table(
        "lane",
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("id", _INT, nullable=False),
        sa.Column("cap_micros", _INT, nullable=False),
        sa.Column("lowering_micros", _INT, nullable=True),
        sa.Column("lowering_asked_s", _INT, nullable=True),
        sa.Column("exit_micros", _INT, nullable=True),
        sa.Column("exit_asked_s", _INT, nullable=True),
        sa.PrimaryKeyConstraint("address", name=op.f("pk_lane")),
        sa.UniqueConstraint("id", name=op.f("uq_lane_id")),
    )
