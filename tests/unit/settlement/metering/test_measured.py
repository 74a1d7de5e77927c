"""A party's energy is that of its meters, each for as long as the party has it."""

import json
import tempfile
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.engine.community import Participation
from settlement.engine.market.measured import is_complete
from settlement.engine.meters.participation import declare
from settlement.metering.homes.counting import Estimates
from settlement.metering.homes.flags import Flag
from tests.unit.settlement.metering.homes import QUARTER_S, homes, id_of

DAY = 96


@pytest.fixture
def street(tmp_path):
    with homes(tmp_path) as made:
        yield made


class TestSeveralMeters:
    def test_counts_the_sum_of_a_partys_meters(self, street):
        street.enrol("roof", "anna")
        street.enrol("cellar", "anna")
        street.enrol("ben's", "ben")
        for serial in ("roof", "cellar", "ben's"):
            street.say(serial, 100, import_=1_000, export=2_000)
        street.say("roof", 101, import_=1_010, export=2_200)
        street.say("cellar", 101, import_=1_300, export=2_000)
        street.say("ben's", 101, import_=1_005, export=2_000)
        assert street.energies(100) == {"anna": (310, 200), "ben": (5, 0)}
        anna = street.measure(100)["anna"]
        assert (anna.beside_import_wh, anna.beside_export_wh) == (0, 0)

    def test_leaves_the_other_meters_as_they_are_when_one_is_silent(self, street):
        street.enrol("roof", "anna")
        street.enrol("cellar", "anna")
        for serial in ("roof", "cellar"):
            street.say(serial, 100, import_=0, export=0)
        street.say("roof", 101, import_=10, export=200)
        found = street.measure(100)["anna"]
        assert (found.import_wh, found.export_wh) == (10, 200)
        assert found.estimated
        assert Flag.MISSING in found.flags

    def test_counts_one_register_while_the_other_is_silent_and_takes_up_the_rest(self, street):
        street.enrol("roof", "anna")
        street.say("roof", 100, import_=0, export=0)
        street.say("roof", 101, import_=40)
        street.say("roof", 102, import_=50, export=300)
        assert street.energies(100) == {"anna": (40, 0)}
        assert street.energies(101) == {"anna": (10, 300)}
        assert street.measure(100)["anna"].estimated
        assert not street.measure(101)["anna"].estimated

    def test_counts_nothing_until_a_meter_has_said_where_it_begins(self, street):
        street.enrol("roof", "anna")
        street.say("roof", 101, import_=5_000, export=7_000)
        found = street.measure(100)["anna"]
        assert (found.import_wh, found.export_wh, found.estimated) == (0, 0, True)

    def test_names_the_readings_by_meter_register_and_instant(self, street):
        meters = sorted(("roof", "cellar"), key=id_of)
        for serial in reversed(meters):
            street.enrol(serial, "anna")
            street.say(serial, 101, export=0, import_=0)
            street.say(serial, 100, export=0, import_=0)
        assert street.measure(100)["anna"].digests == tuple(
            f"{serial}/{register}/{quarter}".encode()
            for serial in meters
            for register in ("import_", "export")
            for quarter in (100, 101)
        )

    def test_goes_through_zero_where_a_register_begins_again(self, street):
        street.enrol("roof", "anna", register_modulus_wh=10_000)
        street.say("roof", 100, import_=9_990, export=0)
        street.say("roof", 101, import_=15, export=0)
        assert street.energies(100) == {"anna": (25, 0)}


class TestMovedMeters:
    def test_counts_a_meter_for_who_had_it(self, street):
        street.enrol("roof", "anna")
        street.enrol("roof", "ben", from_s=101 * QUARTER_S)
        for quarter, energy in ((100, 0), (101, 30), (102, 70)):
            street.say("roof", quarter, import_=energy, export=0)
        assert street.energies(100) == {"anna": (30, 0)}
        assert street.energies(101) == {"ben": (40, 0)}

    def test_leaves_to_nobody_what_a_new_holder_cannot_have_used(self, street):
        """The meter was silent when it changed hands: who used what before it spoke is unknown."""
        street.enrol("roof", "anna")
        street.enrol("roof", "ben", from_s=101 * QUARTER_S)
        street.say("roof", 100, import_=0, export=0)
        street.say("roof", 102, import_=70, export=0)
        street.say("roof", 103, import_=75, export=0)
        assert street.energies(101) == {"ben": (0, 0)}
        assert street.measure(101)["ben"].estimated
        assert street.energies(102) == {"ben": (5, 0)}

    def test_lets_a_renewed_key_go_on_with_what_was_read_before(self, street):
        street.enrol("roof", "anna", until_s=101 * QUARTER_S)
        street.enrol("roof", "anna", from_s=101 * QUARTER_S)
        street.say("roof", 100, import_=0, export=0)
        street.say("roof", 102, import_=70, export=0)
        assert street.energies(101) == {"anna": (70, 0)}

    def test_gives_a_returned_meter_only_what_is_read_since(self, street):
        street.enrol("roof", "anna")
        street.enrol("roof", "ben", from_s=101 * QUARTER_S)
        street.enrol("roof", "anna", from_s=102 * QUARTER_S)
        street.say("roof", 100, import_=0, export=0)
        street.say("roof", 103, import_=70, export=0)
        assert street.energies(102) == {"anna": (0, 0)}

    def test_forgets_a_meter_that_is_not_enrolled_yet_or_any_more(self, street):
        street.enrol("roof", "anna", from_s=101 * QUARTER_S, until_s=102 * QUARTER_S)
        assert [list(street.measure(quarter)) for quarter in (100, 101, 102)] == [[], ["anna"], []]


class TestShares:
    def share(self, street, from_quarter=0, **factors):
        given = [
            Participation("roof", community, from_quarter * QUARTER_S, factor)
            for community, factor in factors.items()
        ]
        street.do(lambda service, connection: declare(service, connection, given))

    def test_takes_the_communitys_part_and_leaves_the_rest_beside(self, street):
        street.enrol("roof", "anna")
        self.share(street, ash=6_000, birch=3_000)
        street.say("roof", 100, import_=0, export=5_000)
        street.say("roof", 101, import_=0, export=15_000)
        found = street.measure(100)["anna"]
        assert (found.export_wh, found.beside_export_wh) == (6_000, 4_000)
        assert found.brought_wh == -10_000

    def test_changes_with_effect_from_an_interval(self, street):
        street.enrol("roof", "anna")
        self.share(street, from_quarter=101, ash=2_500)
        for quarter in (100, 101, 102):
            street.say("roof", quarter, import_=0, export=quarter * 10_000)
        assert street.energies(100) == {"anna": (0, 10_000)}
        assert street.energies(101) == {"anna": (0, 2_500)}


class TestEstimates:
    @pytest.fixture
    def profiled(self, tmp_path):
        with homes(tmp_path, estimates=Estimates.PROFILE) as made:
            made.enrol("roof", "anna")
            yield made

    def settle(self, street, quarter):
        """Settle as the engine does: what is ahead is noted with the run."""
        found = street.measure(quarter)["anna"]
        street.settle(quarter, json.dumps({"ahead": dict(found.ahead)}))
        return found.import_wh

    def test_takes_the_day_before_and_the_register_puts_it_right(self, profiled):
        profiled.say("roof", 100, import_=0, export=0)
        profiled.say("roof", 101, import_=80, export=0)
        profiled.say("roof", 100 + DAY, import_=1_000, export=0)
        profiled.say("roof", 102 + DAY, import_=1_050, export=0)
        profiled.say("roof", 103 + DAY, import_=1_100, export=0)
        assert self.settle(profiled, 100 + DAY) == 80
        assert Flag.PROFILE in profiled.measure(100 + DAY)["anna"].flags
        assert self.settle(profiled, 101 + DAY) == 0
        assert self.settle(profiled, 102 + DAY) == 20

    def test_counts_nothing_without_a_day_to_go_by(self, profiled):
        profiled.say("roof", 100, import_=0, export=0)
        assert self.settle(profiled, 100) == 0
        assert profiled.measure(100)["anna"].flags == Flag.MISSING

    @given(
        st.lists(st.tuples(st.integers(0, 90), st.booleans()), min_size=1, max_size=12),
        st.lists(st.integers(0, 90), min_size=12, max_size=12),
    )
    @settings(max_examples=25, deadline=None)
    def test_counts_in_the_end_what_the_register_counted(self, today, yesterday):
        with (
            tempfile.TemporaryDirectory() as directory,
            homes(directory, estimates=Estimates.PROFILE) as street,
        ):
            street.enrol("roof", "anna")
            register = 0
            street.say("roof", 100, import_=0, export=0)
            for place, energy in enumerate(yesterday):
                register += energy
                street.say("roof", 101 + place, import_=register, export=0)
            street.say("roof", 100 + DAY, import_=register, export=0)
            first, total = register, 0
            for place, (energy, silent) in enumerate(today):
                register += energy
                if not silent:
                    street.say("roof", 101 + DAY + place, import_=register, export=0)
                total += self.settle(street, 100 + DAY + place)
            end = 101 + DAY + len(today)
            # When it speaks again, what was counted too much is worked off before all else.
            street.say("roof", end, import_=register + 5_000, export=0)
            total += self.settle(street, end - 1)
            assert total == register + 5_000 - first


class TestFlags:
    def test_shows_what_the_readings_at_the_end_came_with(self, street):
        street.enrol("roof", "anna")
        street.say("roof", 100, import_=0, export=0, flags=int(Flag.SPIKE))
        street.say("roof", 101, import_=9, export=0, flags=int(Flag.GATEWAY_ESTIMATE))
        assert street.measure(100)["anna"].flags == Flag.GATEWAY_ESTIMATE

    def test_warns_of_a_meter_of_which_nothing_moved_for_a_day(self, street):
        street.enrol("roof", "anna")
        for quarter in (100, 99 + DAY, 100 + DAY):
            street.say("roof", quarter, import_=7, export=9)
        assert street.measure(99 + DAY)["anna"].flags == Flag.STUCK

    @pytest.mark.parametrize("moved", [{"import_": 8, "export": 9}, {"import_": 7, "export": 10}])
    def test_does_not_warn_of_a_register_that_stands_still_beside_one_that_moves(
        self, street, moved
    ):
        street.enrol("roof", "anna")
        street.say("roof", 100, import_=7, export=9)
        for quarter in (99 + DAY, 100 + DAY):
            street.say("roof", quarter, **moved)
        assert street.measure(99 + DAY)["anna"].flags == Flag.NONE


class TestIntervalsOfAnyLength:
    @pytest.mark.parametrize("length_s", [300, 900, 1_200, 1_800, 3_600])
    def test_are_settled_by_their_ends_however_finely_a_meter_reads(self, tmp_path, length_s):
        with homes(tmp_path, interval_s=length_s) as street:
            street.enrol("roof", "anna")
            for minute in range(0, 121, 5):
                street.say_at("roof", minute * 60, import_=minute**2, export=0)
            ends = range(0, 7_201, length_s)
            expected = [(end // 60) ** 2 - (begin // 60) ** 2 for begin, end in pairwise(ends)]
            found = [street.energies(interval)["anna"][0] for interval in range(len(expected))]
        assert found == expected

    def test_leave_a_coarser_meter_its_energy_in_the_interval_in_which_it_speaks(self, street):
        street.enrol("roof", "anna")
        street.say("roof", 100, import_=0, export=0)
        street.say("roof", 104, import_=70, export=0, flags=int(Flag.GAP))
        assert [street.energies(quarter)["anna"][0] for quarter in range(100, 104)] == [0, 0, 0, 70]
        assert [street.measure(quarter)["anna"].estimated for quarter in range(100, 104)] == [
            True,
            True,
            True,
            False,
        ]


class TestIsComplete:
    def complete(self, street, quarter):
        end_s = (quarter + 1) * QUARTER_S
        return street.do(lambda service, connection: is_complete(service, connection, end_s))

    def test_waits_for_both_registers_of_every_home_and_head(self, street):
        street.enrol("roof", "anna")
        street.enrol("cellar", "anna")
        street.enrol("head", "grid", kind="feeder")
        street.say("roof", 101, import_=0, export=0)
        street.say("cellar", 101, import_=0)
        assert not self.complete(street, 100)
        street.say("cellar", 101, export=0)
        assert not self.complete(street, 100)
        street.say("head", 101, import_=0, export=0)
        assert self.complete(street, 100)

    def test_waits_for_no_meter_that_does_not_count_yet_or_any_more(self, street):
        street.enrol("roof", "anna")
        street.enrol("cellar", "anna", from_s=101 * QUARTER_S)
        street.enrol("shed", "anna", until_s=100 * QUARTER_S)
        street.say("roof", 101, import_=0, export=0)
        assert self.complete(street, 100)
        assert not self.complete(street, 101)

    def test_waits_once_for_a_meter_that_changed_hands(self, street):
        street.enrol("roof", "anna")
        street.enrol("roof", "ben", from_s=100 * QUARTER_S)
        street.say("roof", 101, import_=0, export=0)
        assert self.complete(street, 100)
