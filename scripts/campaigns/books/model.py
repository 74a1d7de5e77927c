"""The ledger in as few lines as it can be said: what it must answer, whatever it is made of."""

from collections.abc import Sequence
from typing import Final

from ledger.accounts import AccountId, kind_of
from ledger.transfers import Kind, Transfer

POSTED: Final = "posted"


class Model:
    """Sums, open holds and first answers, in dictionaries."""

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}
        self.holds: dict[str, Transfer | None] = {}
        self.answers: dict[tuple[Transfer, ...], str] = {}
        self.used: set[str] = set()

    def submit(self, group: Sequence[Transfer], at_s: int) -> str:
        """Return ``posted`` or the code of the refusal, as the ledger must."""
        asked = tuple(group)
        if asked in self.answers:
            return self.answers[asked]
        sums, holds = dict(self.sums), dict(self.holds)
        ids = [one.id for one in asked]
        answer = POSTED
        if self.used & set(ids) or len(set(ids)) < len(ids):
            answer = "transfer_differs"
        for one in asked if answer == POSTED else ():
            answer = self._apply(one, at_s)
            if answer != POSTED:
                break
        if answer != POSTED:
            self.sums, self.holds = sums, holds
        self.used |= set(ids) if answer == POSTED else {ids[0]}
        self.answers[asked] = answer
        return answer

    def held(self, account: str) -> int:
        """Return what open holds are to take from ``account``."""
        return sum(one.amount for one in self.holds.values() if one and one.debit == account)

    def _apply(self, one: Transfer, at_s: int) -> str:
        if one.pending_id is not None:
            return self._resolve(one, self.holds.get(one.pending_id, 0), at_s)
        left = self.sums.get(one.debit, 0) - self.held(one.debit)
        if kind_of(AccountId(one.debit)).limited and left < one.amount:
            return "not_enough"
        if one.kind is Kind.PENDING:
            self.holds[one.id] = one
        else:
            self._move(one, one.amount)
        return POSTED

    def _resolve(self, one: Transfer, hold: Transfer | int | None, at_s: int) -> str:
        if not isinstance(hold, Transfer):
            return "hold_resolved" if hold is None else "hold_not_found"
        over = hold.expires_s is not None and at_s >= hold.expires_s
        if over != (one.kind is Kind.EXPIRE):
            return "hold_expired" if over else "hold_not_expired"
        if one.amount > hold.amount:
            return "post_above_hold"
        self.holds[hold.id] = None
        self._move(hold, one.amount)
        return POSTED

    def _move(self, one: Transfer, amount: int) -> None:
        self.sums[one.debit] = self.sums.get(one.debit, 0) - amount
        self.sums[one.credit] = self.sums.get(one.credit, 0) + amount
