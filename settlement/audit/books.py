"""What the ledger says that each contract field must hold (decision 0001)."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select

from settlement.chain.reconciliation import Expectation
from settlement.engine.service import Service
from settlement.tables import lane, run

_ADDRESS_CHARACTERS: Final = 42


def expectations(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what each contract field must hold at the last final block."""
    yield from _purses(service, connection)
    yield from _earned(service, connection)
    yield from _lanes(service, connection)
    trade = service.contracts.trade
    for prefix, function in (("eur/trade-balance/", "balanceOf"), ("eur/trade-bond/", "bondOf")):
        for balance in service.book.balances(connection, prefix):
            holder = balance.account.removeprefix(prefix)
            yield Expectation(balance.account, trade, function, (holder,), balance.posted)


def _lanes(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what each lane says beside its balance: the cap, and what is asked back."""
    for row in connection.execute(select(lane)).mappings():
        for function, micros in (("capOf", row["cap_micros"]), ("exitOf", row["exit_micros"] or 0)):
            yield Expectation(
                account=f"{row['address']}/{function}",
                contract=service.contracts.trade,
                function=function,
                arguments=(row["address"],),
                amount_micros=micros,
            )


def _purses(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return the deposit of each purse, which is what is held, and the rest, which is free."""
    prefix = "eur/vault-driver/"
    vault = service.contracts.vault
    for balance in service.book.balances(connection, prefix):
        wallet, _, number = balance.account.removeprefix(prefix).partition("/")
        purse, held = (wallet, int(number or 0)), balance.pending_debits
        yield Expectation(balance.account, vault, "freeOf", purse, balance.posted - held)
        yield Expectation(f"{balance.account}/hold", vault, "depositOf", purse, held)


def _earned(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what each operator has, and what each meter has earned that was not collected."""
    prefix = "eur/vault-earned/"
    vault = service.contracts.vault
    for balance in service.book.balances(connection, prefix):
        owner = balance.account.removeprefix(prefix)
        if len(owner) == _ADDRESS_CHARACTERS:
            yield Expectation(balance.account, vault, "earnedOf", (owner,), balance.posted)
        else:
            meter = bytes.fromhex(owner[2:])
            yield Expectation(balance.account, vault, "stationEarned", (meter,), balance.posted)


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
