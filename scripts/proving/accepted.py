"""
Compare what the tools found with what is accepted, each with its reason.

A finding without a reason fails, and so does a reason without a finding: nothing is excused that
is no longer there.
"""

import re
import tomllib
from collections.abc import Iterable

from scripts.proving.running import ACCEPTED, NotProvenError


class UnexplainedError(NotProvenError):
    """Something was found that nothing explains, or explained that was not found."""

    def __init__(self, name: str, new: list[str], stale: list[str]) -> None:
        lines = [f"  not explained: {one}" for one in new]
        lines += [f"  explained, but not found: {one}" for one in stale]
        super().__init__("\n".join([f"see contracts/test/accepted/{name}.toml:", *lines]))


def reasons(name: str) -> dict[str, str]:
    """
    Return the reason of each accepted finding of one tool; ``*`` stands for anything.

    Raises
    ------
    NotProvenError
        If one has no reason.
    """
    entries = tomllib.loads((ACCEPTED / f"{name}.toml").read_text(encoding="utf-8"))
    for found, reason in entries.items():
        if not isinstance(reason, str) or not reason.strip():
            raise NotProvenError(f"{name}.toml gives no reason for {found}")
    return entries


def unexplained(found: Iterable[str], known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the findings that nothing explains, and the explanations that explain nothing."""
    seen = set(found)
    patterns = {one: re.compile(re.escape(one).replace(r"\*", ".*")) for one in known}
    explained = {
        one: {text for text in seen if pattern.fullmatch(text)} for one, pattern in patterns.items()
    }
    new = seen.difference(*explained.values())
    return sorted(new), sorted(one for one, hits in explained.items() if not hits)


def compare(found: Iterable[str], name: str) -> int:
    """
    Return how many different findings there are, all of them accepted.

    Raises
    ------
    UnexplainedError
        If one has no reason, or a reason no finding.
    """
    seen = set(found)
    new, stale = unexplained(seen, reasons(name))
    if new or stale:
        raise UnexplainedError(name, new, stale)
    return len(seen)
