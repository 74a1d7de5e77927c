"""Compare books with books and books with chain: E1 to E4, and E9."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from ledger.accounts import AccountId
from ledger.book import Balance
from ledger.tables import balance
from settlement.audit.books import HELD, of_accounts, of_lanes
from settlement.audit.reconciliation.equations import Comparison, Equation, Owner
from settlement.audit.reconciliation.mirror import DRIVERS, TRADE, VAULT, Mirror
from settlement.audit.reconciliation.scope import Scope
from settlement.chain.reconciliation import Expectation, read_fields
from settlement.engine.service import Service

DEPOSITS: Final = "deposits in ChargeVault"
TOKENS: Final = {VAULT: "tokens of ChargeVault", TRADE: "tokens of TradeLedger"}
_ENDED: Final = ("closed", "expired")
_SIDES: Final = ("debits", "credits")


@dataclass(frozen=True, slots=True)
class Books:
    """Balances as they are stored, beside those that follow from the transfers."""

    stored: Mapping[str, Balance]
    """What table ``balance`` holds of the accounts looked at."""
    before: Mapping[str, Balance]
    """What the transfers came to at the last pass, of the same accounts."""
    derived: Mapping[str, Balance]
    """What they come to now."""


def advance_books(connection: Connection, scope: Scope, mirror: Mirror) -> Books:
    """Read the stored balances of a scope, and bring the mirror up to date."""
    stored = _stored(connection, scope)
    looked_at = scope.accounts | stored.keys()
    before = {one: mirror.balance(one) for one in looked_at}
    mirror.apply(connection, scope.moved)
    return Books(stored, before, {one: mirror.balance(one) for one in looked_at})


def _stored(connection: Connection, scope: Scope) -> dict[str, Balance]:
    rows = select(balance)
    if not scope.whole:
        if not scope.accounts:
            return {}
        rows = rows.where(balance.c.account.in_(scope.accounts))
    return {
        row["account"]: Balance(
            AccountId(row["account"]),
            row["debits_posted"],
            row["credits_posted"],
            row["debits_pending"],
            row["credits_pending"],
        )
        for row in connection.execute(rows).mappings()
    }


def debits_and_credits(books: Books) -> Iterator[Comparison]:
    """E1: in each ledger, as much was debited as credited."""
    for ledger in ("eur", "wh"):
        sums = dict.fromkeys(_SIDES, 0)
        for account in books.derived:
            if account.startswith(f"{ledger}/"):
                now = books.stored.get(account) or Balance(AccountId(account))
                was = books.before[account]
                sums["debits"] += now.debits_posted - was.debits_posted
                sums["credits"] += now.credits_posted - was.credits_posted
        yield Comparison(
            Equation.DEBITS_CREDITS, ledger, sums["debits"], sums["credits"], Owner.SERVICE
        )


def replayed(books: Books) -> Iterator[Comparison]:
    """E9: each stored balance is what its transfers come to."""
    for account in sorted(books.derived):
        derived = books.derived[account]
        stored = books.stored.get(account) or Balance(AccountId(account))
        yield Comparison(
            Equation.REPLAY,
            account,
            _sums(stored),
            _sums(derived),
            Owner.SERVICE,
            "debits and credits posted, debits and credits pending",
        )


def _sums(one: Balance) -> str:
    return " ".join(str(part) for part in one[1:])


def fields(service: Service, scope: Scope, books: Books, mirror: Mirror) -> Iterator[Comparison]:
    """E2 and E4: deposits, tokens and every field touched, all read in one round."""
    contracts = service.contracts
    wanted = [books.stored.get(one) or Balance(AccountId(one)) for one in sorted(books.derived)]
    asked = [*of_accounts(contracts, wanted), *of_lanes(contracts, scope.lanes)]
    tokens = [
        Expectation(
            TOKENS[name], contracts.token, "balanceOf", (contract.address,), mirror.tokens[name]
        )
        for name, contract in ((VAULT, contracts.vault), (TRADE, contracts.trade))
    ]
    held = read_fields(service.gateway, [*asked, *tokens], block=scope.height)
    for one, micros in zip((*asked, *tokens), held, strict=True):
        if one.account.startswith(DRIVERS) and one.account.endswith(HELD):
            mirror.note_deposit(one.account.removesuffix(HELD), micros)
        owner = _owner(one, books)
        detail = f"{one.contract.name}.{one.function} after block {scope.height}"
        yield Comparison(Equation.FIELDS, one.account, one.amount_micros, micros, owner, detail)
    yield Comparison(
        Equation.HOLDS_DEPOSITS,
        DEPOSITS,
        mirror.holds_micros,
        mirror.deposits_micros(),
        Owner.CHAIN_OPERATOR,
        f"sum of open holds, sum of ChargeVault.depositOf after block {scope.height}",
    )


def _owner(one: Expectation, books: Books) -> Owner:
    """Return who must act on a field: a ledger that contradicts its own transfers comes first."""
    if one.account in TOKENS.values():
        return Owner.OPERATOR
    account = one.account.removesuffix(HELD)
    contradicts = (
        account in books.derived
        and books.stored.get(account, Balance(AccountId(account))) != books.derived[account]
    )
    return Owner.SERVICE if contradicts else Owner.CHAIN_OPERATOR


def sessions(scope: Scope) -> Iterator[Comparison]:
    """E3: a session's deposit is what was charged, given back and is still held."""
    for row in scope.sessions:
        captured, held, _ = _of_session(scope.of(row["session_id"]))
        ended = row["state"] in _ENDED
        if not scope.of(row["session_id"]) and not ended:
            continue  # nothing of it is on the chain yet, or the contract refused it
        refunded = row["refund_micros"] if ended else 0
        yield Comparison(
            Equation.SESSION,
            row["session_id"],
            captured + refunded + held,
            row["deposit_micros"],
            Owner.SERVICE,
            f"captured {captured}, refunded {refunded}, held {held} micros",
        )


def _of_session(moved: tuple[RowMapping, ...]) -> tuple[int, int, int]:
    """Return what was captured of a session's holds, what they still hold, and held in all."""
    resolved = {row["pending_id"] for row in moved if row["pending_id"] is not None}
    holds = [row for row in moved if row["kind"] == "pending"]
    captured = sum(row["amount"] for row in moved if row["pending_id"] is not None)
    held = sum(row["amount"] for row in holds if row["id"] not in resolved)
    return captured, held, sum(row["amount"] for row in holds)
