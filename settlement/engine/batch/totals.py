"""Add up what the runs of a batch came to, and check that they sum to zero."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from ledger.errors import Integrity
from settlement.engine.batch.members import traded_by_member
from settlement.engine.batch.running import BatchRun
from settlement.trading.lines import Kind

_WHOLE_PERCENT: Final = 100


class BatchNotZeroError(Integrity):
    """Money or energy appeared from nowhere."""

    def __init__(self, interval: int, what: str) -> None:
        super().__init__("batch_not_zero", f"interval {interval}: {what}")


@dataclass(slots=True)
class Totals:
    """What all runs came to, over the community."""

    intervals: int = 0
    """How many were settled."""
    with_trades: int = 0
    """In how many of them neighbors traded."""
    estimated: int = 0
    """Intervals of members in which a reading was missing or estimated."""
    import_wh: int = 0
    """Taken by all members, in Wh."""
    export_wh: int = 0
    """Given by all members, in Wh."""
    surplus_wh: int = 0
    """Left over by members after their own use, in Wh."""
    deficit_wh: int = 0
    """Lacking to members after their own use, in Wh."""
    traded_wh: int = 0
    """Sold between neighbors, in Wh."""
    residual_in_wh: int = 0
    """Bought from the residual supplier, in Wh."""
    residual_out_wh: int = 0
    """Sold to the residual supplier, in Wh."""
    imbalance_wh: int = 0
    """Sold or bought firm beside what was metered, in Wh."""
    money_micros: Counter[Kind] = field(default_factory=Counter)
    """What was owed, by kind of line, in micros."""
    net_micros: Counter[str] = field(default_factory=Counter)
    """What each account received less what it owed, in micros."""

    def add(self, run: BatchRun) -> None:
        """
        Count one more run.

        Raises
        ------
        BatchNotZeroError
            If the run's chain rail does not sum to zero, or its energy does not balance.
        """
        settled, supplier = run.settlement, run.inputs.institutions.supplier
        self.intervals += 1
        self.with_trades += bool(settled.trades)
        self.estimated += sum(one.estimated for one in run.inputs.members)
        self.import_wh += sum(one.import_wh for one in run.inputs.members)
        self.export_wh += sum(one.export_wh for one in run.inputs.members)
        self.surplus_wh += settled.surplus_wh
        self.deficit_wh += settled.deficit_wh
        self.traded_wh += settled.traded_wh
        given: Counter[Kind] = Counter()
        taken: Counter[Kind] = Counter()
        for line in settled.lines:
            self.money_micros[line.kind] += line.amount_micros
            self.net_micros[line.payer] -= line.amount_micros
            self.net_micros[line.payee] += line.amount_micros
            if line.kind in {Kind.RESIDUAL, Kind.IMBALANCE}:
                gives = (line.payee == supplier) is (line.price >= 0)
                (given if gives else taken)[line.kind] += line.energy_wh
        _check(run, given, taken)
        self.residual_in_wh += given[Kind.RESIDUAL]
        self.residual_out_wh += taken[Kind.RESIDUAL]
        self.imbalance_wh += given[Kind.IMBALANCE] + taken[Kind.IMBALANCE]

    @property
    def self_sufficiency_percent(self) -> int:
        """Share of what was lacking that neighbors brought, in whole percent, rounded down."""
        if not self.deficit_wh:
            return _WHOLE_PERCENT
        return self.traded_wh * _WHOLE_PERCENT // self.deficit_wh

    @property
    def zero_sum(self) -> bool:
        """Whether what all roles received and owed sums to zero."""
        return sum(self.net_micros.values()) == 0


def _check(run: BatchRun, given: Counter[Kind], taken: Counter[Kind]) -> None:
    """Check that money sums to zero, and that every metered Wh is traded or the supplier's."""
    settled = run.settlement
    if sum(amount for _, amount in settled.deltas):
        raise BatchNotZeroError(run.inputs.interval, "money moved does not sum to zero")
    sold, bought = traded_by_member(run)
    left_wh = lacking_wh = 0
    for one in run.inputs.members:
        left_wh += max(0, one.net.surplus_wh - sold[one.account])
        lacking_wh += max(0, one.net.deficit_wh - bought[one.account])
    pairs = (
        (left_wh, taken[Kind.RESIDUAL]),
        (lacking_wh, given[Kind.RESIDUAL]),
        (settled.surplus_wh + given.total(), settled.deficit_wh + taken.total()),
    )
    for metered_wh, in_lines_wh in pairs:
        if metered_wh != in_lines_wh:
            detail = f"{metered_wh} Wh were metered, {in_lines_wh} Wh are in lines"
            raise BatchNotZeroError(run.inputs.interval, detail)
