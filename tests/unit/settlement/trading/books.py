"""Random small grids and books, and what may be traded over them, worked out the long way."""

from hypothesis import strategies as st

from settlement.trading.outcome import Book, Order
from settlement.trading.zones import Zone, ZoneTree

NAMES = "abcde"
PRICE = 3


@st.composite
def trees(draw, *, capped=True):
    """A tree of one to five zones with small tolls; some edges with caps."""
    zones = []
    for place in range(draw(st.integers(1, 5))):
        parent = f"z{draw(st.integers(0, place - 1))}" if place else None
        cap = st.none() | st.integers(0, 12) if capped else st.none()
        zones.append(
            Zone(
                f"z{place}",
                parent,
                local_toll=draw(st.integers(0, 2)),
                edge_toll=draw(st.integers(0, 2)) if place else 0,
                import_cap_wh=draw(cap) if place else None,
                export_cap_wh=draw(cap) if place else None,
            )
        )
    return ZoneTree.of(zones)


@st.composite
def orders(draw, side, tree, most=7):
    """Orders of a few members; some members have several, at one limit or at many."""
    names = [zone.name for zone in tree.zones]
    row = st.tuples(
        st.sampled_from(NAMES),
        st.integers(1, 20),
        st.integers(-3, 9),
        st.sampled_from(names),
        st.sampled_from(("", "k1", "k2")),
    )
    rows = draw(st.lists(row, max_size=most))
    return tuple(
        Order(side + name, energy, limit, zone, key) for name, energy, limit, zone, key in rows
    )


@st.composite
def markets(draw, *, capped=True):
    """A grid and a book on it."""
    tree = draw(trees(capped=capped))
    return tree, Book(draw(orders("s", tree)), draw(orders("b", tree)))


def path(tree, one, other):
    """The zones whose edge to the parent lies between two zones: (upwards, downwards)."""

    def chain(name):
        zone = tree.zones[tree.index[name]]
        return [name, *(chain(zone.parent) if zone.parent else [])]

    above, below = chain(one), chain(other)
    return [z for z in above if z not in below], [z for z in below if z not in above]


def is_uncapped(tree, one, other):
    """Whether no edge between two zones has a cap."""
    up, down = path(tree, one, other)
    edges = [tree.zones[tree.index[name]] for name in up + down]
    return all(edge.import_cap_wh is None and edge.export_cap_wh is None for edge in edges)


def tolls(tree, one, other):
    """The tolls of the edges between two zones."""
    up, down = path(tree, one, other)
    return sum(tree.zones[tree.index[name]].edge_toll for name in up + down)


def split(draw, given):
    """The same orders, some cut in two."""
    cut = []
    for order in given:
        part = draw(st.integers(0, order.energy_wh - 1))
        sizes = (part, order.energy_wh - part) if part else (order.energy_wh,)
        cut += [
            Order(order.member, size, order.limit, order.zone, order.key, order.partner)
            for size in sizes
        ]
    return tuple(cut)


def shuffled(draw, market):
    """The same market, told in another order."""
    tree, book = market
    zones = draw(st.permutations(tree.zones))
    offers, bids = draw(st.permutations(book.offers)), draw(st.permutations(book.bids))
    return ZoneTree.of(zones), Book(tuple(offers), tuple(bids))
