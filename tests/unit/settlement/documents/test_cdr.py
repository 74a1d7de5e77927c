"""
Charge detail records, held against the tables of OCPI 2.2.1 as a reader of the standard has them.

The tables are written down here again: names, types, cardinality and lengths of every field.
"""

import json
import re
from base64 import b64decode
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest

from settlement.charging.documents.cdr import cdr, cdr_id, credit, says_the_same
from settlement.charging.documents.exact import exact_json
from settlement.charging.documents.facts import ChargeLine, Evidence, Finality, Stretch, Transaction
from settlement.charging.documents.issuer import Issuer, Place, ocpi_id
from settlement.charging.documents.parts import cut_at_prices
from settlement.charging.documents.session_object import session_object
from settlement.metering.local_time import LocalTime
from tests.unit.settlement.documents.samples import KEY, START_S, agreed, facts, money

ISSUER = Issuer(
    "FR",
    "VSN",
    "Voisin",
    "https://voisin.example",
    {"CA-314": Place("Rue des Toits 3", "Nantes", "FRA", "47.21837", "-1.55362", "Toits", "44000")},
)
DAY_NIGHT = json.dumps(
    {
        "id": "day-night",
        "currency": "EUR",
        "tax_included": "YES",
        "min_price": {"before_taxes": 1, "after_taxes": 1.2},
        "elements": [
            {
                "price_components": [{"type": "ENERGY", "price": 0.48, "vat": 20, "step_size": 1}],
                "restrictions": {"start_time": "06:00", "end_time": "07:30"},
            },
            {"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 20, "step_size": 1}]},
        ],
    }
)
NUMBER, TEXT, BOOL = "number", "text", "boolean"
CLOCK = re.compile(r"([0-1][0-9]|2[0-3]):[0-5][0-9]")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
PRICE = {"excl_vat": (NUMBER, "1"), "incl_vat": (NUMBER, "?")}
DISPLAY = {"language": (2, "1"), "text": (512, "1")}
TARIFF = {
    "country_code": (2, "1"),
    "party_id": (3, "1"),
    "id": (36, "1"),
    "currency": (3, "1"),
    "tariff_alt_text": (DISPLAY, "?*"),
    "min_price": (PRICE, "?"),
    "max_price": (PRICE, "?"),
    "elements": (
        {
            "restrictions": ({"start_time": (CLOCK, "?"), "end_time": (CLOCK, "?")}, "?"),
            "price_components": (
                {
                    "type": (("ENERGY", "FLAT", "PARKING_TIME", "TIME"), "1"),
                    "price": (NUMBER, "1"),
                    "vat": (NUMBER, "?"),
                    "step_size": (NUMBER, "1"),
                },
                "+",
            ),
        },
        "+",
    ),
    "last_updated": (DATE, "1"),
}
TOKEN = {
    "country_code": (2, "1"),
    "party_id": (3, "1"),
    "uid": (36, "1"),
    "type": (("AD_HOC_USER", "APP_USER", "OTHER", "RFID"), "1"),
    "contract_id": (36, "1"),
}
LOCATION = {
    "id": (36, "1"),
    "name": (255, "?"),
    "address": (45, "1"),
    "city": (45, "1"),
    "postal_code": (10, "?"),
    "country": (3, "1"),
    "coordinates": (
        {
            "latitude": (re.compile(r"-?[0-9]{1,2}\.[0-9]{5,7}"), "1"),
            "longitude": (re.compile(r"-?[0-9]{1,3}\.[0-9]{5,7}"), "1"),
        },
        "1",
    ),
    "evse_uid": (36, "1"),
    "evse_id": (48, "1"),
    "connector_id": (36, "1"),
    "connector_standard": (36, "1"),
    "connector_format": (("SOCKET", "CABLE"), "1"),
    "connector_power_type": (("AC_1_PHASE", "AC_2_PHASE", "AC_3_PHASE", "DC"), "1"),
}
PERIOD = {
    "start_date_time": (DATE, "1"),
    "dimensions": (
        {"type": (("ENERGY", "TIME", "PARKING_TIME"), "1"), "volume": (NUMBER, "1")},
        "+",
    ),
    "tariff_id": (36, "?"),
}
SIGNED = {
    "encoding_method": (36, "1"),
    "encoding_method_version": (NUMBER, "?"),
    "public_key": (512, "?"),
    "signed_values": (
        {
            "nature": (("Start", "End", "Intermediate"), "1"),
            "plain_data": (512, "1"),
            "signed_data": (5_000, "1"),
        },
        "+",
    ),
    "url": (512, "1"),
}
CDR = {
    "country_code": (2, "1"),
    "party_id": (3, "1"),
    "id": (39, "1"),
    "start_date_time": (DATE, "1"),
    "end_date_time": (DATE, "1"),
    "session_id": (36, "?"),
    "cdr_token": (TOKEN, "1"),
    "auth_method": (("AUTH_REQUEST", "COMMAND", "WHITELIST"), "1"),
    "authorization_reference": (36, "?"),
    "cdr_location": (LOCATION, "1"),
    "meter_id": (255, "?"),
    "currency": (3, "1"),
    "tariffs": (TARIFF, "*"),
    "charging_periods": (PERIOD, "+"),
    "signed_data": (SIGNED, "?"),
    "total_cost": (PRICE, "1"),
    "total_fixed_cost": (PRICE, "?"),
    "total_energy": (NUMBER, "1"),
    "total_energy_cost": (PRICE, "?"),
    "total_time": (NUMBER, "1"),
    "total_time_cost": (PRICE, "?"),
    "total_parking_time": (NUMBER, "?"),
    "total_parking_cost": (PRICE, "?"),
    "total_reservation_cost": (PRICE, "?"),
    "remark": (255, "?"),
    "invoice_reference_id": (39, "?"),
    "credit": (BOOL, "?"),
    "credit_reference_id": (39, "?"),
    "home_charging_compensation": (BOOL, "?"),
    "last_updated": (DATE, "1"),
}


def faults(document, table, where="cdr"):
    """Return what does not keep to a table."""
    found = [f"{where}.{name} is unknown" for name in document if name not in table]
    for name, (kind, often) in table.items():
        here = f"{where}.{name}"
        if name not in document:
            found += [f"{here} is missing"] if often in ("1", "+") else []
        elif often in ("*", "+", "?*"):
            values = document[name]
            found += [f"{here} is empty"] if often == "+" and not values else []
            for at, one in enumerate(values):
                found += _fault(one, kind, f"{here}[{at}]")
        else:
            found += _fault(document[name], kind, here)
    return found


def _fault(value, kind, where):
    if isinstance(kind, dict):
        return faults(value, kind, where)
    if kind is NUMBER:
        good = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
    elif kind is BOOL:
        good = isinstance(value, bool)
    elif isinstance(kind, int):
        good = isinstance(value, str) and 0 < len(value) <= kind
    elif isinstance(kind, tuple):
        good = value in kind
    else:
        good = kind.fullmatch(value) is not None
    return [] if good else [f"{where} is {value!r}"]


def made(**changes):
    return cdr(facts(**changes), ISSUER, version=0, at_s=START_S + 10_000)


def sent(document):
    """Return a record as it arrives."""
    return json.loads(exact_json(document), parse_float=Decimal)


class TestCdr:
    @pytest.mark.parametrize(
        "changes",
        [
            {},
            {"evidence": Evidence("0x" + "aa" * 32, "M1", None, None, None, None)},
            {"station_id": "nowhere", "transaction_id": None, "stretches": ()},
            {"settlement": Transaction(None, None, Finality.SENT)},
            {"money": money(deposit=1_000_000, charge=1_000_000)},
            {"energy_wh": 0, "money": money(charge=0, energy=0), "stretches": ()},
            {"tariff": agreed(tariff_id="", text="")},
        ],
    )
    def test_keeps_to_the_tables_of_the_standard(self, changes):
        assert faults(sent(made(**changes)), CDR) == []

    def test_has_no_two_records_of_one_id_and_none_longer_than_allowed(self):
        ids = {cdr_id(f"0x{n:064x}", version) for n in range(50) for version in range(3)}
        assert len(ids) == 150
        assert {len(one) for one in ids} == {36}
        assert len(credit(made(), at_s=0)["id"]) <= 39

    def test_says_energy_hours_and_money_exactly(self):
        found = sent(made())
        assert found["total_energy"] == Decimal("18.729")
        assert (found["total_time"], found["total_parking_time"]) == (
            Decimal("2.5"),
            Decimal("0.5"),
        )
        assert found["total_cost"] == {
            "excl_vat": Decimal("6.405124"),
            "incl_vat": Decimal("7.686149"),
        }
        parts = [found["total_energy_cost"], found["total_fixed_cost"]]
        for name in ("excl_vat", "incl_vat"):
            assert sum(one[name] for one in parts) == found["total_cost"][name]

    def test_cuts_periods_where_the_meter_signed(self):
        periods = made()["charging_periods"]
        volumes = [
            {one["type"]: one["volume"] for one in period["dimensions"]} for period in periods
        ]
        assert volumes == [
            {"ENERGY": 10, "TIME": 1},
            {"ENERGY": Decimal("8.729"), "TIME": 1},
            {"ENERGY": 0, "PARKING_TIME": Decimal("0.5")},
        ]
        assert periods[1]["start_date_time"] == "2017-05-08T15:00:00Z"

    def test_has_one_period_if_the_parts_do_not_make_the_whole(self):
        (only,) = made(stretches=(Stretch(START_S, START_S + 60, 1, parking=False),))[
            "charging_periods"
        ]
        assert only["dimensions"][0]["volume"] == Decimal("18.729")

    def test_periods_cut_anywhere_sum_to_the_whole(self):
        third = Fraction(18_729, 7)
        cuts = [START_S + Fraction(9_000 * n, 7) for n in range(8)]
        parts = tuple(Stretch(begin, end, third, parking=False) for begin, end in pairwise(cuts))
        periods = made(stretches=parts)["charging_periods"]
        volumes = [period["dimensions"][0]["volume"] for period in periods]
        assert sum(volumes) == Decimal("18.729")
        assert len(set(volumes)) == 2
        assert max(volumes) - min(volumes) == Decimal("0.000001")

    def test_carries_the_record_byte_for_byte(self):
        signed = made()["signed_data"]
        record = facts().evidence.record
        assert [b64decode(one["signed_data"]).decode() for one in signed["signed_values"]] == [
            record,
            record,
        ]
        assert KEY.public_key in b64decode(signed["public_key"])
        assert signed["signed_values"][1]["plain_data"].endswith("4448.856 kWh")
        assert signed["url"].startswith("https://voisin.example/api/sessions/0x")

    def test_sums_time_and_parking_of_a_rated_session(self):
        lines = tuple(
            ChargeLine(name, "1", "1", 1_000_000, 2_000, 200_000, rail)
            for name, rail in (("TIME", "chain"), ("PARKING_TIME", "invoice"), ("FLAT", "chain"))
        )
        found = made(money=replace(money(), lines=lines))
        assert found["total_cost"]["incl_vat"] == Decimal("3.6")
        for name in ("total_time_cost", "total_parking_cost", "total_fixed_cost"):
            assert found[name] == {"excl_vat": 1, "incl_vat": Decimal("1.2")}

    def test_carries_an_ocpi_tariff_as_the_standards_older_version_has_it(self):
        document = made(tariff=agreed(tariff_id="day-night", text=DAY_NIGHT))
        assert faults(sent(document), CDR) == []
        (found,) = document["tariffs"]
        prices = [one["price_components"][0]["price"] for one in found["elements"]]
        assert prices == [Decimal("0.4"), Decimal("0.208333")]
        assert found["min_price"] == {"excl_vat": 1, "incl_vat": Decimal("1.2")}
        assert "tax_included" not in found
        assert found["country_code"] == "FR"

    def test_cuts_periods_where_the_price_changes(self):
        tariff = agreed(tariff_id="day-night", text=DAY_NIGHT)
        signed = facts().stretches
        parts = cut_at_prices(signed, tariff, LocalTime(-420))
        # The night begins at 07:30 local time, in the middle of the first hour.
        assert [int(one.begin_s) - START_S for one in parts][:2] == [0, 1_800]
        periods = made(tariff=tariff, stretches=parts)["charging_periods"]
        assert periods[1]["start_date_time"] == "2017-05-08T14:30:00Z"
        energies = [one["dimensions"][0]["volume"] for one in periods]
        assert energies[:1] == [5]
        assert sum(energies) == Decimal("18.729")

    def test_leaves_parts_that_do_not_follow_each_other(self):
        tariff = agreed(tariff_id="day-night", text=DAY_NIGHT)
        signed = facts().stretches[::2]
        assert cut_at_prices(signed, tariff, LocalTime(-420)) == signed


class TestCredit:
    def test_takes_the_total_back_and_keeps_all_else(self):
        before = made()
        found = credit(sent(before), at_s=START_S + 20_000)
        assert faults(sent(found), CDR) == []
        assert found["total_cost"] == {name: -value for name, value in before["total_cost"].items()}
        assert (found["credit"], found["credit_reference_id"]) == (True, before["id"])
        changed = {"id", "total_cost", "credit", "credit_reference_id", "last_updated"}
        assert {name for name in found if found[name] != sent(before).get(name)} == changed

    def test_is_needed_only_if_something_differs(self):
        before = sent(made())
        later = cdr(facts(), ISSUER, version=1, at_s=START_S + 99_999)
        assert says_the_same(before, later)
        assert not says_the_same(before, made(energy_wh=18_730))


class TestSessionObject:
    def test_names_the_session_as_its_record_does(self):
        found = session_object(facts(), ISSUER, at_s=START_S)
        assert found["id"] == made()["session_id"] == ocpi_id(facts().session_id)
        assert (found["status"], found["kwh"]) == ("COMPLETED", Decimal("18.729"))

    def test_shows_what_was_signed_while_it_lasts_and_no_cost_yet(self):
        found = session_object(facts(state="charging", energy_wh=0), ISSUER, at_s=START_S)
        assert (found["status"], found["kwh"]) == ("ACTIVE", Decimal("18.729"))
        assert not {"total_cost", "end_date_time"} & set(found)

    @pytest.mark.parametrize(
        ("state", "status"), [("open", "PENDING"), ("expired", "INVALID"), ("held", "ACTIVE")]
    )
    def test_says_where_it_stands(self, state, status):
        assert session_object(facts(state=state), ISSUER, at_s=START_S)["status"] == status
