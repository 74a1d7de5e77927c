"""Enrol a community: parties, wallets, meters, stations; here and in the contracts."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, func, select

from contracts.typed_data import keccak
from ledger.errors import NotFound
from ledger.store.bulk import upsert
from ledger.units import UnixSeconds, WattHours, Watts
from settlement.chain.outbox import Call
from settlement.engine.community import Meter, Roster
from settlement.engine.finality import advance
from settlement.engine.meters.enrolling import check_meters
from settlement.engine.meters.participation import declare, meter_id_of
from settlement.engine.service import Service
from settlement.metering.signatures import Curve, MeterKey, MeterKind
from settlement.tables import meter, party, station, wallet

_ENROL_GAS: Final = 300_000
_ASSIGN_GAS: Final = 200_000
_JOIN_GAS: Final = 200_000
_FUND_BATCH: Final = 100
_FUND_GAS: Final = 6_000_000
_FOREVER_S: Final = 2**62
_CHAIN_KIND: Final = {"station": 0, "gateway": 1, "feeder": 2}
_CHAIN_CURVE: Final = {"secp256k1": 0, "secp256r1": 1}
_KEYS: Final = (
    select(
        meter.c.meter_id,
        meter.c.curve,
        meter.c.public_key,
        meter.c.kind,
        meter.c.rated_power_w,
        meter.c.valid_from_s,
        meter.c.valid_until_s,
        meter.c.register_modulus_wh,
    )
    .where(meter.c.meter_id.in_(bindparam("meter_ids", expanding=True)))
    .order_by(meter.c.valid_from_s.desc())
)


class UnknownMeterError(NotFound):
    """No meter of that id is enrolled, or none is valid now."""

    def __init__(self, meter_id: str) -> None:
        super().__init__("unknown_meter", f"no meter {meter_id} is enrolled and valid")


def apply_roster(service: Service, roster: Roster) -> None:
    """
    Store the roster and enrol its meters and institutions on chain.

    Idempotent: what is enrolled already is left as it is.

    Raises
    ------
    InvalidRequest
        If a meter's zone or a factor makes no sense, or either is to count in a settled interval.
    """
    with service.writing() as connection:
        check_meters(service, connection, roster.meters)
        _store(connection, roster)
        declare(service, connection, roster.participations)
        _plan_meters(service, connection, roster.meters)
        _plan_stations(service, connection, roster)
        institutions = [
            one.wallet for one in roster.parties if one.role == "institution" and one.wallet
        ]
        for address in institutions:
            _plan(service, connection, "institution", address, "joinInstitution", address)
    advance(service)


def _store(connection: Connection, roster: Roster) -> None:
    connection.execute(
        upsert(connection, party).on_conflict_do_nothing(),
        [{"id": one.party_id, "role": one.role} for one in roster.parties],
    )
    connection.execute(
        upsert(connection, wallet).on_conflict_do_nothing(),
        [
            {
                "address": one.wallet,
                "party": one.party_id,
                "valid_from_s": 0,
                "valid_until_s": _FOREVER_S,
            }
            for one in roster.parties
            if one.wallet
        ],
    )
    connection.execute(
        upsert(connection, meter).on_conflict_do_nothing(),
        [
            {
                "meter_id": meter_id_of(one.serial),
                "valid_from_s": one.valid_from_s,
                "valid_until_s": one.valid_until_s,
                "serial": one.serial,
                "party": one.party,
                "kind": one.kind,
                "curve": one.curve,
                "public_key": one.public_key,
                "rated_power_w": one.rated_power_w,
                "register_modulus_wh": one.register_modulus_wh,
                "zone": one.zone,
            }
            for one in roster.meters
        ],
    )
    if roster.stations:
        connection.execute(
            upsert(connection, station).on_conflict_do_nothing(),
            [
                {
                    "station_id": one.station_id,
                    "party": one.party,
                    "meter_id": meter_id_of(one.meter_serial),
                    "password_hash": hashlib.sha256(one.password.encode()).hexdigest(),
                }
                for one in roster.stations
            ],
        )


def _plan_meters(service: Service, connection: Connection, meters: Iterable[Meter]) -> None:
    registry = service.contracts.registry
    first_s = _first_seen(connection)
    for one in meters:
        if first_s[one.serial, one.public_key] < one.valid_from_s:
            continue  # only who has the meter has changed, and the contract does not ask for that
        data = registry.encode(
            "enrol",
            keccak(one.serial.encode()),
            _CHAIN_KIND[one.kind],
            _CHAIN_CURVE[one.curve],
            one.public_key[:32],
            one.public_key[32:],
            one.rated_power_w,
            one.valid_from_s,
            one.valid_until_s,
        )
        service.outbox.plan(
            connection,
            business_key=f"enrol/{one.serial}/{one.valid_from_s}",
            trace_id=f"{service.rules.community_id}/meter/{one.serial}",
            call=Call(registry.address, data, "MeterRegistry.enrol", _ENROL_GAS),
        )


def _first_seen(connection: Connection) -> Mapping[tuple[str, bytes], int]:
    """Return the instant from which each meter's key counts, whoever has had the meter since."""
    rows = connection.execute(
        select(meter.c.serial, meter.c.public_key, func.min(meter.c.valid_from_s)).group_by(
            meter.c.serial, meter.c.public_key
        )
    )
    return {(serial, key): from_s for serial, key, from_s in rows}


def _plan_stations(service: Service, connection: Connection, roster: Roster) -> None:
    """Let each station's meter earn for the wallet of the station's party."""
    registry, vault = service.contracts.registry, service.contracts.vault
    wallets = {one.party_id: one.wallet for one in roster.parties if one.wallet}
    for one in roster.stations:
        meter_id = keccak(one.meter_serial.encode())
        calls = (
            (registry, "MeterRegistry", "assign", (meter_id, wallets[one.party])),
            (vault, "ChargeVault", "bind", (meter_id,)),
        )
        for contract, name, function, arguments in calls:
            service.outbox.plan(
                connection,
                business_key=f"{function}/{one.meter_serial}/{wallets[one.party]}",
                trace_id=f"{service.rules.community_id}/meter/{one.meter_serial}",
                call=Call(
                    contract.address,
                    contract.encode(function, *arguments),
                    f"{name}.{function}",
                    _ASSIGN_GAS,
                ),
            )


def _plan(
    service: Service,
    connection: Connection,
    purpose: str,
    subject: str,
    function: str,
    *arguments: object,
) -> None:
    trade = service.contracts.trade
    service.outbox.plan(
        connection,
        business_key=f"{purpose}/{subject}",
        trace_id=f"{service.rules.community_id}/member/{subject}",
        call=Call(
            trade.address,
            trade.encode(function, *arguments),
            f"TradeLedger.{function}",
            _JOIN_GAS,
        ),
    )


def meter_key(connection: Connection, meter_id: str, at_s: UnixSeconds) -> MeterKey:
    """
    Return the key that speaks for a meter at an instant.

    Raises
    ------
    UnknownMeterError
        If none is enrolled and valid then.
    """
    return key_at(meter_keys(connection, (meter_id,)), meter_id, at_s)


def meter_keys(
    connection: Connection, meter_ids: Iterable[str]
) -> Mapping[str, Sequence[MeterKey]]:
    """Return every key that speaks for each of the meters at some instant, the newest first."""
    keys: dict[str, list[MeterKey]] = {}
    for row in connection.execute(_KEYS, {"meter_ids": sorted(meter_ids)}):
        modulus_wh = row.register_modulus_wh
        key = MeterKey(
            curve=Curve(row.curve),
            public_key=row.public_key,
            kind=MeterKind(row.kind),
            rated_power_w=Watts(row.rated_power_w),
            valid_from_s=UnixSeconds(row.valid_from_s),
            valid_until_s=UnixSeconds(row.valid_until_s),
            register_modulus_wh=None if modulus_wh is None else WattHours(modulus_wh),
        )
        keys.setdefault(row.meter_id, []).append(key)
    return keys


def key_at(keys: Mapping[str, Sequence[MeterKey]], meter_id: str, at_s: UnixSeconds) -> MeterKey:
    """
    Return which of the meters' ``keys`` speaks for ``meter_id`` at an instant.

    Raises
    ------
    UnknownMeterError
        If none is enrolled and valid then.
    """
    for key in keys.get(meter_id, ()):
        if key.valid_from_s <= at_s < key.valid_until_s:
            return key
    raise UnknownMeterError(meter_id)


def fund_wallets(service: Service, amounts: Mapping[str, int], *, purpose: str) -> None:
    """
    Mint demonstration money into wallets, in batches. Idempotent by ``purpose``.

    Only a community on the demonstration token has a service that may mint.
    """
    token = service.contracts.token
    holders = sorted(amounts)
    with service.writing() as connection:
        for first in range(0, len(holders), _FUND_BATCH):
            batch = holders[first : first + _FUND_BATCH]
            data = token.encode("mintBatch", batch, [amounts[holder] for holder in batch])
            service.outbox.plan(
                connection,
                business_key=f"fund/{purpose}/{first}",
                trace_id=f"{service.rules.community_id}/fund/{purpose}",
                call=Call(token.address, data, "EnergyEuro.mintBatch", _FUND_GAS),
            )
    advance(service)
