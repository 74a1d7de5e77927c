"""A tariff on a fast charger has a price per kWh and at most an occupancy fee per minute."""

import pytest

from settlement.pricing.ocpi import check_afir, display_order
from tests.unit.settlement.pricing.ocpi.sessions import component, element, tariff

FAST, SLOW = 50_000, 49_999
ENERGY = component("ENERGY", "0.5")


def codes(made, power=FAST):
    return [finding.code for finding in check_afir(made, power)]


class TestCheckAfir:
    @pytest.mark.parametrize(
        "made",
        [
            tariff(element(ENERGY)),
            tariff(element(ENERGY, component("PARKING_TIME", 6, step=60))),
            tariff(element(ENERGY), element(component("TIME", 6, step=60), min_duration=2_700)),
            tariff(element(ENERGY, component("FLAT", 0), component("TIME", 0))),
            tariff(element(component("FLAT", 1), component("TIME", 1)), type="REGULAR"),
        ],
    )
    def test_finds_nothing_in_what_is_allowed(self, made):
        assert codes(made) == []

    @pytest.mark.parametrize(
        ("made", "found"),
        [
            (tariff(element(component("FLAT", 1))), ["afir_no_price_per_kwh", "afir_fee"]),
            (tariff(element(component("TIME", 1))), ["afir_no_price_per_kwh", "afir_time"]),
            (tariff(element(ENERGY, component("FLAT", 1))), ["afir_fee"]),
            (tariff(element(ENERGY, component("TIME", 1)), type="AD_HOC_PAYMENT"), ["afir_time"]),
            (
                tariff(element(ENERGY, component("PARKING_TIME", 1, step=900))),
                ["afir_occupancy_step"],
            ),
            (
                tariff(element(ENERGY), element(component("TIME", 1), reservation="RESERVATION")),
                ["afir_fee"],
            ),
            (tariff(element(ENERGY), min_price={"excl_vat": 1}), ["afir_min_price"]),
        ],
    )
    def test_names_what_is_not(self, made, found):
        assert codes(made) == found

    def test_says_where(self):
        made = tariff(element(ENERGY), element(component("FLAT", 0), component("FLAT", 1)))
        assert [one.where for one in check_afir(made, FAST)] == ["elements[1].price_components[1]"]

    def test_asks_less_of_slow_points(self):
        made = tariff(element(component("TIME", 1), component("FLAT", 1)))
        assert codes(made, SLOW) == []

    def test_wants_kwh_before_minutes_before_sessions_before_the_rest(self):
        made = tariff(element(component("FLAT", 1)), element(component("TIME", 1)), element(ENERGY))
        assert codes(made, SLOW) == ["afir_order", "afir_order"]


def test_pages_show_kwh_minute_session_and_the_rest():
    made = tariff(
        element(component("FLAT", 9), reservation="RESERVATION_EXPIRES"),
        element(component("FLAT", 1), component("PARKING_TIME", 2), component("TIME", 3)),
        element(component("ENERGY", 4), max_kwh=1),
        element(component("ENERGY", 5)),
    )
    assert [int(one.component.price) for one in display_order(made)] == [4, 5, 2, 3, 1, 9]
