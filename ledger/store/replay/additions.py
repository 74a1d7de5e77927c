"""Add up all transfers once more, with nothing of the book's code, and compare."""

from typing import Any, Final

from sqlalchemy import Connection, select

from ledger.accounts import AccountId, UnknownAccountError, kind_of
from ledger.tables import balance, transfer

_PAGE: Final = 1_024
_SUMS: Final = 4


class Additions:
    """Sums of every account (left, came, held to leave, held to come), and the open holds."""

    def __init__(self) -> None:
        self.fault: str | None = None
        self.hold_fault: str | None = None
        self._sums: Final[dict[str, list[int]]] = {}
        self._open: Final[dict[str, tuple[str, str, int]]] = {}
        self._limited: Final[dict[str, bool]] = {}

    @staticmethod
    def over(connection: Connection, size: int) -> "Additions":
        """Return what the transfers of the first ``size`` entries add up to."""
        added = Additions()
        columns = transfer.c
        statement = (
            select(
                columns.seq,
                columns.id,
                columns.kind,
                columns.debit,
                columns.credit,
                columns.amount,
                columns.pending_id,
                *tuple(columns)[-2 * _SUMS :],
            )
            .where(columns.seq < size)
            .order_by(columns.seq)
        )
        with connection.execute(statement.execution_options(yield_per=_PAGE)) as found:
            for page in found.partitions():
                for row in page:
                    added._add(row)
                if added.fault or added.hold_fault:
                    break
        return added

    def compare(self, connection: Connection) -> str | None:
        """Compare with the stored balances, and debits with credits in each ledger."""
        totals: dict[str, int] = {}
        left = dict(self._sums)
        for account, limited, *sums in connection.execute(select(balance)):
            if left.pop(account, None) != sums or limited != self._limited[account]:
                return f"{account} is stored as {sums}"
            ledger = kind_of(AccountId(account)).ledger
            totals[ledger] = totals.get(ledger, 0) + sums[1] - sums[0]
        if left:
            return f"{min(left)} has no stored balance"
        unequal = {ledger: total for ledger, total in totals.items() if total}
        return f"debits and credits differ: {unequal}" if unequal else None

    def _add(self, row: Any) -> None:  # noqa: ANN401 - a row of ``transfer``
        seq, name, kind, debit, credit, amount, pending_id, *after = row
        left = self._sums.get(debit) or self._begin(debit)
        came = self._sums.get(credit) or self._begin(credit)
        if kind == "posted":
            left[0] += amount
            came[1] += amount
        elif kind == "pending":
            left[2] += amount
            came[3] += amount
            self._open[name] = (debit, credit, amount)
        else:
            held = self._open.pop(pending_id, None)
            if held is None or held[:2] != (debit, credit) or amount > held[2]:
                self.hold_fault = self.hold_fault or self._say(seq, pending_id)
                return
            left[0] += amount
            left[2] -= held[2]
            came[1] += amount
            came[3] -= held[2]
        if after[:_SUMS] != left or after[_SUMS:] != came:
            self.fault = self.fault or f"transfer {seq} says other balances after it"
        if self._limited[debit] and left[1] - left[0] - left[2] < 0:
            self.fault = self.fault or f"transfer {seq} takes {debit} below its limit"

    def _begin(self, account: str) -> list[int]:
        try:
            self._limited[account] = kind_of(AccountId(account)).limited
        except UnknownAccountError:
            self._limited[account] = False
            self.fault = self.fault or f"{account} names no account"
        return self._sums.setdefault(account, [0] * _SUMS)

    def _say(self, seq: int, hold: str) -> str:
        return f"transfer {seq} resolves {hold}, which is not open, or holds less or for others"
