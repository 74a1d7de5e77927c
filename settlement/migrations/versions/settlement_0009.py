"""Make the index of intents that wait; those that ended stay out of it."""

from typing import Final

import sqlalchemy as sa
from alembic import op

revision: Final = "settlement_0009"
down_revision: Final = "settlement_0008"
_IS_WAITING: Final = sa.text("state IN ('signed', 'broadcast', 'mined')")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "ix_intent_waiting",
        "intent",
        ["signer", "nonce"],
        sqlite_where=_IS_WAITING,
        postgresql_where=_IS_WAITING,
    )
