"""Registers only rise, in order, and never faster than the meter can carry."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.readings import Quality, Reading, Register
from settlement.metering.validation import (
    BeyondModulusError,
    ImplausiblePowerError,
    RegisterWentBackError,
    SequenceError,
    check_continuity,
    check_power,
    check_register,
)

RATED_W = 11_000
BEFORE = Reading("0x" + "4d" * 32, Register.IMPORT, 900, 4, 10_000, Quality.MEASURED)


def later(**changes):
    whole = dataclasses.replace(BEFORE, at_s=1_800, sequence=5, energy_wh=10_500)
    return dataclasses.replace(whole, **changes)


class TestCheckPower:
    @pytest.mark.parametrize(
        ("energy_wh", "elapsed_s", "rated_w"),
        [(1_050, 3_600, 1_000), (262, 900, 1_000), (0, 0, 0), (0, 3_600, 0)],
    )
    def test_takes_five_percent_more_than_the_rating_and_no_more(
        self, energy_wh, elapsed_s, rated_w
    ):
        check_power(energy_wh, elapsed_s, rated_w)
        with pytest.raises(ImplausiblePowerError) as caught:
            check_power(energy_wh + 1, elapsed_s, rated_w)
        assert caught.value.code == "implausible_power"

    def test_refuses_the_start_value_that_an_offline_station_lost(self):
        """A begin of 0 and a next register of 909,948 Wh billed 910 kWh in the field."""
        with pytest.raises(ImplausiblePowerError):
            check_power(910_031, 3_600, 22_000)

    def test_refuses_any_energy_before_time_has_passed(self):
        with pytest.raises(ImplausiblePowerError):
            check_power(1, 0, RATED_W)
        with pytest.raises(ImplausiblePowerError):
            check_power(0, -1, RATED_W)

    @given(st.integers(0, 10**9), st.integers(0, 10**7), st.integers(0, 10**6))
    @settings(deadline=None)
    def test_agrees_with_the_floor_that_the_contract_takes(self, energy_wh, elapsed_s, rated_w):
        most_wh = rated_w * elapsed_s * 105 // (3_600 * 100)
        if energy_wh <= most_wh:
            check_power(energy_wh, elapsed_s, rated_w)
        else:
            with pytest.raises(ImplausiblePowerError):
                check_power(energy_wh, elapsed_s, rated_w)


class TestCheckContinuity:
    def test_takes_a_reading_that_goes_on(self):
        check_continuity(BEFORE, later(), RATED_W)

    def test_takes_a_register_that_stood_still(self):
        check_continuity(BEFORE, later(energy_wh=10_000), RATED_W)

    def test_takes_numbers_that_were_left_out(self):
        check_continuity(BEFORE, later(sequence=400), RATED_W)

    def test_refuses_a_register_that_went_back(self):
        with pytest.raises(RegisterWentBackError) as caught:
            check_continuity(BEFORE, later(energy_wh=9_999), RATED_W)
        assert caught.value.code == "register_went_back"
        assert "10000 to 9999" in str(caught.value)

    def test_takes_a_register_that_begins_again_where_its_maker_says_so(self):
        check_continuity(BEFORE, later(energy_wh=7), RATED_W, 10_100)

    @pytest.mark.parametrize("modulus_wh", [None, 100_000])
    def test_refuses_one_that_went_back_and_cannot_have_begun_again(self, modulus_wh):
        with pytest.raises(RegisterWentBackError):
            check_continuity(BEFORE, later(energy_wh=7), RATED_W, modulus_wh)

    def test_takes_no_more_through_the_beginning_than_the_meter_can_carry(self):
        most_wh = RATED_W * 900 * 105 // 360_000
        check_continuity(BEFORE, later(energy_wh=most_wh - 100), RATED_W, 10_100)
        with pytest.raises(RegisterWentBackError):
            check_continuity(BEFORE, later(energy_wh=most_wh - 99), RATED_W, 10_100)

    @pytest.mark.parametrize("at_s", [900, 899, 0])
    def test_refuses_an_instant_that_does_not_rise(self, at_s):
        with pytest.raises(SequenceError, match="instant"):
            check_continuity(BEFORE, later(at_s=at_s), RATED_W)

    @pytest.mark.parametrize("sequence", [4, 3, 0])
    def test_refuses_a_number_that_does_not_rise(self, sequence):
        with pytest.raises(SequenceError, match="number"):
            check_continuity(BEFORE, later(sequence=sequence), RATED_W)

    def test_refuses_more_than_the_meter_can_carry_since_the_last_reading(self):
        most_wh = RATED_W * 900 * 105 // 360_000
        check_continuity(BEFORE, later(energy_wh=10_000 + most_wh), RATED_W)
        with pytest.raises(ImplausiblePowerError):
            check_continuity(BEFORE, later(energy_wh=10_000 + most_wh + 1), RATED_W)

    def test_names_the_instant_first_when_everything_is_wrong(self):
        with pytest.raises(SequenceError, match="instant"):
            check_continuity(BEFORE, later(at_s=0, sequence=0, energy_wh=0), RATED_W)
        with pytest.raises(SequenceError, match="number"):
            check_continuity(BEFORE, later(sequence=0, energy_wh=0), RATED_W)


class TestCheckRegister:
    def test_takes_what_the_register_can_show(self):
        check_register(9_999, 10_000)
        check_register(10**15, None)

    def test_refuses_what_it_cannot_show(self):
        with pytest.raises(BeyondModulusError) as caught:
            check_register(10_000, 10_000)
        assert caught.value.code == "beyond_modulus"
