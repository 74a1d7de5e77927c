"""Make the tables of corrections, final intervals and statements."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0006"
down_revision: Final = "settlement_0005"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("late_reading", "final_interval", "statement")


def upgrade() -> None:
    """Make the tables and guard those whose rows may not change."""
    op.add_column("run", sa.Column("amends", _INT, nullable=True))
    op.add_column("line", sa.Column("taker", sa.Text(), nullable=True))
    _late_reading()
    for name, instant in (("dirty_interval", "since_s"), ("final_interval", "at_s")):
        op.create_table(
            name,
            sa.Column("interval", _INT, autoincrement=False, nullable=False),
            sa.Column(instant, _INT, nullable=False),
            sa.PrimaryKeyConstraint("interval", name=op.f(f"pk_{name}")),
        )
    _statement()
    guard(op.get_bind(), _IMMUTABLE)


def _late_reading() -> None:
    op.create_table(
        "late_reading",
        sa.Column("at_s", _INT, nullable=False),
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("register", _INT, nullable=False),
        sa.Column("after_run", _INT, nullable=False),
        sa.UniqueConstraint("at_s", "meter_id", "register", name="uq_late_reading"),
    )
    op.create_index("ix_late_reading_after_run", "late_reading", ["after_run"])


def _statement() -> None:
    op.create_table(
        "statement",
        sa.Column("number", _INT, autoincrement=False, nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("amends", _INT, nullable=True),
        sa.Column("runs_after", _INT, nullable=False),
        sa.Column("runs_until", _INT, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(["amends"], ["statement.number"], name=op.f("fk_statement_amends")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_statement")),
        sa.UniqueConstraint("account", "month", "runs_after", name="uq_statement"),
    )
