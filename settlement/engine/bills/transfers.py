"""Make the transfers of sessions, as decision 0001 lists them."""

from collections.abc import Iterator, Sequence

from ledger import accounts
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import Micros, WattHours


def resolved(holds: Sequence[Transfer], session_id: str, charge: Micros) -> Iterator[Transfer]:
    """Post the session's holds with the charge, oldest first, and void what nothing is owed of."""
    left: int = charge
    for position, hold in enumerate(holds):
        taken = min(left, hold.amount)
        left -= taken
        yield Transfer(
            id=TransferId(f"{session_id}/charge" + (f"/{position}" if position else "")),
            kind=Kind.POST if taken else Kind.VOID,
            debit=hold.debit,
            credit=hold.credit,
            amount=taken,
            code="charge",
            trace_id=session_id,
            pending_id=hold.id,
        )


def hold(
    session_id: str,
    name: str,
    debit: accounts.AccountId,
    credit: accounts.AccountId,
    amount: Micros,
) -> Transfer:
    """Return the pending transfer that a deposit makes."""
    return Transfer(
        id=TransferId(f"{session_id}/{name}"),
        kind=Kind.PENDING,
        debit=debit,
        credit=credit,
        amount=amount,
        code="hold",
        trace_id=session_id,
    )


def paid_in(
    identity: str, code: str, account: accounts.AccountId, amount: Micros, trace_id: str
) -> Transfer:
    """Return what comes in from a wallet."""
    return moved(identity, code, accounts.world(), account, amount, trace_id)


def paid_out(
    identity: str, code: str, account: accounts.AccountId, amount: Micros, trace_id: str
) -> Transfer:
    """Return what goes out to a wallet."""
    return moved(identity, code, account, accounts.world(), amount, trace_id)


def moved(
    identity: str,
    code: str,
    debit: accounts.AccountId,
    credit: accounts.AccountId,
    amount: Micros | WattHours,
    trace_id: str,
) -> Transfer:
    """Return a posted transfer."""
    return Transfer(
        id=TransferId(identity),
        kind=Kind.POSTED,
        debit=debit,
        credit=credit,
        amount=amount,
        code=code,
        trace_id=trace_id,
    )
