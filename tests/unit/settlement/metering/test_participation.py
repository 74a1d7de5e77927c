"""Factors are kept with effect from an interval, and never make more than the whole."""

import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from ledger.errors import VoisinError
from settlement.engine.community import Participation
from settlement.engine.meters.participation import declare, slots_at
from settlement.metering.homes.shares import Slots
from settlement.tables import participation
from tests.unit.settlement.metering.homes import QUARTER_S, homes, id_of


@pytest.fixture
def street(tmp_path):
    with homes(tmp_path) as made:
        made.enrol("roof", "anna")
        yield made


def factor(community, factor_bp, quarter=100, serial="roof"):
    return Participation(serial, community, quarter * QUARTER_S, factor_bp)


def told(street, *given):
    """``kept``, or why it was refused."""
    try:
        street.do(lambda service, connection: declare(service, connection, given))
    except VoisinError as fault:
        return fault.code
    return "kept"


def slots(street, quarter):
    found = street.do(lambda service, at: slots_at(service, at, quarter * QUARTER_S))
    return found.get(id_of("roof"))


class TestDeclare:
    def test_gives_one_community_what_another_loses_at_the_same_instant(self, street):
        assert told(street, factor("birch", 4_000), factor("ash", 6_000)) == "kept"
        assert slots(street, 99) == Slots(0, 10_000)
        assert slots(street, 100) == Slots(0, 6_000)

    def test_counts_this_community_as_whole_until_it_says_otherwise(self, street):
        assert told(street, factor("birch", 1)) == "factors_beyond_whole"

    def test_looks_at_every_later_instant_too(self, street):
        assert told(street, factor("ash", 5_000), factor("ash", 9_000, 200)) == "kept"
        assert told(street, factor("birch", 2_000)) == "factors_beyond_whole"
        assert told(street, factor("birch", 2_000), factor("birch", 1_000, 200)) == "kept"

    def test_keeps_nothing_of_what_it_refuses(self, street):
        assert told(street, factor("ash", 5_000), factor("birch", 5_001)) == "factors_beyond_whole"
        assert slots(street, 100) is None

    def test_repeats_itself_without_effect_and_refuses_another_content(self, street):
        assert [told(street, factor("ash", 5_000)) for _ in range(2)] == ["kept", "kept"]
        assert told(street, factor("ash", 5_001)) == "factor_differs"
        assert len(street.do(lambda _, at: at.execute(select(participation)).all())) == 1

    @pytest.mark.parametrize(
        "bad",
        [
            factor("ash", -1),
            factor("ash", 10_001),
            factor("ash", 5_000, serial="nobody's"),
            Participation("roof", "ash", 100 * QUARTER_S + 1, 5_000),
        ],
        ids=["below nothing", "above all", "unknown meter", "inside an interval"],
    )
    def test_refuses_what_makes_no_sense(self, street, bad):
        assert told(street, bad) == "bad_factor"

    def test_refuses_what_would_hold_in_a_settled_interval(self, street):
        street.settle(100)
        assert told(street, factor("ash", 5_000, 100)) == "settled_before"
        assert told(street, factor("ash", 5_000, 101)) == "kept"

    @given(
        st.lists(
            st.lists(
                st.builds(
                    factor,
                    st.sampled_from(["ash", "birch", "cedar"]),
                    st.sampled_from([0, 2_000, 3_334, 5_000, 10_000]),
                    st.integers(100, 103),
                ),
                max_size=3,
            ),
            max_size=8,
        )
    )
    @settings(max_examples=40, deadline=None)
    def test_never_leaves_more_than_the_whole_at_any_instant(self, batches):
        with tempfile.TemporaryDirectory() as directory, homes(directory) as street:
            street.enrol("roof", "anna")
            for batch in batches:
                told(street, *batch)
            rows = street.do(lambda _, at: at.execute(select(participation)).all())
        for quarter in range(99, 105):
            now = {"ash": 10_000}
            for row in sorted(rows, key=lambda row: row.from_s):
                if row.from_s <= quarter * QUARTER_S:
                    now[row.community] = row.factor_bp
            assert sum(now.values()) <= 10_000
