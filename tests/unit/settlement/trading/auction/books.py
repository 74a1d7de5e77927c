"""Small books over small trees, full of ties, and what an outcome says about them."""

from collections import Counter
from itertools import pairwise

from hypothesis import strategies as st

from settlement.trading.outcome import Book, Order, Outcome
from settlement.trading.zones import Zone, ZoneTree

NAMES = ("r", "q", "t", "s", "a")
MEMBERS = "edcba"


@st.composite
def trees(draw, zones_max=5, toll_max=3, cap_max=6):
    """Trees of any shape, of which every edge may have a toll and caps, zero included."""
    count = draw(st.integers(1, zones_max))
    caps = st.none() | st.integers(0, cap_max)
    tolls = st.integers(0, toll_max)
    zones = [Zone(NAMES[0], local_toll=draw(tolls))]
    for at in range(1, count):
        parent = NAMES[draw(st.integers(0, at - 1))]
        zones.append(
            Zone(NAMES[at], parent, draw(tolls), draw(tolls), draw(caps), draw(caps)),
        )
    return ZoneTree.of(zones)


def orders(tree, side, limits, energies, wishes=None):
    """Up to eight orders of a side; members have several, in several zones."""
    return st.lists(
        st.builds(
            Order,
            st.sampled_from(MEMBERS).map(lambda name: side + name),
            energies,
            limits,
            st.sampled_from([zone.name for zone in tree.zones]),
            st.just(""),
            *(wishes or ()),
        ),
        max_size=8,
    ).map(tuple)


@st.composite
def markets(draw, limit=4, energy_max=6, zones_max=5, *, wishing=False):
    """A book and its tree: few limits, so that most are equal; no energy is among the energies."""
    tree = draw(trees(zones_max))
    limits, energies = st.integers(-limit, limit), st.integers(0, energy_max)
    of_sellers = of_buyers = None
    if wishing:
        suns = st.booleans()
        of_sellers = (st.sampled_from(["", "", "ba", "bb", "sa"]), suns)
        of_buyers = (st.sampled_from(["", "", "sa", "sb", "ba"]), suns)
    return (
        Book(
            draw(orders(tree, "s", limits, energies, of_sellers)),
            draw(orders(tree, "b", limits, energies, of_buyers)),
        ),
        tree,
    )


def path(tree, seller_zone, buyer_zone):
    """The edges from seller to buyer, each as the zone below it and the way."""
    up, down = tree.index[seller_zone], tree.index[buyer_zone]
    edges = []
    while up != down:
        if tree.depths[up] >= tree.depths[down]:
            edges.append((tree.zones[up].name, "up"))
            up = tree.parents[up]
        else:
            edges.append((tree.zones[down].name, "down"))
            down = tree.parents[down]
    return edges


def sold(outcome: Outcome) -> Counter:
    """Wh by member and zone."""
    total = Counter()
    for trade in outcome.trades:
        total[trade.seller, trade.seller_zone] += trade.energy_wh
    return total


def bought(outcome: Outcome) -> Counter:
    """Wh by member and zone."""
    total = Counter()
    for trade in outcome.trades:
        total[trade.buyer, trade.buyer_zone] += trade.energy_wh
    return total


def welfare(book: Book, tree: ZoneTree, outcome: Outcome) -> int:
    """Welfare of the trades: of a member's orders in a zone the best are served first."""
    value = sum(_worth(book.bids, served, -1) for served in bought(outcome).items())
    cost = sum(_worth(book.offers, served, 1) for served in sold(outcome).items())
    tolls = sum(
        trade.energy_wh * tree.edge_tolls(trade.seller_zone, trade.buyer_zone)
        for trade in outcome.trades
    )
    return value - cost - tolls


def _worth(of_side, served, sign):
    (member, zone), left = served
    mine = [one for one in of_side if (one.member, one.zone) == (member, zone)]
    total = 0
    for one in sorted(mine, key=lambda one: sign * one.limit):
        part = min(left, one.energy_wh)
        total += part * one.limit
        left -= part
    assert left == 0
    return total


def is_sorted(rows):
    """Whether each row comes after the one before it."""
    return all(one < other for one, other in pairwise(rows))
