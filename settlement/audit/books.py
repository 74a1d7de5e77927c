"""What the ledger says that each contract field must hold (decision 0001)."""

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Connection, RowMapping, select

from ledger.book import Balance
from settlement.chain.deployment import Contracts
from settlement.chain.reconciliation import Expectation
from settlement.engine.service import Service
from settlement.tables import lane, run

_ADDRESS_CHARACTERS: Final = 42
_DRIVER: Final = "eur/vault-driver/"
_EARNED: Final = "eur/vault-earned/"
_TRADE: Final = {"eur/trade-balance/": "balanceOf", "eur/trade-bond/": "bondOf"}
HELD: Final = "/hold"
"""Ends the name of what is held of a driver's purse."""


def expectations(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what every contract field must hold at the last final block."""
    for prefix in (_DRIVER, _EARNED, *_TRADE):
        yield from of_accounts(service.contracts, service.book.balances(connection, prefix))
    yield from of_lanes(service.contracts, connection.execute(select(lane)).mappings())


def of_accounts(contracts: Contracts, balances: Iterable[Balance]) -> Iterator[Expectation]:
    """Return what the fields behind these accounts must hold; most accounts have none."""
    for balance in balances:
        account = balance.account
        if account.startswith(_DRIVER):
            yield from _purse(contracts, balance)
        elif account.startswith(_EARNED):
            yield _earned(contracts, balance)
        else:
            for prefix, function in _TRADE.items():
                if account.startswith(prefix):
                    holder = account.removeprefix(prefix)
                    yield Expectation(account, contracts.trade, function, (holder,), balance.posted)


def of_lanes(contracts: Contracts, lanes: Iterable[RowMapping]) -> Iterator[Expectation]:
    """Return what each lane says beside its balance: the cap, and what is asked back."""
    for row in lanes:
        for function, micros in (("capOf", row["cap_micros"]), ("exitOf", row["exit_micros"] or 0)):
            yield Expectation(
                account=f"{row['address']}/{function}",
                contract=contracts.trade,
                function=function,
                arguments=(row["address"],),
                amount_micros=micros,
            )


def _purse(contracts: Contracts, balance: Balance) -> Iterator[Expectation]:
    """Return the deposit of a purse, which is what is held, and the rest, which is free."""
    wallet, _, number = balance.account.removeprefix(_DRIVER).partition("/")
    purse, held = (wallet, int(number or 0)), balance.pending_debits
    vault, account = contracts.vault, balance.account
    yield Expectation(account, vault, "freeOf", purse, balance.posted - held)
    yield Expectation(f"{account}{HELD}", vault, "depositOf", purse, held)


def _earned(contracts: Contracts, balance: Balance) -> Expectation:
    """Return what an operator has, or what a meter has earned that was not collected."""
    owner = balance.account.removeprefix(_EARNED)
    if len(owner) == _ADDRESS_CHARACTERS:
        key: tuple[object, ...] = (owner,)
        return Expectation(balance.account, contracts.vault, "earnedOf", key, balance.posted)
    key = (bytes.fromhex(owner[2:]),)
    return Expectation(balance.account, contracts.vault, "stationEarned", key, balance.posted)


def ledger_sums(service: Service, connection: Connection) -> dict[int, int]:
    """Return, for each run, the money its lines moved in the ledger, in micros."""
    sums: dict[int, int] = {}
    for number, interval in connection.execute(select(run.c.run, run.c.interval)):
        trace_id = f"{service.rules.community_id}/{interval}/{number}"
        sums[number] = sum(
            stored.transfer.amount
            for stored in service.book.transfers_of(connection, trace_id)
            if stored.transfer.kind in {"pending", "posted"}
            and stored.transfer.debit.startswith("eur/")
        )
    return sums
