"""Ask solc what the sources say: their syntax trees, and what is wrong with them."""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from scripts.proving.running import CONTRACTS, environment

_IMPORT: Final = re.compile(r'^import\s[^;]*?"(@[^"]+|\.[^"]+)";', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CompileError:
    """Something that is wrong with a source."""

    file: str
    """Source, from the contracts' folder; empty if solc names none."""
    start: int
    """Where it begins, in bytes; -1 if solc does not say."""
    end: int
    """Where it ends, in bytes."""
    message: str
    """What solc says."""


def sources() -> dict[str, str]:
    """Return the sources of the contracts, by their paths from the contracts' folder."""
    return {
        str(path.relative_to(CONTRACTS)): path.read_text(encoding="utf-8")
        for path in sorted((CONTRACTS / "src").rglob("*.sol"))
    }


def trees(texts: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Return the syntax tree of each source, as solc's compact JSON."""
    answer = _ask(texts, {"*": {"": ["ast"]}})
    return {file: answer["sources"][file]["ast"] for file in texts}


def errors(texts: Mapping[str, str]) -> list[CompileError]:
    """Return what keeps the sources from being compiled, without compiling them."""
    found = []
    for one in _ask(texts, {}).get("errors", []):
        if one["severity"] == "error":
            place = one.get("sourceLocation") or {"file": "", "start": -1, "end": -1}
            found.append(CompileError(place["file"], place["start"], place["end"], one["message"]))
    return found


def _ask(texts: Mapping[str, str], outputs: Mapping[str, Any]) -> Any:  # noqa: ANN401 - solc's JSON
    """Return solc's answer about sources and all that they import."""
    known = dict(texts)
    waiting = list(texts)
    while waiting:
        for name in _imported(waiting.pop(), known):
            if name not in known:
                path = CONTRACTS / "node_modules" / name
                known[name] = path.read_text(encoding="utf-8")
                waiting.append(name)
    question = {
        "language": "Solidity",
        "sources": {name: {"content": text} for name, text in known.items()},
        "settings": {"evmVersion": "prague", "outputSelection": outputs},
    }
    done = subprocess.run(  # noqa: S603 - our own compiler
        (str(CONTRACTS / "solc"), "--standard-json"),
        input=json.dumps(question),
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout)


def _imported(name: str, known: Mapping[str, str]) -> Iterator[str]:
    """Return the names of what a source imports."""
    for path in _IMPORT.findall(known[name]):
        if not path.startswith("."):
            yield path
            continue
        parts = name.split("/")[:-1]
        for part in path.split("/"):
            if part == "..":
                parts.pop()
            elif part != ".":
                parts.append(part)
        yield "/".join(parts)
