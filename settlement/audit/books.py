"""What the ledger says that each contract field must hold (decision 0001)."""

from collections.abc import Iterator

from sqlalchemy import Connection, select

from settlement.chain.reconciliation import Expectation
from settlement.engine.service import Service
from settlement.tables import lane, run, session

_LIVE = ("open", "charging", "closing", "held")


def expectations(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what each contract field must hold at the last final block."""
    yield from _free(service, connection)
    yield from _deposits(service, connection)
    yield from _lanes(service, connection)
    fields = (
        ("eur/vault-earned/", service.contracts.vault, "earnedOf"),
        ("eur/trade-balance/", service.contracts.trade, "balanceOf"),
        ("eur/trade-bond/", service.contracts.trade, "bondOf"),
    )
    for prefix, contract, function in fields:
        for balance in service.book.balances(connection, prefix):
            holder = balance.account.removeprefix(prefix)
            yield Expectation(balance.account, contract, function, holder, balance.posted)


def _lanes(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return what each lane says beside its balance: the cap, and what is asked back."""
    for row in connection.execute(select(lane)).mappings():
        for function, micros in (("capOf", row["cap_micros"]), ("exitOf", row["exit_micros"] or 0)):
            yield Expectation(
                account=f"{row['address']}/{function}",
                contract=service.contracts.trade,
                function=function,
                argument=row["address"],
                amount_micros=micros,
            )


def _free(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Return each driver's free credit: what is posted less what is held."""
    prefix = "eur/vault-driver/"
    for balance in service.book.balances(connection, prefix):
        yield Expectation(
            account=balance.account,
            contract=service.contracts.vault,
            function="freeOf",
            argument=balance.account.removeprefix(prefix),
            amount_micros=balance.posted - balance.pending_debits,
        )


def _deposits(service: Service, connection: Connection) -> Iterator[Expectation]:
    """Each live session's deposit is its one open hold."""
    live = connection.execute(select(session.c.session_id).where(session.c.state.in_(_LIVE)))
    for (identity,) in live:
        held = sum(hold.amount for hold in service.book.open_holds(connection, identity))
        yield Expectation(
            account=f"{identity}/hold",
            contract=service.contracts.vault,
            function="sessionOf",
            argument=bytes.fromhex(identity[2:]),
            amount_micros=held,
        )


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
