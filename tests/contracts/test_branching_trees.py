"""Each branch that a .tree describes has its Forge test, and each Forge test its branch."""

import re
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[2] / "contracts" / "test" / "unit"
TREES = sorted(UNIT.rglob("*.tree"))
BRANCH = re.compile(r"^(?P<indent>[│ ]*)(?:├──|└──) (?P<words>.+)$")
TEST = re.compile(r"^    function (test\w*)\(", re.MULTILINE)
ERROR = re.compile(r"\b[A-Z]\w+_[A-Z]\w+\b|\bERC\w+\b|\bAccessControl\w+\b|\bECDSA\w+\b")


def camel(words):
    return "".join(word[:1].upper() + word[1:] for word in re.findall(r"\w+", words))


def branches(text):
    """Return the contract and, for each branch with leaves, its test's name and the leaves."""
    root, *lines = text.rstrip("\n").split("\n")
    path, found = [], {}
    for line in lines:
        matched = BRANCH.match(line)
        assert matched, f"not a branch: {line}"
        depth, words = len(matched["indent"]) // 4, matched["words"]
        path = [*path[:depth], words]
        if words.startswith("it "):
            place = path[-2] if depth else words
            found.setdefault(place, []).append(words)
        else:
            assert words.startswith(("given ", "when ")), f"neither given, when nor it: {words}"
    return root, {_name(place, leaves): leaves for place, leaves in found.items()}


def _name(place, leaves):
    first, rest = place.split(" ", 1)
    reverts = any(leaf.startswith("it reverts") for leaf in leaves)
    return f"test_Revert{camel(first)}_{camel(rest)}" if reverts else f"test_{camel(place)}"


class TestBranches:
    def test_are_read_as_they_are_indented(self):
        text = (
            "A_b_Unit_Test\n├── when the sun shines\n│   ├── given a roof\n"
            "│   │   └── it earns\n│   └── given no roof\n│       └── it reverts with A_NoRoof\n"
            "└── it counts\n"
        )
        assert branches(text) == (
            "A_b_Unit_Test",
            {
                "test_GivenARoof": ["it earns"],
                "test_RevertGiven_NoRoof": ["it reverts with A_NoRoof"],
                "test_ItCounts": ["it counts"],
            },
        )


class TestTrees:
    @pytest.mark.parametrize("tree", TREES, ids=lambda path: f"{path.parent.name}/{path.stem}")
    def test_have_a_test_for_each_branch_and_no_other(self, tree):
        contract, wanted = branches(tree.read_text())
        code = tree.with_suffix(".t.sol").read_text()
        assert f"contract {contract} is " in code
        written = {name.replace("testFuzz_", "test_", 1) for name in TEST.findall(code)}
        assert written == set(wanted)

    @pytest.mark.parametrize("tree", TREES, ids=lambda path: f"{path.parent.name}/{path.stem}")
    def test_name_errors_that_their_tests_expect(self, tree):
        # What many suites expect stands in what they inherit from.
        inherited = "".join(path.read_text() for path in sorted(UNIT.parent.glob("*.t.sol")))
        code = tree.with_suffix(".t.sol").read_text() + inherited
        assert {
            error for error in ERROR.findall(tree.read_text()[1:]) if error not in code
        } == set()

    def test_stand_beside_each_unit_test(self):
        suites = {path.with_suffix("").with_suffix(".tree") for path in UNIT.rglob("*.t.sol")}
        assert TREES
        assert suites == set(TREES)
