"""The examples of docs/reference/mechanisms.md are what the mechanisms come to."""

from pathlib import Path

import pytest

from settlement.trading.explaining.reasons import Reason
from settlement.trading.mechanisms.keys import DynamicKey, HybridKey, MatrixKey, StaticKey
from settlement.trading.mechanisms.pay_as_bid import PayAsBid
from settlement.trading.mechanisms.sharing import Sharing
from settlement.trading.outcome import Book, Order
from settlement.trading.settle import settle
from settlement.trading.statements import of_settlement, render, statement
from settlement.trading.zones import Zone, ZoneTree
from tests.unit.settlement.test_settle import inputs, member

PAGE = (Path(__file__).parents[4] / "docs/reference/mechanisms.md").read_text()
TREE = ZoneTree.of((Zone("street"), Zone("yard", "street", edge_toll=20_000)))


def traded(mechanism, offers, bids):
    return mechanism.clear(Book(tuple(offers), tuple(bids)), TREE).trades


def named(energies):
    return ", ".join(f"{name} {energy:,}" for name, energy in energies.items())


class TestThePage:
    def test_shows_what_pay_as_bid_comes_to(self):
        trades = traded(
            PayAsBid(),
            (Order("s", 10_000, 10_000, "street"), Order("t", 10_000, 20_000, "yard")),
            (Order("b", 4_000, 200_000, "street"), Order("b", 9_000, 150_000, "street")),
        )
        assert len(trades) == 3
        for trade in trades:
            row = f"| {trade.seller} | {trade.buyer} | {trade.energy_wh:,} | {trade.price:,} |"
            assert row in PAGE

    @pytest.mark.parametrize(
        ("said", "key", "surplus", "needs"),
        [
            (
                "static, half and half",
                StaticKey({"b1": 5_000, "b2": 5_000}),
                10_000,
                {"b1": 1_000, "b2": 20_000},
            ),
            ("static, b1 one percent", StaticKey({"b1": 100}), 10, {"b1": 6, "b2": 6, "b3": 12}),
            ("dynamic", DynamicKey(), 7, {"b1": 4, "b2": 10}),
            (
                "hybrid, b1 and b2 a fifth each",
                HybridKey({"b1": 2_000, "b2": 2_000}),
                100,
                {"b1": 30, "b2": 80, "b3": 40},
            ),
        ],
    )
    def test_shows_what_each_key_comes_to(self, said, key, surplus, needs):
        bids = [Order(name, energy, 9, "street") for name, energy in needs.items()]
        trades = traded(Sharing(5, key), [Order("s", surplus, 0, "street")], bids)
        shares = {trade.buyer: trade.energy_wh for trade in trades}
        assert f"| {said} | {surplus:,} | {named(needs)} | {named(shares)} |" in PAGE

    def test_shows_what_a_matrix_comes_to(self):
        key = MatrixKey({"s1": {"b1": 10_000}, "s2": {"b1": 5_000, "b2": 5_000}})
        trades = traded(
            Sharing(5, key),
            (Order("s1", 8, 0, "street"), Order("s2", 8, 0, "street")),
            (Order("b1", 6, 9, "street"), Order("b2", 9, 9, "street")),
        )
        shares = named({f"{trade.seller} to {trade.buyer}": trade.energy_wh for trade in trades})
        assert f"| s1 8, s2 8 | b1 6, b2 9 | {shares} |" in PAGE

    def test_shows_what_a_statement_comes_to(self):
        known = inputs(member(1, exported=3_000), member(2, imported=2_500))
        buyer = known.members[1].account
        own = statement(buyer, [of_settlement(buyer, known, settle(known))])
        assert f"```\n{render(own, name_of=lambda _: 'Ada')}\n```" in PAGE

    def test_names_every_reason(self):
        assert all(f"`{reason}`" in PAGE for reason in Reason)
