"""Add up what each member of a batch bought, sold, paid and received, and what it would have."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from ledger.units import WattHours, cost_floor
from settlement.engine.batch.running import BatchRun
from settlement.trading.lines import Kind
from settlement.trading.orders.applying import remainder


@dataclass(slots=True)
class MemberTotals:
    """What all runs came to for one member."""

    import_wh: int = 0
    """Taken from the feeder, in Wh."""
    export_wh: int = 0
    """Given to the feeder, in Wh."""
    bought_wh: int = 0
    """Bought from neighbors, in Wh."""
    sold_wh: int = 0
    """Sold to neighbors, in Wh."""
    residual_in_wh: int = 0
    """Bought from the residual supplier, in Wh."""
    residual_out_wh: int = 0
    """Sold to the residual supplier, in Wh."""
    undelivered_wh: int = 0
    """Sold firm and not there, in Wh: imbalance."""
    unused_wh: int = 0
    """Bought firm and not used, in Wh: imbalance."""
    paid_micros: Counter[Kind] = field(default_factory=Counter)
    """What it owed, by kind of line, in micros."""
    received_micros: Counter[Kind] = field(default_factory=Counter)
    """What it was owed, by kind of line, in micros."""
    alone_micros: int = 0
    """What it would have received less paid with the residual supplier alone, in micros."""
    estimated: int = 0
    """Intervals in which a reading was missing or estimated."""

    @property
    def net_micros(self) -> int:
        """What it received less what it owed, in micros."""
        return self.received_micros.total() - self.paid_micros.total()

    @property
    def gain_micros(self) -> int:
        """How much better it stands than with the residual supplier alone, in micros."""
        return self.net_micros - self.alone_micros


def traded_by_member(run: BatchRun) -> tuple[defaultdict[str, WattHours], ...]:
    """Return what each account sold to neighbors in a run, and what each bought, in Wh."""
    sold: defaultdict[str, WattHours] = defaultdict(lambda: WattHours(0))
    bought: defaultdict[str, WattHours] = defaultdict(lambda: WattHours(0))
    for trade in run.settlement.trades:
        sold[trade.seller] = WattHours(sold[trade.seller] + trade.energy_wh)
        bought[trade.buyer] = WattHours(bought[trade.buyer] + trade.energy_wh)
    return sold, bought


class Members:
    """Totals of every member."""

    def __init__(self) -> None:
        self.totals: dict[str, MemberTotals] = {}
        """By account."""

    def add(self, run: BatchRun) -> None:
        """Count one more run."""
        buys, sells = run.inputs.residual
        sold, bought = traded_by_member(run)
        for one in run.inputs.members:
            own = self.totals.setdefault(one.account, MemberTotals())
            rest = remainder(one.net, sold[one.account], bought[one.account])
            own.import_wh += one.import_wh
            own.export_wh += one.export_wh
            own.estimated += one.estimated
            own.sold_wh += sold[one.account]
            own.bought_wh += bought[one.account]
            own.residual_out_wh += rest.left_over_wh
            own.residual_in_wh += rest.lacking_wh
            own.undelivered_wh += rest.undelivered_wh
            own.unused_wh += rest.unused_wh
            own.alone_micros += cost_floor(one.net.surplus_wh, buys)
            own.alone_micros -= cost_floor(one.net.deficit_wh, sells)
        for line in run.settlement.lines:
            if line.payer in self.totals:
                self.totals[line.payer].paid_micros[line.kind] += line.amount_micros
            if line.payee in self.totals:
                self.totals[line.payee].received_micros[line.kind] += line.amount_micros
