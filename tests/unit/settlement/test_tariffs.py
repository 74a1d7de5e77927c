"""A tariff is one price that both sides can compare by one hash, never a rounded one."""

import dataclasses
import hashlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.pricing.tariffs import BadTariffError, Tariff, TariffTooPreciseError, price_of

TARIFF = Tariff("day", "EUR", 391_700, 350_000, 2_000)
AMOUNT_MAX = 2**63 - 1


class TestTariff:
    @pytest.mark.parametrize(
        ("change", "match"),
        [
            ({"tariff_id": ""}, "has a name"),
            ({"currency": ""}, "ISO 4217"),
            ({"currency": "EU"}, "ISO 4217"),
            ({"currency": "EURO"}, "ISO 4217"),
            ({"currency": "eur"}, "ISO 4217"),
            ({"currency": "EUR\n"}, "ISO 4217"),
            ({"price_micros_per_kwh": -1}, "-1 micros is no price"),
            ({"price_micros_per_kwh": AMOUNT_MAX + 1}, "no price"),
            ({"flat_micros": -1}, "-1 micros is no price"),
            ({"flat_micros": AMOUNT_MAX + 1}, "no price"),
            ({"vat_rate_bp": -1}, "VAT rate"),
            ({"vat_rate_bp": 10_001}, "VAT rate"),
        ],
        ids=str,
    )
    def test_that_nobody_could_charge_is_refused(self, change, match):
        with pytest.raises(BadTariffError, match=match) as caught:
            dataclasses.replace(TARIFF, **change)
        assert caught.value.code == "bad_tariff"

    @pytest.mark.parametrize(
        "change",
        [
            {"price_micros_per_kwh": 0},
            {"price_micros_per_kwh": AMOUNT_MAX},
            {"flat_micros": 0},
            {"flat_micros": AMOUNT_MAX},
            {"vat_rate_bp": 0},
            {"vat_rate_bp": 10_000},
        ],
        ids=str,
    )
    def test_at_the_edge_is_taken(self, change):
        assert dataclasses.replace(TARIFF, **change) != TARIFF

    def test_cannot_be_changed(self):
        with pytest.raises(dataclasses.FrozenInstanceError):
            TARIFF.flat_micros = 0


class TestFingerprint:
    def test_is_over_these_bytes(self):
        expected = (
            b'{"currency":"EUR","flat_micros":350000,"id":"day",'
            b'"price_micros_per_kwh":391700,"vat_rate_bp":2000}'
        )
        assert TARIFF.canonical == expected
        assert TARIFF.fingerprint == hashlib.sha256(expected).digest()

    def test_does_not_depend_on_how_a_name_is_encoded(self):
        assert dataclasses.replace(TARIFF, tariff_id="été ⚡").canonical.isascii()

    @pytest.mark.parametrize(
        "change",
        [
            {"tariff_id": "night"},
            {"currency": "CHF"},
            {"price_micros_per_kwh": 391_701},
            {"flat_micros": 350_001},
            {"vat_rate_bp": 2_001},
        ],
        ids=str,
    )
    def test_changes_with_every_field(self, change):
        assert dataclasses.replace(TARIFF, **change).fingerprint != TARIFF.fingerprint

    @given(st.text(min_size=1, max_size=12), st.text(min_size=1, max_size=12))
    @settings(deadline=None)
    def test_of_two_names_is_one_only_if_the_names_are(self, one, other):
        prints = [dataclasses.replace(TARIFF, tariff_id=name).fingerprint for name in (one, other)]
        assert (prints[0] == prints[1]) == (one == other)


class TestPriceOf:
    @pytest.mark.parametrize(
        ("text", "micros"),
        [
            ("0.3917", 391_700),
            ("0", 0),
            ("1", 1_000_000),
            ("0.000001", 1),
            ("0.39170000000", 391_700),
            ("007.5", 7_500_000),
            ("0.", None),
            ("999999999999.999999", 999_999_999_999_999_999),
        ],
    )
    def test_reads_a_price_as_people_write_it(self, text, micros):
        if micros is None:
            with pytest.raises(BadTariffError):
                price_of(text)
        else:
            assert price_of(text) == micros

    @given(st.integers(0, 10**12 - 1), st.integers(0, 10**6 - 1), st.integers(0, 12))
    @settings(deadline=None)
    def test_is_exact(self, whole, micros, zeros):
        text = f"{whole}.{micros:06d}{'0' * zeros}"
        assert price_of(text) == Decimal(text).scaleb(6)

    @pytest.mark.parametrize("text", ["0.0000001", "0.1234567", "0.123456000001"])
    def test_refuses_what_the_token_cannot_say(self, text):
        with pytest.raises(TariffTooPreciseError) as caught:
            price_of(text)
        assert caught.value.text == text
        assert caught.value.code == "tariff_too_precise"

    @pytest.mark.parametrize(
        "text",
        [
            *("", " ", "-1", "+1", ".5", "1.", "1,5", "1e3", "1_000", " 1", "1 ", "1\n", "1.2.3"),
            *("NaN", "inf", "0x1", "٣", "1" * 13, "0." + "0" * 19),
        ],
    )
    def test_refuses_what_is_no_plain_decimal_number(self, text):
        with pytest.raises(BadTariffError):
            price_of(text)
