"""
Turn final events of the TradeLedger into transfers and lanes, as decision 0001 lists them.

Each handler runs in the transaction that takes its event, so an event is posted exactly once.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, select, update

from ledger import accounts
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import Micros
from settlement.chain.indexer import FinalEvent
from settlement.engine.agreement import agree
from settlement.engine.grid.issuing import issue_certificates
from settlement.engine.intake import emit
from settlement.engine.service import Service
from settlement.tables import chain_run, lane, run, run_state

Handler = Callable[[Service, Connection, FinalEvent], None]


def _member_joined(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note the member's lane and its own cap, and post its first money."""
    body = event.arguments
    _open_lane(connection, body["member"], body["id"], Micros(int(body["capMicros"])))
    _deposited(service, connection, event)


def _institution_joined(_service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note the institution's lane; it knows no cap, and nothing is ever bid for it."""
    _open_lane(connection, event.arguments["institution"], event.arguments["id"], Micros(0))


def _deposited(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post money that a member put in."""
    member: str = event.arguments["member"]
    amount = Micros(int(event.arguments["amountMicros"]))
    transfer = _posted(service, event, "trade-deposit", accounts.trade_balance(member), into=True)
    if amount:
        service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()
    _tell(service, connection, event, "member_deposited", amount_micros=amount)


def _cap_set(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note a member's cap; a lower one that waited is gone."""
    cap_micros = int(event.arguments["capMicros"])
    _change(connection, event, cap_micros=cap_micros, lowering_micros=None, lowering_asked_s=None)
    _tell(service, connection, event, "cap_set", cap_micros=cap_micros)


def _cap_lowering_requested(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note a lower cap; it counts for every interval that begins later."""
    cap_micros = int(event.arguments["capMicros"])
    _change(connection, event, lowering_micros=cap_micros, lowering_asked_s=event.at_s)
    _tell(service, connection, event, "cap_lowering_requested", cap_micros=cap_micros)


def _exit_requested(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Note a member's wish; until it leaves, the money may be debited for intervals before it."""
    amount_micros = int(event.arguments["amountMicros"])
    _change(connection, event, exit_micros=amount_micros, exit_asked_s=event.at_s)
    _tell(service, connection, event, "exit_requested", amount_micros=amount_micros)


def _exit_cancelled(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Forget a member's wish."""
    _change(connection, event, exit_micros=None, exit_asked_s=None)
    amount_micros = int(event.arguments["amountMicros"])
    _tell(service, connection, event, "exit_cancelled", amount_micros=amount_micros)


def _exited(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post the money that a member took out."""
    member: str = event.arguments["member"]
    amount = Micros(int(event.arguments["amountMicros"]))
    _change(connection, event, exit_micros=None, exit_asked_s=None)
    transfer = _posted(service, event, "trade-exit", accounts.trade_balance(member), into=False)
    if amount:
        service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()
    _tell(service, connection, event, "member_exited", amount_micros=amount)


def _bond_posted(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what a settler put up."""
    bond = accounts.trade_bond(event.arguments["owner"])
    transfer = _posted(service, event, "trade-bond", bond, into=True)
    service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()


def _bond_released(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what a settler got back."""
    bond = accounts.trade_bond(event.arguments["owner"])
    transfer = _posted(service, event, "trade-bond-release", bond, into=False)
    service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()


def _interval_settled(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post every pending transfer of the runs that the contract has taken as one."""
    body = event.arguments
    number = int(body["run"])
    taken = connection.execute(select(chain_run).where(chain_run.c.number == number)).one()
    agree(f"root of chain run {number}", "0x" + taken.root.hex(), body["root"])
    runs = connection.execute(
        select(run.c.run, run.c.interval, run.c.root)
        .where(run.c.run.between(taken.first_run, taken.last_run))
        .order_by(run.c.run)
    )
    for row in runs.all():
        trace_id = f"{service.rules.community_id}/{row.interval}/{row.run}"
        posts = _posts(service, connection, trace_id)
        if posts:
            service.book.submit(connection, posts, at_s=event.at_s).unwrap()
        connection.execute(
            update(run_state).where(run_state.c.run == row.run).values(state="final")
        )
        emit(
            connection,
            "interval_settled",
            trace_id=trace_id,
            at_s=event.at_s,
            root="0x" + row.root.hex(),
            chain_run=number,
            transaction=event.transaction_hash,
        )
        issue_certificates(service, connection, row.run)


def _posts(service: Service, connection: Connection, trace_id: str) -> tuple[Transfer, ...]:
    return tuple(
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
        for hold in service.book.open_holds(connection, trace_id)
    )


def _checkpoint_anchored(service: Service, connection: Connection, event: FinalEvent) -> None:
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


def _open_lane(connection: Connection, address: str, number: int, cap_micros: Micros) -> None:
    connection.execute(lane.insert().values(address=address, id=int(number), cap_micros=cap_micros))


def _change(connection: Connection, event: FinalEvent, **values: int | None) -> None:
    member: str = event.arguments["member"]
    connection.execute(update(lane).where(lane.c.address == member).values(**values))


def _trace_of(service: Service, event: FinalEvent) -> str:
    owner: str = event.arguments.get("member") or event.arguments["owner"]
    return f"{service.rules.community_id}/member/{owner}"


def _posted(
    service: Service, event: FinalEvent, code: str, account: accounts.AccountId, *, into: bool
) -> Transfer:
    """Return the transfer between the outside and an account that the event tells of."""
    sides = (accounts.world(), account) if into else (account, accounts.world())
    return Transfer(
        id=TransferId(f"{event.transaction_hash}/{code}"),
        kind=Kind.POSTED,
        debit=sides[0],
        credit=sides[1],
        amount=Micros(int(event.arguments["amountMicros"])),
        code=code,
        trace_id=_trace_of(service, event),
    )


def _tell(
    service: Service,
    connection: Connection,
    event: FinalEvent,
    name: str,
    **details: Any,  # noqa: ANN401 - JSON
) -> None:
    emit(
        connection,
        name,
        trace_id=_trace_of(service, event),
        at_s=event.at_s,
        **details,
        transaction=event.transaction_hash,
    )


HANDLERS: Final[Mapping[str, Handler]] = {
    "Joined": _member_joined,
    "InstitutionJoined": _institution_joined,
    "Deposited": _deposited,
    "CapSet": _cap_set,
    "CapLoweringRequested": _cap_lowering_requested,
    "ExitRequested": _exit_requested,
    "ExitCancelled": _exit_cancelled,
    "Exited": _exited,
    "BondPosted": _bond_posted,
    "BondReleased": _bond_released,
    "IntervalSettled": _interval_settled,
    "CheckpointAnchored": _checkpoint_anchored,
}
"""What each event of the TradeLedger does; an event that is not here changes nothing of ours."""
