"""Make the demonstration's community out of the field's data and parameters."""

import asyncio
from typing import Final

import httpx2

from api.embedded import Running
from devnet.field.dataset import Dataset
from devnet.field.keys import OPERATOR, Curve, FieldKeys, MeterKey, wallet_of
from devnet.field.members import Validity, build_members, join
from devnet.field.parameters import Parameters
from devnet.field.schedule import Schedule
from ledger.units import UnixSeconds
from scripts.replay import World
from settlement.engine.community import Meter, Party, Roster, Rules, Station
from settlement.engine.roll import apply_roster, fund_wallets
from settlement.pricing.tariffs import Tariff
from settlement.trading.zones import ZoneTree

GRID: Final = "grid"
STATE: Final = "state"
SUPPLIER: Final = "supplier"
FEEDER: Final = "feeder-head"

_HOUR_S: Final = 3_600
_CURVES: Final = {Curve.SECP256K1: "secp256k1", Curve.SECP256R1: "secp256r1"}
_YEAR_S: Final = 366 * 86_400


def rules(parameters: Parameters, dataset: Dataset) -> Rules:
    """Return the community's rules as the published parameters say them."""
    community, fees, tariff = parameters.community, parameters.fees, parameters.tariff
    return Rules(
        community_id=community.id,
        name=community.name,
        currency=community.currency,
        utc_offset_minutes=community.utc_offset_minutes,
        interval_s=community.interval_s,
        grace_s=community.grace_s,
        toll=fees.toll,
        levy=fees.levy,
        vat_bp=fees.vat_bp,
        tariff=Tariff(
            tariff_id=tariff.id,
            currency=community.currency,
            price_micros_per_kwh=tariff.price,
            flat_micros=tariff.flat,
            vat_rate_bp=tariff.vat_bp,
        ),
        residual_buys=parameters.residual.buys,
        residual_sells={
            hour.start_s // community.interval_s: hour.price_micros_per_kwh
            for hour in dataset.retail_hours
        },
        loss_bound_bp=parameters.grid.loss_bound_bp,
        longest_stay_s=parameters.station.longest_stay_s,
        offline_window_s=parameters.station.offline_window_s,
        grid_party=GRID,
        state_party=STATE,
        supplier_party=SUPPLIER,
        operator_party=OPERATOR,
        zones=ZoneTree.single(community.zone, fees.toll),
    )


def clock_start(schedule: Schedule, played: int) -> UnixSeconds:
    """
    Return where the clock stands: at the event to be played next, or an hour before all.

    A killed run may have left a transaction of that event unsent; it gets the event's time.
    """
    if played == 0:
        return UnixSeconds(schedule.first_s - _HOUR_S)
    return schedule.events[min(played, len(schedule.events) - 1)].at_s


def roster(keys: FieldKeys, *, seed: int, from_s: UnixSeconds) -> Roster:
    """Return every party, meter and station; institutions get wallets of their own."""
    homes = tuple(Party(n, "prosumer", w.address_hex) for n, w in keys.homes.items())
    institutions = tuple(
        Party(name, "institution", wallet_of(seed, name).address_hex) for name in (GRID, STATE)
    )
    return Roster(
        parties=(
            *homes,
            Party(OPERATOR, "operator", keys.operator.address_hex),
            *institutions,
            Party(SUPPLIER, "supplier", None),
        ),
        meters=(
            *(_meter(key, home, "gateway", from_s) for home, key in keys.gateways.items()),
            _meter(keys.feeder_head, GRID, "feeder", from_s),
            *(_meter(key, OPERATOR, "station", from_s) for key in keys.stations.values()),
        ),
        stations=tuple(
            Station(name, OPERATOR, key.serial, keys.passwords[name])
            for name, key in keys.stations.items()
        ),
    )


def _meter(key: MeterKey, party: str, kind: str, from_s: UnixSeconds) -> Meter:
    return Meter(
        serial=key.serial,
        party=party,
        kind=kind,
        curve=_CURVES[key.curve],
        public_key=key.public_key,
        rated_power_w=key.rated_power_w,
        valid_from_s=UnixSeconds(from_s),
        valid_until_s=UnixSeconds(from_s + _YEAR_S),
    )


async def move_in(running: Running, world: World, *, seed: int) -> None:
    """Enrol everybody, give them demonstration money, and let the members join. Idempotent."""
    service, keys, parameters = running.service, world.keys, world.parameters
    from_s = UnixSeconds(world.schedule.first_s - 7 * 86_400)
    await running.desk.run(lambda: apply_roster(service, roster(keys, seed=seed, from_s=from_s)))
    members = build_members(keys, parameters, seed=seed)
    await running.desk.run(
        lambda: fund_wallets(
            service,
            {one.wallet.address_hex: one.amount_micros for one in members},
            purpose="members",
        )
    )
    await running.desk.run(
        lambda: fund_wallets(
            service,
            {one.address_hex: parameters.funds.driver_wallet for one in keys.drivers.values()},
            purpose="drivers",
        )
    )
    validity = Validity(from_s, UnixSeconds(from_s + _YEAR_S))
    async with httpx2.AsyncClient(base_url=running.url, timeout=60) as client:
        for member in members:
            await join(client, member, world.places, validity)
    await asyncio.wait_for(running.desk.idle(), timeout=60)
