"""Say the price first, and take the driver's one signature for money and terms."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import count
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from ledger.errors import (
    ChainReverted,
    Conflict,
    InsufficientFunds,
    InvalidRequest,
    NotFound,
)
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.chain.outbox import Call
from settlement.chain.reconciliation import purse_deposit, token_held
from settlement.chain.web3_gateway import CallRevertedError
from settlement.charging.terms import (
    SessionTerms,
    contract_tuple,
    deadline_s,
    id_tag_of,
    session_id,
)
from settlement.engine.finality import advance
from settlement.engine.intake import Message, Verdict, emit, take
from settlement.engine.service import Service, unwrap, wallet_of
from settlement.pricing.billing import deposit_for
from settlement.tables import session, station

_OPEN_GAS: Final = 600_000
_REQUEST_WH_MAX: Final = 1_000_000
_HOLDING: Final = ("opening", "open", "charging", "held", "closing")


class UnknownStationError(NotFound):
    """No such station in this community."""

    def __init__(self, station_id: str) -> None:
        super().__init__("unknown_station", f"{station_id} is no station of this community")


class RequestedEnergyError(InvalidRequest):
    """The requested energy is nothing, or more than a car holds."""

    def __init__(self, requested_wh: int) -> None:
        super().__init__(
            "requested_energy", f"{requested_wh} Wh is not between 1 and {_REQUEST_WH_MAX}"
        )


class TermsDifferError(Conflict):
    """The terms sent are not those that the service would quote now."""

    def __init__(self, field: str, sent: object, quoted: object) -> None:
        super().__init__("terms_differ", f"{field} is {sent}, quoted {quoted}")


class WalletTooSmallError(InsufficientFunds):
    """The driver's wallet does not hold the deposit."""

    def __init__(self, held: int, wanted: int) -> None:
        super().__init__("wallet_too_small", f"the wallet holds {held} micros, not {wanted}")


class OpeningRefusedError(ChainReverted):
    """The contract would not open the session."""

    def __init__(self, reason: str) -> None:
        super().__init__("opening_refused", f"the vault refuses to open: {reason}")


@dataclass(frozen=True, slots=True)
class Quote:
    """What a session would cost, and the terms to sign."""

    session_id: str
    """Hash of the terms and ERC-3009 nonce, 0x-prefixed."""
    terms: SessionTerms
    """The terms."""
    valid_after_s: UnixSeconds
    """The authorization counts after this instant."""
    valid_before_s: UnixSeconds
    """The authorization counts before this instant."""


@dataclass(frozen=True, slots=True)
class Authorization:
    """A driver's ERC-3009 authorization."""

    valid_after_s: int
    """It counts after this instant, in Unix seconds."""
    valid_before_s: int
    """It counts before this instant, in Unix seconds."""
    signature: bytes
    """r, s, v: 65 bytes."""


def quote(service: Service, *, station_id: str, driver: str, requested_wh: WattHours) -> Quote:
    """
    Return the terms of a session, to be signed by the driver. Nothing is stored.

    Raises
    ------
    UnknownStationError
        If the station is not of this community.
    RequestedEnergyError
        If the energy is out of range.
    """
    if not 0 < requested_wh <= _REQUEST_WH_MAX:
        raise RequestedEnergyError(requested_wh)
    now_s = service.clock.now_s()
    tariff = service.rules.tariff
    with service.reading() as connection:
        meter_id = _meter_of(connection, station_id)
        operator = wallet_of(connection, service.rules.operator_party)
        subject = f"session|{driver}|{station_id}|{now_s}|{requested_wh}".encode()
        salt = hmac.digest(service.salt_key, subject, hashlib.sha256)
        purse = _purse_for(service, connection, driver, id_tag_of(salt))
    terms = SessionTerms(
        driver=driver,
        purse=purse,
        operator=operator,
        meter_id=meter_id,
        id_tag=id_tag_of(salt),
        price_micros_per_kwh=MicrosPerKilowattHour(tariff.price_micros_per_kwh),
        flat_micros=tariff.flat_micros,
        deposit_micros=deposit_for(requested_wh, tariff),
        tariff_fingerprint="0x" + tariff.fingerprint.hex(),
        deadline_s=deadline_s(now_s, service.rules.longest_stay_s, service.rules.offline_window_s),
        salt="0x" + salt.hex(),
    )
    return Quote(
        session_id="0x" + session_id(terms).hex(),
        terms=terms,
        valid_after_s=UnixSeconds(0),
        valid_before_s=terms.deadline_s,
    )


def open_session(
    service: Service,
    *,
    terms: SessionTerms,
    requested_wh: WattHours,
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
    now_s = service.clock.now_s()
    with service.writing() as connection:
        taken = take(
            connection,
            service.book,
            message,
            at_s=now_s,
            judge=lambda: _plan_open(
                service, connection, terms, requested_wh, authorization, identity
            ),
        )
    verdict: Verdict = unwrap(taken)
    advance(service)
    return session_view(service, identity) | {"replayed": verdict.replayed}


def session_view(service: Service, identity: str) -> dict[str, Any]:
    """
    Return where a session stands.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    with service.reading() as connection:
        found = connection.execute(select(session).where(session.c.session_id == identity)).first()
    if found is None:
        raise UnknownSessionError(identity)
    row = dict(found._mapping)  # noqa: SLF001 - SQLAlchemy's public name
    return {
        "session_id": identity,
        "state": row["state"],
        "station_id": row["station_id"],
        "id_tag": row["id_tag"],
        "deposit_micros": str(row["deposit_micros"]),
        "energy_wh": row["energy_wh"],
        "charge_micros": None if row["charge_micros"] is None else str(row["charge_micros"]),
        "refund_micros": None if row["refund_micros"] is None else str(row["refund_micros"]),
        "deadline_s": row["deadline_s"],
    }


class UnknownSessionError(NotFound):
    """No session of that id."""

    def __init__(self, identity: str) -> None:
        super().__init__("unknown_session", f"there is no session {identity}")


def _plan_open(
    service: Service,
    connection: Connection,
    terms: SessionTerms,
    requested_wh: WattHours,
    authorization: Authorization,
    identity: str,
) -> Mapping[str, Any]:
    station_id = _check_terms(service, connection, terms, requested_wh)
    held = token_held(service.gateway, service.contracts, terms.driver)
    if held < terms.deposit_micros:
        raise WalletTooSmallError(held, terms.deposit_micros)
    data = _open_call(service, terms, authorization)
    _simulate(service, data)
    now_s = service.clock.now_s()
    connection.execute(
        session.insert().values(
            session_id=identity,
            state="opening",
            driver=terms.driver,
            station_id=station_id,
            id_tag=terms.id_tag,
            terms=json.dumps(asdict(terms), sort_keys=True),
            requested_wh=requested_wh,
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


def _check_terms(
    service: Service, connection: Connection, terms: SessionTerms, requested_wh: WattHours
) -> str:
    """Compare the terms with what a quote would say now; return the station."""
    rules, now_s = service.rules, service.clock.now_s()
    tariff = rules.tariff
    found = connection.execute(
        select(station.c.station_id).where(station.c.meter_id == terms.meter_id)
    ).scalar()
    if found is None:
        raise UnknownStationError(terms.meter_id)
    longest = deadline_s(now_s, rules.longest_stay_s, rules.offline_window_s)
    wanted = {
        "purse": (terms.purse, _purse_for(service, connection, terms.driver, terms.id_tag)),
        "operator": (terms.operator, wallet_of(connection, rules.operator_party)),
        "price": (terms.price_micros_per_kwh, tariff.price_micros_per_kwh),
        "flat fee": (terms.flat_micros, tariff.flat_micros),
        "deposit": (terms.deposit_micros, deposit_for(requested_wh, tariff)),
        "tariff": (terms.tariff_fingerprint, "0x" + tariff.fingerprint.hex()),
        "idTag": (terms.id_tag, id_tag_of(bytes.fromhex(terms.salt[2:]))),
        "deadline": (min(terms.deadline_s, longest), terms.deadline_s),
    }
    for name, (sent, quoted) in wanted.items():
        if sent != quoted:
            raise TermsDifferError(name, sent, quoted)
    if terms.deadline_s <= now_s + rules.offline_window_s:
        raise TermsDifferError("deadline", terms.deadline_s, longest)
    return str(found)


def _open_call(service: Service, terms: SessionTerms, authorization: Authorization) -> bytes:
    signature = authorization.signature
    return service.contracts.vault.encode(
        "open",
        contract_tuple(terms),
        (
            authorization.valid_after_s,
            authorization.valid_before_s,
            signature[64],
            signature[:32],
            signature[32:64],
        ),
    )


def _simulate(service: Service, data: bytes) -> None:
    """Ask the contract whether it would open, so that no nonce is spent on a refusal."""
    vault = service.contracts.vault
    try:
        service.gateway.call(vault.address, data, service.outbox.address)
    except CallRevertedError as fault:
        raise OpeningRefusedError(service.contracts.explain(fault)) from fault


def _purse_for(service: Service, connection: Connection, driver: str, id_tag: str) -> int:
    """
    Return the driver's first purse in which no session runs, of ours or past us.

    A session that is there already keeps the purse it has, so that a quote asked for again says the
    same.
    """
    rows = connection.execute(
        select(session.c.id_tag, session.c.terms).where(
            session.c.driver == driver,
            or_(session.c.state.in_(_HOLDING), session.c.id_tag == id_tag),
        )
    )
    held = {tag: int(json.loads(terms)["purse"]) for tag, terms in rows}
    if id_tag in held:
        return held[id_tag]
    return next(
        number
        for number in count()
        if number not in held.values()
        and not purse_deposit(service.gateway, service.contracts, driver, number)
    )


def _meter_of(connection: Connection, station_id: str) -> str:
    found = connection.execute(
        select(station.c.meter_id).where(station.c.station_id == station_id)
    ).scalar()
    if found is None:
        raise UnknownStationError(station_id)
    return str(found)
