"""Find the lines and branches of the sources that no Forge test runs."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

from scripts.proving.running import CONTRACTS, run


def uncovered() -> Iterator[str]:
    """Return what was not run, as ``line file: code`` or ``branch file: code``."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "lcov.info"
        run(
            *("forge", "coverage", "--exclude-tests", "--report", "lcov"),
            *("--report-file", str(report), "--quiet"),
            FOUNDRY_PROFILE="coverage",
        )
        yield from missed(report.read_text(encoding="utf-8"), CONTRACTS)


def missed(lcov: str, root: Path) -> Iterator[str]:
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
            yield f"branch {name}: {code[int(fields[0]) - 1].strip()}"
