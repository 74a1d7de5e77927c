"""
Describe transfers: one row that is both sides, so that an imbalance cannot be written down.

A pending transfer holds; a post moves up to what is held and releases the rest; a void releases
all, and so does an expire once the hold's time is over. Transfers are never changed; corrections
are new ones.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from ledger.accounts import AccountId, kind_of
from ledger.errors import InvalidRequest
from ledger.units import UnixSeconds

TransferId = NewType("TransferId", str)
"""The caller's id of a transfer; the key of idempotency."""

AMOUNT_MAX: Final = 2**63 - 1
TEXT_LENGTH_MAX: Final = 160
_SHOWN: Final = 40
GROUP_MAX: Final = 8_190
"""Most transfers in one group."""


class Kind(StrEnum):
    """What a transfer does."""

    POSTED = "posted"
    PENDING = "pending"
    POST = "post"
    VOID = "void"
    EXPIRE = "expire"


RESOLVING: Final = frozenset({Kind.POST, Kind.VOID, Kind.EXPIRE})
"""What ends a hold."""
RELEASING: Final = frozenset({Kind.VOID, Kind.EXPIRE})
"""What ends a hold without moving anything."""


class BadTransferTextError(InvalidRequest):
    """An id, code, trace id or hold's id that is no line of 1 to 160 printable ASCII characters."""

    def __init__(self, field: str) -> None:
        super().__init__(
            "bad_transfer_text",
            f"the {field} is empty, longer than {TEXT_LENGTH_MAX} characters or no printable ASCII",
        )


class SameAccountError(InvalidRequest):
    """A transfer from an account to itself."""

    def __init__(self, transfer_id: str, account: str) -> None:
        super().__init__("same_account", f"{transfer_id}: {account} is debit and credit")


class LedgersDifferError(InvalidRequest):
    """A transfer from an account in euros to one in watt-hours, or the other way round."""

    def __init__(self, transfer_id: str, debit: str, credit: str) -> None:
        super().__init__(
            "ledgers_differ", f"{transfer_id}: {debit} and {credit} count other things"
        )


class AmountNotPositiveError(InvalidRequest):
    """An amount below 1, where something is to move or to be held."""

    def __init__(self, transfer_id: str, given: int) -> None:
        super().__init__("amount_not_positive", f"{transfer_id}: amount {_shown(given)}")


class AmountTooLargeError(InvalidRequest):
    """An amount above 2^63 - 1, or one that an account's sum cannot hold."""

    def __init__(self, transfer_id: str, given: int) -> None:
        super().__init__("amount_too_large", f"{transfer_id}: amount {_shown(given)} is too large")


class AmountNotZeroError(InvalidRequest):
    """An amount in a void or an expire, which move nothing."""

    def __init__(self, transfer_id: str, given: int) -> None:
        super().__init__("amount_not_zero", f"{transfer_id}: amount {_shown(given)}, nothing moves")


class HoldNamedWronglyError(InvalidRequest):
    """A post, void or expire without its hold, another transfer with one, or a wrong expiry."""

    def __init__(self, transfer_id: str, detail: str) -> None:
        super().__init__("hold_named_wrongly", f"{transfer_id}: {detail}")


class GroupSizeError(InvalidRequest):
    """A group of no transfers, or of more than fit."""

    def __init__(self, size: int) -> None:
        super().__init__("group_size", f"a group has 1 to {GROUP_MAX} transfers, not {size}")


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
    """Micros or Wh, by the ledger; 0 only for a void or an expire."""
    code: str
    """What it is for, a short name."""
    trace_id: str
    """Session id or ``community/interval/run``."""
    pending_id: TransferId | None = None
    """The hold that a post, void or expire resolves."""
    expires_s: UnixSeconds | None = None
    """First instant at which a pending transfer holds no more, in Unix seconds; None: no end."""


def check_shape(transfer: Transfer) -> None:
    """
    Check everything about a transfer that does not depend on balances, in this order.

    Raises
    ------
    BadTransferTextError
        If its id, code, trace id or hold's id is not 1 to 160 characters of printable ASCII.
    UnknownAccountError
        If an account does not exist.
    SameAccountError
        If debit and credit are one account.
    LedgersDifferError
        If they count different things.
    AmountNotPositiveError
        If nothing is to move, or less.
    AmountTooLargeError
        If the amount is above 2^63 - 1.
    AmountNotZeroError
        If a void or expire names an amount.
    HoldNamedWronglyError
        If it names a hold and resolves none, or the other way round, or expires without holding.
    """
    for field in ("id", "code", "trace_id"):
        if not is_plain(getattr(transfer, field)):
            raise BadTransferTextError(field)
    if transfer.pending_id is not None and not is_plain(transfer.pending_id):
        raise BadTransferTextError("pending_id")
    debit, credit = kind_of(transfer.debit), kind_of(transfer.credit)
    if transfer.debit == transfer.credit:
        raise SameAccountError(transfer.id, transfer.debit)
    if debit.ledger is not credit.ledger:
        raise LedgersDifferError(transfer.id, transfer.debit, transfer.credit)
    _check_amount(transfer)
    _check_hold(transfer)


def writable(text: str) -> str:
    """Return ``text`` if it may stand in a journal line, or what can be written of it."""
    return text if is_plain(text) else ascii(text[:TEXT_LENGTH_MAX])[:TEXT_LENGTH_MAX]


def is_plain(text: str) -> bool:
    """Say whether ``text`` may stand in a journal line: printable ASCII, 1 to 160 characters."""
    return 0 < len(text) <= TEXT_LENGTH_MAX and text.isascii() and text.isprintable()


def _check_amount(transfer: Transfer) -> None:
    amount = transfer.amount
    if transfer.kind in RELEASING:
        if amount:
            raise AmountNotZeroError(transfer.id, amount)
        return
    if amount < 1:
        raise AmountNotPositiveError(transfer.id, amount)
    if amount > AMOUNT_MAX:
        raise AmountTooLargeError(transfer.id, amount)


def _check_hold(transfer: Transfer) -> None:
    if (transfer.kind in RESOLVING) != (transfer.pending_id is not None):
        raise HoldNamedWronglyError(transfer.id, "a post, void or expire alone names its hold")
    if transfer.expires_s is not None:
        if transfer.kind is not Kind.PENDING:
            raise HoldNamedWronglyError(transfer.id, "a pending transfer alone expires")
        if not 0 <= transfer.expires_s <= AMOUNT_MAX:
            raise HoldNamedWronglyError(transfer.id, "it expires at no instant there is")


def _shown(given: int) -> str:
    """Return a number of any length, as much of it as people look at."""
    return f"{given:#x}"[:_SHOWN]
