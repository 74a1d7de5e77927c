"""Show rows: as a table for people, as JSON for machines, as the page of the reference."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from ledger.clock import Clock
from scripts.benchmarks.rows import Row, plain

PAGE: Final = Path(__file__).parents[2] / "docs/reference/benchmarks.md"
"""The page of the reference."""

_HEAD: Final = """\
# Benchmarks

Measured by `scripts/bench` on {date}, on

{facts}

Every figure stands beside a baseline that was measured in the same run: a rival that does the same,
or the part of the work that nothing could avoid, done as fast as the machine can. The ratio says
which it is: *times as fast* as a rival (below 1 the rival is faster), a share *of the ceiling*, or
a cost in *times the baseline*. Times and rates are medians of rounds in which both sides take
turns; the demo runs once. Gas is exact and the same on every machine. `scripts/bench AREA` measures
one area again; without one it measures all and writes this page.
"""
_COLUMNS: Final = ("figure", "value", "baseline", "ratio", "the baseline is", "command")
_RIGHT: Final = frozenset({"value", "baseline"})


def table(title: str, rows: Sequence[Row]) -> Table:
    """Return the rows of an area as a table for the terminal, what each is held against below."""
    names: dict[str, list[str]] = {}
    for row in rows:
        names.setdefault(row.baseline.what, []).append(row.name)
    against = "\n".join(f"{', '.join(held)}: against {what}." for what, held in names.items())
    shown = Table(
        title=title,
        title_justify="left",
        caption=against,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    for column in ("figure", "value", "baseline", "unit", "ratio"):
        shown.add_column(column, justify="right" if column in _RIGHT else "left", overflow="fold")
    for row in rows:
        shown.add_row(
            row.name, plain(row.value), plain(row.baseline.value), row.unit, row.ratio_text
        )
    return shown


def page(areas: Mapping[str, Sequence[Row]], facts: Sequence[str], clock: Clock) -> str:
    """Return the page of the reference: every area with its rows."""
    date = datetime.fromtimestamp(clock.now_s(), UTC).date().isoformat()
    parts = [_HEAD.format(date=date, facts="\n".join(f"- {one}" for one in facts))]
    for area, rows in areas.items():
        lines = [f"## {area}", "", _line(_COLUMNS), _line(_rule(name) for name in _COLUMNS)]
        lines += [_line(_marked(row)) for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def document(areas: Mapping[str, Sequence[Row]]) -> str:
    """Return the rows as JSON text: a list for each area."""
    found = {area: [row.document() for row in rows] for area, rows in areas.items()}
    return json.dumps(found, indent=2) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.name,
        f"{plain(row.value)} {row.unit}",
        f"{plain(row.baseline.value)} {row.unit}",
        row.ratio_text,
        row.baseline.what,
        row.command,
    )


def _marked(row: Row) -> tuple[str, ...]:
    name, *middle, command = _cells(row)
    return (f"`{name}`", *middle, f"`{command}`")


def _rule(column: str) -> str:
    return "---:" if column in _RIGHT else "---"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
