"""Numbers are written digit by digit; none passes through binary floating point."""

import json
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.charging.documents.exact import (
    cents,
    euros,
    exact_json,
    hours,
    instant,
    kilowatt_hours,
    nearest,
)

MICROS = st.integers(-(10**24), 10**24)


class TestExactJson:
    @given(MICROS)
    def test_keeps_every_digit_of_an_amount(self, amount):
        text = exact_json({"a": euros(amount)})
        assert json.loads(text, parse_float=Decimal)["a"] * 1_000_000 == amount
        assert "E" not in text

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def test_says_the_same_as_json_where_there_are_no_decimals(self, value):
        assert json.loads(exact_json(value)) == value

    def test_writes_objects_and_lists_without_blanks(self):
        document = {"a": [Decimal("1.50"), "é\n", None, True], "b": {}, "c": ()}
        assert exact_json(document) == '{"a":[1.50,"é\\n",null,true],"b":{},"c":[]}'


@given(MICROS)
def test_cents_are_half_up_and_never_minus_nothing(amount):
    shown = Decimal(cents(amount))
    assert abs(shown - euros(amount)) <= Decimal("0.005")
    assert cents(-amount).removeprefix("-") == cents(amount).removeprefix("-")
    assert cents(amount) != "-0.00"


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(3_133_600, "3.13"), (5_000, "0.01"), (4_999, "0.00"), (-5_000, "-0.01"), (-4_999, "0.00")],
)
def test_half_a_cent_is_a_cent(amount, shown):
    assert cents(amount) == shown


def test_energies_durations_and_instants_are_as_people_write_them():
    assert f"{kilowatt_hours(18_729):f}" == "18.729"
    assert f"{kilowatt_hours(1_000_000):f}" == "1000"
    assert f"{hours(Fraction(9_000)):f}" == "2.5"
    assert f"{hours(Fraction(1)):f}" == "0.0003"
    assert instant(1_494_252_000) == "2017-05-08T14:00:00Z"


def test_the_nearest_decimal_is_half_away_from_zero():
    assert f"{nearest(Fraction(1, 8), 2):f}" == "0.13"
    assert f"{nearest(Fraction(-1, 8), 2):f}" == "-0.13"
    assert f"{nearest(Fraction(1, 3), 4):f}" == "0.3333"
