"""Say of each order of a batch why it was served, in part, or not."""

from collections.abc import Iterator
from typing import Final

from ledger.units import Micros, MicrosPerKilowattHour
from settlement.engine.batch.model import BatchCommunity, BatchMember
from settlement.engine.batch.running import BatchRun
from settlement.trading.explaining import Explanation, Reason, explain_interval
from settlement.trading.explaining.interval import not_in_force
from settlement.trading.orders.signed import IntervalOrder, standing
from settlement.trading.orders.standing import Side
from settlement.trading.outcome import Order


class Explainer:
    """A community's members and caps, ready to explain its runs."""

    def __init__(self, community: BatchCommunity) -> None:
        self._community: Final = community
        self._caps_micros: Final[dict[str, Micros]] = {
            one.mandate.member: one.mandate.cap_micros for one in community.members
        }

    def explain(self, run: BatchRun) -> Iterator[Explanation]:
        """Yield why each order of a run got what it got, those that had expired included."""
        yield from explain_interval(run.inputs, self._caps_micros)
        for member in self._community.members:
            for one in member.orders:
                is_for = one.first_interval <= run.inputs.interval <= one.last_interval
                if is_for and one.expires_at_s <= run.begin_s:
                    yield not_in_force(
                        Side(one.side),
                        self._order(member, one),
                        Reason.EXPIRED,
                        at_s=run.begin_s,
                        until_s=one.expires_at_s,
                    )

    def _order(self, member: BatchMember, one: IntervalOrder) -> Order:
        """Return an order as in the book: fees and local toll are taken off a bid's limit."""
        fees, beside = self._community.fees, 0
        if one.side == Side.BUY:
            beside = fees.levy + fees.platform + self._community.tree.local_toll(member.zone)
        limit = MicrosPerKilowattHour(one.limit - beside)
        return Order(one.member, one.energy_wh, limit, member.zone, standing(one).key)
