"""
Find the lines and branches of the sources that no Forge test runs.

The vault is too large to be compiled without the IR, and in code made by way of it Forge does not
see which way a ``require`` with an error of its own goes. Such a branch counts as run if a test
expects that error by name: it passes only if the branch is taken.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from scripts.proving.running import CONTRACTS, run

_REQUIRE: Final = "require("
_ERROR: Final = re.compile(r"\b([A-Z]\w*_\w+)\(")


def uncovered() -> Iterator[str]:
    """Return what was not run, as ``line file: code`` or ``branch file: code``."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "lcov.info"
        run(
            *("forge", "coverage", "--ir-minimum", "--exclude-tests", "--report", "lcov"),
            *("--report-file", str(report), "--quiet"),
            FOUNDRY_PROFILE="coverage",
        )
        yield from missed(report.read_text(encoding="utf-8"), CONTRACTS, expected(CONTRACTS))


def expected(root: Path) -> str:
    """Return all Forge tests in one text."""
    tests = sorted((root / "test").rglob("*.t.sol"))
    return "\n".join(one.read_text(encoding="utf-8") for one in tests)


def missed(lcov: str, root: Path, tests: str = "") -> Iterator[str]:
    """Return the missed lines and branches of a report on files below ``root``."""
    name, code = "", [""]
    for entry in lcov.splitlines():
        kind, _, rest = entry.partition(":")
        fields = rest.split(",")
        if kind == "SF":
            name = rest
            code = (root / name).read_text(encoding="utf-8").splitlines()
        elif kind == "DA" and fields[1] == "0":
            yield f"line {name}: {code[int(fields[0]) - 1].strip()}"
        elif kind == "BRDA" and fields[3] in {"0", "-"}:
            place = int(fields[0]) - 1
            if not _is_expected(code, place, tests):
                yield f"branch {name}: {code[place].strip()}"


def _is_expected(code: list[str], place: int, tests: str) -> bool:
    """Return whether the line is a ``require`` whose error a test expects."""
    if not code[place].strip().startswith(_REQUIRE):
        return False
    statement = "\n".join(code[place:]).partition(";")[0]
    named = _ERROR.findall(statement)
    return bool(named) and f"{named[-1]}.selector" in tests
