"""Each station has one tariff, and a list that says anything else is refused."""

import pytest

from ledger.errors import InvalidRequest
from settlement.engine.bills.catalog import BadCatalogError, read_catalog

DOCUMENT = (
    '{"id": "night", "currency": "EUR", "last_updated": "2026-01-01T00:00:00Z", '
    '"elements": [{"price_components": [{"type": "ENERGY", "price": 0.25, "step_size": 1}]}]}'
)


def no_file(name):
    raise AssertionError(f"{name} was read")


class TestACatalog:
    def test_gives_each_of_its_stations_its_tariff(self):
        text = f"""
        [[tariffs]]
        stations = ["A", "B"]
        ocpi = '''{DOCUMENT}'''

        [[tariffs]]
        stations = ["C"]
        file = "night.json"
        """
        other = DOCUMENT.replace("night", "day")
        found = read_catalog(text, "EUR", {"night.json": other}.__getitem__)
        assert found == {"A": DOCUMENT, "B": DOCUMENT, "C": other}

    def test_may_be_empty(self):
        assert read_catalog("", "EUR", no_file) == {}

    @pytest.mark.parametrize(
        "text",
        [
            "tariffs = 1",
            "tariffs = [1]",
            "other = 1",
            "[[tariffs",
            "[[tariffs]]\nstations = ['A']",
            f"[[tariffs]]\nstations = ['A']\nfile = 'x'\nocpi = '''{DOCUMENT}'''",
            f"[[tariffs]]\nstations = ['A']\nocpi = '''{DOCUMENT}'''\nmore = 1",
            f"[[tariffs]]\nstations = []\nocpi = '''{DOCUMENT}'''",
            f"[[tariffs]]\nstations = 'A'\nocpi = '''{DOCUMENT}'''",
            f"[[tariffs]]\nstations = [1]\nocpi = '''{DOCUMENT}'''",
            "[[tariffs]]\nstations = ['A']\nocpi = 1",
            f"[[tariffs]]\nstations = ['A', 'A']\nocpi = '''{DOCUMENT}'''",
        ],
    )
    def test_that_says_anything_else_is_refused(self, text):
        with pytest.raises(BadCatalogError):
            read_catalog(text, "EUR", no_file)

    def test_in_another_currency_is_refused(self):
        text = f"[[tariffs]]\nstations = ['A']\nocpi = '''{DOCUMENT}'''"
        with pytest.raises(BadCatalogError):
            read_catalog(text, "CHF", no_file)

    def test_with_a_bad_tariff_is_refused_before_anybody_is_quoted(self):
        text = """[[tariffs]]\nstations = ['A']\nocpi = '''{"id": "night"}'''"""
        with pytest.raises(InvalidRequest):
            read_catalog(text, "EUR", no_file)
