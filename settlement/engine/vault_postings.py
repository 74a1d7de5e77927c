"""
Turn final events of the ChargeVault into transfers, as decision 0001 lists them.

Each handler runs in the transaction that takes its event, so an event is posted exactly once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, Text, cast, literal, update

from ledger import accounts
from ledger.errors import ChainReverted
from ledger.transfers import Transfer
from ledger.units import Micros, WattHours
from settlement.chain.indexer import FinalEvent
from settlement.engine.bills.closed import Ended, note_closed
from settlement.engine.bills.rows import sessions_of, write_session
from settlement.engine.bills.transfers import hold, moved, paid_in, paid_out, resolved
from settlement.engine.intake import Message, emit, refuse
from settlement.engine.service import Service
from settlement.tables import intent, session

Handler = Callable[[Service, Connection, FinalEvent], None]


class RefusedByContractError(ChainReverted):
    """A contract refused what the service had found good."""

    def __init__(self, what: str, error: str) -> None:
        super().__init__("refused_by_contract", f"{what}: {error}")


def closing_key(session_id: str) -> str:
    """Return the business key of a session's closing."""
    return f"close/{session_id}"


def _session_opened(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post the deposit, unless it lay in the vault already, and hold it for the operator."""
    body = event.arguments
    session_id: str = body["sessionId"]
    driver = accounts.vault_driver(body["driver"], int(body["purse"]))
    deposit = Micros(int(body["depositMicros"]))
    transfers = [hold(session_id, "hold", driver, accounts.vault_earned(body["meterId"]), deposit)]
    if body["fromWallet"]:
        transfers.insert(
            0, paid_in(f"{session_id}/deposit", "deposit", driver, deposit, session_id)
        )
    service.book.submit(connection, tuple(transfers), at_s=event.at_s).unwrap()
    page = int(body["pageAtOpen"])
    write_session(connection, session_id, state="open", opened_s=event.at_s, page_at_open=page)
    emit(
        connection,
        "session_opened",
        trace_id=session_id,
        at_s=event.at_s,
        deposit_micros=deposit,
        transaction=event.transaction_hash,
    )


def _session_topped_up(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what was added to a running session's deposit, and hold it too."""
    body = event.arguments
    session_id: str = body["sessionId"]
    amount, deposit = (Micros(int(body[name])) for name in ("amountMicros", "depositMicros"))
    first = service.book.open_holds(connection, session_id)[0]
    name = f"hold/{deposit}"
    transfers = [hold(session_id, name, first.debit, first.credit, amount)]
    if body["fromWallet"]:
        identity = f"{session_id}/deposit/{deposit}"
        transfers.insert(0, paid_in(identity, "deposit", first.debit, amount, session_id))
    service.book.submit(connection, tuple(transfers), at_s=event.at_s).unwrap()
    write_session(connection, session_id, deposit_micros=deposit)
    emit(
        connection,
        "session_topped_up",
        trace_id=session_id,
        at_s=event.at_s,
        amount_micros=amount,
        deposit_micros=deposit,
        transaction=event.transaction_hash,
    )


def sessions_closed(service: Service, connection: Connection, events: Sequence[FinalEvent]) -> None:
    """
    Post what the sessions that closed in one block come to, as if one after the other.

    They are looked up together and posted together, since many sessions end at the same time.
    """
    ids = tuple(str(one.arguments["sessionId"]) for one in events)
    holds, rows = service.book.holds_of(connection, ids), sessions_of(connection, ids)
    groups = [
        _closing(service, connection, one, holds.get(name, ()), rows.get(name))
        for name, one in zip(ids, events, strict=True)
    ]
    for outcome in service.book.submit_many(connection, groups, at_s=events[0].at_s):
        outcome.unwrap()
    for name, one in zip(ids, events, strict=True):
        emit(
            connection,
            "session_closed",
            trace_id=name,
            at_s=one.at_s,
            energy_wh=int(one.arguments["energyWh"]),
            charge_micros=int(one.arguments["chargeMicros"]),
            refund_micros=int(one.arguments["refundMicros"]),
            transaction=one.transaction_hash,
        )


def _closing(
    service: Service,
    connection: Connection,
    event: FinalEvent,
    holds: Sequence[Transfer],
    row: RowMapping | None,
) -> Sequence[Transfer]:
    """
    Return charge, release of the rest of the hold, refund, VAT and energy of a closed session.

    Anybody may bring the meter's record to the contract, also before the station has told us; and
    anybody may have opened a session there without asking us, of which only the money is ours to
    book.
    """
    body = event.arguments
    session_id: str = body["sessionId"]
    charge, refund = Micros(int(body["chargeMicros"])), Micros(int(body["refundMicros"]))
    energy = WattHours(int(body["energyWh"]))
    transfers = [*resolved(holds, session_id, charge)]
    if body["pushed"] and refund:
        transfers.append(
            paid_out(f"{session_id}/refund", "refund", holds[0].debit, refund, session_id)
        )
    if not int(body["page"]) and charge:
        # A gateway's sessions earn for the operator directly.
        own = accounts.vault_earned(body["operator"])
        transfers.append(
            moved(f"{session_id}/earned", "earned", holds[0].credit, own, charge, session_id)
        )
    if row is not None:
        transfers += note_closed(service, connection, row, Ended(energy, charge, refund))
    return transfers


def _session_expired(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Void the hold and pay the whole deposit out."""
    body = event.arguments
    session_id: str = body["sessionId"]
    refund = Micros(int(body["refundMicros"]))
    holds = service.book.open_holds(connection, session_id)
    transfers = [*resolved(holds, session_id, Micros(0))]
    if body["pushed"] and refund:
        transfers.append(
            paid_out(f"{session_id}/refund", "refund", holds[0].debit, refund, session_id)
        )
    service.book.submit(connection, tuple(transfers), at_s=event.at_s).unwrap()
    write_session(connection, session_id, state="expired", charge_micros=0, refund_micros=refund)
    emit(
        connection,
        "session_expired",
        trace_id=session_id,
        at_s=event.at_s,
        refund_micros=refund,
        transaction=event.transaction_hash,
    )


def _deposited(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what was added to a driver's standing balance."""
    purse = accounts.vault_driver(event.arguments["driver"], int(event.arguments["purse"]))
    amount = Micros(int(event.arguments["amountMicros"]))
    _post(
        service,
        connection,
        event,
        paid_in(_event_id(event), "purse-deposit", purse, amount, purse),
    )


def _withdrawn(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what a driver took out."""
    purse = accounts.vault_driver(event.arguments["driver"], int(event.arguments["purse"]))
    amount = Micros(int(event.arguments["amountMicros"]))
    _post(
        service, connection, event, paid_out(_event_id(event), "withdrawal", purse, amount, purse)
    )


def _earnings_collected(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what a station had earned to its operator."""
    body = event.arguments
    _collect(service, connection, event, body["operator"], Micros(int(body["amountMicros"])))


def _station_bound(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what a station had earned for the operator before."""
    body = event.arguments
    _collect(service, connection, event, body["before"], Micros(int(body["earnedMicros"])))


def _earnings_withdrawn(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post what an operator took out."""
    own = accounts.vault_earned(event.arguments["operator"])
    amount = Micros(int(event.arguments["amountMicros"]))
    _post(
        service,
        connection,
        event,
        paid_out(_event_id(event), "earnings-withdrawal", own, amount, own),
    )


def _open_failed(service: Service, connection: Connection, session_id: str, error: str) -> None:
    """Note that the contract would not open the session; no money moved."""
    _refused(service, connection, session_id, "opening", error, "refused")


def _close_failed(service: Service, connection: Connection, session_id: str, error: str) -> None:
    """
    Hold a session whose record the contract refused; it can still close or expire.

    The closing's business key is given up, so that a better record can have it.
    """
    key = closing_key(session_id)
    given_up = literal(f"{key}/refused/") + cast(intent.c.id, Text)
    connection.execute(
        update(intent).where(intent.c.business_key == key).values(business_key=given_up)
    )
    _refused(service, connection, session_id, "closing", error, "held")


def _top_up_failed(service: Service, connection: Connection, subject: str, error: str) -> None:
    """Note that the contract would not raise the deposit; the session goes on with what it has."""
    session_id = subject.partition("/")[0]
    at_s = service.clock.now_s()
    message = Message(
        key=f"chain/topping-up/{subject}",
        kind="session",
        source="ChargeVault",
        body=error.encode(),
        trace_id=session_id,
    )
    fault = RefusedByContractError("topping up", error)
    refuse(connection, service.book, message, fault, at_s=at_s)
    emit(connection, "session_top_up_refused", trace_id=session_id, at_s=at_s, error=error)


def _expire_failed(service: Service, connection: Connection, session_id: str, error: str) -> None:
    """Note that somebody else ended the session first; its event says how."""
    _refused(service, connection, session_id, "expiring", error, "expired")


def _refused(
    service: Service, connection: Connection, session_id: str, what: str, error: str, state: str
) -> None:
    at_s = service.clock.now_s()
    message = Message(
        key=f"chain/{what}/{session_id}",
        kind="session",
        source="ChargeVault",
        body=error.encode(),
        trace_id=session_id,
    )
    fault = RefusedByContractError(what, error)
    refuse(connection, service.book, message, fault, at_s=at_s)
    connection.execute(
        update(session)
        .where(session.c.session_id == session_id, session.c.state == what)
        .values(state=state)
    )
    emit(connection, f"session_{what}_refused", trace_id=session_id, at_s=at_s, error=error)


def _collect(
    service: Service, connection: Connection, event: FinalEvent, operator: str, amount: Micros
) -> None:
    station = accounts.vault_earned(event.arguments["meterId"])
    own = accounts.vault_earned(operator)
    _post(
        service,
        connection,
        event,
        moved(_event_id(event), "earned", station, own, amount, station),
    )


def _post(service: Service, connection: Connection, event: FinalEvent, transfer: Transfer) -> None:
    """Post a transfer of an event, unless it is of nothing."""
    if transfer.amount:
        service.book.submit(connection, (transfer,), at_s=event.at_s).unwrap()


def _event_id(event: FinalEvent) -> str:
    """Return an id for the one transfer of an event; a transaction may emit several."""
    return f"{event.transaction_hash}/{event.log_index}"


HANDLERS: Final[Mapping[str, Handler]] = {
    "SessionOpened": _session_opened,
    "SessionToppedUp": _session_topped_up,
    "SessionExpired": _session_expired,
    "Deposited": _deposited,
    "Withdrawn": _withdrawn,
    "StationBound": _station_bound,
    "EarningsCollected": _earnings_collected,
    "EarningsWithdrawn": _earnings_withdrawn,
}
"""What posts each event of the ChargeVault but ``SessionClosed``."""

FAILURES: Final[Mapping[str, Callable[[Service, Connection, str, str], None]]] = {
    "open": _open_failed,
    "close": _close_failed,
    "top-up": _top_up_failed,
    "expire": _expire_failed,
}
"""What follows when the chain refuses, by the purpose of the transaction."""
