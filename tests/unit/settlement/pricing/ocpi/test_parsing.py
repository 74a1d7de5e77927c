"""A tariff is read whole and exactly, or refused with the field that is wrong."""

import json
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import VoisinError
from settlement.pricing.ocpi import (
    dumps_tariff,
    loads_tariff,
    of_simple,
    parse_tariff,
    tariff_document,
)
from settlement.pricing.ocpi.document.fields import (
    BadTariffFieldError,
    InexactTariffNumberError,
    MissingTariffFieldError,
    UnknownTariffFieldError,
)
from settlement.pricing.ocpi.document.parsing import (
    BRACKETS_MAX,
    COMPONENTS_MAX,
    TEXT_MAX,
    MalformedTariffError,
    TariffTooLargeError,
)
from settlement.pricing.tariffs import Tariff
from tests.unit.settlement.pricing.ocpi.sessions import component, document, element

ENERGY = component("ENERGY", "0.30")
FULL = document(
    element(
        component("FLAT", "0.50", "15.0", 0),
        component("ENERGY", "0.25", 10, 100),
        start_time="07:00",
        end_time="23:30",
        start_date="2027-01-01",
        end_date="2027-12-31",
        min_kwh="0.5",
        max_kwh=50,
        min_current=6,
        max_current="32.5",
        min_power=1,
        max_power="22.2",
        min_duration=60,
        max_duration=7_200,
        day_of_week=["MONDAY", "SUNDAY"],
    ),
    element(component("TIME", 5, 20, 60), reservation="RESERVATION_EXPIRES"),
    country_code="NL",
    party_id="TNM",
    type="AD_HOC_PAYMENT",
    tariff_alt_text=[{"language": "en", "text": "2 euro an hour"}],
    tariff_alt_url="https://example.org/tariffs/12",
    min_price={"before_taxes": "0.5", "after_taxes": "0.6"},
    max_price={"before_taxes": 50},
    preauthorize_amount=40,
    tax_included="NO",
    start_date_time="2027-01-01T00:00:00Z",
    end_date_time="2028-01-01T00:00:00.5",
    energy_mix={"is_green_energy": True, "energy_sources": [{"source": "SOLAR", "percentage": 99}]},
    last_updated="2026-12-05T12:01:09Z",
)


def changed(path, value):
    """Return the full document with one field changed."""
    made = json.loads(json.dumps(FULL))
    *way, last = path
    inner = made
    for step in way:
        inner = inner[step]
    inner[last] = value
    return made


class TestParseTariff:
    def test_reads_every_field(self):
        made = parse_tariff(FULL)
        first, reserved = made.elements
        assert [one.price for one in first.components] == [Decimal("0.5"), Decimal("0.25")]
        assert (first.components[0].vat_percent, first.components[1].step_size) == (15, 100)
        limits = first.restrictions
        assert (limits.start_minute, limits.end_minute) == (420, 1_410)
        assert (limits.min_duration_s, limits.max_duration_s) == (60, 7_200)
        assert (limits.min_kwh, limits.max_current) == (Decimal("0.5"), Decimal("32.5"))
        assert sorted(limits.days) == ["MONDAY", "SUNDAY"]
        assert reserved.restrictions.reservation == "RESERVATION_EXPIRES"
        assert (made.country_code, made.party_id, made.type) == ("NL", "TNM", "AD_HOC_PAYMENT")
        assert made.max_price.after_taxes is None
        assert made.valid_until_s - made.valid_from_s == 365 * 86_400
        assert json.loads(made.energy_mix)["energy_sources"] == [
            {"percentage": "99", "source": "SOLAR"}
        ]

    def test_reads_both_versions_alike(self):
        old = document(element(ENERGY), min_price={"excl_vat": 1, "incl_vat": 2})
        new = document(
            element(ENERGY), min_price={"before_taxes": 1, "after_taxes": 2}, tax_included="NO"
        )
        assert parse_tariff(old) == parse_tariff(new)

    @pytest.mark.parametrize(
        ("path", "value", "where"),
        [
            (["id"], "x" * 37, "id"),
            (["id"], "a\nb", "id"),
            (["id"], 12, "id"),
            (["currency"], "euro", "currency"),
            (["elements"], {}, "elements"),
            (["elements"], [], "elements"),
            (["elements"], "ENERGY", "elements"),
            (["elements", 0], 1, "elements[0]"),
            (["elements", 0, "price_components"], [], "elements[0].price_components"),
            (
                ["elements", 0, "price_components", 1, "price"],
                "-0.01",
                "elements[0].price_components[1].price",
            ),
            (
                ["elements", 0, "price_components", 0, "price"],
                True,
                "elements[0].price_components[0].price",
            ),
            (
                ["elements", 0, "price_components", 0, "price"],
                "1_000",
                "elements[0].price_components[0].price",
            ),
            (
                ["elements", 0, "price_components", 0, "price"],
                "1e15",
                "elements[0].price_components[0].price",
            ),
            (
                ["elements", 0, "price_components", 0, "price"],
                "1e-19",
                "elements[0].price_components[0].price",
            ),
            (
                ["elements", 0, "price_components", 0, "price"],
                Decimal("NaN"),
                "elements[0].price_components[0].price",
            ),
            (
                ["elements", 0, "price_components", 0, "vat"],
                "100.5",
                "elements[0].price_components[0].vat",
            ),
            (
                ["elements", 0, "price_components", 0, "step_size"],
                "1.5",
                "elements[0].price_components[0].step_size",
            ),
            (
                ["elements", 0, "price_components", 0, "type"],
                "SESSION",
                "elements[0].price_components[0].type",
            ),
            (
                ["elements", 1, "price_components", 0, "type"],
                "ENERGY",
                "elements[1].price_components[0].type",
            ),
            (
                ["elements", 0, "restrictions", "start_time"],
                "7:00",
                "elements[0].restrictions.start_time",
            ),
            (
                ["elements", 0, "restrictions", "end_time"],
                "24:00",
                "elements[0].restrictions.end_time",
            ),
            (
                ["elements", 0, "restrictions", "start_date"],
                "2027-02-30",
                "elements[0].restrictions.start_date",
            ),
            (
                ["elements", 0, "restrictions", "day_of_week"],
                ["FRIDAY", "PAYDAY"],
                "elements[0].restrictions.day_of_week[1]",
            ),
            (["min_price"], 5, "min_price"),
            (["min_price", "after_taxes"], "0.4", "min_price.after_taxes"),
            (["max_price", "before_taxes"], "0.4", "max_price"),
            (["tax_included"], "MAYBE", "tax_included"),
            (["type"], 7, "type"),
            (["tariff_alt_text", 0, "language"], "english", "tariff_alt_text[0].language"),
            (["start_date_time"], "2027-01-01", "start_date_time"),
            (["end_date_time"], "2027-13-01T00:00:00Z", "end_date_time"),
            (["energy_mix"], [1], "energy_mix"),
            (["country_code"], "NLD", "country_code"),
            (["party_id"], "TNMX", "party_id"),
        ],
    )
    def test_names_the_field_that_is_wrong(self, path, value, where):
        with pytest.raises(BadTariffFieldError) as fault:
            parse_tariff(changed(path, value))
        assert (fault.value.where, fault.value.code) == (where, "bad_tariff_field")

    @pytest.mark.parametrize(
        ("path", "where"),
        [
            (["id"], "id"),
            (["currency"], "currency"),
            (["elements"], "elements"),
            (["elements", 0, "price_components"], "elements[0].price_components"),
            (
                ["elements", 0, "price_components", 1, "type"],
                "elements[0].price_components[1].type",
            ),
            (
                ["elements", 0, "price_components", 1, "price"],
                "elements[0].price_components[1].price",
            ),
            (["min_price", "before_taxes"], "min_price.before_taxes"),
        ],
    )
    def test_names_the_field_that_is_missing(self, path, where):
        with pytest.raises(MissingTariffFieldError) as fault:
            parse_tariff(changed(path, None))
        assert fault.value.where == where

    @pytest.mark.parametrize(
        ("path", "where"),
        [
            (["price_round"], "price_round"),
            (["elements", 0, "tariff_restrictions"], "elements[0].tariff_restrictions"),
            (
                ["elements", 0, "price_components", 0, "discount"],
                "elements[0].price_components[0].discount",
            ),
            (["elements", 0, "restrictions", "booking"], "elements[0].restrictions.booking"),
            (["min_price", "excl_vat"], "min_price.excl_vat"),
        ],
    )
    def test_refuses_what_might_change_the_price(self, path, where):
        with pytest.raises(UnknownTariffFieldError) as fault:
            parse_tariff(changed(path, "1"))
        assert fault.value.where == where

    @pytest.mark.parametrize("path", [["max_price", "before_taxes"], ["energy_mix", "share"]])
    def test_refuses_numbers_that_lost_what_was_written(self, path):
        with pytest.raises(InexactTariffNumberError) as fault:
            parse_tariff(changed(path, 0.1))
        assert fault.value.where == ".".join(path)

    @pytest.mark.parametrize("value", [None, 1, "tariff", [], {1: 2}])
    def test_refuses_what_is_no_object(self, value):
        with pytest.raises((BadTariffFieldError, MissingTariffFieldError)):
            parse_tariff(value)

    @pytest.mark.parametrize(("count", "refused"), [(COMPONENTS_MAX, 0), (COMPONENTS_MAX + 1, 1)])
    def test_refuses_more_components_than_anybody_needs(self, count, refused):
        made = document(*[element(ENERGY, ENERGY)] * (count // 2), *[element(ENERGY)] * (count % 2))
        try:
            outcome = parse_tariff(made).tariff_id
        except TariffTooLargeError as fault:
            outcome = fault.code
        assert outcome == ("t", "tariff_too_large")[refused]

    def test_knows_which_sessions_it_governs(self):
        made = parse_tariff(FULL)
        first, last = made.valid_from_s, made.valid_until_s
        assert [made.governs(one) for one in (first - 1, first, last - 1, last)] == [
            False,
            True,
            True,
            False,
        ]


class TestLoadsTariff:
    def test_reads_numbers_as_they_are_written(self):
        made = loads_tariff(json.dumps(FULL).replace('"0.25"', "0.25000000000000001"))
        assert made.elements[0].components[1].price == Decimal("0.25000000000000001")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "{",
            '{"id": NaN}',
            '{"id": "a", "id": "b"}',
            '{"min_price": Infinity}',
            "\ud800",
        ],
    )
    def test_refuses_what_is_no_json(self, text):
        with pytest.raises(MalformedTariffError):
            loads_tariff(text)

    @pytest.mark.parametrize("text", [" " * (TEXT_MAX + 1), "[" * (BRACKETS_MAX + 1)])
    def test_refuses_what_nobody_needs_to_read(self, text):
        with pytest.raises(TariffTooLargeError):
            loads_tariff(text)

    def test_reads_as_deep_as_it_may(self):
        with pytest.raises(MalformedTariffError):
            loads_tariff("[" * BRACKETS_MAX)

    @pytest.mark.parametrize("price", ["1E+999999999", "9" * 5_000, "1E-999999999"])
    def test_is_not_drawn_into_endless_numbers(self, price):
        text = json.dumps(document(element(component("ENERGY", 7)))).replace(": 7,", f": {price},")
        with pytest.raises(BadTariffFieldError):
            loads_tariff(text)


class TestTariffDocument:
    def test_reads_back_as_the_same_tariff(self):
        made = parse_tariff(FULL)
        assert parse_tariff(tariff_document(made)) == made
        assert loads_tariff(dumps_tariff(made)).fingerprint == made.fingerprint

    def test_has_the_names_of_the_specification(self):
        written = tariff_document(parse_tariff(FULL))
        assert set(written) == set(FULL)
        first, second = written["elements"]
        assert set(first["restrictions"]) == set(FULL["elements"][0]["restrictions"])
        assert second["restrictions"] == {"reservation": "RESERVATION_EXPIRES"}
        assert first["price_components"][0] == {
            "type": "FLAT",
            "price": Decimal("0.5"),
            "vat": 15,
            "step_size": 0,
        }

    def test_of_a_price_and_a_fee_is_one_that_partners_can_read(self):
        made = of_simple(Tariff("day", "EUR", 391_700, 350_000, 2_000))
        assert loads_tariff(dumps_tariff(made)) == made
        assert json.loads(dumps_tariff(made))["tax_included"] == "YES"

    def test_writes_texts_of_any_language(self):
        text = 'déjà "vu" \\ 電'
        made = changed(["tariff_alt_text", 0, "text"], text)
        assert loads_tariff(dumps_tariff(parse_tariff(made))).alt_text[0].text == text


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def places(value, way=()):
    """Yield the way to every field of a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in items:
        yield (*way, key)
        if isinstance(inner, (dict, list)):
            yield from places(inner, (*way, key))


class TestAnything:
    @given(st.sampled_from(list(places(FULL))), json_values)
    @settings(max_examples=400, deadline=None)
    def test_in_any_field_is_read_or_refused_by_name(self, path, value):
        try:
            outcome = parse_tariff(changed(path, value)).tariff_id
        except VoisinError as fault:
            outcome = fault.code
        assert outcome == FULL["id"] or outcome.endswith(("tariff_field", "tariff_number"))


spellings = st.sampled_from([str, "{:f}0".format, "{:e}".format, Decimal])


class TestFingerprint:
    @given(st.randoms(use_true_random=False), spellings)
    @settings(max_examples=100, deadline=None)
    def test_does_not_depend_on_order_or_spelling(self, random, spell):
        def turned(value):
            if isinstance(value, dict):
                names = list(value)
                random.shuffle(names)
                return {name: turned(value[name]) for name in names}
            return [turned(one) for one in value] if isinstance(value, list) else value

        other = turned(FULL)
        price = other["elements"][0]["price_components"][1]
        price["price"] = spell(Decimal(price["price"]))
        other["elements"][0]["restrictions"]["day_of_week"].reverse()
        assert parse_tariff(other).fingerprint == parse_tariff(FULL).fingerprint

    def test_does_not_depend_on_what_says_nothing(self):
        bare = document(element(ENERGY))
        padded = document(
            element(ENERGY, day_of_week=[]), min_price=None, tariff_alt_text=[], tax_included="NO"
        )
        assert parse_tariff(bare).canonical == parse_tariff(padded).canonical

    @pytest.mark.parametrize("path", list(places(FULL)))
    def test_depends_on_everything_else(self, path):
        if isinstance(path[-1], int):
            path = path[:-1]
        made = json.loads(json.dumps(FULL))
        inner = made
        for step in path[:-1]:
            inner = inner[step]
        inner.pop(path[-1])
        try:
            left = parse_tariff(made).fingerprint
        except VoisinError:
            left = b"refused"
        says_nothing = path[-1] == "tax_included"
        assert (left == parse_tariff(FULL).fingerprint) is says_nothing

    def test_is_sha_256_of_fixed_bytes(self):
        made = parse_tariff(document(element(ENERGY)))
        assert made.canonical == (
            b'{"currency":"EUR","elements":[{"components":[{"dimension":"ENERGY","price":"0.3",'
            b'"step_size":1,"vat_percent":"20"}]}],"tariff_id":"t","tax_included":"NO"}'
        )
        assert made.fingerprint.hex() == (
            "dbe6bdb9018f797d85cd5dfc3561329a48ea66060258df4d58c3b9303db61db2"
        )
