"""A value says how it came about and what is odd about it."""

import dataclasses

import pytest

from settlement.metering.homes.flags import Flag, flags_of, missed_between
from settlement.metering.readings import Quality, Reading, Register

QUARTER_S = 900
RATED_W = 4_000
BEFORE = Reading("0x" + "4d" * 32, Register.IMPORT, 900, 4, 10_000, Quality.MEASURED)
NEXT = dataclasses.replace(BEFORE, at_s=1_800, sequence=5, energy_wh=10_500)


def flagged(before=BEFORE, **changes):
    return flags_of(before, dataclasses.replace(NEXT, **changes), RATED_W, QUARTER_S)


class TestFlagsOf:
    def test_says_nothing_of_a_measured_value_that_goes_on(self):
        assert flagged() == Flag.NONE
        assert flagged(before=None) == Flag.NONE

    @pytest.mark.parametrize(
        ("quality", "flag"),
        [
            (Quality.ESTIMATED, Flag.GATEWAY_ESTIMATE),
            (Quality.SUBSTITUTED, Flag.SUBSTITUTED),
        ],
    )
    def test_repeats_what_the_signer_says(self, quality, flag):
        assert flagged(quality=quality) == flag
        assert flagged(before=None, quality=quality) == flag

    def test_marks_an_instant_inside_an_interval(self):
        assert flagged(at_s=1_799) == Flag.OFF_BOUNDARY
        assert flagged(at_s=2_701) == Flag.OFF_BOUNDARY | Flag.GAP

    def test_marks_energy_of_more_than_one_interval(self):
        assert flagged(at_s=2_700) == Flag.GAP

    def test_marks_more_than_the_rated_power_and_not_the_rated_power(self):
        assert flagged(energy_wh=11_000) == Flag.NONE
        assert flagged(energy_wh=11_001) == Flag.SPIKE

    def test_marks_a_register_that_began_again(self):
        assert flagged(energy_wh=7) == Flag.WRAPPED

    def test_has_words(self):
        assert (Flag.GAP | Flag.MISSING).words == ("gap", "missing")
        assert Flag.NONE.words == ()
        assert {word for one in Flag if one for word in one.words} == {
            "gateway_estimate",
            "substituted",
            "gap",
            "off_boundary",
            "spike",
            "wrapped",
            "missing",
            "profile",
            "stuck",
        }


class TestMissedBetween:
    @pytest.mark.parametrize(
        ("before_s", "now_s", "missed"),
        [(900, 1_800, 0), (901, 1_800, 0), (899, 1_800, 1), (900, 901, 0), (0, 3_600, 3)],
    )
    def test_counts_ends_strictly_between(self, before_s, now_s, missed):
        assert missed_between(before_s, now_s, QUARTER_S) == missed
