"""A feeder head is held against the homes and stations behind it, and no others (L3)."""

import pytest

from ledger.units import WHOLE_BP
from settlement.engine.market import feeder
from settlement.engine.meters.heads import heads, topmost
from settlement.metering.balance import FeederDisagreesError
from settlement.metering.readings import Quality, Reading, Register
from settlement.tables import session, slice_, station
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.metering.homes import QUARTER_S, homes, id_of

TREE = ZoneTree.of(
    (
        Zone("town"),
        Zone("north", "town"),
        Zone("south", "town"),
        Zone("north-1", "north"),
    )
)
SPAN = (100 * QUARTER_S, 101 * QUARTER_S)


@pytest.fixture
def town(tmp_path):
    with homes(tmp_path, tree=TREE) as made:
        made.enrol("anna's", "anna", zone="north")
        made.enrol("ben's", "ben", zone="north-1")
        made.enrol("carl's", "carl", zone="south")
        for serial, used, given in (("anna's", 100, 0), ("ben's", 30, 50), ("carl's", 0, 700)):
            made.say(serial, 100, import_=0, export=0)
            made.say(serial, 101, import_=used, export=given)
        yield made


def head(town, zone, taken, given, **other):
    """Put a head into a zone and let it tell of the quarter."""
    name = f"head of {zone}"
    town.enrol(name, "grid", kind="feeder", zone=zone, **other)
    town.say(name, 100, import_=0, export=0)
    town.say(name, 101, import_=taken, export=given)
    return name


def checked(town, name, taken):
    """Judge what a head says it took, its other register being stored."""
    before, one = (
        Reading(id_of(name), Register.IMPORT, at_s, at_s, energy_wh, Quality.MEASURED)
        for at_s, energy_wh in zip(SPAN, (0, taken), strict=True)
    )
    town.do(lambda service, connection: feeder.check(service, connection, before, one, None))


def measured(town):
    return town.do(lambda service, connection: feeder.measured(service, connection, SPAN))


class TestCheck:
    @pytest.mark.parametrize(
        ("zone", "exact"), [("north", 80), ("north-1", 0), ("south", 0), ("town", 0), (None, 0)]
    )
    def test_holds_a_head_against_what_is_behind_it(self, town, zone, exact):
        given = {"north-1": 20, "south": 700, "town": 620, None: 620}.get(zone, 0)
        name = head(town, zone, 0, given)
        checked(town, name, exact)
        for wrong in (exact - 1, exact + 100):
            with pytest.raises(FeederDisagreesError):
                checked(town, name, wrong)

    def test_says_nothing_while_a_home_behind_it_is_silent(self, town):
        town.enrol("dora's", "dora", zone="south")
        checked(town, head(town, "north", 0, 0), 80)
        checked(town, head(town, "south", 0, 0), 999)

    def test_counts_the_stations_behind_it_and_no_others(self, town):
        for zone in ("north-1", "south"):
            station_of(town, zone, drawn_wh=1_000)
        checked(town, head(town, "north", 0, 0), 1_080)

    def test_goes_through_zero_where_a_home_or_the_head_begins_again(self, town):
        town.enrol("dora's", "dora", zone="north", register_modulus_wh=1_000)
        town.say("dora's", 100, import_=990, export=0)
        town.say("dora's", 101, import_=10, export=0)
        checked(town, head(town, "north", 0, 0, register_modulus_wh=10_000), 100)
        before, one = (
            Reading(id_of("head of north"), Register.IMPORT, at_s, at_s, energy, Quality.MEASURED)
            for at_s, energy in zip(SPAN, (9_950, 50), strict=True)
        )
        town.do(lambda service, connection: feeder.check(service, connection, before, one, None))


class TestMeasured:
    def test_is_what_the_topmost_heads_exchange_with_the_grid(self, town):
        head(town, "north", 90, 0)
        head(town, "south", 0, 695)
        head(town, "north-1", 0, 20)
        found = measured(town)
        assert (found.head_import_wh, found.head_export_wh) == (90, 695)
        assert (found.imports_wh, found.exports_wh, found.losses_wh) == (130, 750, 15)

    def test_is_the_roots_head_if_it_has_one(self, town):
        head(town, "north", 90, 0)
        head(town, None, 0, 620)
        found = measured(town)
        assert (found.head_import_wh, found.head_export_wh) == (0, 620)

    def test_is_unknown_while_a_home_is_behind_no_head(self, town):
        head(town, "north", 90, 0)
        assert measured(town) is None

    def test_is_unknown_without_heads_or_with_a_silent_one(self, town):
        assert measured(town) is None
        town.enrol("head", "grid", kind="feeder")
        assert measured(town) is None

    def test_takes_only_heads_that_count_then(self, town):
        head(town, "north", 90, 0, until_s=SPAN[0])
        found = town.do(lambda *each: (heads(*each, SPAN[0]), topmost(*each, SPAN[0])))
        assert found == ((), ())


def station_of(town, zone, drawn_wh):
    """Let a station in a zone have drawn energy in the quarter."""
    name = f"station of {zone}"
    town.enrol(name, "operator", kind="station", zone=zone)
    values = {column.name: 0 for column in session.c if not column.nullable}
    values |= {
        column.name: name
        for column in session.c
        if not column.nullable and str(column.type) in ("TEXT", "VARCHAR")
    }
    with town.engine.begin() as connection:
        connection.execute(
            station.insert().values(
                station_id=name, party="operator", meter_id=id_of(name), password_hash=""
            )
        )
        connection.execute(session.insert().values(**values | {"session_id": name}))
        rows = {column.name: 0 for column in slice_.c if not column.nullable}
        rows |= {"session_id": name, "interval": 100, "energy_wh": drawn_wh}
        if "record" in rows:
            rows["record"] = ""
        connection.execute(slice_.insert().values(**rows))


def test_the_bound_of_these_tests_is_5_percent(town):
    assert town.rules.loss_bound_bp * 20 == WHOLE_BP
