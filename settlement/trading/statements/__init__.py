"""What a period came to for a member, against the same meters without the community."""

from settlement.trading.statements.rendering import render
from settlement.trading.statements.statement import (
    Entry,
    MemberInterval,
    Statement,
    balances,
    of_settlement,
    statement,
)

__all__ = [
    "Entry",
    "MemberInterval",
    "Statement",
    "balances",
    "of_settlement",
    "render",
    "statement",
]
