"""The faults that a campaign makes in the contracts, and what it says of them."""

import json

import pytest

from scripts.campaigns import mutation_report
from scripts.campaigns.mutants import judged
from scripts.campaigns.mutations import mutants

SOURCE = """pragma solidity 0.8.37;

contract C {
    /// @notice Pays 5 > 4.
    function pay(address to, uint64 micros) external onlyRole(PAYER) nonReentrant {
        require(micros >= 10, "a >= b"); // 7 < 8
        uint64 rest = held - micros;
        balance += micros;
        send(to, micros);
        return rest;
    }
}
"""


def made(kind):
    return [
        one.apply(SOURCE).split("\n")[SOURCE[: one.start].count("\n")].strip()
        for one in mutants("C.sol", SOURCE)
        if one.kind == kind
    ]


class TestMutants:
    def test_change_operators_outside_comments_and_strings(self):
        assert made("operator") == [
            'require(micros > 10, "a >= b"); // 7 < 8',
            'require(micros < 10, "a >= b"); // 7 < 8',
            "uint64 rest = held + micros;",
            "balance -= micros;",
            "balance = micros;",
        ]

    def test_change_numbers_that_are_not_part_of_a_name(self):
        assert made("number") == ['require(micros >= 11, "a >= b"); // 7 < 8']

    def test_swap_arguments_of_calls_and_not_of_declarations(self):
        assert made("swap") == ["send(micros, to);"]

    def test_leave_out_modifiers(self):
        assert len(made("modifier")) == 2
        assert not any("onlyRole" in line and "nonReentrant" in line for line in made("modifier"))

    def test_leave_out_statements_but_no_declaration_and_no_return(self):
        assert made("removal") == ["// 7 < 8", "", ""]

    def test_have_names_that_differ(self):
        names = [one.name for one in mutants("C.sol", SOURCE + SOURCE)]
        assert len(set(names)) == len(names)


class TestJudged:
    def test_forgets_survivors_of_other_checks(self, tmp_path):
        state = tmp_path / "mutants.jsonl"
        entries = [
            {"name": "a", "source": "s", "noticed": "nobody", "checks": "old"},
            {"name": "b", "source": "s", "noticed": "forge", "checks": "old"},
            {"name": "c", "source": "s", "noticed": "nobody", "checks": "new"},
        ]
        state.write_text("".join(json.dumps(one) + "\n" for one in entries))
        assert judged(state, "new") == {("b", "s"): "forge", ("c", "s"): "nobody"}

    def test_knows_nothing_without_a_state(self, tmp_path):
        assert judged(tmp_path / "none.jsonl", "new") == {}


class TestReport:
    @pytest.fixture(autouse=True)
    def known(self, monkeypatch):
        monkeypatch.setattr(mutation_report, "reasons", lambda _: {"A.sol: x": "The same."})

    def test_counts_each_source(self):
        found = {"A.sol: x": "nobody", "A.sol: y": "forge", "B.sol: z": ""}
        assert mutation_report.table(found).split("\n")[2:] == [
            "| A.sol | 2 | 0 | 1 | 0 | 1 | 0 |",
            "| B.sol | 1 | 0 | 0 | 0 | 0 | 1 |",
        ]

    def test_finds_no_fault_in_an_explained_survivor(self):
        assert mutation_report.faults({"A.sol: x": "nobody", "A.sol: y": "forge"}) == []

    def test_finds_survivors_without_a_reason_and_reasons_without_a_survivor(self):
        found = {"A.sol: x": "python", "A.sol: y": "nobody"}
        assert mutation_report.faults(found) == [
            "survived: A.sol: y",
            "has a reason, but is noticed: A.sol: x",
        ]

    def test_says_the_reason_of_a_survivor(self):
        assert "- `A.sol: x`: The same." in mutation_report.page({"A.sol: x": "nobody"})
