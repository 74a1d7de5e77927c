"""
Apply transfers to balances: pure double entry with holds.

Faults are found in a fixed order: shape, hold unknown, hold of other accounts, hold resolved, hold
expired or not yet, post above hold, limit, sum too large. Two faults give one determined answer.
"""

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeVar

from ledger.accounts import AccountId, kind_of
from ledger.errors import InsufficientFunds, NotFound, VoisinError, WrongState
from ledger.transfers import (
    AMOUNT_MAX,
    AmountTooLargeError,
    Kind,
    Transfer,
    TransferId,
    check_shape,
)
from ledger.units import UnixSeconds

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Balance(NamedTuple):
    """What an account holds; all four sums only grow, but for holds that are resolved."""

    account: AccountId
    """The account."""
    debits_posted: int = 0
    """Everything that left it."""
    credits_posted: int = 0
    """Everything that came to it."""
    debits_pending: int = 0
    """Held to leave it."""
    credits_pending: int = 0
    """Held to come to it."""

    @property
    def posted(self) -> int:
        """Credits less debits."""
        return self.credits_posted - self.debits_posted

    @property
    def pending_debits(self) -> int:
        """Held to leave it."""
        return self.debits_pending

    @property
    def available(self) -> int:
        """What can still be spent: posted less what is held to leave."""
        return self.credits_posted - self.debits_posted - self.debits_pending


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transfer and whether it is resolved."""

    transfer: Transfer
    """The pending transfer."""
    resolved: bool = False
    """Whether it was posted, voided or expired."""


class NotEnoughError(InsufficientFunds):
    """The account would fall below its limit, open holds counted."""

    def __init__(self, account: AccountId, available: int, wanted: int) -> None:
        super().__init__("not_enough", f"{account} has {available} available, not {wanted}")
        self.account: Final = account
        self.available: Final = available
        self.wanted: Final = wanted


class HoldNotFoundError(NotFound):
    """No pending transfer of that id."""

    def __init__(self, hold: str) -> None:
        super().__init__("hold_not_found", f"there is no hold {hold}")


class HoldDiffersError(WrongState):
    """A post, void or expire between other accounts than its hold's."""

    def __init__(self, transfer_id: str, hold: str) -> None:
        super().__init__("hold_differs", f"{transfer_id}: its accounts are not those of {hold}")


class HoldResolvedError(WrongState):
    """The hold was posted, voided or expired before."""

    def __init__(self, hold: str) -> None:
        super().__init__("hold_resolved", f"hold {hold} is resolved already")


class HoldExpiredError(WrongState):
    """The hold's time is over; it can only expire."""

    def __init__(self, hold: str, expires_s: int) -> None:
        super().__init__("hold_expired", f"hold {hold} ended at {expires_s}")


class HoldNotExpiredError(WrongState):
    """The hold's time is not over, or it has no end."""

    def __init__(self, hold: str, expires_s: int | None) -> None:
        super().__init__("hold_not_expired", f"hold {hold} ends at {expires_s}")


class PostAboveHoldError(WrongState):
    """A post of more than was held."""

    def __init__(self, hold: str, held: int, wanted: int) -> None:
        super().__init__("post_above_hold", f"hold {hold} holds {held}, not {wanted}")


class Book:
    """
    Balances and holds, read from and written back to whatever keeps them.

    ``balances`` and ``holds`` are the state; a caller may fill them as needed before applying.
    """

    def __init__(
        self,
        balances: MutableMapping[AccountId, Balance] | None = None,
        holds: MutableMapping[TransferId, Hold] | None = None,
    ) -> None:
        self.balances: Final = {} if balances is None else balances
        self.holds: Final = {} if holds is None else holds

    def balance(self, account: AccountId) -> Balance:
        """Return the balance of ``account``; an account unheard of is empty."""
        return self.balances.get(account) or Balance(account)

    def apply_all(
        self, transfers: Sequence[Transfer], at_s: UnixSeconds
    ) -> tuple[tuple[Balance, Balance], ...]:
        """
        Apply a group, all or none; return each transfer's debit and credit balance after it.

        Raises
        ------
        VoisinError
            What ``apply`` raises for the first transfer that cannot be; the book is as before.
        """
        touched = {account for one in transfers for account in (one.debit, one.credit)}
        before = {account: self.balances.get(account) for account in touched}
        holds = {
            name: self.holds.get(name)
            for one in transfers
            for name in ((one.pending_id, one.id) if one.pending_id else (one.id,))
        }
        try:
            return tuple([self.apply(one, at_s) for one in transfers])
        except VoisinError:
            _restore(self.balances, before)
            _restore(self.holds, holds)
            raise

    def apply(self, transfer: Transfer, at_s: UnixSeconds) -> tuple[Balance, Balance]:
        """
        Apply one transfer at ``at_s``, or change nothing; return both balances after it.

        Raises
        ------
        InvalidRequest
            If its shape is wrong: see ``check_shape``.
        HoldNotFoundError
            If it resolves a hold that is not there.
        HoldDiffersError
            If the hold is between other accounts.
        HoldResolvedError
            If the hold is resolved already.
        HoldExpiredError
            If it posts or voids a hold whose time is over.
        HoldNotExpiredError
            If it expires a hold whose time is not over.
        PostAboveHoldError
            If it posts more than is held.
        NotEnoughError
            If its debit account would pass its limit.
        AmountTooLargeError
            If a sum of an account would pass 2^63 - 1.
        """
        check_shape(transfer)
        if transfer.pending_id is not None:
            return self._resolve(transfer, transfer.pending_id, at_s)
        account, left, came, held_left, held_came = self.balance(transfer.debit)
        other, other_left, other_came, other_held_left, other_held_came = self.balance(
            transfer.credit
        )
        amount = transfer.amount
        available = came - left - held_left
        if available < amount and kind_of(account).limited:
            raise NotEnoughError(account, available, amount)
        most = max(left + held_left, other_came + other_held_came) + amount
        if most > AMOUNT_MAX:
            raise AmountTooLargeError(transfer.id, amount)
        if transfer.kind is Kind.PENDING:
            debit = Balance(account, left, came, held_left + amount, held_came)
            credit = Balance(
                other, other_left, other_came, other_held_left, other_held_came + amount
            )
            self.holds[transfer.id] = Hold(transfer)
        else:
            debit = Balance(account, left + amount, came, held_left, held_came)
            credit = Balance(
                other, other_left, other_came + amount, other_held_left, other_held_came
            )
        self.balances[account] = debit
        self.balances[other] = credit
        return debit, credit

    def _resolve(
        self, transfer: Transfer, hold_id: TransferId, at_s: UnixSeconds
    ) -> tuple[Balance, Balance]:
        hold = self.holds.get(hold_id)
        if hold is None:
            raise HoldNotFoundError(hold_id)
        held = hold.transfer
        if held.debit != transfer.debit or held.credit != transfer.credit:
            raise HoldDiffersError(transfer.id, hold_id)
        if hold.resolved:
            raise HoldResolvedError(hold_id)
        over = held.expires_s is not None and at_s >= held.expires_s
        if over and transfer.kind is not Kind.EXPIRE:
            raise HoldExpiredError(hold_id, held.expires_s or 0)
        if transfer.kind is Kind.EXPIRE and not over:
            raise HoldNotExpiredError(hold_id, held.expires_s)
        if transfer.amount > held.amount:
            raise PostAboveHoldError(hold_id, held.amount, transfer.amount)
        account, left, came, held_left, held_came = self.balance(held.debit)
        debit = Balance(account, left + transfer.amount, came, held_left - held.amount, held_came)
        account, left, came, held_left, held_came = self.balance(held.credit)
        credit = Balance(account, left, came + transfer.amount, held_left, held_came - held.amount)
        self.balances[debit.account] = debit
        self.balances[credit.account] = credit
        self.holds[hold_id] = Hold(held, resolved=True)
        return debit, credit


def _restore(kept: MutableMapping[_Key, _Value], before: dict[_Key, _Value | None]) -> None:
    """Put back what ``kept`` held."""
    for key, value in before.items():
        if value is None:
            kept.pop(key, None)
        else:
            kept[key] = value
