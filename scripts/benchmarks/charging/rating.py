"""Measure how long it takes to say what a session costs so far."""

from typing import Final

from ledger.units import UnixSeconds, WattHours, Watts
from scripts.benchmarks.measuring import NS_PER_MS, each, in_turn, medians_ns
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.pricing.ocpi import Charging, OcpiTariff, Period, loads_tariff, rate

MINUTE_S: Final = 60
MINUTES: Final = 240
"""A session of four hours, with a meter value each minute."""

_START_S: Final = UnixSeconds(1_546_883_100)
_CHARGING_MINUTES: Final = 190
_TIMES: Final = 20
_ROUNDS: Final = 9

EIGHT_ELEMENTS: Final = """{
  "id": "eight", "currency": "EUR", "tax_included": "NO",
  "max_price": {"before_taxes": 80.00, "after_taxes": 96.00},
  "elements": [
    {"price_components": [{"type": "FLAT", "price": 0.35, "vat": 20, "step_size": 1}],
     "restrictions": {"min_kwh": 0.001}},
    {"price_components": [{"type": "ENERGY", "price": 0.28, "vat": 20, "step_size": 1}],
     "restrictions": {"start_time": "22:00", "end_time": "06:00"}},
    {"price_components": [{"type": "ENERGY", "price": 0.52, "vat": 20, "step_size": 1}],
     "restrictions": {"start_time": "17:00", "end_time": "20:00", "day_of_week":
       ["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]}},
    {"price_components": [{"type": "ENERGY", "price": 0.38, "vat": 20, "step_size": 1}],
     "restrictions": {"max_kwh": 10}},
    {"price_components": [{"type": "ENERGY", "price": 0.49, "vat": 20, "step_size": 1}],
     "restrictions": {"min_power": 43}},
    {"price_components": [{"type": "ENERGY", "price": 0.43, "vat": 20, "step_size": 1}]},
    {"price_components": [{"type": "TIME", "price": 0.60, "vat": 20, "step_size": 60}],
     "restrictions": {"min_duration": 43200}},
    {"price_components": [{"type": "PARKING_TIME", "price": 6.00, "vat": 20, "step_size": 60}],
     "restrictions": {"start_time": "07:00", "end_time": "21:00"}}
  ]
}"""
"""A fee, five prices of energy, a price of long stays and one of parking."""


def session(minutes: int = MINUTES) -> Charging:
    """Return the first minutes of a session whose power wavers around 11 kW until it is full."""
    periods = tuple(
        Period(
            begin_s=UnixSeconds(_START_S + minute * MINUTE_S),
            end_s=UnixSeconds(_START_S + (minute + 1) * MINUTE_S),
            energy_wh=WattHours(178 + minute % 9 if minute < _CHARGING_MINUTES else 0),
            parking=minute >= _CHARGING_MINUTES,
            power_w=Watts(10_700 + minute % 9 * 60 if minute < _CHARGING_MINUTES else 0),
        )
        for minute in range(minutes)
    )
    return Charging(_START_S, periods)


def rating_row(command: str) -> Row:
    """Return the row: four hours under eight elements, rated from the first meter value on."""
    tariff, charging = loads_tariff(EIGHT_ELEMENTS), session()
    check(tariff, charging)
    ours_ns, sum_ns = medians_ns(
        in_turn(
            lambda: [rate(tariff, charging) for _ in range(_TIMES)],
            lambda: [_added_up(charging) for _ in range(_TIMES)],
        ),
        _ROUNDS,
    )
    return Row(
        "rating_ms",
        each(ours_ns, _TIMES, NS_PER_MS),
        "ms",
        Baseline(
            each(sum_ns, _TIMES, NS_PER_MS),
            "adding up energy and time of the same 240 meter values, nothing priced",
            Sense.COST,
        ),
        command,
    )


def _added_up(charging: Charging) -> tuple[int, int]:
    energy_wh = lasted_s = 0
    for period in charging.periods:
        energy_wh += int(period.energy_wh)
        lasted_s += period.end_s - period.begin_s
    return energy_wh, lasted_s


def check(tariff: OcpiTariff, charging: Charging) -> None:
    """
    Refuse to measure a rating that leaves anything out.

    Raises
    ------
    BenchmarkInvalidError
        If the segments do not hold all energy and all time, or fewer components counted.
    """
    rated = rate(tariff, charging)
    energy_wh = sum(one.energy_wh for one in rated.segments)
    lasted_s = sum(one.end_s - one.begin_s for one in rated.segments)
    if (energy_wh, lasted_s) != _added_up(charging):
        raise BenchmarkInvalidError(f"{energy_wh} Wh and {lasted_s} s were rated")
    counted = {line.place for line in rated.lines}
    if len(counted) < len(tariff.elements) // 2:
        raise BenchmarkInvalidError(f"only {len(counted)} components counted")
