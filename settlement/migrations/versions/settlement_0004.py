"""Make the tables of orders, their ends, and delegations."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0004"
down_revision: Final = "settlement_0003"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("market_order", "market_order_end", "delegation")


def upgrade() -> None:
    """Make the tables and guard them: their rows may not change."""
    _market_order()
    _market_order_end()
    _delegation()
    guard(op.get_bind(), _IMMUTABLE)


def _market_order() -> None:
    op.create_table(
        "market_order",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("side", _INT, nullable=False),
        sa.Column("quantity", _INT, nullable=False),
        sa.Column("first_interval", _INT, nullable=False),
        sa.Column("last_interval", _INT, nullable=False),
        sa.Column("energy_wh", _INT, nullable=False),
        sa.Column("limit_micros_per_kwh", _INT, nullable=False),
        sa.Column("partner", sa.Text(), nullable=False),
        sa.Column("solar_only", _INT, nullable=False),
        sa.Column("expires_at_s", _INT, nullable=False),
        sa.Column("replaces", _INT, nullable=False),
        sa.Column("struct_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.UniqueConstraint("member", "nonce", name="uq_market_order"),
    )
    op.create_index("ix_market_order_last", "market_order", ["last_interval"])


def _market_order_end() -> None:
    op.create_table(
        "market_order_end",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("by_nonce", _INT, nullable=False),
        sa.Column("struct_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(
            ["member", "nonce"],
            ["market_order.member", "market_order.nonce"],
            name="fk_market_order_end",
        ),
        sa.UniqueConstraint("member", "nonce", name="uq_market_order_end"),
    )


def _delegation() -> None:
    op.create_table(
        "delegation",
        sa.Column("member", sa.Text(), nullable=False),
        sa.Column("nonce", _INT, nullable=False),
        sa.Column("delegate", sa.Text(), nullable=False),
        sa.Column("valid_from_s", _INT, nullable=False),
        sa.Column("valid_until_s", _INT, nullable=False),
        sa.Column("struct_hash", sa.LargeBinary(), nullable=False),
        sa.Column("signature", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.UniqueConstraint("member", "nonce", name="uq_delegation"),
    )
