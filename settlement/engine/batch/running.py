"""Settle a batch, interval by interval: readings in, lines and proofs out, nothing stored."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds
from settlement.engine.batch.measuring import Evidence, Measured, Walk
from settlement.engine.batch.model import Batch, BatchCommunity, BatchMember
from settlement.metering.intervals import IntervalIndex, end_s, interval_of, start_s
from settlement.trading.mandates import band_at, mandate_hash
from settlement.trading.orders.applying import Limits
from settlement.trading.orders.signed import IntervalOrder, standing
from settlement.trading.orders.standing import StandingOrder, orders_hash
from settlement.trading.settle import IntervalInputs, Member, Settlement, settle

_FIRST_RUN: Final = 1


class NothingToSettleError(InvalidRequest):
    """The readings hold no whole interval of the span that is asked for."""

    def __init__(self) -> None:
        super().__init__("nothing_to_settle", "the readings hold no whole interval of that span")


@dataclass(frozen=True, slots=True)
class BatchRun:
    """One interval, settled."""

    inputs: IntervalInputs
    """What it was settled from."""
    settlement: Settlement
    """What it came to."""
    begin_s: UnixSeconds
    """First instant of the interval."""
    end_s: UnixSeconds
    """First instant after it."""
    evidence: tuple[Evidence, ...]
    """Readings that no earlier interval used."""


def span_of(
    batch: Batch, from_s: UnixSeconds | None = None, until_s: UnixSeconds | None = None
) -> range:
    """
    Return the intervals that the readings hold, cut to ``[from_s, until_s)`` if asked.

    Raises
    ------
    NothingToSettleError
        If there are none.
    """
    length_s = batch.community.interval_s
    series = [one for meter in batch.meters for one in meter.series.values() if len(one.at_s)]
    if not series:
        raise NothingToSettleError
    first_s = UnixSeconds(min(one.at_s[0] for one in series))
    last_s = UnixSeconds(max(one.at_s[-1] for one in series))
    if from_s is not None:
        first_s = max(first_s, from_s)
    if until_s is not None:
        last_s = min(last_s, until_s)
    first = interval_of(UnixSeconds(first_s + length_s - 1), length_s)
    span = range(first, interval_of(last_s, length_s))
    if not span:
        raise NothingToSettleError
    return span


def settle_batch(batch: Batch, intervals: range) -> Iterator[BatchRun]:
    """
    Yield the run of each interval, in the order of time.

    Where a member's deposit is given, what it may spend follows its balance from run to run.

    Raises
    ------
    UnverifiedReading
        If a meter with a key did not sign a reading.
    """
    community = batch.community
    walk, purses = Walk(batch), _Purses(community)
    hashes = {one.name: mandate_hash(one.mandate) for one in community.members}
    for number, interval in enumerate(intervals, start=_FIRST_RUN):
        index = IntervalIndex(interval)
        begin = start_s(index, community.interval_s)
        end = end_s(index, community.interval_s)
        measured, evidence = walk.interval(begin, end)
        offset_minutes = community.utc_offset_minutes(begin)
        members = tuple(
            _member(
                one,
                measured.get(one.name, _UNMETERED),
                (begin, offset_minutes),
                purses.spendable(one),
                (hashes[one.name], tuple(_in_force(one.orders, index, begin))),
            )
            for one in community.members
        )
        inputs = _inputs(community, number, interval, members, community.residual.prices(begin))
        settlement = settle(inputs)
        purses.move(settlement.deltas)
        yield BatchRun(inputs, settlement, begin, end, tuple(evidence))


def _in_force(
    orders: Sequence[IntervalOrder], interval: IntervalIndex, begin_s: UnixSeconds
) -> Iterator[StandingOrder]:
    """Yield the orders that are for an interval and have not expired when it begins."""
    for one in orders:
        if one.first_interval <= interval <= one.last_interval and begin_s < one.expires_at_s:
            yield standing(one)


_UNMETERED: Final = Measured()
"""What a member without a meter measures."""


class _Purses:
    """What members have left, of those who have a deposit."""

    def __init__(self, community: BatchCommunity) -> None:
        self._left: Final = {
            one.mandate.member: int(one.deposit_micros)
            for one in community.members
            if one.deposit_micros is not None
        }

    def spendable(self, one: BatchMember) -> Micros:
        """Return the smaller of cap and what is left."""
        left = self._left.get(one.mandate.member)
        cap = one.mandate.cap_micros
        return cap if left is None else Micros(min(cap, left))

    def move(self, deltas: tuple[tuple[str, int], ...]) -> None:
        """Take and give what a run moved."""
        for account, micros in deltas:
            if account in self._left:
                self._left[account] += micros


def _member(
    one: BatchMember,
    measured: Measured,
    at: tuple[UnixSeconds, int],
    spendable_micros: Micros,
    wishes: tuple[bytes, tuple[StandingOrder, ...]],
) -> Member:
    band = band_at(one.mandate, *at)
    mandate_hash, orders = wishes
    return Member(
        account=one.mandate.member,
        import_wh=measured.import_wh,
        export_wh=measured.export_wh,
        limits=Limits(band.sell_not_below, band.buy_not_above),
        spendable_micros=spendable_micros,
        order_hash=orders_hash(mandate_hash, orders),
        digests=tuple(measured.digests),
        estimated=measured.estimated,
        zone=one.zone,
        orders=orders,
        solar=one.solar,
    )


def _inputs(
    community: BatchCommunity,
    number: int,
    interval: int,
    members: tuple[Member, ...],
    residual: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour],
) -> IntervalInputs:
    return IntervalInputs(
        run=number,
        interval=interval,
        members=members,
        fees=community.fees,
        institutions=community.institutions,
        residual=residual,
        salt_key=community.salt_key,
        tree=community.tree,
        mechanism=community.mechanism,
    )
