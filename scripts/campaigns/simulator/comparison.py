"""Compare ledger, sessions and contracts with the model; name the first difference."""

from collections.abc import Iterator, Mapping

from sqlalchemy import Connection, func, select

from ledger.accounts import AccountId
from scripts.campaigns.simulator.following import DivergedError, Follower
from scripts.campaigns.simulator.model import Model
from settlement.engine.service import Service
from settlement.tables import chain_run, run_state, session

_STATES = {
    "open": {"open", "charging", "held", "closing"},
    "closed": {"closed"},
    "expired": {"expired"},
}

Amounts = tuple[int, int]
"""Posted and held, in micros."""
Wanted = Mapping[str, Amounts | int]
"""Amounts by account; where only what is posted is known, that."""


def compare_books(service: Service, follower: Follower) -> None:
    """
    Bring the model to the service's last final block, and compare.

    Raises
    ------
    DivergedError
        If an account, a session or the count of runs differs.
    """
    with service.reading() as connection:
        follower.follow(service.indexer.final_height(connection))
        model = follower.model
        if model.twice:
            raise DivergedError(f"{model.twice[0]} was opened or ended twice")
        for prefix, wanted in _wanted(model).items():
            found = {
                one.account: (one.posted, one.pending_debits)
                for one in service.book.balances(connection, prefix)
            }
            _same(prefix, wanted, found)
        _compare_sessions(connection, model)
        taken = select(func.count(chain_run.c.number)).join(
            run_state, run_state.c.run == chain_run.c.last_run
        )
        runs = connection.execute(taken.where(run_state.c.state == "final")).scalar_one()
        if runs != model.runs:
            raise DivergedError(f"{runs} chain runs are final, {model.runs} are in the chain")


def compare_chain(service: Service, model: Model) -> None:
    """
    Compare contract storage, and who holds which tokens, with the model.

    Raises
    ------
    DivergedError
        If a field differs.
    """
    contracts = service.contracts
    for contract, function, arguments, wanted in _fields(service, model):
        one = getattr(contracts, contract)
        data = service.gateway.call(one.address, one.encode(function, *arguments))
        found = one.decode_result(function, data)[0]
        if found != wanted:
            raise DivergedError(f"{contract}.{function}{arguments} is {found}, not {wanted}")


def _wanted(model: Model) -> Mapping[str, Wanted]:
    purses: dict[str, Amounts | int] = {}
    for driver, number in model.free | model.held:
        suffix = f"/{number}" if number else ""
        held = model.held[driver, number]
        posted = model.free[driver, number] + held
        purses[f"eur/vault-driver/{driver}{suffix}"] = (posted, held)
    return {
        "eur/vault-driver/": purses,
        "eur/vault-earned/": {f"eur/vault-earned/{k}": v for k, v in model.earned.items()},
        "eur/trade-balance/": {f"eur/trade-balance/{k}": v for k, v in model.balance.items()},
    }


def _same(prefix: str, wanted: Wanted, found: Mapping[AccountId, Amounts]) -> None:
    for account in sorted({*wanted, *found}):
        ours = wanted.get(account, (0, 0) if prefix == "eur/vault-driver/" else 0)
        theirs = found.get(AccountId(account), (0, 0))
        if ours != (theirs if isinstance(ours, tuple) else theirs[0]):
            raise DivergedError(f"{account}: the model says {ours}, the ledger {theirs}")


def _compare_sessions(connection: Connection, model: Model) -> None:
    rows = {row.session_id: row for row in connection.execute(select(session))}
    for name, one in model.sessions.items():
        row = rows.get(name)
        if row is None and one.asked:
            raise DivergedError(f"session {name} is in the chain and unknown to the service")
        if row is None:
            # Somebody opened it without asking the service; only its money is in the books.
            continue
        wrong = row.state not in _STATES[one.state]
        paid = (one.charge, one.deposit - one.charge)
        if wrong or (one.state != "open" and (row.charge_micros, row.refund_micros) != paid):
            said = (row.state, row.charge_micros, row.refund_micros)
            raise DivergedError(f"session {name}: the model says {one.state} {paid}, row {said}")


Field = tuple[str, str, tuple[object, ...], int]


def _fields(service: Service, model: Model) -> Iterator[Field]:
    contracts = service.contracts
    for purse in model.free | model.held:
        yield "vault", "freeOf", purse, model.free[purse]
        yield "vault", "depositOf", purse, model.held[purse]
    for owner, micros in model.earned.items():
        if owner in model.operators:
            yield "vault", "stationEarned", (bytes.fromhex(owner[2:]),), micros
        else:
            yield "vault", "earnedOf", (owner,), micros
    for member, micros in model.balance.items():
        yield "trade", "balanceOf", (member,), micros
    for holder, micros in model.wallet.items():
        yield "token", "balanceOf", (holder,), micros
    inside = sum(model.free.values()) + sum(model.held.values()) + sum(model.earned.values())
    yield "token", "balanceOf", (contracts.vault.address,), inside
    yield "token", "balanceOf", (contracts.trade.address,), sum(model.balance.values())
