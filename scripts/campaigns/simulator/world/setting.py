"""
The small community that is simulated: three homes, a newcomer, two stations, three drivers.

Keys and prices are the same in every run; only the dice differ.
"""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from devnet.field.keys import (
    FEEDER_HEAD,
    OPERATOR,
    Curve,
    FieldKeys,
    MeterKey,
    Role,
    Wallet,
    derive,
    meter_key,
    wallet_of,
)
from devnet.field.members import Member, Validity, build_members
from devnet.field.parameters import Parameters, load_parameters
from devnet.genesis import ClockProfile, Genesis
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds
from scripts import neighbourhood
from settlement.engine.community import Roster, Rules
from settlement.pricing.tariffs import Tariff

CHAIN_ID: Final = 3_300
INTERVAL_S: Final = 3_600
BEGIN_S: Final = UnixSeconds(1_700_002_800)
"""First instant of a simulation, in Unix seconds; an interval begins then."""
KEY_SEED: Final = 7
NEWCOMER: Final = "home-4"
"""The home that joins in the midst of a simulation."""
FLAT: Final = Micros(100_000)

_LEAD_S: Final = 86_400
_HORIZON: Final = 24 * 366
_SELLS: Final = MicrosPerKilowattHour(250_000)
_HOMES: Final = ("home-1", "home-2", "home-3", NEWCOMER)
_STATIONS: Final = {"ST-1": Curve.SECP256R1, "ST-2": Curve.SECP256K1}
_DRIVERS: Final = ("driver-1", "driver-2", "driver-3")
_STAY_S: Final = 4 * 3_600
_OFFLINE_S: Final = 2 * 3_600


@dataclass(frozen=True, slots=True)
class Setting:
    """What does not change from seed to seed."""

    parameters: Parameters
    """Published parameters."""
    keys: FieldKeys
    """Every key of the field."""
    rules: Rules
    """Rules of the community."""
    roster: Roster
    """Everybody and everything of it."""
    members: tuple[Member, ...]
    """Homes and operator with their limits."""
    validity: Validity
    """When everything signed beforehand counts."""
    stranger: Wallet
    """Somebody who meddles."""
    genesis: Genesis
    """What the chain starts from."""


@cache
def setting() -> Setting:
    """Return the community."""
    parameters = load_parameters()
    keys = _keys(parameters)
    from_s = UnixSeconds(BEGIN_S - _LEAD_S)
    return Setting(
        parameters=parameters,
        keys=keys,
        rules=_rules(parameters),
        roster=neighbourhood.roster(keys, seed=KEY_SEED, from_s=from_s),
        members=build_members(keys, parameters, seed=KEY_SEED),
        validity=Validity(from_s, UnixSeconds(BEGIN_S + 366 * 86_400)),
        stranger=wallet_of(KEY_SEED, "stranger"),
        genesis=Genesis(
            chain_id=CHAIN_ID,
            timestamp_s=UnixSeconds(BEGIN_S - _LEAD_S),
            clock=ClockProfile.DISCRETE,
        ),
    )


def _keys(parameters: Parameters) -> FieldKeys:
    def meter(role: Role, name: str, curve: Curve = Curve.SECP256K1) -> MeterKey:
        rated_w = {
            Role.GATEWAY: parameters.home.rated_w,
            Role.STATION_METER: parameters.station.rated_w,
        }.get(role, parameters.grid.head_rated_w)
        return meter_key(KEY_SEED, role, name, curve, rated_w)

    return FieldKeys(
        gateways={home: meter(Role.GATEWAY, home) for home in _HOMES},
        stations={
            name: meter(Role.STATION_METER, name, curve) for name, curve in _STATIONS.items()
        },
        feeder_head=meter(Role.FEEDER_HEAD, FEEDER_HEAD),
        homes={home: wallet_of(KEY_SEED, home) for home in _HOMES},
        operator=wallet_of(KEY_SEED, OPERATOR),
        drivers={name: wallet_of(KEY_SEED, name) for name in _DRIVERS},
        passwords={name: derive(KEY_SEED, Role.PASSWORD, name).hex()[:40] for name in _STATIONS},
    )


def _rules(parameters: Parameters) -> Rules:
    community, fees, tariff = parameters.community, parameters.fees, parameters.tariff
    first = BEGIN_S // INTERVAL_S - 1
    return Rules(
        community_id="simulated",
        name="Simulated",
        currency=community.currency,
        utc_offset_minutes=community.utc_offset_minutes,
        interval_s=INTERVAL_S,
        grace_s=community.grace_s,
        toll=fees.toll,
        levy=fees.levy,
        vat_bp=fees.vat_bp,
        tariff=Tariff(
            tariff_id=tariff.id,
            currency=community.currency,
            price_micros_per_kwh=tariff.price,
            flat_micros=FLAT,
            vat_rate_bp=tariff.vat_bp,
        ),
        residual_buys=parameters.residual.buys,
        residual_sells=dict.fromkeys(range(first, first + _HORIZON), _SELLS),
        loss_bound_bp=BasisPoints(parameters.grid.loss_bound_bp),
        longest_stay_s=_STAY_S,
        offline_window_s=_OFFLINE_S,
        grid_party=neighbourhood.GRID,
        state_party=neighbourhood.STATE,
        supplier_party=neighbourhood.SUPPLIER,
        operator_party=OPERATOR,
    )


def poor(member: Member) -> Member:
    """Return a member with so little money and so low a cap that both are met now and then."""
    return replace(member, cap_micros=Micros(400_000), amount_micros=Micros(1_500_000))
