"""
Write charge detail records as OCPI 2.2.1 has them (mod_cdrs, CDR object).

Amounts are exact to the micro, energy to the watt-hour, hours to the nearest ten-thousandth. A
record is never changed: a credit record takes it back, and a new one follows.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from ledger.units import Micros, UnixSeconds
from settlement.charging.documents.exact import euros, hours, instant, kilowatt_hours, nearest
from settlement.charging.documents.facts import ChargeLine, Finality, SessionFacts, Stretch
from settlement.charging.documents.issuer import Issuer, ocpi_id
from settlement.charging.documents.receipt import public_key_der
from settlement.charging.documents.tariff_object import tariff_object
from settlement.metering.ocmf import OcmfReading

CREDIT_SUFFIX: Final = "-C"
"""Behind the id of a record stands this in the record that credits it."""
_ENERGY: Final = ("ENERGY", "OVERRUN")
_FIXED: Final = ("FLAT",)
_TIME: Final = ("TIME",)
_PARKING: Final = ("PARKING_TIME",)
_RESERVATION: Final = ("RESERVATION", "RESERVATION_FLAT")
_WH_PER_KWH: Final = 1_000
_ENERGY_DECIMALS: Final = 6
_VOLATILE: Final = ("id", "last_updated")


def cdr_id(session_id: str, version: int) -> str:
    """Return the id of a session's record; ``version`` counts its corrections, from 0."""
    return ocpi_id(session_id, f"cdr/{version}")


def cdr(facts: SessionFacts, issuer: Issuer, *, version: int, at_s: UnixSeconds) -> dict[str, Any]:
    """
    Return the charge detail record of a session that has ended.

    Parameters
    ----------
    facts
        What is known of the session.
    issuer
        Who issues it.
    version
        How many records of the session were credited before, 0 for its first.
    at_s
        When it is issued, in Unix seconds.
    """
    times = facts.times
    seconds = max(0, times.stopped_s - times.started_s)
    parts = _parts(facts)
    idle_s = sum((Fraction(one.end_s - one.begin_s) for one in parts if one.parking), Fraction(0))
    return {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "id": cdr_id(facts.session_id, version),
        "start_date_time": instant(times.started_s),
        "end_date_time": instant(UnixSeconds(times.started_s + seconds)),
        "session_id": ocpi_id(facts.session_id),
        "cdr_token": token_of(facts, issuer),
        "auth_method": "WHITELIST",
        "cdr_location": _location(facts, issuer),
        "meter_id": facts.evidence.serial,
        "currency": facts.currency,
        "tariffs": [tariff_object(facts.tariff, facts, issuer)],
        "charging_periods": list(_periods(parts, facts)),
        **_signed_data(facts, issuer),
        **_costs(facts),
        "total_energy": kilowatt_hours(facts.energy_wh),
        "total_time": hours(Fraction(seconds)),
        "total_parking_time": hours(max(idle_s, Fraction(0))),
        "remark": _remark(facts),
        "last_updated": instant(at_s),
    }


def credit(document: Mapping[str, Any], *, at_s: UnixSeconds) -> dict[str, Any]:
    """Return the record that takes ``document`` back: all its data, its total cost below zero."""
    return {
        **document,
        "id": f"{document['id']}{CREDIT_SUFFIX}",
        "total_cost": {name: -Decimal(one) for name, one in document["total_cost"].items()},
        "credit": True,
        "credit_reference_id": document["id"],
        "last_updated": instant(at_s),
    }


def says_the_same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two records differ in nothing but their id and when they were issued."""
    return {name: value for name, value in one.items() if name not in _VOLATILE} == {
        name: value for name, value in other.items() if name not in _VOLATILE
    }


def token_of(facts: SessionFacts, issuer: Issuer) -> dict[str, Any]:
    """Return the one-time idTag as a token; it says nothing of who the driver is."""
    return {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "uid": facts.id_tag,
        "type": "AD_HOC_USER",
        "contract_id": facts.id_tag,
    }


def price(net_micros: Micros, gross_micros: Micros) -> dict[str, Decimal]:
    """Return an amount as OCPI's Price, exact to the micro."""
    return {"excl_vat": euros(net_micros), "incl_vat": euros(gross_micros)}


def _location(facts: SessionFacts, issuer: Issuer) -> dict[str, Any]:
    place = issuer.place_of(facts.station_id, facts.community)
    optional = {"name": place.name, "postal_code": place.postal_code}
    return {
        "id": facts.station_id,
        **{name: value for name, value in optional.items() if value},
        "address": place.address,
        "city": place.city,
        "country": place.country,
        "coordinates": {"latitude": place.latitude, "longitude": place.longitude},
        "evse_uid": facts.station_id,
        "evse_id": issuer.evse_id(facts.station_id),
        "connector_id": "1",
        "connector_standard": place.connector_standard,
        "connector_format": place.connector_format,
        "connector_power_type": place.power_type,
    }


def _parts(facts: SessionFacts) -> tuple[Stretch, ...]:
    """
    Return the parts of the session, or one for all of it: a charging period each.

    The meter signs at each boundary of an interval, and parts are cut where a price changes.
    """
    times = facts.times
    whole = Stretch(times.started_s, times.stopped_s, facts.energy_wh, parking=not facts.energy_wh)
    known = tuple(one for one in facts.stretches if one.energy_wh or one.end_s > one.begin_s)
    fits = sum(one.energy_wh for one in known) == facts.energy_wh
    return known if known and fits else (whole,)


def _periods(parts: Sequence[Stretch], facts: SessionFacts) -> Iterator[dict[str, Any]]:
    """Return the charging periods; their energies, each to the milliwatt-hour, sum exactly."""
    before, told = Fraction(0), Decimal(0)
    for part in parts:
        before += part.energy_wh
        standing = nearest(Fraction(before, _WH_PER_KWH), _ENERGY_DECIMALS)
        seconds = Fraction(max(part.end_s - part.begin_s, 0))
        yield {
            "start_date_time": instant(UnixSeconds(int(part.begin_s))),
            "dimensions": [
                {"type": "ENERGY", "volume": standing - told},
                {
                    "type": "PARKING_TIME" if part.parking else "TIME",
                    "volume": hours(seconds),
                },
            ],
            "tariff_id": facts.tariff.tariff_id or ocpi_id(facts.tariff.fingerprint),
        }
        told = standing


def _costs(facts: SessionFacts) -> dict[str, Any]:
    money = facts.money
    parts = {
        "total_fixed_cost": money.of(*_FIXED),
        "total_energy_cost": money.of(*_ENERGY),
        "total_time_cost": money.of(*_TIME),
        "total_parking_cost": money.of(*_PARKING),
        "total_reservation_cost": money.of(*_RESERVATION),
    }
    return {"total_cost": price(money.net_micros, money.total_micros)} | {
        name: _sum(lines) for name, lines in parts.items() if lines
    }


def _sum(lines: tuple[ChargeLine, ...]) -> dict[str, Decimal]:
    return price(
        Micros(sum(one.net_micros for one in lines)), Micros(sum(one.gross_micros for one in lines))
    )


def _signed_data(facts: SessionFacts, issuer: Issuer) -> dict[str, Any]:
    evidence = facts.evidence
    if evidence.record is None:
        return {}
    key = {} if evidence.key is None else {"public_key": _base64(public_key_der(evidence.key))}
    return {
        "signed_data": {
            "encoding_method": "OCMF",
            **key,
            "signed_values": [
                {"nature": nature, "plain_data": plain, "signed_data": _base64(signed)}
                for nature, plain, signed in _signed_values(facts, evidence.record)
            ],
            "url": f"{issuer.public_url}/api/sessions/{facts.session_id}/signed.xml",
        }
    }


def _signed_values(facts: SessionFacts, record: str) -> Iterator[tuple[str, str, bytes]]:
    """Return begin and end; both lie in the one record that the meter signed."""
    readings = {"Start": facts.evidence.begin, "End": facts.evidence.end}
    for nature, found in readings.items():
        if found is not None:
            yield nature, _plain(found), record.encode()


def _plain(found: OcmfReading) -> str:
    return f"{found.time} {found.obis} {found}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _remark(facts: SessionFacts) -> str:
    """Say by which transaction it was paid, and by whom its energy was signed."""
    settled = facts.settlement
    if settled.finality is not Finality.FINAL or settled.hash is None:
        return f"signed by: {facts.signed_by or 'nobody'}"
    return (
        f"signed by: {facts.signed_by or 'nobody'}; charge {euros(facts.money.charge_micros):f} "
        f"of the deposit {euros(facts.money.deposit_micros):f} by transaction {settled.hash}"
    )
