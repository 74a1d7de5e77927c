"""What a run says of zones is what crossed their edges; what it says of lots is what was traded."""

from collections import Counter
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from ledger.store import migrate, open_engine
from ledger.tables import metadata as ledger_tables
from settlement.engine.grid.keeping import keep_outcome, lots_of
from settlement.engine.grid.totals import Span, zone_totals
from settlement.tables import lot, metadata, run, run_member, run_zone
from settlement.trading.auction import Auction
from settlement.trading.book import Fees
from settlement.trading.lines import Institutions
from settlement.trading.orders.applying import Limits
from settlement.trading.origin.lots import certified_wh
from settlement.trading.outcome import Outcome, Trade
from settlement.trading.settle import IntervalInputs, Member, settle
from settlement.trading.zones import Zone, ZoneTree

HOUR_S = 3_600
STREET = ZoneTree.of(
    (
        Zone("street", local_toll=10_000),
        Zone("north", "street", local_toll=10_000, edge_toll=5_000, export_cap_wh=400),
        Zone("south", "street", local_toll=10_000, edge_toll=5_000, import_cap_wh=300),
        Zone("yard", "south", local_toll=10_000, edge_toll=1_000),
    )
)
NAMES = [zone.name for zone in STREET.zones]
INSTITUTIONS = Institutions("0x" + "f1" * 20, "0x" + "f2" * 20, "supplier")
RULES = SimpleNamespace(
    community_id="street", interval_s=HOUR_S, start_s=lambda interval: interval * HOUR_S
)
MEMBERS = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.integers(0, 900),
        st.integers(0, 900),
        st.integers(20_000, 200_000),
        st.integers(20_000, 200_000),
        st.booleans(),
    ),
    max_size=9,
)


def member(place, *told):
    zone, imported, exported, sell, buy, *estimated = told
    return Member(
        account=f"0x{place + 1:040x}",
        import_wh=imported,
        export_wh=exported,
        limits=Limits(sell, buy),
        spendable_micros=10**9,
        order_hash=bytes(32),
        digests=(),
        estimated=estimated == [True],
        zone=zone,
    )


def inputs(members, tree=STREET, run=1):
    return IntervalInputs(
        run=run,
        interval=7,
        members=tuple(members),
        fees=Fees(5_000, 2_000),
        institutions=INSTITUTIONS,
        residual=(10_000, 300_000),
        salt_key=b"k" * 32,
        tree=tree,
        mechanism=Auction(),
    )


@contextmanager
def database(directory):
    engine = open_engine(directory / "voisin.sqlite")
    migrate(engine, "ledger", ledger_tables)
    migrate(engine, "settlement", metadata)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    with database(tmp_path_factory.mktemp("grid")) as found:
        yield found


@contextmanager
def kept(engine, given_inputs, outcome):
    """Keep a run for as long as somebody looks at it; then it never was."""
    with engine.connect() as connection:
        row = dict.fromkeys((column.name for column in run.c), 0)
        figures = {"run": 1, "interval": 7, "root": b"", "inputs": "{}", "losses_wh": 5}
        connection.execute(insert(run).values(row | figures))
        service = SimpleNamespace(rules=RULES)
        keep_outcome(service, connection, given_inputs, outcome)
        yield connection
        connection.rollback()


class TestARun:
    @settings(max_examples=60)
    @given(MEMBERS)
    def test_says_of_each_zone_what_its_members_and_its_edge_did(self, engine, told):
        given_inputs = inputs(member(place, *one) for place, one in enumerate(told))
        outcome = settle(given_inputs)
        with kept(engine, given_inputs, outcome) as connection:
            found = list(zone_totals(connection, RULES, "street", Span(0, 9)))
            lots = connection.execute(select(lot)).all()
        crossed = {one.zone: one for one in found}
        assert set(crossed) == {one[0] for one in told} | {
            zone
            for zone in NAMES
            if zone in outcome.outcome.prices
            or zone in {one.zone for one in outcome.outcome.crossings}
            or zone in {"north", "south"}
        }
        bought, sold, imports, exports = Counter(), Counter(), Counter(), Counter()
        for trade in outcome.trades:
            bought[trade.buyer_zone] += trade.energy_wh
            sold[trade.seller_zone] += trade.energy_wh
        for zone, imported, exported, *_ in told:
            imports[zone] += imported
            exports[zone] += exported
        for zone, one in crossed.items():
            assert (one.bought_wh, one.sold_wh) == (bought[zone], sold[zone])
            assert (one.imports_wh, one.exports_wh) == (imports[zone], exports[zone])
            assert one.estimated == sum(estimated for name, *_, estimated in told if name == zone)
            net = one.imports_wh - one.exports_wh - one.bought_wh + one.sold_wh
            assert one.residual_import_wh - one.residual_export_wh == net
            below = {"street": NAMES, "south": ["south", "yard"]}.get(zone, [zone])
            balance = sum(bought[name] - sold[name] for name in below)
            assert one.edge_import_wh - one.edge_export_wh == balance
            assert one.losses_wh == (5 if zone == "street" else None)
            assert one.price == outcome.outcome.prices.get(zone)
        assert sum(row.energy_wh for row in lots) == outcome.traded_wh
        assert sum(row.covered_wh for row in lots) == outcome.traded_wh

    def test_says_what_a_full_cable_would_have_been_worth(self, engine):
        sellers = member(0, "north", 0, 900, 20_000, 200_000)
        buyer = member(1, "street", 900, 0, 20_000, 180_000)
        given_inputs = inputs((sellers, buyer))
        outcome = settle(given_inputs)
        with kept(engine, given_inputs, outcome) as connection:
            row = connection.execute(select(run_zone).where(run_zone.c.zone == "north")).one()
        assert (row.export_wh, row.import_wh) == (400, 0)
        assert (row.export_cap_wh, row.import_cap_wh) == (400, None)
        # What the buyer offers beyond its levy and local toll, less the edge and the seller's ask.
        assert row.export_shadow == 180_000 - 5_000 - 10_000 - 5_000 - 20_000
        assert row.import_shadow == 0

    def test_that_corrects_another_is_the_one_that_is_told(self, engine):
        told = ("street", 300, 0, 20_000, 200_000)
        given_inputs = inputs((member(0, *told),))
        again = inputs((member(0, "street", 500, *told[2:]),), run=2)
        with kept(engine, given_inputs, settle(given_inputs)) as connection:
            row = connection.execute(select(run)).mappings().one()
            connection.execute(insert(run).values(dict(row) | {"run": 2}))
            keep_outcome(SimpleNamespace(rules=RULES), connection, again, settle(again))
            found = [
                (one.run, one.imports_wh)
                for one in zone_totals(connection, RULES, "street", Span(0, 9))
                if one.zone == "street"
            ]
        assert found == [(2, 500)]

    def test_keeps_one_row_for_who_is_there_twice(self, engine):
        one = member(0, "street", 300, 0, 20_000, 200_000)
        given_inputs = inputs((one, member(0, "street", 0, 100, 20_000, 200_000, True)))
        empty = settle(inputs(()))
        with kept(engine, given_inputs, empty) as connection:
            row = connection.execute(select(run_member)).one()
        assert (row.import_wh, row.export_wh, row.estimated) == (300, 100, 1)


class TestLots:
    def test_of_a_firm_sale_are_covered_as_far_as_the_meters_bear_them_out(self):
        class Fixed:
            """A mechanism that sells what nobody has, as firm orders may."""

            def clear(self, _book, _tree):
                seller, buyer = (f"0x{n:040x}" for n in (1, 2))
                told = (seller, buyer, 1_000, 50_000, "street", "street", 10_000, 0)
                return Outcome((Trade(*told),), {"street": 50_000}, ())

        seller = member(0, "street", 0, 600, 20_000, 200_000)
        buyer = member(1, "street", 1_500, 0, 20_000, 200_000)
        found = inputs((seller, buyer))
        changed = IntervalInputs(
            **{
                name: getattr(found, name)
                for name in IntervalInputs.__dataclass_fields__
                if name != "mechanism"
            },
            mechanism=Fixed(),
        )
        (one,) = lots_of(changed, settle(changed))
        assert (one.energy_wh, one.covered_wh) == (1_000, 600)
        assert certified_wh([one]) == 600
