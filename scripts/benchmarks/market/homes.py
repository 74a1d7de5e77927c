"""Homes with sun and without, their feeder head, and what all their meters sign."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from devnet.field.dataset import load_dataset
from devnet.field.events import FeederReading, HomeReadings
from devnet.field.gateways import SignedReading, sign_feeder, sign_home
from devnet.field.keys import OPERATOR, Curve, FieldKeys, Role, meter_key, wallet_of
from devnet.field.parameters import load_parameters
from devnet.field.schedule import feeder_losses_wh
from devnet.field.service import Places
from ledger.units import MicrosPerKilowattHour, UnixSeconds, WattHours
from scripts import neighbourhood
from settlement.engine.community import Rules

SEED: Final = 1
INTERVAL_S: Final = 900

_LEAST_WH: Final = 200
_SPREAD_WH: Final = 900
_RETAIL: Final = MicrosPerKilowattHour(300_000)


def interval_rules(begin_s: UnixSeconds, intervals: int) -> Rules:
    """Return the demonstration's rules for quarter-hours from ``begin_s`` on."""
    usual = neighbourhood.rules(load_parameters(), load_dataset())
    first = begin_s // INTERVAL_S
    asked = dict.fromkeys(range(first, first + intervals), _RETAIL)
    return replace(usual, interval_s=INTERVAL_S, residual_sells=asked)


def home_keys(count: int) -> FieldKeys:
    """Return the keys of ``count`` homes, their gateways, the feeder head and the operator."""
    parameters = load_parameters()
    homes = [f"home-{number:03}" for number in range(count)]
    return FieldKeys(
        gateways={
            home: meter_key(SEED, Role.GATEWAY, home, Curve.SECP256K1, parameters.home.rated_w)
            for home in homes
        },
        stations={},
        feeder_head=meter_key(
            SEED, Role.FEEDER_HEAD, "head", Curve.SECP256K1, parameters.grid.head_rated_w
        ),
        homes={home: wallet_of(SEED, home) for home in homes},
        operator=wallet_of(SEED, OPERATOR),
        drivers={},
        passwords={},
    )


class Homes:
    """Homes, and what their registers and the feeder head's have come to."""

    def __init__(self, keys: FieldKeys) -> None:
        self.keys: Final = keys
        self._imported_wh: Final = dict.fromkeys(keys.homes, 0)
        self._exported_wh: Final = dict.fromkeys(keys.homes, 0)
        self._head_wh = [0, 0]
        self._steps = 0

    def step(self) -> None:
        """Let an interval pass: every second home has sun to spare, now more and now less."""
        self._steps += 1
        taken = given = 0
        for place, home in enumerate(self.keys.homes):
            energy_wh = _LEAST_WH + (place * 37 + self._steps * 101) % _SPREAD_WH
            if place % 2:
                self._exported_wh[home] += energy_wh
                given += energy_wh
            else:
                self._imported_wh[home] += energy_wh
                taken += energy_wh
        lost = feeder_losses_wh(
            WattHours(taken), WattHours(given), load_parameters().grid.losses_bp
        )
        net = taken + lost - given
        self._head_wh[net < 0] += abs(net)

    def signed(
        self, at_s: UnixSeconds, sequence: int, places: Places
    ) -> Iterator[tuple[SignedReading, ...]]:
        """Return the readings of every meter; those of the last home come last."""
        domain = places.community_domain
        head = FeederReading(at_s, sequence, *map(WattHours, self._head_wh))
        yield sign_feeder(head, self.keys.feeder_head, domain)
        for home, key in self.keys.gateways.items():
            imported, exported = self._imported_wh[home], self._exported_wh[home]
            registers = map(WattHours, (imported, exported, exported))
            yield sign_home(HomeReadings(at_s, home, sequence, *registers), key, domain)
