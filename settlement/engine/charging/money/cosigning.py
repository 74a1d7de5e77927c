"""
Let a driver sign the total of a session that a tariff makes dearer than the contract can compute.

The contract takes energy and flat fee by the meter's record alone. What a tariff adds, time for
one, it takes only from a total that the driver has signed. The service waits for that a while; then
it closes by the record, and what is left becomes an invoice line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, func, select, update

from contracts.typed_data import BadSignatureError, Domain, digest, signer_of
from ledger.errors import Conflict, NotPermitted, WrongState
from ledger.units import Micros, UnixSeconds, WattHours
from settlement.engine.bills.billing import Billed, bill_session
from settlement.engine.charging.money.ending import (
    Cosignature,
    closing_call,
    plan_closing,
)
from settlement.engine.charging.money.viewing import session_row, session_view
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, unwrap
from settlement.engine.vault_postings import closing_key
from settlement.tables import event, intent, session


class NothingToCosignError(WrongState):
    """The session does not wait for its driver to sign a total."""

    def __init__(self, session_id: str) -> None:
        super().__init__("nothing_to_cosign", f"{session_id} waits for no signature under a total")


class TotalDiffersError(Conflict):
    """The total that was signed is not what the session came to."""

    def __init__(self, signed: int, total: int) -> None:
        super().__init__("total_differs", f"{signed} micros were signed, the total is {total}")


class ForeignCosignatureError(NotPermitted):
    """Somebody else than the driver has signed the total, or something else was signed."""

    def __init__(self, signer: str, driver: str) -> None:
        super().__init__("foreign_cosignature", f"{signer} signed the total, not {driver}")


@dataclass(frozen=True, slots=True)
class Asked:
    """The total that a driver is asked to sign."""

    session_id: str
    """Session, 0x-prefixed."""
    total_micros: Micros
    """What the tariff asks, VAT included."""
    domain: Domain
    """Whom the signature is for: the vault."""
    until_s: UnixSeconds
    """How long the service waits."""


def waits(service: Service, found: RowMapping, billed: Billed) -> bool:
    """Return whether a session that has ended is to wait for the driver's signature."""
    window_s = service.rules.cosign_window_s
    in_time = service.clock.now_s() + 2 * window_s < found["deadline_s"]
    is_more = not billed.is_whole and billed.deposit_micros > billed.charge_micros
    return bool(window_s) and in_time and is_more


def asked_total(service: Service, session_id: str) -> Asked:
    """
    Return what the driver is asked to sign.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    NothingToCosignError
        If it does not wait for that.
    """
    with service.reading() as connection:
        row = session_row(connection, session_id)
        total = _total(service, connection, row)
        until_s = _until_s(service, connection, session_id)
    return Asked(session_id, total, _domain(service), until_s)


def cosign(
    service: Service, *, session_id: str, cosigned: Cosignature, body: bytes
) -> Mapping[str, Any]:
    """
    Close a session with the total that its driver has signed; return when the refund is final.

    Idempotent by session.

    Raises
    ------
    UnknownSessionError
        If there is no such session.
    NothingToCosignError
        If it does not wait for that.
    TotalDiffersError
        If another total was signed.
    ForeignCosignatureError
        If the driver has not signed it.
    """
    with service.reading() as connection:
        driver = session_row(connection, session_id)["driver"]
    message = Message(
        key=f"cosign/{session_id}",
        kind="session",
        source=driver,
        body=body,
        trace_id=session_id,
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _plan(service, connection, session_id, cosigned),
        )
    verdict = unwrap(taken)
    advance(service)
    return session_view(service, session_id) | {"replayed": verdict.replayed}


def close_unsigned(service: Service) -> int:
    """Close the sessions whose drivers have not signed in time by their records; say how many."""
    now_s, closed = service.clock.now_s(), 0
    with service.writing() as connection:
        for row in _waiting(connection):
            if now_s < _until_s(service, connection, row["session_id"]):
                continue
            call = closing_call(service, connection, row, row["record"])
            plan_closing(service, connection, row, call)
            closed += 1
    return closed


def _plan(
    service: Service, connection: Connection, session_id: str, cosigned: Cosignature
) -> Outcome:
    row = session_row(connection, session_id)
    total = _total(service, connection, row)
    if cosigned.total_micros != total:
        raise TotalDiffersError(cosigned.total_micros, total)
    _check_signer(service, row, cosigned)
    call = closing_call(service, connection, row, row["record"], cosigned)
    transaction = plan_closing(service, connection, row, call)
    charge = Micros(min(total, row["deposit_micros"]))
    connection.execute(
        update(session)
        .where(session.c.session_id == session_id)
        .values(charge_micros=charge, refund_micros=row["deposit_micros"] - charge)
    )
    emit(
        connection,
        "session_cosigned",
        trace_id=session_id,
        at_s=service.clock.now_s(),
        total_micros=total,
    )
    return {"session_id": session_id, "transaction": transaction}


def _domain(service: Service) -> Domain:
    """Return whom a total is signed for: the vault."""
    return Domain("Voisin", "1", service.identity.chain_id, service.contracts.vault.address)


def _check_signer(service: Service, row: RowMapping, cosigned: Cosignature) -> None:
    """
    Check that the driver has signed the total.

    The contract does too, but a call cannot ask it beforehand: the newest block may be the one that
    opened the session, and no energy flows in no time.
    """
    values = {"sessionId": row["session_id"], "totalMicros": cosigned.total_micros}
    try:
        found = signer_of(digest(_domain(service), "SessionTotal", values), cosigned.signature)
    except BadSignatureError as fault:
        raise ForeignCosignatureError("nobody", row["driver"]) from fault
    if "0x" + found.hex() != row["driver"]:
        raise ForeignCosignatureError("0x" + found.hex(), row["driver"])


def _total(service: Service, connection: Connection, row: RowMapping) -> Micros:
    """Return the total of a session that waits for a signature."""
    planned = select(intent.c.id).where(intent.c.business_key == closing_key(row["session_id"]))
    if row["state"] != "closing" or connection.execute(planned).first() is not None:
        raise NothingToCosignError(row["session_id"])
    energy = WattHours(row["energy_wh"])
    return bill_session(service, connection, row, energy, row["record"]).rated.gross_micros


def _waiting(connection: Connection) -> list[RowMapping]:
    """Return the sessions that have ended and whose closing is not planned yet."""
    planned = select(intent.c.id).where(intent.c.business_key == "close/" + session.c.session_id)
    rows = select(session).where(session.c.state == "closing", ~planned.exists())
    return list(connection.execute(rows).mappings())


def _until_s(service: Service, connection: Connection, session_id: str) -> UnixSeconds:
    """Return how long the driver may sign: a while from when the record was judged."""
    stopped = select(func.max(event.c.at_s)).where(
        event.c.trace_id == session_id, event.c.name == "session_stopped"
    )
    judged_s = connection.execute(stopped).scalar_one()
    return UnixSeconds(judged_s + service.rules.cosign_window_s)
