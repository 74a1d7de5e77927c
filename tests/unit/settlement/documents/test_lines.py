"""What a charge is made of sums to the charge, whatever it is."""

from hypothesis import given
from hypothesis import strategies as st

from settlement.charging.documents.lines import price_without_vat, simple_lines
from settlement.pricing.billing import bill, vat_inside
from settlement.pricing.tariffs import Tariff
from tests.unit.settlement.documents.samples import agreed

ENERGY = st.integers(0, 10**6)
PRICE = st.integers(0, 10**7)
RATE = st.integers(0, 10_000)


class TestSimpleLines:
    @given(ENERGY, PRICE, PRICE, RATE, st.integers(0, 10**9))
    def test_sum_to_the_bill_to_the_micro(self, energy, price, flat, rate, deposit):
        money = bill(energy, Tariff("t", "EUR", price, flat, rate), deposit)
        tariff = agreed(price_micros_per_kwh=price, flat_micros=flat, vat_bp=rate)
        lines = simple_lines(energy, money.charge_micros, tariff)
        assert sum(one.gross_micros for one in lines) == money.charge_micros
        assert sum(one.vat_micros for one in lines) == money.vat_micros
        assert sum(one.net_micros for one in lines) == money.net_micros
        above = [one for one in lines if one.dimension == "OVERRUN"]
        assert sum(one.gross_micros for one in above) == -money.overrun_micros

    @given(ENERGY, st.integers(0, 10**9), RATE)
    def test_show_what_the_driver_signed_beyond_the_bill(self, energy, more, rate):
        tariff = agreed(vat_bp=rate)
        owed = bill(energy, Tariff("t", "EUR", 391_700, 350_000, rate), 10**12).charge_micros
        lines = simple_lines(energy, owed + more, tariff)
        assert sum(one.gross_micros for one in lines if one.dimension == "COSIGNED") == more
        assert sum(one.vat_micros for one in lines) == vat_inside(owed + more, rate)

    def test_name_energy_even_if_none_flowed_and_no_fee_then(self):
        (only,) = simple_lines(0, 0, agreed())
        assert (only.dimension, only.volume, only.gross_micros) == ("ENERGY", "0", 0)

    def test_state_volume_and_price_as_the_tariff_does(self):
        energy, flat = simple_lines(1_000, 741_700, agreed())
        assert (energy.unit_price, flat.unit_price) == ("0.3917", "0.35")
        assert (energy.volume, energy.unit, flat.volume, flat.unit) == ("1000", "Wh", "1", "")


def test_a_price_without_vat_is_the_nearest():
    assert f"{price_without_vat(1_200_000, 2_000):f}" == "1"
    assert f"{price_without_vat(1, 10_000):f}" == "0.000001"
    assert f"{price_without_vat(-1, 10_000):f}" == "-0.000001"
