"""
Describe transfers: one row that is both sides, so that an imbalance cannot be written down.

A pending transfer holds; a post moves up to what is held and releases the rest; a void releases
all. Transfers are never changed; corrections are new ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from ledger.accounts import AccountId, kind_of
from ledger.errors import InvalidRequest

TransferId = NewType("TransferId", str)
"""The caller's id of a transfer; the key of idempotency."""

AMOUNT_MAX: Final = 2**63 - 1
_ID_LENGTH_MAX: Final = 160


class Kind(StrEnum):
    """What a transfer does."""

    POSTED = "posted"
    PENDING = "pending"
    POST = "post"
    VOID = "void"


class BadTransferError(InvalidRequest):
    """A transfer that cannot be right, whatever the balances."""

    def __init__(self, transfer_id: str, detail: str) -> None:
        super().__init__("bad_transfer", f"{transfer_id}: {detail}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One movement from one account to another, in one ledger."""

    id: TransferId
    """The caller's id."""
    kind: Kind
    """What it does."""
    debit: AccountId
    """Account it comes from."""
    credit: AccountId
    """Account it goes to."""
    amount: int
    """Micros or Wh, by the ledger; 0 only for a void."""
    code: str
    """What it is for, a short name."""
    trace_id: str
    """Session id or ``community/interval/run``."""
    pending_id: TransferId | None = None
    """The hold that a post or void resolves."""


def check_shape(transfer: Transfer) -> None:
    """
    Check everything about a transfer that does not depend on balances, in this order.

    Raises
    ------
    BadTransferError
        If the id, the amount, the accounts or the hold's id do not fit the kind.
    UnknownAccountError
        If an account does not exist.
    """
    resolves = transfer.kind in {Kind.POST, Kind.VOID}
    if not transfer.id or len(transfer.id) > _ID_LENGTH_MAX or not transfer.id.isascii():
        raise BadTransferError(transfer.id[:_ID_LENGTH_MAX], "the id is empty, long or not ASCII")
    if transfer.debit == transfer.credit:
        raise BadTransferError(transfer.id, "debit and credit are one account")
    if kind_of(transfer.debit).ledger is not kind_of(transfer.credit).ledger:
        raise BadTransferError(transfer.id, "debit and credit are in two ledgers")
    least = 0 if transfer.kind is Kind.VOID else 1
    most = 0 if transfer.kind is Kind.VOID else AMOUNT_MAX
    if not least <= transfer.amount <= most:
        raise BadTransferError(transfer.id, f"amount {transfer.amount} of a {transfer.kind}")
    if resolves != (transfer.pending_id is not None):
        raise BadTransferError(transfer.id, "a post or void, and nothing else, names its hold")
