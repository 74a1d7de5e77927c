"""The worked examples of the OCPI specification come out to the cent."""

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from settlement.pricing.ocpi import display_cents, rate
from tests.unit.settlement.pricing.ocpi.sessions import of_vector

VECTORS = Path(__file__).parents[4] / "vectors/ocpi"
EXAMPLES = [
    vector
    for name in ("examples.json", "cases.json")
    for vector in json.loads((VECTORS / name).read_text(), parse_float=Decimal)
]
MICROS = 1_000_000


def cents(text):
    return int(Decimal(text) * 100)


@pytest.mark.parametrize("vector", EXAMPLES, ids=lambda vector: vector["name"])
class TestWorkedExamples:
    def test_cost_what_the_specification_says(self, vector):
        rated = rate(*of_vector(vector))
        assert display_cents(rated.net_exact) == cents(vector["total_excl_vat"])
        if vector["total_incl_vat"] is not None:
            assert display_cents(rated.gross_exact) == cents(vector["total_incl_vat"])

    def test_show_the_same_cents_in_whole_micros(self, vector):
        rated = rate(*of_vector(vector))
        assert display_cents(rated.net_micros) == display_cents(rated.net_exact)
        assert display_cents(rated.gross_micros) == display_cents(rated.gross_exact)

    def test_bill_the_blocks_that_the_specification_says(self, vector):
        rated = rate(*of_vector(vector))
        billed = {}
        for line in rated.lines:
            billed[line.kind] = billed.get(line.kind, 0) + line.volume
        for kind, volume in vector.get("billed", {}).items():
            assert billed[kind] == Fraction(volume)

    def test_are_exact_where_the_cents_hide_something(self, vector):
        rated = rate(*of_vector(vector))
        for key, found in (("net", rated.net_exact), ("gross", rated.gross_exact)):
            told = vector.get({"net": "exact_excl_vat", "gross": "exact_incl_vat"}[key])
            assert told is None or found == Fraction(told) * MICROS


def test_all_of_them_are_here():
    names = [vector["name"] for vector in EXAMPLES]
    assert len(set(names)) == len(names) == 34
