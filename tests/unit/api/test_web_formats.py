"""Numbers as people of each language read them, from integers, rounded for display only."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.web.details import facts, figure
from api.web.formats import NOTHING, SINGLE, Voice, fixed, show
from api.web.words import words_in

NARROW, FIXED, MINUS = "\u202f", "\u00a0", "\u2212"


def voice(language: str) -> Voice:
    return Voice(words_in(language), -420, "EUR")


EN, FR = voice("en"), voice("fr")


def said(who: Voice, spec: str, value: object) -> str | None:
    return show(who, f"{spec} value", {"value": value})


class TestMoney:
    def test_is_grouped_and_marked_as_each_language_does(self):
        assert said(FR, "money", "1234560000") == f"1{NARROW}234,56{FIXED}EUR"
        assert said(EN, "money", "1234560000") == f"1,234.56{FIXED}EUR"

    def test_is_rounded_half_up_to_the_cent(self):
        assert said(EN, "money", "4999") == f"0.00{FIXED}EUR"
        assert said(EN, "money", "5000") == f"0.01{FIXED}EUR"
        assert said(EN, "money", "999995000") == f"1,000.00{FIXED}EUR"

    def test_shows_no_sign_on_nothing(self):
        assert said(EN, "money", "-4999") == f"0.00{FIXED}EUR"
        assert said(EN, "money", "-5000") == f"{MINUS}0.01{FIXED}EUR"

    def test_is_exact_beyond_what_a_float_holds(self):
        shown = said(EN, "money", "9007199254740993000001")
        assert shown == f"9,007,199,254,740,993.00{FIXED}EUR"

    @given(st.integers(-(10**18), 10**18), st.sampled_from([(10**6, 2), (10**3, 1), (10**3, 0)]))
    def test_agrees_with_decimal_arithmetic(self, number, unit_and_places):
        unit, places = unit_and_places
        wanted = (Decimal(number) / unit).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
        text = f"{abs(wanted):,f}"
        assert fixed(EN, number, unit, places) == (f"{MINUS}{text}" if wanted < 0 else text)


class TestEnergyAndShares:
    def test_a_session_is_shown_to_the_watt_hour(self):
        assert said(FR, "kwh_exact", 18729) == f"18,729{FIXED}kWh"

    def test_a_share_is_of_the_whole(self):
        whole = {"part": 1648029, "whole": 3565910}
        assert show(EN, "share part whole", whole) == "46.2%"
        assert show(FR, "share part whole", whole) == f"46,2{NARROW}%"

    def test_a_share_of_nothing_is_no_number(self):
        assert show(EN, "share part whole", {"part": "0", "whole": "0"}) == NOTHING

    def test_what_is_left_is_a_difference(self):
        assert show(EN, "less a b", {"a": 1500, "b": 1}) == f"1.499{FIXED}kWh"


class TestTime:
    def test_is_told_in_the_time_of_the_community(self):
        assert said(EN, "instant", 1494226800) == "Mon 8 May 2017, 00:00"
        assert said(FR, "instant", 1494226799) == "dim. 7 mai 2017, 23:59"

    def test_an_interval_names_its_day(self):
        assert said(EN, "hour", 1494250693) == f"Mon{FIXED}8, 06:38"

    def test_a_second_is_no_thousand_milliseconds(self):
        assert said(EN, "elapsed", 999) == f"999{FIXED}ms"
        assert said(FR, "elapsed", 1235) == f"1,24{FIXED}s"


class TestStates:
    def test_nothing_known_is_shown_as_a_dash(self):
        assert {said(EN, name, None) for name in SINGLE} == {NOTHING}
        assert show(EN, "less a b", {"a": None, "b": 1}) == NOTHING

    def test_a_law_holds_is_broken_or_not_checked(self):
        verdicts = [said(EN, "word.verdict", value) for value in (True, False, None)]
        assert verdicts == ["holds", "broken", "not checked yet"]

    def test_only_laws_that_hold_are_counted(self):
        laws = {"L1": {"ok": True}, "L2": {"ok": False}, "L3": {"ok": None}}
        assert said(EN, "laws_held", laws) == "1 of 11"
        assert said(EN, "hide_unless_broken", laws) is None
        assert said(EN, "hide_unless_broken", {"L1": {"ok": None}}) == ""

    def test_a_long_id_is_cut_in_the_middle(self):
        assert said(EN, "short", "0x" + "ab" * 32) == "0xababab…abab"
        assert said(EN, "short", "CA-314") == "CA-314"

    def test_a_trace_link_stays_on_this_site(self):
        assert said(EN, "trace_link", "sierra/415062/12") == "/trace/sierra/415062/12"
        assert said(EN, "trace_link", "javascript:x?y#z") == "/trace/javascript%3Ax%3Fy%23z"


class TestDetails:
    def test_names_tell_the_unit(self):
        detail = {"energy_wh": 1500, "charge_micros": "2000000", "note": "1500"}
        assert facts(EN, detail) == [
            ("energy_wh", "1500", f"1.500{FIXED}kWh"),
            ("charge_micros", "2000000", f"2.00{FIXED}EUR"),
            ("note", "1500", ""),
        ]
        assert figure(EN, detail) == f"2.00{FIXED}EUR"

    def test_a_transfer_is_in_the_unit_of_its_ledger(self):
        money = {"debit": "eur/world", "credit": "eur/x", "amount": "2000000"}
        energy = {"debit": "wh/produced", "credit": "wh/x", "amount": "1500"}
        assert figure(EN, money) == f"2.00{FIXED}EUR"
        assert figure(EN, energy) == f"1.500{FIXED}kWh"

    @pytest.mark.parametrize("value", ["", "x", "1.5", "-", True, None, [], {}, "\u00b2", "\u0661"])
    def test_what_is_no_integer_is_left_alone(self, value):
        assert facts(EN, {"amount_micros": value})[0][2] == ""
