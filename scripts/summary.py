"""Say what a settled week came to: for people, and as JSON for machines."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rich.console import Console
from rich.table import Table

_MICROS_PER_CENT: Final = 10_000
_HALF_CENT: Final = 5_000
_WH_PER_KWH: Final = 1_000
_ROOFS_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class TracedCar:
    """A session, and the roofs that its sun came from."""

    session_id: str
    """Session."""
    station_id: str
    """Where the car stood."""
    energy_wh: int
    """Energy billed, in Wh."""
    roofs: tuple[tuple[str, int], ...]
    """Party and Wh of each roof, the most first."""

    @property
    def sun_wh(self) -> int:
        """Energy of all roofs, in Wh."""
        return sum(energy for _, energy in self.roofs)

    def lines(self) -> list[str]:
        """Return it for a person."""
        first, others = self.roofs[:_ROOFS_NAMED], self.roofs[_ROOFS_NAMED:]
        named = [f"{kwh(energy)} from {party}" for party, energy in first]
        if others:
            named.append(f"{kwh(sum(energy for _, energy in others))} from {len(others)} more")
        roofs = ", ".join(named)
        whole = f"{kwh(self.energy_wh)} at {self.station_id}, {kwh(self.sun_wh)} of it sun:"
        return [f"One car, traced to its roofs: {whole}", f"  {roofs}"]


@dataclass(frozen=True, slots=True)
class Summary:
    """What the week came to."""

    totals: Mapping[str, Any]
    """Sums over all intervals and sessions, as ``/api/overview`` gives them."""
    refund_ms: Mapping[str, int] | None
    """Wall time from StopTransaction received to refund final, in ms."""
    duration_s: int
    """Wall time of the replay, all its sittings together, in seconds."""
    setup_s: int
    """Wall time of the set-up before it, in seconds."""
    laws: Mapping[str, str | None]
    """For each law, None or its first violation."""
    roots: Mapping[str, str]
    """What two runs with one seed must have in common."""
    sample_session: str | None
    """A session to look at."""
    sample_interval: str | None
    """An interval to look at."""
    traced: TracedCar | None = None
    """The car that took the most of its neighbors' sun, and whose it was."""

    @property
    def holds(self) -> bool:
        """Whether every law holds."""
        return all(fault is None for fault in self.laws.values())

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON values; micros and Wh are numbers."""
        totals = self.totals
        return {
            "intervals": totals["intervals"],
            "sessions": totals["sessions_closed"],
            "requested_wh": totals["requested_wh"],
            "delivered_wh": totals["delivered_wh"],
            "traded_wh": totals["traded_wh"],
            "traded_home_to_home_wh": totals["traded_home_to_home_wh"],
            "sun_to_cars_wh": totals["sun_to_cars_wh"],
            "deposited_micros": int(totals["deposited_micros"]),
            "charged_micros": int(totals["charged_micros"]),
            "refunded_micros": int(totals["refunded_micros"]),
            "refund_ms": {
                name: self.refund_ms[name] if self.refund_ms else None for name in ("p50", "p99")
            },
            "duration_s": self.duration_s,
            "setup_s": self.setup_s,
            "laws": {name: fault is None or fault for name, fault in self.laws.items()},
            "ledger_equals_chain": self.laws.get("L8") is None,
            "chain_transactions": totals["chain_transactions"],
            "quarantined": totals["quarantined"],
            "roots": dict(self.roots),
            "traced": self.traced
            and {
                "session": self.traced.session_id,
                "sun_wh": self.traced.sun_wh,
                "roofs_wh": dict(self.traced.roofs),
            },
        }


LAWS: Final[Mapping[str, str]] = {
    "L1": "deposit = charge + refund, for every session",
    "L2": "every interval sums to zero over all roles",
    "L3": "every kWh metered was traded and billed once; losses within the bound",
    "L4": "debits = credits, no account below its limit",
    "L5": "every hold resolved at most once",
    "L6": "messages sent again changed nothing",
    "L7": "every log entry commits to the one before",
    "L8": "ledger = chain, to the micro",
    "L9": "nobody sold below or bought above their limits",
    "L10": "every run comes out again from its signed inputs",
    "L11": "what was acknowledged is on disk",
}


def show(console: Console, summary: Summary, url: str | None) -> None:
    """Print the summary for a person."""
    totals = summary.totals
    money = Table(title="The week", show_header=False, title_justify="left")
    money.add_column()
    money.add_column(justify="right")
    for name, value in _rows(summary):
        money.add_row(name, value)
    console.print(money)
    laws = Table(title="The laws", show_header=False, title_justify="left")
    for name, text in LAWS.items():
        fault = summary.laws.get(name)
        laws.add_row(name, "[green]holds[/]" if fault is None else f"[red]{fault}[/]", text)
    console.print(laws)
    console.print("Roots, the same for the same seed on any machine:")
    for name, root in summary.roots.items():
        console.print(f"  {name:<12}{root}", soft_wrap=True)
    for text in summary.traced.lines() if summary.traced else ():
        console.print(text, soft_wrap=True)
    console.print(
        f"\n{totals['intervals']} intervals and {totals['sessions_closed']} sessions, "
        f"{totals['chain_transactions']} transactions on the chain, in {summary.duration_s} s "
        f"(set-up {summary.setup_s} s).\n\nWhere to look next:"
    )
    for text in _places(summary, url):
        console.print(f"  {text}", soft_wrap=True)


def _places(summary: Summary, url: str | None) -> Iterator[str]:
    """Yield where to look next."""
    if summary.sample_session:
        yield f"scripts/voisin trace {summary.sample_session}"
    if summary.sample_interval:
        yield f"scripts/voisin trace {summary.sample_interval}"
    if url and summary.traced:
        yield f"{url}/api/sessions/{summary.traced.session_id}/origin  the car's roofs"
    if url:
        yield f"{url}  the dashboard; Ctrl-C ends it"
    yield "docs/tutorial/first-week.md  what you have just seen"


def _rows(summary: Summary) -> list[tuple[str, str]]:
    totals = summary.totals
    refund = summary.refund_ms or {"p50": 0, "p99": 0}
    deposited, refunded = int(totals["deposited_micros"]), int(totals["refunded_micros"])
    return [
        ("sold between neighbours", kwh(totals["traded_wh"])),
        ("of it without the stations in the market", kwh(totals["traded_home_to_home_wh"])),
        ("neighbours' sun that went into cars", kwh(totals["sun_to_cars_wh"])),
        ("requested by drivers", kwh(totals["requested_wh"])),
        ("delivered to drivers", kwh(totals["delivered_wh"])),
        ("deposits", euros(deposited)),
        ("charged to drivers", euros(int(totals["charged_micros"]))),
        ("refunded to drivers", f"{euros(refunded)} ({_share(refunded, deposited)})"),
        ("refund final after StopTransaction", f"p50 {refund['p50']} ms, p99 {refund['p99']} ms"),
        ("paid to neighbours for energy", euros(int(totals["neighbour_micros"]))),
        ("tolls to the grid operator", euros(int(totals["tolls_micros"]))),
        ("levy to the state", euros(int(totals["levy_micros"]))),
        ("VAT on neighbours' energy", euros(int(totals["trade_vat_micros"]))),
        ("VAT inside the charges", euros(int(totals["vat_micros"]))),
        ("residual supplier, invoiced", euros(int(totals["residual_micros"]))),
        ("money moved on the chain", euros(int(totals["moved_micros"]))),
        ("messages refused and kept", str(totals["quarantined"])),
    ]


def kwh(energy_wh: int) -> str:
    """Return an energy in kWh, exact to the Wh."""
    whole, rest = divmod(energy_wh, _WH_PER_KWH)
    return f"{whole:,}.{rest:03} kWh"


def euros(amount_micros: int) -> str:
    """Return an amount in euros, half-up to the cent, for display only."""
    cents = (amount_micros + _HALF_CENT) // _MICROS_PER_CENT
    return f"{cents // 100:,}.{cents % 100:02} EUR"


def _share(part: int, whole: int) -> str:
    if not whole:
        return "0 %"
    permille = (part * 1_000 + whole // 2) // whole
    return f"{permille // 10}.{permille % 10} %"
