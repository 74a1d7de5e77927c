"""Open a session by the driver's one signature for money and terms."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import Connection

from ledger.errors import ChainReverted, InsufficientFunds
from ledger.units import WattHours
from settlement.chain.outbox import Call
from settlement.chain.reconciliation import token_held
from settlement.chain.web3_gateway import CallRevertedError
from settlement.charging.terms import Authorization, SessionTerms, contract_tuple, session_id
from settlement.engine.bills.tariffs import keep_tariff, posted_at
from settlement.engine.charging.money.viewing import session_view
from settlement.engine.charging.quoting import check_terms
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Verdict, emit, take
from settlement.engine.service import Service, unwrap
from settlement.tables import session

_OPEN_GAS: Final = 600_000


class WalletTooSmallError(InsufficientFunds):
    """The driver's wallet does not hold the deposit."""

    def __init__(self, held: int, wanted: int) -> None:
        super().__init__("wallet_too_small", f"the wallet holds {held} micros, not {wanted}")


class OpeningRefusedError(ChainReverted):
    """The contract would not open the session."""

    def __init__(self, reason: str) -> None:
        super().__init__("opening_refused", f"the vault refuses to open: {reason}")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the driver asked a quote for."""

    requested_wh: WattHours
    """Energy, in Wh."""
    stay_s: int | None = None
    """How long the car may stay, in seconds; None is as long as anybody may."""


def open_session(
    service: Service,
    *,
    terms: SessionTerms,
    requested_wh: WattHours,
    stay_s: int | None = None,
    authorization: Authorization,
    body: bytes,
) -> Mapping[str, Any]:
    """
    Open a session with the driver's one signature; return when the deposit is final, or on its way.

    Idempotent by session id, the hash of the terms.

    Raises
    ------
    TermsDifferError
        If the terms are not what would be quoted now.
    WalletTooSmallError
        If the driver's wallet does not hold the deposit.
    OpeningRefusedError
        If the contract would refuse, the signature for one.
    """
    identity = "0x" + session_id(terms).hex()
    message = Message(
        key=f"session/{identity}",
        kind="session",
        source=terms.driver,
        body=body,
        trace_id=identity,
    )
    now_s, wish = service.clock.now_s(), Wish(requested_wh, stay_s)
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=now_s,
            judge=lambda: _plan_open(service, connection, terms, wish, authorization),
        )
    verdict: Verdict = unwrap(taken)
    advance(service)
    return session_view(service, identity) | {"replayed": verdict.replayed}


def _plan_open(
    service: Service,
    connection: Connection,
    terms: SessionTerms,
    wish: Wish,
    authorization: Authorization,
) -> Mapping[str, Any]:
    identity = "0x" + session_id(terms).hex()
    station_id = check_terms(service, connection, terms, wish.requested_wh, wish.stay_s)
    held = token_held(service.gateway, service.contracts, terms.driver)
    if held < terms.deposit_micros:
        raise WalletTooSmallError(held, terms.deposit_micros)
    data = _open_call(service, terms, authorization)
    _simulate(service, data)
    now_s = service.clock.now_s()
    keep_tariff(connection, posted_at(service, station_id), now_s)
    connection.execute(
        session.insert().values(
            session_id=identity,
            state="opening",
            driver=terms.driver,
            station_id=station_id,
            id_tag=terms.id_tag,
            terms=json.dumps(asdict(terms), sort_keys=True),
            requested_wh=wish.requested_wh,
            deposit_micros=terms.deposit_micros,
            deadline_s=terms.deadline_s,
            opened_s=now_s,
        )
    )
    transaction = service.outbox.plan(
        connection,
        business_key=f"open/{identity}",
        trace_id=identity,
        call=Call(service.contracts.vault.address, data, "ChargeVault.open", _OPEN_GAS),
    )
    emit(connection, "session_requested", trace_id=identity, at_s=now_s, station_id=station_id)
    return {"session_id": identity, "transaction": transaction}


def _open_call(service: Service, terms: SessionTerms, authorization: Authorization) -> bytes:
    return service.contracts.vault.encode(
        "open", contract_tuple(terms), authorization.contract_tuple()
    )


def _simulate(service: Service, data: bytes) -> None:
    """Ask the contract whether it would open, so that no nonce is spent on a refusal."""
    vault = service.contracts.vault
    try:
        service.gateway.call(vault.address, data, service.outbox.address)
    except CallRevertedError as fault:
        raise OpeningRefusedError(service.contracts.explain(fault)) from fault
