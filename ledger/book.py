"""
Apply transfers to balances: pure double entry with holds.

Faults are found in a fixed order: shape, hold unknown, hold of other accounts, hold resolved, post
above hold, limit. Two faults give one determined answer.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass, replace
from typing import Final

from ledger.accounts import AccountId, kind_of
from ledger.errors import InsufficientFunds, NotFound, WrongState
from ledger.transfers import BadTransferError, Kind, Transfer, TransferId, check_shape


@dataclass(frozen=True, slots=True)
class Balance:
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
        return self.posted - self.debits_pending


@dataclass(frozen=True, slots=True)
class Hold:
    """A pending transfer and whether it is resolved."""

    transfer: Transfer
    """The pending transfer."""
    resolved: bool = False
    """Whether it was posted or voided."""


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


class HoldResolvedError(WrongState):
    """The hold was posted or voided before."""

    def __init__(self, hold: str) -> None:
        super().__init__("hold_resolved", f"hold {hold} is resolved already")


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

    def apply(self, transfer: Transfer) -> None:
        """
        Apply one transfer, or change nothing.

        Raises
        ------
        BadTransferError
            If its shape is wrong.
        UnknownAccountError
            If an account does not exist.
        HoldNotFoundError
            If it resolves a hold that is not there.
        HoldResolvedError
            If the hold is resolved already.
        PostAboveHoldError
            If it posts more than is held.
        NotEnoughError
            If its debit account would pass its limit.
        """
        check_shape(transfer)
        if transfer.kind in {Kind.POST, Kind.VOID}:
            self._resolve(transfer)
            return
        debit, credit = self.balance(transfer.debit), self.balance(transfer.credit)
        amount = transfer.amount
        if kind_of(transfer.debit).limited and debit.available < amount:
            raise NotEnoughError(transfer.debit, debit.available, amount)
        if transfer.kind is Kind.PENDING:
            self._set(replace(debit, debits_pending=debit.debits_pending + amount))
            self._set(replace(credit, credits_pending=credit.credits_pending + amount))
            self.holds[transfer.id] = Hold(transfer)
            return
        self._set(replace(debit, debits_posted=debit.debits_posted + amount))
        self._set(replace(credit, credits_posted=credit.credits_posted + amount))

    def _resolve(self, transfer: Transfer) -> None:
        pending_id = transfer.pending_id or TransferId("")
        hold = self.holds.get(pending_id)
        if hold is None:
            raise HoldNotFoundError(pending_id)
        held = hold.transfer
        if (held.debit, held.credit) != (transfer.debit, transfer.credit):
            raise BadTransferError(transfer.id, "its accounts are not those of its hold")
        if hold.resolved:
            raise HoldResolvedError(pending_id)
        if transfer.amount > held.amount:
            raise PostAboveHoldError(pending_id, held.amount, transfer.amount)
        debit, credit = self.balance(held.debit), self.balance(held.credit)
        self._set(
            replace(
                debit,
                debits_pending=debit.debits_pending - held.amount,
                debits_posted=debit.debits_posted + transfer.amount,
            )
        )
        self._set(
            replace(
                credit,
                credits_pending=credit.credits_pending - held.amount,
                credits_posted=credit.credits_posted + transfer.amount,
            )
        )
        self.holds[pending_id] = Hold(held, resolved=True)

    def _set(self, balance: Balance) -> None:
        self.balances[balance.account] = balance
