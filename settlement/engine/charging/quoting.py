"""Say the price first: the whole tariff, the deposit, and the terms to sign."""

import hashlib
import hmac
import json
from dataclasses import dataclass
from itertools import count
from typing import Final

from sqlalchemy import Connection, or_, select

from ledger.errors import Conflict, InvalidRequest, NotFound
from ledger.units import CENT_MICROS, Micros, UnixSeconds, WattHours
from settlement.chain.reconciliation import purse_deposit
from settlement.charging.terms import SessionTerms, deadline_s, id_tag_of, session_id
from settlement.engine.bills.tariffs import Posted, is_kept, keep_tariff, posted_at
from settlement.engine.roll import meter_key
from settlement.engine.service import Service, wallet_of
from settlement.pricing.ocpi import Finding, check_afir
from settlement.tables import session, station

_REQUEST_WH_MAX: Final = 1_000_000
_HOLDING: Final = ("opening", "open", "charging", "held", "closing")


class UnknownStationError(NotFound):
    """No such station in this community."""

    def __init__(self, station_id: str) -> None:
        super().__init__("unknown_station", f"{station_id} is no station of this community")


class UnknownSessionError(NotFound):
    """No session of that id."""

    def __init__(self, identity: str) -> None:
        super().__init__("unknown_session", f"there is no session {identity}")


class RequestedEnergyError(InvalidRequest):
    """The requested energy is nothing, or more than a car holds."""

    def __init__(self, requested_wh: int) -> None:
        super().__init__(
            "requested_energy", f"{requested_wh} Wh is not between 1 and {_REQUEST_WH_MAX}"
        )


class RequestedStayError(InvalidRequest):
    """The stay is nothing, or longer than anybody may stay."""

    def __init__(self, stay_s: int, longest_s: int) -> None:
        super().__init__("requested_stay", f"{stay_s} s is not between 1 and {longest_s}")


class TariffNotInForceError(Conflict):
    """The station's tariff has not begun, or has ended, and no other takes its place."""

    def __init__(self, tariff_id: str) -> None:
        super().__init__("tariff_not_in_force", f"no session starts under {tariff_id} now")


class TermsDifferError(Conflict):
    """The terms sent are not those that the service would quote now."""

    def __init__(self, field: str, sent: object, quoted: object) -> None:
        super().__init__("terms_differ", f"{field} is {sent}, quoted {quoted}")


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
    tariff: Posted
    """What the session will cost, whole."""
    findings: tuple[Finding, ...]
    """What of it is against the regulation (AFIR, Article 5(4)) at this station."""


def quote(
    service: Service,
    *,
    station_id: str,
    driver: str,
    requested_wh: WattHours,
    stay_s: int | None = None,
) -> Quote:
    """
    Return the terms of a session, to be signed by the driver. Only the tariff is kept.

    Parameters
    ----------
    requested_wh
        Energy that the deposit is to cover, in Wh.
    stay_s
        How long it is to cover time that costs, in seconds; None is the longest stay.

    Raises
    ------
    UnknownStationError
        If the station is not of this community.
    RequestedEnergyError
        If the energy is out of range.
    RequestedStayError
        If the stay is out of range.
    TariffNotInForceError
        If no session may start under the station's tariff now.
    """
    now_s = service.clock.now_s()
    with service.reading() as connection:
        meter_id = _meter_of(connection, station_id)
        operator = wallet_of(connection, service.rules.operator_party)
        subject = f"session|{driver}|{station_id}|{now_s}|{requested_wh}".encode()
        salt = hmac.digest(service.salt_key, subject, hashlib.sha256)
        purse = _purse_for(service, connection, driver, id_tag_of(salt))
        power_w = meter_key(connection, meter_id, now_s).rated_power_w
        posted = posted_at(service, station_id)
        known = is_kept(connection, posted.fingerprint)
    terms = SessionTerms(
        driver=driver,
        purse=purse,
        operator=operator,
        meter_id=meter_id,
        id_tag=id_tag_of(salt),
        price_micros_per_kwh=posted.price_micros_per_kwh,
        flat_micros=posted.flat_micros,
        deposit_micros=_deposit(service, posted, requested_wh, stay_s),
        tariff_fingerprint=posted.fingerprint,
        deadline_s=deadline_s(now_s, service.rules.longest_stay_s, service.rules.offline_window_s),
        salt="0x" + salt.hex(),
    )
    if not known:
        with service.writing() as connection:
            keep_tariff(connection, posted, now_s)
    return Quote(
        session_id="0x" + session_id(terms).hex(),
        terms=terms,
        valid_after_s=UnixSeconds(0),
        valid_before_s=terms.deadline_s,
        tariff=posted,
        findings=check_afir(posted.ocpi, power_w),
    )


def _deposit(
    service: Service, posted: Posted, requested_wh: WattHours, stay_s: int | None
) -> Micros:
    """Return the deposit for what a driver asks for."""
    rules, now_s = service.rules, service.clock.now_s()
    if not 0 < requested_wh <= _REQUEST_WH_MAX:
        raise RequestedEnergyError(requested_wh)
    if stay_s is not None and not 0 < stay_s <= rules.longest_stay_s:
        raise RequestedStayError(stay_s, rules.longest_stay_s)
    if not posted.ocpi.governs(now_s):
        raise TariffNotInForceError(posted.ocpi.tariff_id)
    asked = posted.deposit_micros(requested_wh, stay_s or rules.longest_stay_s, now_s, rules)
    # Nothing is opened without a deposit; of a tariff that is free it all comes back.
    return Micros(max(asked, CENT_MICROS))


def check_terms(
    service: Service,
    connection: Connection,
    terms: SessionTerms,
    requested_wh: WattHours,
    stay_s: int | None,
) -> str:
    """
    Compare the terms with what a quote would say now; return the station.

    Raises
    ------
    UnknownStationError
        If no station has the meter.
    TermsDifferError
        If a quote would say something else.
    """
    rules, now_s = service.rules, service.clock.now_s()
    found = connection.execute(
        select(station.c.station_id).where(station.c.meter_id == terms.meter_id)
    ).scalar()
    if found is None:
        raise UnknownStationError(terms.meter_id)
    posted = posted_at(service, found)
    longest = deadline_s(now_s, rules.longest_stay_s, rules.offline_window_s)
    wanted = {
        "purse": (terms.purse, _purse_for(service, connection, terms.driver, terms.id_tag)),
        "operator": (terms.operator, wallet_of(connection, rules.operator_party)),
        "price": (terms.price_micros_per_kwh, posted.price_micros_per_kwh),
        "flat fee": (terms.flat_micros, posted.flat_micros),
        "deposit": (terms.deposit_micros, _deposit(service, posted, requested_wh, stay_s)),
        "tariff": (terms.tariff_fingerprint, posted.fingerprint),
        "idTag": (terms.id_tag, id_tag_of(bytes.fromhex(terms.salt[2:]))),
        "deadline": (min(terms.deadline_s, longest), terms.deadline_s),
    }
    for name, (sent, quoted) in wanted.items():
        if sent != quoted:
            raise TermsDifferError(name, sent, quoted)
    if terms.deadline_s <= now_s + rules.offline_window_s:
        raise TermsDifferError("deadline", terms.deadline_s, longest)
    return str(found)


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
