"""
Turn final chain events into transfers, as decision 0001 lists them.

Each handler runs in the transaction that takes its event, so an event is posted exactly once.
"""

from sqlalchemy import Connection, select, update

from ledger import accounts
from ledger.errors import Integrity
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import Micros
from settlement.chain.indexer import FinalEvent
from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.tables import run, run_state


class ChainDisagreesError(Integrity):
    """A final event says something else than the service computed."""

    def __init__(self, what: str, ours: object, theirs: object) -> None:
        super().__init__("chain_disagrees", f"{what}: computed {ours}, the chain says {theirs}")


def member_joined(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post the member's first money."""
    _trade_deposit(service, connection, event, Micros(int(event.arguments["amountMicros"])))


def member_deposited(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post money that a member added."""
    amount = next(v for k, v in event.arguments.items() if k != "member")
    _trade_deposit(service, connection, event, Micros(int(amount)))


def interval_settled(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post every pending transfer of the run."""
    body = event.arguments
    number = int(body["run"])
    row = connection.execute(select(run.c.interval, run.c.root).where(run.c.run == number)).one()
    agree(f"root of run {number}", "0x" + row.root.hex(), body["root"])
    trace_id = f"{service.rules.community_id}/{row.interval}/{number}"
    pending = service.book.open_holds(connection, trace_id)
    posts = tuple(
        Transfer(
            id=TransferId(f"{hold.id}/post"),
            kind=Kind.POST,
            debit=hold.debit,
            credit=hold.credit,
            amount=hold.amount,
            code=hold.code,
            trace_id=trace_id,
            pending_id=hold.id,
        )
        for hold in pending
    )
    if posts:
        service.book.submit(connection, posts, at_s=event.at_s).unwrap()
    connection.execute(update(run_state).where(run_state.c.run == number).values(state="final"))
    emit(
        connection,
        "interval_settled",
        trace_id=trace_id,
        at_s=event.at_s,
        root=body["root"],
        transaction=event.transaction_hash,
    )


def exit_requested(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note a member's wish; its money stays in the balance, and may be debited, until it leaves."""
    member: str = event.arguments["member"]
    emit(
        connection,
        "exit_requested",
        trace_id=f"{service.rules.community_id}/member/{member}",
        at_s=event.at_s,
        amount_micros=int(event.arguments["amountMicros"]),
        transaction=event.transaction_hash,
    )


def exited(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post the money that a member took out."""
    member: str = event.arguments["member"]
    trace_id = f"{service.rules.community_id}/member/{member}"
    amount = Micros(int(event.arguments["amountMicros"]))
    transfer = Transfer(
        id=TransferId(f"{event.transaction_hash}/trade-exit"),
        kind=Kind.POSTED,
        debit=accounts.trade_balance(member),
        credit=accounts.world(),
        amount=amount,
        code="trade-exit",
        trace_id=trace_id,
    )
    if amount:
        service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()
    emit(
        connection,
        "member_exited",
        trace_id=trace_id,
        at_s=event.at_s,
        amount_micros=amount,
        transaction=event.transaction_hash,
    )


def checkpoint_anchored(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note that the chain holds a checkpoint of the log."""
    emit(
        connection,
        "checkpoint_anchored",
        trace_id=f"{service.rules.community_id}/log",
        at_s=event.at_s,
        size=int(event.arguments["size"]),
        root=event.arguments["root"],
        transaction=event.transaction_hash,
    )


def _trade_deposit(
    service: Service, connection: Connection, event: FinalEvent, amount: Micros
) -> None:
    member: str = event.arguments["member"]
    trace_id = f"{service.rules.community_id}/member/{member}"
    service.book.submit(
        connection,
        (
            Transfer(
                id=TransferId(f"{event.transaction_hash}/trade-deposit"),
                kind=Kind.POSTED,
                debit=accounts.world(),
                credit=accounts.trade_balance(member),
                amount=amount,
                code="trade-deposit",
                trace_id=trace_id,
            ),
        ),
        at_s=event.at_s,
    ).unwrap()
    emit(
        connection,
        "member_deposited",
        trace_id=trace_id,
        at_s=event.at_s,
        amount_micros=amount,
        transaction=event.transaction_hash,
    )


def agree(what: str, ours: object, theirs: object) -> None:
    """
    Check that the chain says what the service computed.

    Raises
    ------
    ChainDisagreesError
        If it does not.
    """
    if ours != theirs:
        raise ChainDisagreesError(what, ours, theirs)
