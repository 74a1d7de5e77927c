"""Make the table of what the contract knows as a run; until here each run was one of its own."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0008"
down_revision: Final = "settlement_0007"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_IMMUTABLE: Final = ("chain_run",)


def upgrade() -> None:
    """Make the table, fill it with the runs that are there, and guard it."""
    op.create_table(
        "chain_run",
        sa.Column("number", _INT, autoincrement=False, nullable=False),
        sa.Column("period", _INT, nullable=False),
        sa.Column("amends", _INT, nullable=True),
        sa.Column("first_run", _INT, nullable=False),
        sa.Column("last_run", _INT, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("at_s", _INT, nullable=False),
        sa.ForeignKeyConstraint(["first_run"], ["run.run"], name=op.f("fk_chain_run_first_run")),
        sa.ForeignKeyConstraint(["last_run"], ["run.run"], name=op.f("fk_chain_run_last_run")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_chain_run")),
        sa.UniqueConstraint("last_run", name="uq_chain_run"),
    )
    op.create_index("ix_chain_run_period", "chain_run", ["period"])
    op.execute(
        "INSERT INTO chain_run (number, period, amends, first_run, last_run, root, at_s) "
        "SELECT run, interval, amends, run, run, root, at_s FROM run"
    )
    guard(op.get_bind(), _IMMUTABLE)
