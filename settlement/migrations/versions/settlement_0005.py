"""Make room for zones of meters, flags of readings, and factors of communities."""

from typing import Final

import sqlalchemy as sa
from alembic import op

from ledger.store.migrating import guard

revision: Final = "settlement_0005"
down_revision: Final = "settlement_0004"
_INT: Final = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the columns, and make the table and guard it."""
    op.add_column("meter", sa.Column("zone", sa.Text(), nullable=True))
    op.add_column("reading", sa.Column("flags", _INT, server_default="0", nullable=False))
    op.create_table(
        "participation",
        sa.Column("meter_id", sa.Text(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("from_s", _INT, nullable=False),
        sa.Column("factor_bp", _INT, nullable=False),
        sa.UniqueConstraint("meter_id", "community", "from_s", name="uq_participation"),
    )
    guard(op.get_bind(), ("participation",))
