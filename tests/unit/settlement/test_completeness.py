"""A transaction is complete when its start, its end and everything between are here."""

from hypothesis import given
from hypothesis import strategies as st

from settlement.charging.completeness import completeness
from settlement.charging.reports import Phase

STARTED, UPDATED, ENDED = Phase.STARTED, Phase.UPDATED, Phase.ENDED


def whole(first, count):
    return [
        (first, STARTED),
        *((first + n, UPDATED) for n in range(1, count)),
        (first + count, ENDED),
    ]


class TestCompleteness:
    @given(first=st.integers(0, 10**6), count=st.integers(1, 40), data=st.data())
    def test_knows_neither_order_nor_repetition(self, first, count, data):
        told = whole(first, count)
        shuffled = data.draw(st.permutations(told + data.draw(st.lists(st.sampled_from(told)))))
        found = completeness(shuffled)
        assert found.is_complete
        assert (found.started, found.ended, found.gaps) == (first, first + count, ())

    @given(count=st.integers(2, 40), data=st.data())
    def test_names_exactly_what_is_missing_in_between(self, count, data):
        told = whole(0, count)
        lost = data.draw(st.sets(st.integers(1, count - 1), min_size=1))
        found = completeness(one for one in told if one[0] not in lost)
        assert not found.is_complete
        assert {n for first, last in found.gaps for n in range(first, last + 1)} == lost

    def test_is_not_there_without_the_start(self):
        found = completeness([(1, UPDATED), (2, ENDED)])
        assert (found.started, found.ended, found.is_complete) == (None, 2, False)

    def test_is_not_there_without_the_end(self):
        assert not completeness([(0, STARTED), (1, UPDATED)]).is_complete

    def test_does_not_count_what_comes_after_the_end(self):
        found = completeness([(0, STARTED), (1, ENDED), (9, UPDATED)])
        assert (found.is_complete, found.gaps) == (True, ())

    def test_names_a_wide_gap_without_counting_through_it(self):
        found = completeness([(0, STARTED), (2**62, ENDED)])
        assert found.gaps == ((1, 2**62 - 1),)
