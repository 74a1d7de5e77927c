"""Derive balances from transfers alone, pass by pass, never from what is stored as a balance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from ledger.accounts import AccountId
from ledger.book import Balance
from ledger.tables import transfer

VAULT: Final = "ChargeVault"
TRADE: Final = "TradeLedger"
DRIVERS: Final = "eur/vault-driver/"
_CONTRACTS: Final = {
    DRIVERS: VAULT,
    "eur/vault-earned/": VAULT,
    "eur/trade-balance/": TRADE,
    "eur/trade-bond/": TRADE,
}


@dataclass(slots=True)
class Mirror:
    """Every balance as it follows from the transfers so far, with the sums over contracts."""

    balances: dict[str, Balance] = field(default_factory=dict)
    """Derived balances by account."""
    tokens: dict[str, int] = field(default_factory=lambda: {VAULT: 0, TRADE: 0})
    """What the accounts of each contract hold together, in micros."""
    holds_micros: int = 0
    """What open holds take of drivers' purses together, in micros."""
    deposits: dict[str, int] = field(default_factory=dict)
    """What the vault says each purse has deposited, in micros, as last read."""

    def balance(self, account: str) -> Balance:
        """Return the derived balance of an account; one unheard of is empty."""
        return self.balances.get(account) or Balance(AccountId(account))

    def deposits_micros(self) -> int:
        """Return what the vault says is deposited in all purses together, in micros."""
        return sum(self.deposits.values())

    def note_deposit(self, account: str, deposit_micros: int) -> None:
        """Keep what the vault says of a purse; an empty one takes no room."""
        if deposit_micros:
            self.deposits[account] = deposit_micros
        else:
            self.deposits.pop(account, None)

    def apply(self, connection: Connection, moved: Iterable[RowMapping]) -> None:
        """Apply transfers, in the order of their entries."""
        rows = tuple(moved)
        held = _held(connection, rows)
        for row in rows:
            posted = 0 if row["kind"] == "pending" else row["amount"]
            pending = row["amount"] if row["kind"] == "pending" else 0
            if row["pending_id"] is not None:
                pending = -held.get(row["pending_id"], 0)
            self._move(row["debit"], debits=(posted, pending))
            self._move(row["credit"], credit=(posted, pending))

    def _move(
        self, account: str, debits: tuple[int, int] = (0, 0), credit: tuple[int, int] = (0, 0)
    ) -> None:
        before = self.balance(account)
        self.balances[account] = before._replace(
            debits_posted=before.debits_posted + debits[0],
            debits_pending=before.debits_pending + debits[1],
            credits_posted=before.credits_posted + credit[0],
            credits_pending=before.credits_pending + credit[1],
        )
        contract = contract_of(account)
        if contract is not None:
            self.tokens[contract] += credit[0] - debits[0]
        if account.startswith(DRIVERS):
            self.holds_micros += debits[1]


def contract_of(account: str) -> str | None:
    """Return the contract whose tokens an account counts, or None."""
    return next((name for prefix, name in _CONTRACTS.items() if account.startswith(prefix)), None)


def _held(connection: Connection, rows: tuple[RowMapping, ...]) -> Mapping[str, int]:
    """Return what the holds hold that ``rows`` resolve; most are among them or not far before."""
    held = {row["id"]: row["amount"] for row in rows if row["kind"] == "pending"}
    wanted = {row["pending_id"] for row in rows if row["pending_id"] is not None} - held.keys()
    if wanted:
        found = connection.execute(
            select(transfer.c.id, transfer.c.amount).where(
                transfer.c.id.in_(wanted), transfer.c.kind == "pending"
            )
        )
        held |= {row.id: row.amount for row in found}
    return held
