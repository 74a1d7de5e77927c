"""Make the ledger's tables."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "ledger_0001"
down_revision: Final = None
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("entry", "transfer", "refused", "node", "checkpoint", "cosignature")


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    for make in (
        _balance,
        _checkpoint,
        _entry,
        _lease,
        _log_state,
        _node,
        _cosignature,
        _refused,
        _transfer,
    ):
        make()
    guard(op.get_bind(), _IMMUTABLE)


def _balance() -> None:
    op.create_table(
        "balance",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("limited", _INT, nullable=False),
        sa.Column("debits_posted", _INT, nullable=False),
        sa.Column("credits_posted", _INT, nullable=False),
        sa.Column("debits_pending", _INT, nullable=False),
        sa.Column("credits_pending", _INT, nullable=False),
        sa.CheckConstraint(
            "debits_pending >= 0 AND credits_pending >= 0", name=op.f("ck_balance_pending")
        ),
        sa.CheckConstraint(
            "debits_posted >= 0 AND credits_posted >= 0", name=op.f("ck_balance_posted")
        ),
        sa.CheckConstraint(
            "limited = 0 OR credits_posted - debits_posted - debits_pending >= 0",
            name=op.f("ck_balance_limit"),
        ),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_balance")),
        sqlite_strict=True,
    )


def _checkpoint() -> None:
    op.create_table(
        "checkpoint",
        sa.Column("size", _INT, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("length(root) = 32", name=op.f("ck_checkpoint_root")),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoint")),
        sqlite_strict=True,
    )


def _entry() -> None:
    op.create_table(
        "entry",
        sa.Column("seq", _INT, autoincrement=False, nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_entry_hash")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_entry")),
        sqlite_strict=True,
    )


def _lease() -> None:
    op.create_table(
        "lease",
        sa.Column("id", _INT, autoincrement=False, nullable=False),
        sa.Column("epoch", _INT, nullable=False),
        sa.CheckConstraint("id = 0", name=op.f("ck_lease_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lease")),
        sqlite_strict=True,
    )


def _log_state() -> None:
    op.create_table(
        "log_state",
        sa.Column("id", _INT, autoincrement=False, nullable=False),
        sa.Column("size", _INT, nullable=False),
        sa.Column("last_hash", sa.LargeBinary(), nullable=False),
        sa.Column("peaks", sa.LargeBinary(), nullable=False),
        sa.Column("newest_s", _INT, nullable=False),
        sa.Column("seed", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 0", name=op.f("ck_log_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_state")),
        sqlite_strict=True,
    )


def _node() -> None:
    op.create_table(
        "node",
        sa.Column("level", _INT, nullable=False),
        sa.Column("position", _INT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(hash) = 32", name=op.f("ck_node_hash")),
        sa.CheckConstraint("level > 0", name=op.f("ck_node_level")),
        sa.PrimaryKeyConstraint("level", "position", name=op.f("pk_node")),
        sqlite_strict=True,
    )


def _cosignature() -> None:
    op.create_table(
        "cosignature",
        sa.Column("size", _INT, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(["size"], ["checkpoint.size"], name=op.f("fk_cosignature_size")),
        sa.PrimaryKeyConstraint("size", "name", name=op.f("pk_cosignature")),
        sqlite_strict=True,
    )


def _refused() -> None:
    op.create_table(
        "refused",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("seq", _INT, nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["entry.seq"], name=op.f("fk_refused_seq")),
        sa.PrimaryKeyConstraint("id", "body_hash", name=op.f("pk_refused")),
        sqlite_strict=True,
    )


def _sums_after(side: str) -> list[sa.Column[int]]:
    """Return the columns for the balance of a transfer's debit or credit account after it."""
    names = ("debits_posted", "credits_posted", "debits_pending", "credits_pending")
    return [sa.Column(f"{side}_{name}", _INT, nullable=False) for name in names]


def _transfer() -> None:
    op.create_table(
        "transfer",
        sa.Column("seq", _INT, autoincrement=False, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("debit", sa.Text(), nullable=False),
        sa.Column("credit", sa.Text(), nullable=False),
        sa.Column("amount", _INT, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("pending_id", sa.Text(), nullable=True),
        sa.Column("expires_s", _INT, nullable=True),
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("group_seq", _INT, nullable=False),
        *_sums_after("debit"),
        *_sums_after("credit"),
        sa.CheckConstraint(
            "(amount > 0) = (kind NOT IN ('void', 'expire'))", name=op.f("ck_transfer_amount")
        ),
        sa.CheckConstraint(
            "(pending_id IS NULL) = (kind IN ('posted', 'pending'))",
            name=op.f("ck_transfer_hold_named"),
        ),
        sa.CheckConstraint(
            "expires_s IS NULL OR kind = 'pending'", name=op.f("ck_transfer_hold_expires")
        ),
        sa.CheckConstraint(
            "kind IN ('posted', 'pending', 'post', 'void', 'expire')", name=op.f("ck_transfer_kind")
        ),
        sa.CheckConstraint("debit <> credit", name=op.f("ck_transfer_two_accounts")),
        sa.CheckConstraint("group_seq <= seq", name=op.f("ck_transfer_group_begins")),
        sa.CheckConstraint(
            "substr(debit, 1, 3) = substr(credit, 1, 3)", name=op.f("ck_transfer_one_ledger")
        ),
        sa.ForeignKeyConstraint(
            ["pending_id"], ["transfer.id"], name=op.f("fk_transfer_pending_id")
        ),
        sa.ForeignKeyConstraint(["seq"], ["entry.seq"], name=op.f("fk_transfer_seq")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_transfer")),
        sa.UniqueConstraint("id", name=op.f("uq_transfer_id")),
        sa.UniqueConstraint("pending_id", name=op.f("uq_transfer_pending_id")),
        sqlite_strict=True,
    )
    _index_transfers()


def _index_transfers() -> None:
    op.create_index(
        "ix_transfer_expires_s",
        "transfer",
        ["expires_s"],
        unique=False,
        sqlite_where=sa.text("expires_s IS NOT NULL"),
        postgresql_where=sa.text("expires_s IS NOT NULL"),
    )
    op.create_index("ix_transfer_trace_id", "transfer", ["trace_id"], unique=False)
