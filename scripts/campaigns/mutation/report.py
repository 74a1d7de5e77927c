"""Say what became of the mutants."""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from scripts.proving.accepted import reasons, unexplained
from scripts.proving.running import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "mutation.md"
_COLUMNS: Final = {
    "compiler": "not code",
    "same": "the same code",
    "forge": "noticed by Forge",
    "build": "noticed by the build",
    "python": "noticed by Python",
    "nobody": "survived",
    "": "not judged",
}
_HEAD: Final = """# Mutants of the contracts

`scripts/prove --mutate` makes one small fault at a time in `contracts/src` (an operator, a number,
two arguments swapped, a statement or a modifier left out) and runs the checks that must notice:
Forge's tests with fewer draws and walks than usual, then the build of what ships, then
`tests/contracts` on the code with the fault. All faults that can be chosen at run time are compiled
once, in one piece, each asleep until its number is called; the others one at a time. A fault that
does not compile counts for nothing. Interrupted, it goes on where it was (`--minutes`, `--jobs`,
`--only src/libraries/*`). With `--write` it writes this page; `--no-python` lets Forge alone judge.

"""


def table(found: Mapping[str, str]) -> str:
    """Return how many mutants of each source were noticed by whom, as Markdown."""
    counts: dict[str, Counter[str]] = {}
    for name, noticed in found.items():
        counts.setdefault(name.split(":")[0], Counter())[noticed] += 1
    rows = [["source", "mutants", *_COLUMNS.values()]]
    for file, count in counts.items():
        rows.append([file, str(count.total()), *(str(count[one]) for one in _COLUMNS)])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---" + "|--:" * (len(_COLUMNS) + 1) + "|")
    return "\n".join(lines)


def faults(found: Mapping[str, str], *, every_source: bool) -> list[str]:
    """Return survivors without a reason, and reasons without a survivor of what was judged."""
    survivors = [name for name, noticed in found.items() if noticed == "nobody"]
    new, unused = unexplained(survivors, reasons("mutants"))
    is_whole = every_source and "" not in found.values()
    stale = [one for one in unused if found.get(one, "") or is_whole]
    lines = [f"survived: {one}" for one in new]
    return lines + [f"has a reason, but no survivor: {one}" for one in stale]


def page(found: Mapping[str, str], command: str) -> str:
    """Return the page of figures that a command gave, with the survivors by the reason of each."""
    survivors = [name for name, noticed in found.items() if noticed == "nobody"]
    patterns: dict[str, list[str]] = {}
    for pattern, reason in reasons("mutants").items():
        patterns.setdefault(reason, []).append(pattern)
    lines = []
    for reason, alike in patterns.items():
        explained = sorted(set(survivors).difference(unexplained(survivors, alike)[0]))
        if explained:
            lines += [f"**{reason}**", "", *(f"- `{one}`" for one in explained), ""]
    new, _ = unexplained(survivors, reasons("mutants"))
    lines += [f"- `{one}`: **not explained**" for one in new]
    listed = "\n".join(lines).strip() or "None."
    return f"{_HEAD}These figures: `{command}`.\n\n{table(found)}\n\n## Survivors\n\n{listed}\n"
