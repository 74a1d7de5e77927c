"""Keep what was judged, so that a campaign goes on where it was stopped."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Final

from scripts.campaigns.mutation.faults import Mutant
from scripts.proving.running import CONTRACTS, ROOT

_READ: Final = frozenset({".sol", ".py", ".json"})


class Judgments:
    """A file of judgments, a line each: of a fault, in a source, by these checks."""

    def __init__(self, path: Path, checks: str) -> None:
        self._path = path
        self._checks = checks
        self._writing = threading.Lock()
        path.parent.mkdir(exist_ok=True)

    def known(self) -> dict[tuple[str, str], str]:
        """Return who noticed each fault, by name and source; survivors of other checks are not."""
        there = self._path.exists()
        lines = self._path.read_text(encoding="utf-8").splitlines() if there else []
        return {
            (one["name"], one["source"]): one["noticed"]
            for one in map(json.loads, lines)
            if one["noticed"] != "nobody" or one["checks"] == self._checks
        }

    def keep(self, mutant: Mutant, source: str, noticed: str) -> None:
        """Keep a judgment at once."""
        entry = {"name": mutant.name, "source": source, "noticed": noticed, "checks": self._checks}
        with self._writing, self._path.open("a", encoding="utf-8") as state:
            state.write(json.dumps(entry) + "\n")


def digest(source: str) -> str:
    """Return a short hash of a source; a changed one is judged anew."""
    return hashlib.sha256(source.encode()).hexdigest()[:16]


def checks(*, with_python: bool) -> str:
    """Return a short hash of the checks; who survived others is judged anew by these."""
    python = [ROOT / "tests" / "contracts"] if with_python else []
    folders = [CONTRACTS / "test", ROOT / "tests" / "vectors", *python]
    hashed = hashlib.sha256()
    for path in sorted(path for folder in folders for path in folder.rglob("*.*")):
        if path.suffix in _READ and path.is_file():
            hashed.update(path.read_bytes())
    return hashed.hexdigest()[:16]
