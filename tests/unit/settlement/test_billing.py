"""A bill is never more than the deposit, and what it leaves comes back (law L1)."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.units import NegativeEnergyError
from settlement.pricing.billing import (
    NegativeDepositError,
    bill,
    deposit_for,
    vat_inside,
    vat_on,
)
from settlement.pricing.tariffs import Tariff

TARIFF = Tariff("day", "EUR", 391_700, 350_000, 2_000)
tariffs = st.builds(
    Tariff,
    st.just("any"),
    st.just("EUR"),
    st.integers(0, 2_000_000),
    st.integers(0, 5_000_000),
    st.integers(0, 10_000),
)
energies = st.integers(0, 500_000)
deposits = st.integers(0, 10**9)


class TestBill:
    @given(energies, tariffs, deposits)
    @settings(max_examples=300, deadline=None)
    def test_the_deposit_is_charge_and_refund(self, energy, tariff, deposit):
        made = bill(energy, tariff, deposit)
        assert made.charge_micros + made.refund_micros == deposit
        assert made.net_micros + made.vat_micros == made.charge_micros
        assert min(dataclasses.astuple(made)) >= 0

    @given(energies, tariffs, deposits)
    @settings(max_examples=300, deadline=None)
    def test_the_charge_is_what_is_owed_up_to_the_deposit(self, energy, tariff, deposit):
        made = bill(energy, tariff, deposit)
        owed = energy * tariff.price_micros_per_kwh // 1_000 + (energy > 0) * tariff.flat_micros
        assert made.charge_micros + made.overrun_micros == owed
        assert not (made.overrun_micros and made.refund_micros)
        assert made.overrun_micros == 0 or made.charge_micros == deposit

    @given(energies, energies, tariffs, deposits)
    @settings(max_examples=200, deadline=None)
    def test_more_energy_never_costs_less(self, one, other, tariff, deposit):
        less, more = (bill(energy, tariff, deposit) for energy in sorted((one, other)))
        assert less.charge_micros <= more.charge_micros
        assert less.refund_micros >= more.refund_micros

    def test_of_a_known_session_is_this(self):
        made = bill(12_345, TARIFF, 20_000_000)
        charge = 4_835_536 + 350_000
        assert dataclasses.astuple(made) == (
            charge,
            4_321_280,
            charge - 4_321_280,
            20_000_000 - charge,
            0,
        )

    def test_a_start_that_failed_costs_nothing(self):
        made = bill(0, TARIFF, 5_000_000)
        assert (made.charge_micros, made.refund_micros) == (0, 5_000_000)

    def test_the_flat_fee_is_owed_from_the_first_watt_hour(self):
        assert bill(1, TARIFF, 5_000_000).charge_micros == 350_000 + 391

    def test_what_exceeds_the_deposit_is_the_operators_loss(self):
        made = bill(10_000, TARIFF, 1_000_000)
        assert (made.charge_micros, made.refund_micros) == (1_000_000, 0)
        assert made.overrun_micros == 3_917_000 + 350_000 - 1_000_000

    def test_the_last_micro_of_the_deposit_can_be_spent(self):
        owed = 3_917_000 + 350_000
        exact, short = bill(10_000, TARIFF, owed), bill(10_000, TARIFF, owed - 1)
        assert (exact.refund_micros, exact.overrun_micros) == (0, 0)
        assert (short.refund_micros, short.overrun_micros) == (0, 1)

    def test_an_energy_below_zero_is_refused(self):
        with pytest.raises(NegativeEnergyError) as caught:
            bill(-1, TARIFF, 0)
        assert caught.value.energy_wh == -1

    def test_a_deposit_below_zero_is_refused(self):
        with pytest.raises(NegativeDepositError) as caught:
            bill(0, TARIFF, -1)
        assert caught.value.deposit_micros == -1
        assert caught.value.code == "negative_deposit"


class TestDepositFor:
    @given(energies, tariffs)
    @settings(max_examples=300, deadline=None)
    def test_is_whole_cents_and_less_than_a_cent_too_much(self, energy, tariff):
        deposit = deposit_for(energy, tariff)
        owed = -(-energy * tariff.price_micros_per_kwh // 1_000) + tariff.flat_micros
        assert deposit % 10_000 == 0
        assert 0 <= deposit - owed < 10_000

    @given(energies, tariffs, st.data())
    @settings(max_examples=300, deadline=None)
    def test_is_never_overrun_by_the_energy_asked_for(self, requested, tariff, data):
        drawn = data.draw(st.integers(0, requested))
        assert bill(drawn, tariff, deposit_for(requested, tariff)).overrun_micros == 0

    @pytest.mark.parametrize(
        ("energy", "price", "flat", "deposit"),
        [
            (1_000, 390_000, 0, 390_000),
            (1_000, 390_001, 0, 400_000),
            (1, 1, 0, 10_000),
            (1, 0, 0, 0),
            (0, 390_000, 350_001, 360_000),
        ],
    )
    def test_rounds_up_to_the_next_cent(self, energy, price, flat, deposit):
        assert deposit_for(energy, Tariff("any", "EUR", price, flat, 0)) == deposit

    def test_refuses_an_energy_below_zero(self):
        with pytest.raises(NegativeEnergyError):
            deposit_for(-1, TARIFF)


class TestVat:
    @given(st.integers(0, 10**15), st.integers(0, 10_000))
    @settings(deadline=None)
    def test_inside_an_amount_leaves_the_net_rounded_down(self, gross, rate):
        net = gross - vat_inside(gross, rate)
        assert net * (10_000 + rate) <= gross * 10_000 < (net + 1) * (10_000 + rate)

    @given(st.integers(0, 10**15), st.integers(0, 10_000))
    @settings(deadline=None)
    def test_on_an_amount_is_rounded_down(self, net, rate):
        vat = vat_on(net, rate)
        assert vat * 10_000 <= net * rate < (vat + 1) * 10_000

    @pytest.mark.parametrize(
        ("gross", "rate", "inside", "on"),
        [(120, 2_000, 20, 24), (119, 2_000, 20, 23), (1, 2_000, 1, 0), (0, 2_000, 0, 0)],
    )
    def test_of_small_amounts_is_this(self, gross, rate, inside, on):
        assert (vat_inside(gross, rate), vat_on(gross, rate)) == (inside, on)

    @given(st.integers(0, 10**12))
    @settings(deadline=None)
    def test_at_no_rate_is_nothing(self, amount):
        assert vat_inside(amount, 0) == vat_on(amount, 0) == 0
