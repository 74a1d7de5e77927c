"""
Find the lines and branches of the sources that no Forge test runs.

The vault is too large to be compiled without the IR, so coverage is taken twice: of all else
without it, and of the vault by way of it. In code made by way of the IR Forge does not see which
way a ``require`` with an error of its own goes. Such a branch counts as run if a test expects that
error by name: it passes only if the branch is taken.
"""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from scripts.proving.running import CONTRACTS, run

_REQUIRE: Final = "require("
_ERROR: Final = re.compile(r"\b([A-Z]\w*_\w+)\(")
# Forge's profiles, each with what it is asked besides.
_PROFILES: Final = {"coverage": (), "coverage_vault": ("--ir-minimum",)}


def uncovered() -> Iterator[str]:
    """Return what was not run, as ``line file: code``, ``branch file: code`` or ``file path``."""
    reports = [_report(profile, *options) for profile, options in _PROFILES.items()]
    yield from missed(reports, CONTRACTS, expected(CONTRACTS))


def _report(profile: str, *options: str) -> str:
    """Return what Forge's tests run, as it says in LCOV."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "lcov.info"
        run(
            *("forge", "coverage", *options, "--exclude-tests", "--report", "lcov"),
            *("--report-file", str(report), "--quiet"),
            FOUNDRY_PROFILE=profile,
        )
        return report.read_text(encoding="utf-8")


def expected(root: Path) -> str:
    """Return all Forge tests in one text."""
    tests = sorted((root / "test").rglob("*.t.sol"))
    return "\n".join(one.read_text(encoding="utf-8") for one in tests)


def missed(reports: Iterable[str], root: Path, tests: str = "") -> Iterator[str]:
    """Return the lines and branches that no report has as run, and the sources that none knows."""
    times: Counter[tuple[str, ...]] = Counter()
    for report in reports:
        for place, run_times in _places(report):
            times[place] += run_times
    for name, kind, line, *_ in (place for place, count in times.items() if count == 0):
        code = (root / name).read_text(encoding="utf-8").splitlines()
        if kind == "line" or not _is_expected(code, int(line) - 1, tests):
            yield f"{kind} {name}: {code[int(line) - 1].strip()}"
    known = {place[0] for place in times}
    sources = (str(one.relative_to(root)) for one in sorted((root / "src").rglob("*.sol")))
    yield from (f"file {one}" for one in sources if one not in known)


def _places(lcov: str) -> Iterator[tuple[tuple[str, ...], int]]:
    """Return each line and branch of a report, and how often it was run."""
    name = ""
    for entry in lcov.splitlines():
        kind, _, rest = entry.partition(":")
        fields = rest.split(",")
        if kind == "SF":
            name = rest
        elif kind == "DA":
            yield (name, "line", fields[0]), int(fields[1])
        elif kind == "BRDA":
            yield (name, "branch", *fields[:3]), 0 if fields[3] == "-" else int(fields[3])


def _is_expected(code: list[str], place: int, tests: str) -> bool:
    """Return whether the line is a ``require`` whose error a test expects."""
    if not code[place].strip().startswith(_REQUIRE):
        return False
    statement = "\n".join(code[place:]).partition(";")[0]
    named = _ERROR.findall(statement)
    return bool(named) and f"{named[-1]}.selector" in tests
