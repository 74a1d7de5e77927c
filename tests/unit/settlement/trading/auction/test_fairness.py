"""Shares at the margin are as even as the edges allow, exactly, found by trying everything."""

from fractions import Fraction
from itertools import chain, combinations, product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from settlement.trading.auction.errors import NotClearedError
from settlement.trading.auction.fairness import Room, fair_shares

NAMES = ("c", "a", "d", "b")


@st.composite
def margins(draw):
    """A tree of up to four zones, what crosses its edges, what zones have and what they want."""
    count = draw(st.integers(1, 4))
    edges = [sorted((draw(st.integers(-2, 2)), draw(st.integers(-2, 2)))) for _ in range(count - 1)]
    room = Room(
        NAMES[:count],
        (-1, *(draw(st.integers(0, at - 1)) for at in range(1, count))),
        (0, *(least for least, _ in edges)),
        (0, *(most for _, most in edges)),
    )
    surplus = tuple(draw(st.integers(-1, 4)) for _ in range(count))
    wanted = tuple(draw(st.integers(0, 4)) for _ in range(count))
    return room, surplus, wanted


def fits(room, surplus, shares):
    """Whether some flow over the edges leaves no zone with less than nothing."""
    spans = [
        range(least, most + 1) for least, most in zip(room.least_wh, room.most_wh, strict=True)
    ]
    for flows in product(*spans):
        left = [had - got - out for had, got, out in zip(surplus, shares, flows, strict=True)]
        for at, out in enumerate(flows[1:], 1):
            left[room.parents[at]] += out
        if min(left) >= 0:
            return True
    return False


def possible(room, surplus, wanted):
    return [
        shares
        for shares in product(*(range(most + 1) for most in wanted))
        if fits(room, surplus, shares)
    ]


def evenest(every, wanted):
    """Exact shares: of every set of zones, no more than the most that it can get together."""
    zones = range(len(wanted))
    sets = list(chain.from_iterable(combinations(zones, size) for size in range(1, len(zones) + 1)))
    most = {one: max(sum(shares[at] for at in one) for shares in every) for one in sets}
    exact = {at: Fraction(0) for at in zones if not wanted[at]}
    while len(exact) < len(wanted):
        fractions = {}
        for one in sets:
            weight = sum(wanted[at] for at in one if at not in exact)
            if weight:
                rest = most[one] - sum(exact.get(at, 0) for at in one)
                fractions[one] = Fraction(rest) / weight
        fraction = min(fractions.values())
        tight = {at for one, held in fractions.items() if held == fraction for at in one}
        for at in tight - set(exact):
            exact[at] = fraction * wanted[at]
    return [exact[at] for at in zones]


class TestShares:
    @given(margins())
    @settings(max_examples=100, deadline=None)
    def test_are_even_but_for_whole_watt_hours_and_none_is_lost(self, margin):
        room, surplus, wanted = margin
        every = possible(room, surplus, wanted)
        assume(every)
        exact, shares = evenest(every, wanted), fair_shares(room, surplus, wanted)
        near = [
            one
            for one in every
            if all(abs(share - even) < 1 for share, even in zip(one, exact, strict=True))
            and sum(one) == max(map(sum, every))
        ]
        # The largest remainder gets the odd one, then the first by name, as far as it fits.
        turns = sorted(
            range(len(wanted)), key=lambda at: (-(exact[at] - exact[at] // 1), room.names[at])
        )
        assert shares == max(near, key=lambda one: [one[at] - exact[at] // 1 for at in turns])

    @pytest.mark.parametrize(
        ("least", "surplus"), [((0, -9), (-1, 0)), ((0, 3), (9, 2)), ((0, 0), (9, -1))]
    )
    def test_that_cannot_be_are_refused(self, least, surplus):
        room = Room(("r", "a"), (-1, 0), least, (0, least[1] + 4))
        with pytest.raises(NotClearedError, match="more must leave"):
            fair_shares(room, surplus, (5, 5))

    def test_of_equals_at_one_bus_are_pro_rata(self):
        room = Room(("r", "a", "b"), (-1, 0, 0), (0, -99, -99), (0, 99, 99))
        assert fair_shares(room, (30, 0, 0), (10, 20, 30)) == (5, 10, 15)

    def test_behind_a_full_cable_are_smaller_and_the_others_share_the_rest(self):
        room = Room(("r", "a", "b"), (-1, 0, 0), (0, -4, -99), (0, 0, 99))
        assert fair_shares(room, (30, 0, 0), (10, 20, 30)) == (6, 4, 20)

    def test_give_the_odd_one_to_the_largest_remainder_then_by_name(self):
        room = Room(("r", "b", "a"), (-1, 0, 0), (0, -99, -99), (0, 99, 99))
        assert fair_shares(room, (10, 0, 0), (0, 8, 8)) == (0, 5, 5)
        assert fair_shares(room, (9, 0, 0), (0, 8, 8)) == (0, 4, 5)
        assert fair_shares(room, (10, 0, 0), (0, 8, 7)) == (0, 5, 5)
        assert fair_shares(room, (8, 0, 0), (0, 8, 7)) == (0, 4, 4)
        assert fair_shares(room, (11, 0, 0), (0, 8, 6)) == (0, 6, 5)
