"""All faults of a source in one piece, as solc reads it."""

import os
from pathlib import Path

import pytest

from scripts.campaigns.mutation.faults import Mutant, mutants
from scripts.campaigns.mutation.schema import numbered, schema
from scripts.campaigns.mutation.solidity import errors, sources

FILE = "src/libraries/Billing.sol"
BINARIES = Path(__file__).parents[2] / "tests" / "peers" / "node_modules" / ".bin"


@pytest.fixture(autouse=True)
def node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(BINARIES), prepend=os.pathsep)


def test_leaves_out_what_does_not_compile_and_keeps_the_rest() -> None:
    texts = {FILE: sources()[FILE]}
    at = texts[FILE].index(" * priceMicros") + 1
    broken = Mutant(FILE, "operator", at, at + 1, "nothing", "broken")
    faults = list(numbered(texts, [broken, *mutants(FILE, texts[FILE])]))

    made = schema(texts, faults)

    assert [one.mutant for one in made.left_over] == [broken]
    assert len(made.asleep) == len(faults) - 1 > 9
    assert errors(made.texts) == []
    assert all(f"active() == {one.number} " in made.texts[FILE] for one in made.asleep)


def test_says_where_something_is_wrong() -> None:
    text = "pragma solidity 0.8.37;\ncontract C { uint256 x = y; }\n"
    (found,) = errors({"src/C.sol": text})
    assert text[found.start : found.end] == "y"
    assert found.file == "src/C.sol"
