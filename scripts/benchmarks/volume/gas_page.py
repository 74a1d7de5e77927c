"""Write the page of gas: what each act costs, what for, and what others need for the like."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from scripts.benchmarks.volume.gas_parts import Parts

PAGE: Final = Path(__file__).parents[3] / "docs/reference/gas.md"
"""The page of the reference."""

OTHERS: Final[Mapping[str, str]] = {
    "ev_session_ocmf_pushed": "458,324: Share&Charge's contracts in 5 transactions, "
    "no meter checked; 199,000: µRaiden, unmetered",
    "trade_at_1000": "76,400: CoW Protocol, a trade of a batch of 10; "
    "3.4 to 8.7 million: lemlab's contracts, by the number of positions",
    "member_run": "56,083: D3A's Market.sol, one repeated trade",
}
"""What others need, as published or as their contracts cost when they were measured elsewhere."""

_HEAD: Final = """\
# Gas

Written by `scripts/bench gas`. Whole transactions, as their receipts say: base, data and all.
Everything they write was written before, so nothing here is cheaper or dearer than it is on any
ordinary day. The chain is ours; a test sends the same transactions to anvil and gets the same gas
for each, and another fails if a figure here is not what is measured.

| what | gas | asked | floor | of it computing |
|---|---:|---:|---:|---:|
"""
_PARTS: Final = """
The *floor* is what data, slots, other contracts, signature checks and events cost when computing is
free. Where a figure is above what was asked, the table below says what it is spent on; every check
was kept.

| what | base | data | slots | other contracts | signatures | events | computing |
|---|---:|---:|---:|---:|---:|---:|---:|
"""
_RIVALS: Final = """
What others need for the like. These are figures of theirs, published or measured elsewhere; they
are not measured again here.

| what | ours | others |
|---|---:|---|
"""


def page(rows: Iterable[tuple[str, int, int, int | None, tuple[Parts, ...]]]) -> str:
    """Return the page; a row is name, gas, divisor, what was asked, parts of each transaction."""
    found = tuple(rows)
    lines = [_HEAD]
    for name, gas, share, asked, parts in found:
        computing = sum(one.computing for one in parts) // share
        floor = sum(one.floor for one in parts) // share
        goal = "" if asked is None else f"{asked:,}"
        lines.append(f"| `{name}` | {gas:,} | {goal} | {floor:,} | {computing:,} |\n")
    lines.append(_PARTS)
    for name, _, share, _, parts in found:
        cells = (
            sum(getattr(one, part) for one in parts) // share
            for part in (
                "base",
                "data",
                "slots",
                "accounts",
                "signatures",
                "events",
                "computing",
            )
        )
        lines.append(f"| `{name}` | " + " | ".join(f"{cell:,}" for cell in cells) + " |\n")
    lines.append(_RIVALS)
    for name, gas, *_ in found:
        if name in OTHERS:
            lines.append(f"| `{name}` | {gas:,} | {OTHERS[name]} |\n")
    return "".join(lines)
