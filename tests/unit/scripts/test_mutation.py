"""The faults that a campaign makes in the contracts, and what it says of them."""

import pytest
import typer

from scripts.campaigns.mutation import __main__ as command
from scripts.campaigns.mutation import report
from scripts.campaigns.mutation.faults import mutants
from scripts.campaigns.mutation.kept import Judgments
from scripts.campaigns.mutation.places import Place
from scripts.campaigns.mutation.schema import composed, numbered

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


ADDING = """pragma solidity 0.8.37;
contract C { function f() { pay(a + 2, b); } }
"""
STATEMENT = "pay(a + 2, b);"


class TestComposed:
    @staticmethod
    def made(*kinds, places):
        faults = numbered({"src/C.sol": ADDING}, mutants("src/C.sol", ADDING))
        wanted = [one for one in faults if one.mutant.kind in kinds]
        there = [
            Place(ADDING.index(text), ADDING.index(text) + len(text), is_statement=text[-1] == ";")
            for text in places
        ]
        one = composed(ADDING.encode(), 0, there, wanted)
        return one.text.split("{ ", 2)[2].removesuffix(" } }\n"), one

    def test_chooses_an_expression_by_a_conditional(self):
        text, _ = self.made("operator", places=["a + 2"])
        assert text == "pay((active() == 1 ? (a - 2) : (a + 2)), b);"

    def test_chooses_a_statement_by_an_if(self):
        text, _ = self.made("removal", places=[STATEMENT])
        assert text == "if (active() == 3) {  } else { pay(a + 2, b); }"

    def test_puts_one_choice_into_another(self):
        text, _ = self.made("operator", "number", places=["a + 2", STATEMENT])
        inner = "(active() == 1 ? (a - 2) : ((active() == 2 ? (a + 3) : (a + 2))))"
        assert text == f"pay({inner}, b);"
        text, _ = self.made("operator", "removal", places=["a + 2", STATEMENT])
        inner = "(active() == 1 ? (a - 2) : (a + 2))"
        assert text == f"if (active() == 3) {{  }} else {{ pay({inner}, b); }}"

    def test_leaves_out_what_no_place_holds(self):
        text, one = self.made("removal", places=["a + 2"])
        assert text == STATEMENT
        assert [fault.mutant.kind for fault in one.homeless] == ["removal"]

    def test_imports_what_says_who_is_awake(self):
        _, one = self.made("operator", places=["a + 2"])
        assert one.text.split("\n")[1] == 'import {active} from "./Active.sol";'

    def test_knows_where_each_fault_got(self):
        _, one = self.made("operator", places=["a + 2"])
        choices = {one.text[start:end] for start, end, number in one.spans if number == 1}
        assert choices == {
            "(active() == 1 ? (a - 2) : (",
            "(active() == 1 ? (a - 2) : (a + 2))",
        }


class TestJudgments:
    def test_forget_survivors_of_other_checks(self, tmp_path):
        state = tmp_path / "mutants.jsonl"
        a, b, c = list(mutants("C.sol", SOURCE))[:3]
        old, new = Judgments(state, "old"), Judgments(state, "new")
        old.keep(a, "s", "nobody")
        old.keep(b, "s", "forge")
        new.keep(c, "s", "nobody")
        assert new.known() == {(b.name, "s"): "forge", (c.name, "s"): "nobody"}

    def test_know_nothing_without_a_file(self, tmp_path):
        assert Judgments(tmp_path / "none.jsonl", "new").known() == {}


class TestReport:
    @pytest.fixture(autouse=True)
    def known(self, monkeypatch):
        known = {"A.sol: x": "The same.", "B.sol: *": "Slower."}
        monkeypatch.setattr(report, "reasons", lambda _: known)

    def test_counts_each_source(self):
        found = {"A.sol: x": "nobody", "A.sol: y": "forge", "B.sol: z": ""}
        assert report.table(found).split("\n")[2:] == [
            "| A.sol | 2 | 0 | 0 | 1 | 0 | 0 | 1 | 0 |",
            "| B.sol | 1 | 0 | 0 | 0 | 0 | 0 | 0 | 1 |",
        ]

    def test_finds_no_fault_in_an_explained_survivor(self):
        found = {"A.sol: x": "nobody", "A.sol: y": "forge", "B.sol: z": "nobody"}
        assert report.faults(found, every_source=True) == []

    def test_finds_survivors_without_a_reason_and_reasons_without_a_survivor(self):
        found = {"A.sol: x": "python", "A.sol: y": "nobody", "B.sol: z": "forge"}
        assert report.faults(found, every_source=True) == [
            "survived: A.sol: y",
            "has a reason, but no survivor: A.sol: x",
            "has a reason, but no survivor: B.sol: *",
        ]

    def test_asks_for_no_survivor_of_what_was_not_judged(self):
        assert report.faults({"A.sol: x": "", "B.sol: z": ""}, every_source=True) == []

    def test_asks_for_no_survivor_in_another_source(self):
        assert report.faults({"A.sol: x": "nobody"}, every_source=False) == []

    def test_still_says_which_reason_of_a_judged_fault_is_stale(self):
        [stale] = report.faults({"A.sol: x": "forge"}, every_source=False)
        assert stale == "has a reason, but no survivor: A.sol: x"


def test_writes_no_page_of_some_sources():
    with pytest.raises(typer.BadParameter, match="all sources"):
        command.main("src/types/*", write=True)


class TestPage:
    @pytest.fixture(autouse=True)
    def known(self, monkeypatch):
        known = {"A.sol: x": "The same.", "B.sol: *": "Slower.", "A.sol: w": "The same."}
        monkeypatch.setattr(report, "reasons", lambda _: known)

    def test_says_the_survivors_of_each_reason(self):
        survivors = ("A.sol: x", "B.sol: y", "B.sol: z", "A.sol: w")
        found = {**dict.fromkeys(survivors, "nobody"), "C.sol: c": ""}
        page = report.page(found, "scripts/prove --mutate --write")
        assert "These figures: `scripts/prove --mutate --write`." in page
        assert page.split("## Survivors\n\n")[1].split("\n") == [
            "**The same.**",
            "",
            "- `A.sol: w`",
            "- `A.sol: x`",
            "",
            "**Slower.**",
            "",
            "- `B.sol: y`",
            "- `B.sol: z`",
            "",
        ]
