"""Add up a member's lines, and what its meters would have cost with the residual supplier alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.errors import Integrity
from ledger.units import Micros, MicrosPerKilowattHour, WattHours, cost_floor
from settlement.trading.lines import Kind, Line, Rail
from settlement.trading.settle import IntervalInputs, Settlement

_MOVED: Final = frozenset((Kind.ENERGY, Kind.RESIDUAL, Kind.IMBALANCE))
"""Kinds whose lines are for energy that moved; the others go with it."""


class StatementNotBalancedError(Integrity):
    """Lines and meters of an interval do not say the same of a member's energy."""

    def __init__(self, member: str, interval: int, missing_wh: WattHours) -> None:
        super().__init__(
            "statement_not_balanced",
            f"interval {interval}: lines of {member} miss {missing_wh} Wh of its meters",
        )


class UnknownAccountError(Integrity):
    """A line of somebody who has no part in the community."""

    def __init__(self, account: str) -> None:
        super().__init__("unknown_account_in_line", f"a line is of {account}, whom nobody knows")


@dataclass(frozen=True, slots=True)
class MemberInterval:
    """What one interval came to for one member."""

    interval: int
    """Interval."""
    import_wh: WattHours
    """Taken from the feeder, in Wh."""
    export_wh: WattHours
    """Given to the feeder, in Wh."""
    residual: tuple[MicrosPerKilowattHour, MicrosPerKilowattHour]
    """What the residual supplier pays for surplus, and what it asks."""
    lines: tuple[Line, ...]
    """Lines that the member pays or is paid by."""

    @property
    def alone_micros(self) -> Micros:
        """What the member would receive, or pay if below zero, with the supplier alone."""
        net = self.export_wh - self.import_wh
        takes, gives = self.residual
        earned = cost_floor(WattHours(max(0, net)), takes)
        return Micros(earned - cost_floor(WattHours(max(0, -net)), gives))


@dataclass(frozen=True, slots=True)
class Entry:
    """All lines of one kind with one counterparty on one rail."""

    kind: Kind
    """What for."""
    other: str
    """Who pays or is paid."""
    rail: Rail
    """Where the money moves."""
    given_wh: WattHours
    """Energy that the member gave, or that others bought and paid it for, in Wh."""
    taken_wh: WattHours
    """Energy that the member took, in Wh; of fees the energy that they are for."""
    received_micros: Micros
    """What the member is owed, in micros."""
    paid_micros: Micros
    """What the member owes, in micros."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a period came to for a member."""

    member: str
    """Whose."""
    intervals: tuple[int, ...]
    """Intervals, in order."""
    import_wh: WattHours
    """Taken from the feeder, in Wh."""
    export_wh: WattHours
    """Given to the feeder, in Wh."""
    entries: tuple[Entry, ...]
    """By kind, then counterparty, then rail."""
    alone_micros: Micros
    """What the member would have received less paid with the residual supplier alone."""

    @property
    def received_micros(self) -> Micros:
        """All that the member is owed, in micros."""
        return Micros(sum(one.received_micros for one in self.entries))

    @property
    def paid_micros(self) -> Micros:
        """All that the member owes, in micros."""
        return Micros(sum(one.paid_micros for one in self.entries))

    @property
    def net_micros(self) -> Micros:
        """What the member is owed less what it owes, in micros."""
        return Micros(self.received_micros - self.paid_micros)

    @property
    def gain_micros(self) -> Micros:
        """How much better the member stands than with the residual supplier alone, in micros."""
        return Micros(self.net_micros - self.alone_micros)

    def of_kind(self, kind: Kind) -> Entry:
        """Return all entries of a kind as one, without counterparty."""
        found = [one for one in self.entries if one.kind is kind]
        return Entry(
            kind=kind,
            other="",
            rail=found[0].rail if found else Rail.CHAIN,
            given_wh=WattHours(sum(one.given_wh for one in found)),
            taken_wh=WattHours(sum(one.taken_wh for one in found)),
            received_micros=Micros(sum(one.received_micros for one in found)),
            paid_micros=Micros(sum(one.paid_micros for one in found)),
        )


def of_settlement(
    member: str, inputs: IntervalInputs, settlement: Settlement
) -> MemberInterval | None:
    """Return what a settled interval came to for a member; None if it was no member then."""
    own = next((one for one in inputs.members if one.account == member), None)
    if own is None:
        return None
    return MemberInterval(
        interval=inputs.interval,
        import_wh=own.import_wh,
        export_wh=own.export_wh,
        residual=inputs.residual,
        lines=tuple(one for one in settlement.lines if member in (one.payer, one.payee)),
    )


def statement(member: str, intervals: Iterable[MemberInterval]) -> Statement:
    """
    Return what intervals came to for a member, each interval once.

    Raises
    ------
    StatementNotBalancedError
        If the energy of an interval's lines is not what its meters say.
    """
    sums: dict[tuple[Kind, str, Rail], list[int]] = {}
    known = sorted(intervals, key=lambda one: one.interval)
    for one in known:
        _check(member, one)
        for line in one.lines:
            _add(sums, member, line)
    return Statement(
        member=member,
        intervals=tuple(sorted({one.interval for one in known})),
        import_wh=WattHours(sum(one.import_wh for one in known)),
        export_wh=WattHours(sum(one.export_wh for one in known)),
        entries=tuple(
            Entry(kind, other, rail, *_amounts(sums[kind, other, rail]))
            for kind, other, rail in sorted(sums, key=_place)
        ),
        alone_micros=Micros(sum(one.alone_micros for one in known)),
    )


def balances(lines: Iterable[Line], accounts: Iterable[str]) -> Mapping[str, Micros]:
    """
    Return what each account is owed less what it owes; over all accounts it sums to zero.

    Raises
    ------
    UnknownAccountError
        If a line is of somebody who is not among ``accounts``.
    """
    net = dict.fromkeys(accounts, 0)
    for line in lines:
        for account, amount in (
            (line.payer, -line.amount_micros),
            (line.payee, line.amount_micros),
        ):
            if account not in net:
                raise UnknownAccountError(account)
            net[account] += amount
    return {account: Micros(amount) for account, amount in net.items()}


def _add(sums: dict[tuple[Kind, str, Rail], list[int]], member: str, line: Line) -> None:
    pays = line.payer == member
    sign = -1 if _gives(member, line) else 1
    amounts = sums.setdefault(
        (line.kind, line.payee if pays else line.payer, line.rail), [0, 0, 0, 0]
    )
    amounts[0 if sign < 0 else 1] += line.energy_wh
    amounts[3 if pays else 2] += line.amount_micros


def _gives(member: str, line: Line) -> bool:
    """Return whether the member gave the energy of a line: who gives it is paid for it."""
    changed_places = line.price < 0 < line.amount_micros
    return (line.payee == member) != changed_places


def _check(member: str, one: MemberInterval) -> None:
    moved = sum(
        line.energy_wh if _gives(member, line) else -line.energy_wh
        for line in one.lines
        if line.kind in _MOVED
    )
    missing = one.export_wh - one.import_wh - moved
    if missing:
        raise StatementNotBalancedError(member, one.interval, WattHours(missing))


def _amounts(sums: list[int]) -> tuple[WattHours, WattHours, Micros, Micros]:
    given, taken, received, paid = sums
    return WattHours(given), WattHours(taken), Micros(received), Micros(paid)


def _place(key: tuple[Kind, str, Rail]) -> tuple[int, str, str]:
    kind, other, rail = key
    return list(Kind).index(kind), other, rail
