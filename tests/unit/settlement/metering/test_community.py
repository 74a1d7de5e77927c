"""A community's zones and clocks are what its rules say, or one zone and a fixed offset."""

from dataclasses import replace

import pytest

from devnet.field.dataset import load_dataset
from devnet.field.parameters import load_parameters
from scripts import neighbourhood
from settlement.metering.local_time import UnknownTimeZoneError
from settlement.trading.zones import Zone, ZoneTree

MIDSUMMER_S, MIDWINTER_S = 1_782_000_000, 1_797_000_000


@pytest.fixture(scope="module")
def rules():
    return neighbourhood.rules(load_parameters(), load_dataset())


class TestTree:
    def test_is_one_zone_with_the_communitys_toll_unless_zones_are_given(self, rules):
        assert replace(rules, zones=None).tree.root == Zone("feeder", local_toll=rules.toll)
        tree = ZoneTree.of((Zone("town"), Zone("north", "town")))
        assert replace(rules, zones=tree).tree is tree

    def test_is_the_demonstrations_one_feeder(self, rules):
        assert rules.tree.zones == (Zone("feeder-1", local_toll=rules.toll),)


class TestLocal:
    def test_is_a_fixed_offset_unless_a_time_zone_is_given(self, rules):
        offsets = {rules.local.offset_minutes(at_s) for at_s in (MIDSUMMER_S, MIDWINTER_S)}
        assert offsets == {rules.utc_offset_minutes}
        paris = replace(rules, time_zone="Europe/Paris").local
        assert paris.offset_minutes(MIDSUMMER_S) == 120
        assert paris.offset_minutes(MIDWINTER_S) == 60

    def test_refuses_a_zone_that_is_not_there(self, rules):
        with pytest.raises(UnknownTimeZoneError):
            _ = replace(rules, time_zone="Europe/Sierra").local
