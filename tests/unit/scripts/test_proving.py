"""What the proof of the contracts lets through, and what it does not."""

import pytest

from scripts.proving import accepted, coverage, findings
from scripts.proving.running import NotProvenError

LCOV = """TN:
SF:One.sol
DA:1,4
DA:2,0
BRDA:1,0,0,3
BRDA:1,0,1,-
BRDA:2,1,0,0
end_of_record
SF:Two.sol
DA:1,1
end_of_record
"""


class TestUnexplained:
    def test_is_what_no_reason_names(self):
        assert accepted.unexplained(["a", "b"], ["a"]) == (["b"], [])

    def test_is_a_reason_that_names_nothing(self):
        assert accepted.unexplained(["a"], ["a", "c"]) == ([], ["c"])

    def test_is_nothing_where_a_star_covers_it(self):
        found = ["line One.sol: f(x[0]);", "line One.sol: g();"]
        assert accepted.unexplained(found, ["line One.sol: *"]) == ([], [])

    def test_takes_only_the_star_for_more_than_itself(self):
        assert accepted.unexplained(["abc"], ["a.c"]) == (["abc"], ["a.c"])


class TestCompare:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.setattr(accepted, "ACCEPTED", tmp_path)
        (tmp_path / "tool.toml").write_text('"check One.f" = "Because."\n')
        (tmp_path / "mute.toml").write_text('"check One.f" = " "\n')

    def test_counts_different_findings(self):
        assert accepted.compare(["check One.f", "check One.f"], "tool") == 1

    @pytest.mark.parametrize("found", [[], ["check One.g"], ["check One.f", "check One.g"]])
    def test_refuses_new_and_stale_ones(self, found):
        with pytest.raises(accepted.UnexplainedError):
            accepted.compare(found, "tool")

    def test_refuses_an_empty_reason(self):
        with pytest.raises(NotProvenError):
            accepted.compare(["check One.f"], "mute")


class TestReasons:
    @pytest.mark.parametrize("name", ["coverage", "lint", "slither"])
    def test_are_sentences(self, name):
        assert all(reason.endswith(".") for reason in accepted.reasons(name).values())


class TestMissed:
    def test_names_lines_and_branches_by_their_code(self, tmp_path):
        (tmp_path / "One.sol").write_text("  if (a) {\n    b();\n")
        (tmp_path / "Two.sol").write_text("c();\n")
        assert list(coverage.missed([LCOV], tmp_path)) == [
            "line One.sol: b();",
            "branch One.sol: if (a) {",
            "branch One.sol: b();",
        ]

    def test_takes_for_run_what_any_report_has_as_run(self, tmp_path):
        (tmp_path / "One.sol").write_text("  if (a) {\n    b();\n")
        (tmp_path / "Two.sol").write_text("c();\n")
        other = "SF:One.sol\nDA:2,1\nBRDA:1,0,1,2\nBRDA:2,1,0,-\nend_of_record\n"
        assert list(coverage.missed([LCOV, other], tmp_path)) == ["branch One.sol: b();"]

    def test_names_the_sources_that_no_report_knows(self, tmp_path):
        (tmp_path / "src").mkdir()
        (tmp_path / "src" / "Known.sol").write_text("a();\n")
        (tmp_path / "src" / "Left.sol").write_text("a();\n")
        report = "SF:src/Known.sol\nDA:1,1\nend_of_record\n"
        assert list(coverage.missed([report], tmp_path)) == ["file src/Left.sol"]

    @pytest.mark.parametrize(
        ("code", "tests", "is_missed"),
        [
            ("require(a, V_Bad(a));", "expectRevert(V.V_Bad.selector)", False),
            ("require(a, V_Bad(a));", "V_Worse.selector", True),
            ("require(\n  a && b,\n  V_Bad(a)\n);", "V.V_Bad.selector", False),
            ("require(a, V_Bad(V_Good(a)));", "V.V_Bad.selector", True),
            ("if (a) revert V_Bad(a);", "V.V_Bad.selector", True),
        ],
    )
    def test_takes_a_require_for_run_whose_error_a_test_expects(
        self, tmp_path, code, tests, is_missed
    ):
        (tmp_path / "One.sol").write_text(code)
        report = "SF:One.sol\nBRDA:1,0,0,-\nend_of_record\n"
        assert bool(list(coverage.missed([report], tmp_path, tests))) == is_missed


class TestWhere:
    def test_names_the_innermost_member_with_all_around_it(self):
        contract = {"type": "contract", "name": "Vault", "type_specific_fields": {}}
        function = {
            "type": "function",
            "name": "open",
            "type_specific_fields": {"parent": contract},
        }
        node = {"type": "node", "name": "x", "type_specific_fields": {"parent": function}}
        assert findings.where(node) == "Vault.open"
        assert findings.where(contract) == "Vault"

    def test_names_the_file_of_what_has_no_contract(self):
        pragma = {"type": "pragma", "name": "", "source_mapping": {"filename_relative": "a.sol"}}
        assert findings.where(pragma) == "a.sol"
