"""Folders of real readings, settled as a user does, and recomputed by code that shares nothing."""

import csv
import shutil
import sqlite3
from collections import Counter, defaultdict
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from pyarrow import parquet
from scipy.optimize import linprog
from typer.testing import CliRunner

from api.cli import app
from api.market.reading.folder import read_folder
from contracts.typed_data import keccak
from devnet.field.dataset import DATA
from scripts.benchmarks.market.twin import read_twin, settle_twin
from scripts.benchmarks.market.weeks import VILLAGE
from settlement.engine.batch.running import settle_batch, span_of
from settlement.engine.batch.totals import Totals

WEEK = DATA / "market/sierra-week"
WEEK_INTERVALS = 168
DAY_INTERVALS = 96


def market_run(folder: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["market", "run", "--data", str(folder), *options])
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    """The week's files, written by the command."""
    target = tmp_path_factory.mktemp("week") / "out"
    market_run(WEEK, "--out", str(target))
    return target


@pytest.fixture(scope="module")
def twin():
    """What the week comes to by the twin, by the interval's first instant."""
    return dict(settle_twin(read_twin(WEEK)))


@pytest.fixture(scope="module")
def lines(out):
    return parquet.read_table(out / "lines.parquet").to_pylist()


def seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


class TestTheRealWeek:
    def test_every_interval_trades_what_the_twin_says(self, out, twin):
        runs = {seconds(one["start"]): one for one in rows(out / "runs.csv")}
        assert runs.keys() == twin.keys()
        assert len(runs) == WEEK_INTERVALS
        for start_s, found in twin.items():
            assert int(runs[start_s]["traded_wh"]) == sum(found.sold.values())

    def test_every_price_is_the_twins(self, out, twin):
        prices = {
            seconds(one["start"]): int(one["price_micros_per_kwh"])
            for one in rows(out / "prices.csv")
        }
        assert prices == {
            start_s: found.price for start_s, found in twin.items() if found.price is not None
        }

    def test_every_member_sells_and_buys_what_the_twin_says(self, lines, twin):
        sold, bought = defaultdict(Counter), defaultdict(Counter)
        for one in lines:
            if one["kind"] == "energy":
                start_s = one["interval"] * 3_600
                sold[start_s][one["payee"]] += one["energy_wh"]
                bought[start_s][one["payer"]] += one["energy_wh"]
        traded = {start_s: found for start_s, found in twin.items() if found.sold}
        assert sold == {start_s: found.sold for start_s, found in traded.items()}
        assert bought == {start_s: found.bought for start_s, found in traded.items()}

    def test_every_amount_follows_from_its_energy(self, lines, twin):
        retail = {
            seconds(one["start"]): Fraction(one["price_per_kwh"]) * 1_000_000
            for one in rows(WEEK / "retail.csv")
        }
        base = Counter()
        for one in lines:
            start_s, side = one["interval"] * 3_600, (one["interval"], one["payer"])
            due = {
                "energy": twin[start_s].price,
                "toll": 30_000,
                "levy": 5_000,
                "residual": 60_000 if one["payer"] == "supplier" else retail[start_s],
            }
            if one["kind"] == "vat":
                assert one["amount_micros"] == base[side] * 20 // 100
            else:
                assert one["amount_micros"] == one["energy_wh"] * due[one["kind"]] // 1_000
                base[side] += one["amount_micros"] if one["kind"] != "residual" else 0

    def test_money_sums_to_zero_over_all_roles(self, out, lines):
        net = Counter()
        for one in lines:
            net[one["payer"]] -= one["amount_micros"]
            net[one["payee"]] += one["amount_micros"]
        assert sum(net.values()) == 0
        for one in rows(out / "statements.csv"):
            assert int(one["net_micros"]) == net[one["member"]]

    def test_every_watt_hour_is_in_one_line(self, lines, twin):
        """Surplus and deficit of all homes, by file, are traded or the supplier's."""
        slots = read_twin(WEEK).slots
        residual = Counter()
        for one in lines:
            if one["kind"] == "residual":
                residual[one["interval"] * 3_600] += one["energy_wh"]
        for start_s, slot in slots.items():
            traded = sum(twin[start_s].sold.values())
            assert sum(map(abs, slot.values())) == 2 * traded + residual[start_s]

    def test_nobody_is_worse_off_than_alone(self, out):
        for one in rows(out / "statements.csv"):
            assert int(one["gain_micros"]) >= 0

    def test_every_proof_leads_to_the_root_of_its_run(self, out):
        roots = {int(one["run"]): one["root"] for one in rows(out / "runs.csv")}
        proofs = parquet.read_table(out / "proofs.parquet").to_pylist()
        assert {one["run"] for one in proofs} == set(roots)
        for one in proofs:
            node = one["leaf"]
            for sibling in one["proof"]:
                node = keccak(min(node, sibling) + max(node, sibling))
            assert "0x" + node.hex() == roots[one["run"]]

    def test_every_leaf_is_the_hash_of_what_it_says(self, out):
        for one in parquet.read_table(out / "proofs.parquet").to_pylist():
            words = (
                one["run"].to_bytes(32),
                one["interval"].to_bytes(32),
                bytes.fromhex(one["account"][2:]).rjust(32, b"\0"),
                one["net_micros"].to_bytes(32, "big", signed=True),
                one["wh_in"].to_bytes(32),
                one["wh_out"].to_bytes(32),
                *(one[name] for name in ("order_hash", "readings_hash", "trades_root", "salt")),
            )
            assert keccak(keccak(b"".join(words))) == one["leaf"]

    def test_the_books_hold_the_same_lines_and_every_reading(self, out, lines):
        with closing(sqlite3.connect(out / "books.sqlite")) as books:
            stored = books.execute(
                "SELECT run, position, kind, rail, energy_wh, amount_micros FROM line"
            ).fetchall()
            readings = books.execute("SELECT count(*) FROM reading").fetchone()
            runs = books.execute("SELECT run, '0x' || lower(hex(root)) FROM run").fetchall()
        columns = ("run", "position", "kind", "rail", "energy_wh", "amount_micros")
        assert sorted(stored) == sorted(tuple(one[name] for name in columns) for one in lines)
        assert readings == (17 * 2 * (WEEK_INTERVALS + 1),)
        assert runs == [(int(one["run"]), one["root"]) for one in rows(out / "runs.csv")]

    def test_a_second_run_writes_the_same_bytes(self, out, tmp_path):
        market_run(WEEK, "--out", str(tmp_path / "again"))
        for name in ("runs.csv", "prices.csv", "statements.csv", "lines.parquet", "proofs.parquet"):
            digests = {
                sha256((one / name).read_bytes()).digest() for one in (out, tmp_path / "again")
            }
            assert len(digests) == 1

    def test_the_order_of_rows_changes_nothing(self, out, tmp_path):
        turned = tmp_path / "turned"
        shutil.copytree(WEEK, turned)
        for name in ("readings.csv", "meters.csv", "retail.csv"):
            header, *cells = (WEEK / name).read_text().splitlines(keepends=True)
            (turned / name).write_text(header + "".join(reversed(cells)))
        market_run(turned, "--out", str(tmp_path / "out"))
        assert (tmp_path / "out/runs.csv").read_bytes() == (out / "runs.csv").read_bytes()

    def test_a_day_is_settled_alone(self):
        shown = market_run(WEEK, "--from", "2017-05-09", "--until", "2017-05-10")
        assert "from 2017-05-09T07:00:00Z" in " ".join(shown.split())
        assert "intervals 24" in " ".join(shown.split())

    def test_the_statement_of_a_member_is_printed(self, out):
        own = next(one for one in rows(out / "statements.csv") if one["member"] == "home-07")
        shown = market_run(WEEK, "--member", "home-07")
        gained = (Decimal(own["gain_micros"]) / 1_000_000).normalize()
        assert "Statement of home-07" in shown
        assert f"Gained by the community: {gained} EUR" in shown


@pytest.fixture(scope="module")
def village():
    """The village's second day, over nine feeders with tolls and caps."""
    batch = read_folder(VILLAGE).batch
    first = span_of(batch)[0] + DAY_INTERVALS
    return batch, list(settle_batch(batch, range(first, first + DAY_INTERVALS)))


class TestTheVillage:
    def test_conserves_energy_and_money_in_every_interval(self, village):
        _, runs = village
        totals = Totals()
        for run in runs:
            totals.add(run)
        assert totals.zero_sum
        assert totals.intervals == DAY_INTERVALS
        assert totals.traded_wh > 0

    def test_energy_is_that_of_the_file(self, village):
        _, runs = village
        slots = read_twin(VILLAGE).slots
        for run in runs:
            slot = slots[run.begin_s]
            assert run.settlement.surplus_wh == sum(wh for wh in slot.values() if wh > 0)
            assert run.settlement.deficit_wh == -sum(wh for wh in slot.values() if wh < 0)

    def test_welfare_is_that_of_a_linear_program(self, village):
        batch, runs = village
        tree = batch.community.tree
        fees = batch.community.fees
        traded = [run for run in runs if run.settlement.trades]
        assert traded
        for run in traded[:: len(traded) // 6]:
            assert _welfare(run, fees.levy, tree) == _optimum(run, fees.levy, tree)


def _limits(run, levy, tree):
    """Return offers and bids: zone, Wh, and what a kWh costs or is worth as energy."""
    offers, bids = [], []
    for one in run.inputs.members:
        net = one.export_wh - one.import_wh
        if net > 0:
            offers.append((one.account, one.zone, net, one.limits.sell_not_below))
        if net < 0:
            worth = one.limits.buy_not_above - levy - tree.local_toll(one.zone)
            bids.append((one.account, one.zone, -net, worth))
    return offers, bids


def _welfare(run, levy, tree):
    offers, bids = _limits(run, levy, tree)
    asks = {account: ask for account, _, _, ask in offers}
    worths = {account: worth for account, _, _, worth in bids}
    return sum(
        one.energy_wh
        * (worths[one.buyer] - asks[one.seller] - tree.edge_tolls(one.seller_zone, one.buyer_zone))
        for one in run.settlement.trades
    )


def _optimum(run, levy, tree):
    """Return the most welfare by a linear program: the star of feeders, edges both ways."""
    offers, bids = _limits(run, levy, tree)
    feeders = [zone for zone in tree.zones if zone.parent is not None]
    names = [zone.name for zone in tree.zones]
    costs, bounds, columns = [], [], []

    def add(cost, most, balance):
        costs.append(cost)
        bounds.append((0, most))
        column = np.zeros(len(names))
        for zone, share in balance.items():
            column[names.index(zone)] += share
        columns.append(column)

    for _, zone, wh, ask in offers:
        add(ask, wh, {zone: 1})
    for _, zone, wh, worth in bids:
        add(-worth, wh, {zone: -1})
    for zone in feeders:
        add(zone.edge_toll, zone.export_cap_wh, {zone.name: -1, zone.parent: 1})
        add(zone.edge_toll, zone.import_cap_wh, {zone.name: 1, zone.parent: -1})
    found = linprog(costs, A_eq=np.array(columns).T, b_eq=np.zeros(len(names)), bounds=bounds)
    flows = [round(value) for value in found.x]
    return -sum(cost * flow for cost, flow in zip(costs, flows, strict=True))
