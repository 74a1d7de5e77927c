"""Take notices of certificates: freeze one while it is disputed, release it afterwards."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select, update

from ledger.errors import NotFound, WrongState
from settlement.engine.grid.issuing import CLAIMED, FROZEN, WAITING, WITHDRAWN
from settlement.engine.intake import Message, Outcome, emit, take
from settlement.engine.service import Service, unwrap, wallet_of
from settlement.tables import certificate, lot, run, run_state
from settlement.trading.grid.signing import BadNoticeError, check_signer, signer_of_notice

_FREEZE: Final = "freeze"
_RELEASE: Final = "release"


class UnknownCertificateError(NotFound):
    """No lot has this leaf, or none of it was measured."""

    def __init__(self, leaf: str) -> None:
        super().__init__("unknown_certificate", f"no certificate has the id {leaf}")


class CertificateFrozenError(WrongState):
    """A frozen certificate is frozen again, or one that is not is released."""

    def __init__(self, leaf: str, state: str) -> None:
        super().__init__("certificate_state", f"certificate {leaf} is {state}")


class CertificateSupersededError(WrongState):
    """A correction of the certificate's interval is on its way or final."""

    def __init__(self, leaf: str) -> None:
        super().__init__(
            "certificate_superseded", f"the interval of certificate {leaf} was settled again"
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """What somebody says of a certificate."""

    leaf: str
    """Id of the certificate, 0x-prefixed."""
    notice: str
    """``freeze`` or ``release``."""
    reason: str
    """Why, in a sentence."""
    nonce: int
    """Number of the notice, once for each certificate."""


def record_notice(
    service: Service, *, given: Notice, signature: bytes, body: bytes
) -> dict[str, Any]:
    """
    Freeze or release a certificate. Idempotent by certificate and nonce.

    Seller, buyer and grid operator may freeze it; the grid operator alone releases it.

    Raises
    ------
    BadNoticeError
        If the notice is neither ``freeze`` nor ``release``, or does not fit its type.
    UnknownCertificateError
        If there is no such certificate.
    NotSignedByGridError
        If nobody who may say so has signed.
    CertificateFrozenError
        If it is not in the state for it.
    CertificateSupersededError
        If its interval was settled again.
    """
    message = Message(
        key=f"certificate/{given.leaf}/{given.nonce}",
        kind="certificate",
        source=given.leaf,
        body=body,
        trace_id=f"{service.rules.community_id}/certificate/{given.leaf}",
    )
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=service.clock.now_s(),
            judge=lambda: _judge(service, connection, given, signature),
        )
    return dict(unwrap(taken).outcome)


def _judge(service: Service, connection: Connection, given: Notice, signature: bytes) -> Outcome:
    if given.notice not in {_FREEZE, _RELEASE}:
        raise BadNoticeError(f"a notice is {_FREEZE} or {_RELEASE}, not {given.notice!r}")
    values = {
        "certificate": given.leaf,
        "notice": given.notice,
        "reason": given.reason,
        "nonce": given.nonce,
    }
    signer = signer_of_notice(service.domain, "CertificateNotice", values, signature)
    found = _find(connection, given.leaf)
    grid_operator = wallet_of(connection, service.rules.grid_party)
    sides = {found.seller, found.buyer} if given.notice == _FREEZE else set[str]()
    check_signer(signer, {grid_operator} | sides)
    state = (_frozen if given.notice == _FREEZE else _released)(connection, found)
    _tell(service, connection, given, signer)
    return {"certificate": given.leaf, "state": state}


def _find(connection: Connection, leaf: str) -> Row[Any]:
    found = connection.execute(
        select(lot, certificate.c.state, run_state.c.state.label("run_state"), run.c.interval)
        .join(run, run.c.run == lot.c.run)
        .join(run_state, run_state.c.run == lot.c.run)
        .join(certificate, certificate.c.leaf == lot.c.leaf, isouter=True)
        .where(lot.c.leaf == leaf, lot.c.covered_wh > 0)
    ).first()
    if found is None:
        raise UnknownCertificateError(leaf)
    return found


def _frozen(connection: Connection, found: Row[Any]) -> str:
    if found.state in {FROZEN, WITHDRAWN}:
        raise CertificateFrozenError(found.leaf, found.state)
    if found.state is None:
        # Its run is not final yet; when it is, the certificate is issued frozen.
        connection.execute(
            certificate.insert().values(leaf=found.leaf, run=found.run, state=FROZEN)
        )
    else:
        _set(connection, found.leaf, FROZEN)
    return FROZEN


def _released(connection: Connection, found: Row[Any]) -> str:
    if found.state != FROZEN:
        raise CertificateFrozenError(found.leaf, found.state or WAITING)
    newest = connection.execute(
        select(func.max(run.c.run)).where(run.c.interval == found.interval)
    ).scalar_one()
    if newest != found.run:
        raise CertificateSupersededError(found.leaf)
    state = CLAIMED if found.run_state == "final" else WAITING
    _set(connection, found.leaf, state)
    return state


def _set(connection: Connection, leaf: str, state: str) -> None:
    connection.execute(update(certificate).where(certificate.c.leaf == leaf).values(state=state))


def _tell(service: Service, connection: Connection, given: Notice, signer: str) -> None:
    """Put the notice into the log, where nobody can take it back."""
    now_s = service.clock.now_s()
    trace_id = f"{service.rules.community_id}/certificate/{given.leaf}"
    name = "certificate_frozen" if given.notice == _FREEZE else "certificate_released"
    service.book.append_record(
        connection, name=name, trace_id=trace_id, body=bytes.fromhex(given.leaf[2:]), at_s=now_s
    )
    emit(
        connection,
        name,
        trace_id=trace_id,
        at_s=now_s,
        certificate=given.leaf,
        by=signer,
        reason=given.reason,
    )
