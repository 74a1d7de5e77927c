"""A deposit covers the dearest session, and no more than the tariff can ask."""

import pytest

from ledger.units import NegativeEnergyError
from settlement.pricing.ocpi import BadChargingError, deposit_for_tariff
from tests.unit.settlement.pricing.ocpi.sessions import MONDAY_NOON, component, element, tariff

HOUR = 3_600
CENT = 10_000


def deposit(made, energy=10_000, stay=2 * HOUR, **where):
    return deposit_for_tariff(made, energy, stay, MONDAY_NOON, **where)


def priced(dimension, price, step=1):
    return component(dimension, price, None, step)


class TestDepositForTariff:
    def test_takes_the_dearest_price_of_the_stay(self):
        made = tariff(
            element(priced("ENERGY", "0.9"), start_time="15:00"),
            element(priced("ENERGY", "0.5"), start_time="13:00"),
            element(priced("ENERGY", "0.3")),
        )
        assert deposit(made) == 5_000_000
        assert deposit(made, stay=HOUR) == 3_000_000
        assert deposit(made, stay=3 * HOUR + 1) == 9_000_000
        assert deposit(made, utc_offset_minutes=120) == 9_000_000

    def test_leaves_out_what_the_energy_does_not_reach(self):
        made = tariff(
            element(priced("ENERGY", "0.9"), min_kwh=10), element(priced("ENERGY", "0.1"))
        )
        assert deposit(made, 9_999) == 1_000_000
        assert deposit(made, 10_000) == 9_000_000

    def test_leaves_out_what_is_behind_one_that_always_counts(self):
        made = tariff(element(priced("ENERGY", "0.1"), max_kwh=50), element(priced("ENERGY", 9)))
        assert deposit(made) == 1_000_000

    def test_foresees_any_power_and_any_current(self):
        for limit in ("max_power", "max_current"):
            made = tariff(
                element(priced("ENERGY", "0.1"), **{limit: 50}), element(priced("ENERGY", 9))
            )
            assert deposit(made) == 90_000_000

    def test_counts_time_once_at_the_dearer_price(self):
        made = tariff(element(priced("TIME", 1), priced("PARKING_TIME", 3)))
        assert deposit(made) == 6_000_000

    def test_rounds_up_by_the_steps(self):
        energy = tariff(element(priced("ENERGY", "0.5", 3_000)))
        time = tariff(element(priced("TIME", 1, 5_000)))
        assert deposit(energy) == 6_000_000
        assert deposit(time) == -(-10_000 * 1_000_000 // 3_600 // CENT) * CENT

    def test_is_within_the_limits(self):
        element_ = element(component("ENERGY", "0.5", 20))
        least = tariff(element_, min_price={"excl_vat": 20, "incl_vat": 24})
        most = tariff(element_, max_price={"excl_vat": 2, "incl_vat": "2.4"})
        bare = tariff(element_, max_price={"excl_vat": 2})
        assert [deposit(one) for one in (least, most, bare)] == [24_000_000, 2_400_000, 2_400_000]

    def test_is_rounded_up_to_a_cent(self):
        assert deposit(tariff(element(priced("ENERGY", "0.001"))), 1) == CENT

    def test_refuses_less_than_nothing(self):
        made = tariff(element(priced("ENERGY", 1)))
        with pytest.raises(NegativeEnergyError):
            deposit(made, -1)
        with pytest.raises(BadChargingError):
            deposit(made, 1, -1)
