"""
Prove the contracts, part by part; ``scripts/prove`` installs what it needs and calls this.

``python -m scripts.proving test symbolic``
"""

from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Annotated, Final

import typer

from scripts.proving import accepted, coverage, findings
from scripts.proving.running import ROOT, TOOLS, NotProvenError, run


def _format() -> str:
    """Check that sources and tests have forge's form."""
    run("forge", "fmt", "--check")
    return "as forge writes them"


@cache
def _check_shipped() -> None:
    """Check that the code that tests deploy, contracts/compiled, is what the sources compile to."""
    run(str(ROOT / "scripts" / "compile"), "--check")


def _build() -> str:
    """Build what ships, compare it byte by byte, and build the tests."""
    _check_shipped()
    run("forge", "build", "--quiet")
    return "the same bytes as contracts/compiled, which the tests deploy"


def _lint() -> str:
    """Check that ``forge lint`` finds nothing without a reason."""
    return f"{accepted.compare(findings.lint(), 'lint')} findings, each with its reason"


def _test() -> str:
    """Run Forge's tests: examples, 10,000 draws of each law, walks that keep invariants."""
    _check_shipped()
    run("forge", "test", "--summary")
    return "passed"


def _symbolic() -> str:
    """Prove each law for all arguments at once, by halmos."""
    solver = f"{TOOLS / 'python'} {ROOT / 'scripts/proving/cvc5_smt2.py'}"
    run(
        *("halmos", "--match-contract", "_Symbolic_Test", "--function", "check_"),
        *("--solver-command", solver, "--solver-timeout-assertion", "60s", "--early-exit"),
        *("--no-status", "--statistics"),
    )
    return "proven"


def _slither() -> str:
    """Check that slither finds nothing without a reason."""
    return f"{accepted.compare(findings.slither(), 'slither')} findings, each with its reason"


def _coverage() -> str:
    """Check that every line and branch of the sources is run, or has a reason."""
    return f"{accepted.compare(coverage.uncovered(), 'coverage')} not run, each with its reason"


PARTS: Final[dict[str, Callable[[], str]]] = {
    "format": _format,
    "build": _build,
    "lint": _lint,
    "test": _test,
    "symbolic": _symbolic,
    "slither": _slither,
    "coverage": _coverage,
}


def main(
    parts: Annotated[
        list[str] | None, typer.Argument(help=f"Of: {', '.join(PARTS)}. All, if none is named.")
    ] = None,
) -> None:
    """
    Prove the contracts.

    Raises
    ------
    typer.BadParameter
        If there is no part of a name.
    """
    for part in parts or PARTS:
        if part not in PARTS:
            raise typer.BadParameter(f"no part {part!r}; there are {', '.join(PARTS)}")
        began_s = perf_counter()
        try:
            said = PARTS[part]()
        except NotProvenError as failed:
            typer.echo(f"{part}: {failed}", err=True)
            raise typer.Exit(1) from failed
        typer.echo(f"{part}: {said} ({perf_counter() - began_s:.0f} s)")


if __name__ == "__main__":
    typer.run(main)
