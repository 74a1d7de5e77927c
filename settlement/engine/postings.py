"""
Turn final events of the ChargeVault into transfers, as decision 0001 lists them.

Each handler runs in the transaction that takes its event, so an event is posted exactly once.
"""

import json
from typing import Any

from sqlalchemy import Connection, select, update

from ledger import accounts
from ledger.errors import ChainReverted, Integrity
from ledger.transfers import Kind, Transfer, TransferId
from ledger.units import BasisPoints, Micros, WattHours
from settlement.chain.indexer import FinalEvent
from settlement.charging.terms import SessionTerms
from settlement.engine.intake import Message, emit, refuse
from settlement.engine.service import Service
from settlement.pricing.billing import bill, vat_inside
from settlement.tables import session


class ChainDisagreesError(Integrity):
    """A final event says something else than the service computed."""

    def __init__(self, what: str, ours: object, theirs: object) -> None:
        super().__init__("chain_disagrees", f"{what}: computed {ours}, the chain says {theirs}")


class RefusedByContractError(ChainReverted):
    """A contract refused what the service had found good."""

    def __init__(self, what: str, error: str) -> None:
        super().__init__("refused_by_contract", f"{what}: {error}")


def session_opened(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Post the deposit and hold it for the operator."""
    body = event.arguments
    session_id: str = body["sessionId"]
    driver = accounts.vault_driver(body["driver"])
    deposit = int(body["depositMicros"])
    service.book.submit(
        connection,
        (
            Transfer(
                id=TransferId(f"{session_id}/deposit"),
                kind=Kind.POSTED,
                debit=accounts.world(),
                credit=driver,
                amount=deposit,
                code="deposit",
                trace_id=session_id,
            ),
            Transfer(
                id=TransferId(f"{session_id}/hold"),
                kind=Kind.PENDING,
                debit=driver,
                credit=accounts.vault_earned(body["operator"]),
                amount=deposit,
                code="hold",
                trace_id=session_id,
            ),
        ),
        at_s=event.at_s,
    ).unwrap()
    connection.execute(
        update(session)
        .where(session.c.session_id == session_id)
        .values(state="open", page_at_open=int(body["pageAtOpen"]))
    )
    emit(
        connection,
        "session_opened",
        trace_id=session_id,
        at_s=event.at_s,
        deposit_micros=deposit,
        transaction=event.transaction_hash,
    )


def session_closed(service: Service, connection: Connection, event: FinalEvent) -> None:
    """
    Post the charge, release the rest of the hold, pay the refund out, note VAT and energy.

    Anybody may bring the meter's record to the contract, also before the station has told us.
    """
    body = event.arguments
    session_id: str = body["sessionId"]
    row = _session(connection, session_id)
    charge, refund = Micros(int(body["chargeMicros"])), Micros(int(body["refundMicros"]))
    energy = WattHours(int(body["energyWh"]))
    money = bill(energy, service.rules.tariff, Micros(row["deposit_micros"]))
    agree(f"charge of {session_id}", money.charge_micros, charge)
    agree(f"refund of {session_id}", money.refund_micros, refund)
    if row["energy_wh"] is not None:
        agree(f"energy of {session_id}", row["energy_wh"], energy)
    vat = vat_inside(charge, BasisPoints(service.rules.tariff.vat_rate_bp))
    transfers = [
        _resolve_hold(body, session_id, charge),
        *_refund(body, session_id, refund),
        *_vat_and_energy(service, body, session_id, vat, energy),
    ]
    service.book.submit(connection, tuple(transfers), at_s=event.at_s).unwrap()
    connection.execute(
        update(session)
        .where(session.c.session_id == session_id)
        .values(
            state="closed",
            energy_wh=energy,
            charge_micros=charge,
            refund_micros=refund,
            overrun_micros=money.overrun_micros,
            vat_micros=vat,
        )
    )
    emit(
        connection,
        "session_closed",
        trace_id=session_id,
        at_s=event.at_s,
        energy_wh=energy,
        charge_micros=charge,
        refund_micros=refund,
        transaction=event.transaction_hash,
    )


def session_expired(service: Service, connection: Connection, event: FinalEvent) -> None:
    """Void the hold and pay the whole deposit out."""
    body = event.arguments
    session_id: str = body["sessionId"]
    row = _session(connection, session_id)
    operator = SessionTerms(**json.loads(row["terms"])).operator
    full = {**body, "operator": operator}
    transfers = [_resolve_hold(full, session_id, Micros(0))]
    transfers += _refund(full, session_id, Micros(int(body["refundMicros"])))
    service.book.submit(connection, tuple(transfers), at_s=event.at_s).unwrap()
    connection.execute(
        update(session)
        .where(session.c.session_id == session_id)
        .values(state="expired", charge_micros=0, refund_micros=int(body["refundMicros"]))
    )
    emit(
        connection,
        "session_expired",
        trace_id=session_id,
        at_s=event.at_s,
        refund_micros=int(body["refundMicros"]),
        transaction=event.transaction_hash,
    )


def open_failed(service: Service, connection: Connection, session_id: str, error: str) -> None:
    """Note that the contract would not open the session; no money moved."""
    _refused(service, connection, session_id, "opening", error, "refused")


def close_failed(service: Service, connection: Connection, session_id: str, error: str) -> None:
    """Hold a session whose record the contract refused; it can still close or expire."""
    _refused(service, connection, session_id, "closing", error, "held")


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


def _session(connection: Connection, session_id: str) -> dict[str, Any]:
    found = connection.execute(select(session).where(session.c.session_id == session_id)).one()
    return dict(found._mapping)  # noqa: SLF001 - SQLAlchemy's public name


def agree(what: str, ours: object, theirs: object) -> None:
    """
    Compare what a final event says with what the service computed.

    Raises
    ------
    ChainDisagreesError
        If they differ.
    """
    if ours != theirs:
        raise ChainDisagreesError(what, ours, theirs)


def _resolve_hold(body: Any, session_id: str, charge: Micros) -> Transfer:  # noqa: ANN401 - event
    """Post the hold with the charge, or void it if nothing is owed."""
    return Transfer(
        id=TransferId(f"{session_id}/charge"),
        kind=Kind.POST if charge else Kind.VOID,
        debit=accounts.vault_driver(body["driver"]),
        credit=accounts.vault_earned(body["operator"]),
        amount=charge,
        code="charge",
        trace_id=session_id,
        pending_id=TransferId(f"{session_id}/hold"),
    )


def _refund(body: Any, session_id: str, refund: Micros) -> list[Transfer]:  # noqa: ANN401 - event
    """Pay the refund out, if there is one and the token took it."""
    if not refund or not body["pushed"]:
        return []
    return [
        Transfer(
            id=TransferId(f"{session_id}/refund"),
            kind=Kind.POSTED,
            debit=accounts.vault_driver(body["driver"]),
            credit=accounts.world(),
            amount=refund,
            code="refund",
            trace_id=session_id,
        )
    ]


def _vat_and_energy(
    service: Service,
    body: Any,  # noqa: ANN401 - event
    session_id: str,
    vat: Micros,
    energy: WattHours,
) -> list[Transfer]:
    rules = service.rules
    pairs = (
        (
            "session-vat",
            accounts.invoice(rules.operator_party),
            accounts.invoice(rules.state_party),
            vat,
        ),
        (
            "session-energy",
            accounts.station_energy(rules.operator_party),
            accounts.driver_energy(body["driver"]),
            energy,
        ),
    )
    return [
        Transfer(
            id=TransferId(f"{session_id}/{code}"),
            kind=Kind.POSTED,
            debit=debit,
            credit=credit,
            amount=amount,
            code=code,
            trace_id=session_id,
        )
        for code, debit, credit, amount in pairs
        if amount
    ]
