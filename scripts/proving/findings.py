"""Read what slither and forge's own lint say about the sources."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.proving.running import NotProvenError, hear, run


def slither() -> Iterator[str]:
    """
    Return slither's findings as ``check Contract.function``.

    Raises
    ------
    NotProvenError
        If slither did not come to an end.
    """
    run("forge", "build", "--quiet", FOUNDRY_PROFILE="slither")
    with tempfile.TemporaryDirectory() as directory:
        answer = Path(directory) / "slither.json"
        done = hear("slither", ".", "--json", str(answer))
        if not answer.exists():
            raise NotProvenError(f"slither: {done.stderr[-2000:]}")
        report = json.loads(answer.read_text(encoding="utf-8"))
    if not report["success"]:
        raise NotProvenError(f"slither: {report['error']}")
    for finding in report["results"].get("detectors", []):
        yield f"{finding['check']} {where(finding['elements'][0])}"


def where(element: dict[str, Any]) -> str:
    """Return contract and member of an element, however deep it is."""
    names = [element["name"]] if element["type"] in {"contract", "function", "variable"} else []
    while (parent := element.get("type_specific_fields", {}).get("parent")) is not None:
        element = parent
        if element["type"] in {"contract", "function"}:
            names.insert(0, element["name"])
    return ".".join(names) or str(element["source_mapping"]["filename_relative"])


def lint() -> Iterator[str]:
    """
    Return the findings of ``forge lint`` as ``check file: line of code``.

    Raises
    ------
    NotProvenError
        If a source cannot be read.
    """
    done = hear("forge", "lint", "--json", "src", FOUNDRY_PROFILE="slither")
    if done.returncode != 0:
        raise NotProvenError(f"forge lint: {done.stderr[-2000:]}")
    for line in done.stderr.splitlines():
        if not line.startswith("{"):
            continue
        finding = json.loads(line)
        span = finding["spans"][0]
        code = span["text"][0]["text"].strip() if span.get("text") else ""
        yield f"{finding['code']['code']} {span['file_name']}: {code}"
