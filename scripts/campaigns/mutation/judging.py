"""Judge one fault after another, in copies of the repository."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scripts.campaigns.mutation.schema import Numbered, Schema
from scripts.campaigns.mutation.solidity import errors
from scripts.proving.running import CONTRACTS, ROOT, environment

_TIMEOUT_S: Final = 900
_LEFT_OUT: Final = (
    *(".git", ".venv", ".voisin", ".mypy_cache", ".hypothesis", "__pycache__", "node_modules"),
    *("docs", "cache", "out", "snapshots", "benchmarks"),
)
# Forge's tests in three parts, each with the flag that chooses it: what is slow comes last, and
# first what notices most of the faults in what reads records.
_RECORDS: Final = ("--match-path", "test/vectors/Records.t.sol")
_WALKS: Final = ("--match-path", "test/invariant/*")
_EXAMPLES: Final = ("--no-match-path", f"{{{_RECORDS[1]},{_WALKS[1]}}}")
_READER: Final = ("src/libraries/Json", "src/libraries/Ocmf", "src/libraries/Words")
# Forge asks solc for the same again at every start, and when a source is put back.
_REMEMBERING_SOLC: Final = """#!/usr/bin/env bash
# Answer as solc does; what was asked before, from memory.
set -euo pipefail
here=$(dirname "$0")
mkdir -p "$here/cache/answers"
asked=$(mktemp "$here/cache/answers/asked.XXXXXX")
if [[ "$*" == *--standard-json* ]]; then cat >"$asked"; fi
answer=$here/cache/answers/$( (printf '%s ' "$@"; cat "$asked") | sha256sum | cut -d' ' -f1)
if [ ! -f "$answer" ]; then
    "$here/solc.asked" "$@" <"$asked" >"$asked.answer"
    mv "$asked.answer" "$answer"
fi
rm "$asked"
cat "$answer"
"""


class Workspace:
    """A place where one fault at a time is judged."""

    def __init__(self, directory: Path, texts: Mapping[str, str], made: Schema) -> None:
        self._texts = texts
        self._asleep = {one.number for one in made.asleep}
        self.roots: Final = (_copy(directory / "schema"), _copy(directory / "plain"))
        """Copies of the repository, with all faults asleep and with none."""
        self._schema, self._plain = self.roots
        for file, text in made.texts.items():
            (self._schema / "contracts" / file).write_text(text, encoding="utf-8")

    def prepare(self, prepared: "Workspace | None" = None) -> "Workspace":
        """
        Compile the schema and the sources, unless another workspace did.

        Raises
        ------
        RuntimeError
            If a check fails while all faults sleep, since then it can say nothing of one.
        """
        for number, root in enumerate(self.roots):
            if prepared is not None:
                for name in ("out", "cache"):
                    there = prepared.roots[number] / "contracts" / name
                    shutil.copytree(there, root / "contracts" / name)
            elif not (_builds(root / "contracts") and _passes_forge(root / "contracts")):
                raise RuntimeError("a check fails while all faults sleep")
        return self

    def judge(self, fault: Numbered, *, with_python: bool) -> str:
        """
        Return who noticed a fault.

        ``compiler``, ``forge``, ``build`` (it warns, or a contract is too large), ``python``; or
        ``same`` if the compiler makes the same code of it; or ``nobody``.
        """
        file = fault.mutant.file
        faulty = fault.mutant.apply(self._texts[file])
        if fault.number in self._asleep:
            passes = _passes_forge(self._schema / "contracts", file, fault.number)
        elif errors({**self._texts, file: faulty}):
            return "compiler"
        else:
            contracts = self._plain / "contracts"
            with _instead(contracts / file, faulty):
                if not _builds(contracts):
                    return "compiler"
                passes = _passes_forge(contracts, file)
        if not passes:
            return "forge"
        return self._judge_by_python(file, faulty) if with_python else "nobody"

    def _judge_by_python(self, file: str, faulty: str) -> str:
        contracts = self._plain / "contracts"
        with _instead(contracts / file, faulty):
            if not _runs(contracts, "node", "--stack-size=16384", "compile.mjs", "compiled"):
                return "build"
        if _codes(contracts) == _codes(CONTRACTS):
            return "same"
        python = str(ROOT / ".venv" / "bin" / "python")
        tests = (python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/contracts")
        return "nobody" if _runs(self._plain, *tests) else "python"


def _builds(contracts: Path) -> bool:
    """Return whether all compiles; a test that finds a contract by name does not compile it."""
    return _runs(contracts, "forge", "build", "--quiet")


def _passes_forge(contracts: Path, file: str = "", number: int = 0) -> bool:
    """Return whether Forge's tests pass with a fault in a source, or with one of it awake."""
    first, second = (_EXAMPLES, _RECORDS)[:: -1 if file.startswith(_READER) else 1]
    awake = f"0x{number:064x}"
    test = ("forge", "test", "--fail-fast", "--quiet")
    parts = (first, second, _WALKS)
    return all(_runs(contracts, *test, *part, FOUNDRY_BLOCK_PREVRANDAO=awake) for part in parts)


def _copy(root: Path) -> Path:
    """Return a new copy of the repository, with what is installed for the contracts."""
    shutil.copytree(ROOT, root, ignore=shutil.ignore_patterns(*_LEFT_OUT))
    contracts = root / "contracts"
    modules = contracts / "node_modules"
    modules.symlink_to(CONTRACTS / "node_modules", target_is_directory=True)
    (contracts / "solc").rename(contracts / "solc.asked")
    (contracts / "solc").write_text(_REMEMBERING_SOLC, encoding="utf-8")
    (contracts / "solc").chmod(0o755)
    return root


@contextmanager
def _instead(path: Path, text: str) -> Iterator[None]:
    """Let a file hold another text for a while."""
    whole = path.read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_text(whole, encoding="utf-8")


def _codes(contracts: Path) -> dict[str, str]:
    """Return the code of every artifact."""
    return {
        path.name: json.loads(path.read_text(encoding="utf-8"))["bytecode"]
        for path in sorted((contracts / "compiled").rglob("*.json"))
    }


def _runs(where: Path, *command: str, **settings: str) -> bool:
    """Return whether a command succeeds; one that never ends does not."""
    try:
        done = subprocess.run(  # noqa: S603 - our own commands
            command,
            cwd=where,
            env=environment(FOUNDRY_PROFILE="mutants", **settings),
            check=False,
            capture_output=True,
            timeout=_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
