"""A grid's zones come from a file, exact to the micro, or are refused with a reason."""

import tomllib

import pytest

from settlement.engine.meters.zones_file import zones_of
from settlement.trading.zones import BadZonesError, Zone

WRITTEN = """
[[zones]]
name = "station"

[[zones]]
name = "feeder-1"
parent = "station"
local_toll = "0.03"
edge_toll = "0.012345"
import_cap_wh = 25000
export_cap_wh = 0
"""


def read(text):
    return zones_of(tomllib.loads(text))


class TestZonesOf:
    def test_reads_every_field(self):
        assert read(WRITTEN).zones == (
            Zone("station"),
            Zone("feeder-1", "station", 30_000, 12_345, 25_000, 0),
        )

    def test_finds_nothing_where_nothing_is_written(self):
        assert read("[community]\nid = 'ash'") is None

    @pytest.mark.parametrize(
        ("text", "detail"),
        [
            ("zones = 3", "not written as"),
            ("zones = []", "0 zones"),
            ("zones = ['feeder']", "not written as"),
            ("[[zones]]\nname = 'a'\ntoll = '1'", "unknown key toll"),
            ("[[zones]]\nlocal_toll = '1'", "no name"),
            ("[[zones]]\nname = 7", "7 is not a name"),
            ("[[zones]]\nname = 'a'\nlocal_toll = 0.03", "not an amount"),
            ("[[zones]]\nname = 'a'\nlocal_toll = 'much'", "not an amount"),
            ("[[zones]]\nname = 'a'\nlocal_toll = '0.0000001'", "not an amount"),
            ("[[zones]]\nname = 'a'\nlocal_toll = 'Infinity'", "not an amount"),
            ("[[zones]]\nname = 'a'\nlocal_toll = '-0.01'", "below zero"),
            ("[[zones]]\nname = 'a'\nimport_cap_wh = 1.5", "not a whole number"),
            ("[[zones]]\nname = 'a'\nimport_cap_wh = true", "not a whole number"),
            ("[[zones]]\nname = 'a'\nexport_cap_wh = -1", "below zero"),
            ("[[zones]]\nname = 'a'\nparent = 'b'", "parent"),
        ],
    )
    def test_refuses_what_makes_no_sense(self, text, detail):
        with pytest.raises(BadZonesError, match=detail) as caught:
            read(text)
        assert caught.value.code == "bad_zones"
