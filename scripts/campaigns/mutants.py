"""
Make faults in the contracts one by one and see that a check notices each.

``scripts/prove --mutate --minutes 60 --only src/libraries/*``

What was judged is kept in ``.voisin/mutants.jsonl``, so a campaign goes on where it was stopped; a
changed source is judged anew. Survivors without a reason in contracts/test/accepted/mutants.toml
end it as a failure.
"""

import hashlib
import json
import queue
import random
import shutil
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Annotated, Final

import typer

from scripts.campaigns import mutation_report
from scripts.campaigns.mutations import Mutant, mutants
from scripts.proving.running import CONTRACTS, ROOT, environment

_STATE: Final = ROOT / ".voisin" / "mutants.jsonl"
_TIMEOUT_S: Final = 900
_ORDER: Final = 20_251_014
_LEFT_OUT: Final = (".git", ".venv", ".voisin", "__pycache__", "docs", "cache", "out", "snapshots")


class Workspace:
    """A copy of the repository in which one mutant at a time is judged."""

    def __init__(self, directory: Path, *, with_python: bool) -> None:
        self.root = directory / "repository"
        self.with_python = with_python
        shutil.copytree(
            ROOT,
            self.root,
            ignore=shutil.ignore_patterns(*_LEFT_OUT, "node_modules"),
        )
        modules = self.root / "contracts" / "node_modules"
        modules.symlink_to(CONTRACTS / "node_modules", target_is_directory=True)

    def judge(self, mutant: Mutant) -> str:
        """Return who noticed the mutant, ``compiler``, ``forge`` or ``python``, or ``nobody``."""
        path = self.root / "contracts" / mutant.file
        whole = path.read_text(encoding="utf-8")
        path.write_text(mutant.apply(whole), encoding="utf-8")
        try:
            return self._noticed()
        finally:
            path.write_text(whole, encoding="utf-8")

    def prepare(self) -> None:
        """
        Build and test the sources as they are, so that a mutant compiles little.

        Raises
        ------
        RuntimeError
            If they fail, since then nothing can be said of a mutant.
        """
        if (noticed := self._noticed()) != "nobody":
            raise RuntimeError(f"the sources fail without any fault, noticed by {noticed}")

    def _noticed(self) -> str:
        contracts = self.root / "contracts"
        python = str(ROOT / ".venv" / "bin" / "python")
        steps: list[tuple[str, Path, tuple[str, ...]]] = [
            ("compiler", contracts, ("forge", "build", "--quiet")),
            ("forge", contracts, ("forge", "test", "--fail-fast", "--quiet")),
        ]
        if self.with_python:
            tests = (python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider")
            compiled = ("node", "--stack-size=16384", "compile.mjs", "compiled")
            steps.append(("compiler", contracts, compiled))
            steps.append(("python", self.root, (*tests, "tests/contracts")))
        failed = (who for who, where, command in steps if not self._runs(where, *command))
        return next(failed, "nobody")

    def _runs(self, where: Path, *command: str) -> bool:
        """Return whether a command succeeds; one that never ends does not."""
        try:
            done = subprocess.run(  # noqa: S603 - our own commands
                command,
                cwd=where,
                env=environment(FOUNDRY_PROFILE="mutants"),
                check=False,
                capture_output=True,
                timeout=_TIMEOUT_S,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0


def every(only: str) -> Iterator[tuple[Mutant, str]]:
    """Return the mutants of the sources that ``only`` names, each with its source's hash."""
    for path in sorted((CONTRACTS / "src").rglob("*.sol")):
        file = str(path.relative_to(CONTRACTS))
        if "interfaces" in path.parts or not fnmatch(file, only):
            continue
        source = path.read_text(encoding="utf-8")
        digest = hashlib.sha256(source.encode()).hexdigest()[:16]
        for mutant in mutants(file, source):
            yield mutant, digest


def checks(*, with_python: bool) -> str:
    """Return a hash of the checks; who survived others is judged anew by these."""
    folders = [CONTRACTS / "test", *([ROOT / "tests" / "contracts"] if with_python else [])]
    digest = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.*")):
        if path.suffix in {".sol", ".py", ".json"} and path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def judged(state: Path, checked_by: str) -> dict[tuple[str, str], str]:
    """Return who noticed each mutant that was judged before, by name and source."""
    lines = state.read_text(encoding="utf-8").splitlines() if state.exists() else []
    entries = [json.loads(line) for line in lines]
    return {
        (one["name"], one["source"]): one["noticed"]
        for one in entries
        if one["noticed"] != "nobody" or one["checks"] == checked_by
    }


def campaign(
    waiting: list[tuple[Mutant, str]], *, minutes: int, jobs: int, with_python: bool
) -> None:
    """Judge what waits, until all is judged or time is up, and keep each judgment at once."""
    until_s, checked_by = perf_counter() + minutes * 60, checks(with_python=with_python)
    todo: queue.SimpleQueue[tuple[Mutant, str]] = queue.SimpleQueue()
    for one in waiting:
        todo.put(one)
    writing = threading.Lock()
    _STATE.parent.mkdir(exist_ok=True)

    def work(directory: Path) -> None:
        workspace = Workspace(directory, with_python=with_python)
        workspace.prepare()
        while perf_counter() < until_s:
            try:
                mutant, source = todo.get_nowait()
            except queue.Empty:
                return
            noticed = workspace.judge(mutant)
            entry = {
                "name": mutant.name,
                "source": source,
                "noticed": noticed,
                "checks": checked_by,
            }
            with writing, _STATE.open("a", encoding="utf-8") as state:
                state.write(json.dumps(entry) + "\n")
                typer.echo(f"{noticed:8} {mutant.name}")

    with TemporaryDirectory() as directory, ThreadPoolExecutor(jobs) as pool:
        places = [Path(directory) / str(number) for number in range(jobs)]
        for place in places:
            place.mkdir()
        list(pool.map(work, places))


def main(
    only: Annotated[str, typer.Option(help="Sources, as src/libraries/*.")] = "*",
    minutes: Annotated[int, typer.Option(min=0, help="When to stop, if not done.")] = 600,
    jobs: Annotated[int, typer.Option(min=1, help="Mutants at once.")] = 2,
    *,
    python: Annotated[bool, typer.Option(help="Let tests/contracts judge survivors too.")] = True,
    write: Annotated[bool, typer.Option(help="Write docs/reference/mutation.md.")] = False,
) -> None:
    """
    Judge mutants and say who survived.

    Raises
    ------
    typer.Exit
        If a survivor has no reason, or a reason no survivor.
    """
    wanted, checked_by = list(every(only)), checks(with_python=python)
    known = judged(_STATE, checked_by)
    waiting = [one for one in wanted if (one[0].name, one[1]) not in known]
    random.Random(_ORDER).shuffle(waiting)  # noqa: S311 - an order, not a secret
    if waiting and minutes:
        campaign(waiting, minutes=minutes, jobs=jobs, with_python=python)
        known = judged(_STATE, checked_by)
    found = {mutant.name: known.get((mutant.name, source), "") for mutant, source in wanted}
    if write:
        mutation_report.PAGE.write_text(mutation_report.page(found), encoding="utf-8")
    typer.echo(mutation_report.table(found))
    if faults := mutation_report.faults(found):
        typer.echo("\n".join(faults), err=True)
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
