"""Zones are one tree with one order; a toll is the buyer's own and the edges between."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlement.trading.zones import BadZonesError, Zone, ZoneTree

STREET = (
    Zone("substation", local_toll=1),
    Zone("north", "substation", local_toll=2, edge_toll=10),
    Zone("south", "substation", local_toll=3, edge_toll=20),
    Zone("n1", "north", local_toll=4, edge_toll=100),
    Zone("n2", "north", local_toll=5, edge_toll=200),
)


class TestATree:
    @given(st.permutations(STREET))
    def test_is_the_same_in_any_order(self, zones):
        assert ZoneTree.of(zones) == ZoneTree.of(STREET)
        assert [zone.name for zone in ZoneTree.of(zones).zones] == [
            "substation",
            "north",
            "south",
            "n1",
            "n2",
        ]

    @pytest.mark.parametrize(
        ("zones", "said"),
        [
            ((), "0 zones have no parent"),
            ((Zone("a"), Zone("b")), "2 zones have no parent"),
            ((Zone("a"), Zone("b", "c")), "unknown parent c"),
            ((Zone("a"), Zone("a", "a")), "one name"),
            ((Zone("a"), Zone("b", "c"), Zone("c", "b")), "circle"),
            ((Zone(""),), "no name"),
            ((Zone("a", local_toll=-1),), "toll below zero"),
            ((Zone("a"), Zone("b", "a", edge_toll=-1)), "toll below zero"),
            ((Zone("a"), Zone("b", "a", import_cap_wh=-1)), "cap below zero"),
        ],
    )
    def test_is_refused_by_name_if_it_is_none(self, zones, said):
        with pytest.raises(BadZonesError, match=said):
            ZoneTree.of(zones)


class TestATollIsPaid:
    @pytest.mark.parametrize(
        ("seller", "buyer", "edges", "toll"),
        [
            ("n1", "n1", 0, 4),
            ("n1", "n2", 300, 305),
            ("n2", "n1", 300, 304),
            ("n1", "south", 130, 133),
            ("south", "n1", 130, 134),
            ("n1", "substation", 110, 111),
            ("substation", "n1", 110, 114),
        ],
    )
    def test_for_the_buyers_own_zone_and_every_edge_between(self, seller, buyer, edges, toll):
        tree = ZoneTree.of(STREET)
        assert tree.edge_tolls(seller, buyer) == edges
        assert tree.path_toll(seller, buyer) == toll
