"""Write the page of gas: what each act costs, what for, and what others need for the like."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Final

from scripts.benchmarks.rows import plain
from scripts.benchmarks.volume.gas_parts import Parts

PAGE: Final = Path(__file__).parents[3] / "docs/reference/gas.md"
"""The page of the reference."""


@dataclass(frozen=True, slots=True)
class Note:
    """What is said of an act beside its figures."""

    what: str
    """What is done."""
    asked: int | None = None
    """What it was to cost at most, in gas."""
    others: str = ""
    """What others need for the like, published or measured elsewhere."""


NOTES: Final[Mapping[str, Note]] = {
    "open": Note("deposit from a wallet, one signature, relayed"),
    "close_with_ocmf": Note("a P-256 meter's raw record, the refund credited", 75_000),
    "close_with_ocmf_pushed": Note("the same, the refund paid out", 90_000),
    "close_with_ocmf_pushed_k1": Note("the same with a secp256k1 meter"),
    "ev_session_ocmf_pushed": Note(
        "a whole session: `open` and `close_with_ocmf_pushed`",
        165_000,
        "458,324: Share&Charge's contracts, five transactions, no meter checked; "
        "199,000: µRaiden, unmetered",
    ),
    "ev_session_standing": Note(
        "a whole session from a standing balance, opened by the driver, a gateway's signature",
        80_000,
    ),
    "ev_session_batched": Note(
        "the same, sixty in two transactions, signatures of driver and gateway checked", 35_000
    ),
    "member_run": Note(
        "a settled run of 1,000 members, per member, final balances",
        1_750,
        "56,083: D3A's Market.sol, one repeated trade",
    ),
    "trade_at_1000": Note(
        "1,000 trades among 100 members in one run, per trade",
        220,
        "76,400: CoW Protocol, of ten in a batch; "
        "3.4 to 8.7 million: lemlab, by number of positions",
    ),
    "settle_20_members": Note("a settled run of 20 members"),
    "root_anchor": Note("a checkpoint of the log", 30_000),
}
"""Every act that is measured."""

_HEAD: Final = """\
# Gas

Written by `scripts/bench gas`. Whole transactions as their receipts say, base and data included.
What they write was written before, as it is on any ordinary day. Gas is exact: a test measures
again and compares it with this page to the last digit, and another sends the same transactions to
anvil and gets the same gas for each.

"""
_SPENT: Final = """
The *floor* is what base, data, slots, other contracts, signatures and events cost if computing were
free. Where a figure is above what was asked, this is what it goes into; no check was given up.

"""
_RIVALS: Final = """
What others need for the like: their own figures, or those of their contracts when they were
measured elsewhere; not measured again here.

"""


def page(acts: Iterable[tuple[str, Decimal, int, tuple[Parts, ...]]]) -> str:
    """Return the page; an act is its name, its gas, among how many it is divided, and its parts."""
    found = [(name, gas, NOTES[name], _shared(parts, share)) for name, gas, share, parts in acts]
    summary = [
        (f"`{name}`", note.what, plain(gas), _asked(note), f"{spent['floor']:,}")
        for name, gas, note, spent in found
    ]
    parts = [one.name for one in fields(Parts)]
    spending = [(f"`{name}`", *(f"{spent[one]:,}" for one in parts)) for name, _, _, spent in found]
    rivals = [(f"`{name}`", plain(gas), note.others) for name, gas, note, _ in found if note.others]
    return "".join(
        (
            _HEAD,
            _table(("act", "what", "gas", "asked", "floor"), summary, right=3),
            _SPENT,
            _table(("act", *parts), spending, right=len(parts)),
            _RIVALS,
            _table(("act", "ours", "others"), rivals, right=0),
        )
    )


def _asked(note: Note) -> str:
    return "" if note.asked is None else f"{note.asked:,}"


def _shared(parts: tuple[Parts, ...], share: int) -> dict[str, int]:
    names = ("floor", *(one.name for one in fields(Parts)))
    return {name: sum(getattr(one, name) for one in parts) // share for name in names}


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, right: int) -> str:
    """Return a table whose last ``right`` columns are numbers."""
    ruler = ["---"] * (len(head) - right) + ["---:"] * right
    return "".join("| " + " | ".join(cells) + " |\n" for cells in (head, tuple(ruler), *rows))
