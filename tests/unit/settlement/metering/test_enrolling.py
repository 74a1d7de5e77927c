"""A roster's meters are refused before they are enrolled, not when an interval is settled."""

import pytest

from ledger.errors import VoisinError
from settlement.engine.community import Meter
from settlement.engine.meters.enrolling import check_meters
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.metering.homes import FOREVER_S, QUARTER_S, homes

TREE = ZoneTree.of((Zone("town"), Zone("north", "town")))


@pytest.fixture
def town(tmp_path):
    with homes(tmp_path, tree=TREE) as made:
        yield made


def a_meter(serial="roof", *, party="anna", kind="gateway", zone=None, quarter=100):
    from_s = quarter * QUARTER_S
    return Meter(serial, party, kind, "secp256k1", bytes(64), 1, from_s, FOREVER_S, None, zone)


def told(town, *meters):
    try:
        town.do(lambda service, connection: check_meters(service, connection, meters))
    except VoisinError as fault:
        return fault.code
    return "taken"


class TestCheckMeters:
    def test_takes_meters_of_one_zone_for_each_party(self, town):
        assert told(town, a_meter(zone="north"), a_meter("cellar", zone="north")) == "taken"
        assert told(town, a_meter(zone=None), a_meter("cellar", zone="town")) == "taken"

    def test_refuses_a_zone_that_is_not_there(self, town):
        assert told(town, a_meter(zone="south")) == "unknown_zone"

    def test_refuses_a_party_in_two_zones(self, town):
        assert told(town, a_meter(), a_meter("cellar", zone="north")) == "meters_in_two_zones"
        town.enrol("roof", "anna")
        assert told(town, a_meter("cellar", zone="north")) == "meters_in_two_zones"

    def test_lets_the_grid_operator_have_heads_everywhere(self, town):
        heads = (a_meter(zone, party="grid", kind="feeder", zone=zone) for zone in TREE.index)
        assert told(town, *heads) == "taken"

    @pytest.mark.parametrize("kind", ["gateway", "feeder"])
    def test_refuses_what_would_count_in_a_settled_interval(self, town, kind):
        town.settle(100)
        assert told(town, a_meter(kind=kind)) == "settled_before"
        assert told(town, a_meter(kind=kind, quarter=101)) == "taken"

    def test_takes_what_is_enrolled_already_and_stations_at_any_time(self, town):
        town.enrol("roof", "anna", from_s=100 * QUARTER_S)
        town.settle(100)
        assert told(town, a_meter(), a_meter("box", party="op", kind="station")) == "taken"
