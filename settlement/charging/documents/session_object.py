"""Write a session as OCPI 2.2.1 shows it, while it lasts and after (mod_sessions, Session)."""

from typing import Any, Final

from ledger.units import UnixSeconds, WattHours
from settlement.charging.documents.cdr import price, token_of
from settlement.charging.documents.exact import instant, kilowatt_hours
from settlement.charging.documents.facts import SessionFacts
from settlement.charging.documents.issuer import Issuer, ocpi_id

_STATUS: Final = {
    "opening": "PENDING",
    "open": "PENDING",
    "charging": "ACTIVE",
    "held": "ACTIVE",
    "closing": "ACTIVE",
    "closed": "COMPLETED",
}
_OVER: Final = frozenset({"closed", "expired"})


def session_object(facts: SessionFacts, issuer: Issuer, *, at_s: UnixSeconds) -> dict[str, Any]:
    """
    Return the Session object; ``at_s`` is when something last happened to it.

    What a running session has drawn so far is the sum of its signed parts. What costs nothing yet
    has no total cost, since none given is not the same as a cost of nothing.
    """
    times = facts.times
    drawn = WattHours(facts.energy_wh or int(sum(one.energy_wh for one in facts.stretches)))
    closed = facts.state == "closed"
    return {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "id": ocpi_id(facts.session_id),
        "start_date_time": instant(times.started_s),
        **({"end_date_time": instant(times.stopped_s)} if facts.state in _OVER else {}),
        "kwh": kilowatt_hours(drawn),
        "cdr_token": token_of(facts, issuer),
        "auth_method": "WHITELIST",
        "location_id": facts.station_id,
        "evse_uid": facts.station_id,
        "connector_id": "1",
        "meter_id": facts.evidence.serial,
        "currency": facts.currency,
        **(
            {"total_cost": price(facts.money.net_micros, facts.money.total_micros)}
            if closed
            else {}
        ),
        "status": _STATUS.get(facts.state, "INVALID"),
        "last_updated": instant(at_s),
    }
