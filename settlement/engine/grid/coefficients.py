"""Say for each metering point and interval what the community shared: a grid operator's keys."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.community import Rules
from settlement.engine.grid.keeping import lot_of, newest_runs
from settlement.engine.grid.totals import Span
from settlement.metering.readings import Register
from settlement.tables import lot, meter, party, reading, run_member, wallet
from settlement.trading.allocation.points import Point, PointShare, shares_of
from settlement.trading.origin.lots import Lot
from settlement.trading.shares import shared_out


@dataclass(frozen=True, slots=True)
class Allocation:
    """What was shared of one metering point in one interval."""

    interval: int
    """Interval."""
    begin_s: UnixSeconds
    """Its first instant, in Unix seconds."""
    end_s: UnixSeconds
    """First instant after it, in Unix seconds."""
    run: int
    """Run that says so, the newest of the interval."""
    party: str
    """Party of the metering point."""
    zone: str
    """Zone of the party."""
    share: PointShare
    """Wh and coefficient; ``meter`` is its serial number."""
    estimated: bool
    """Whether the party's energy is estimated."""


@dataclass(frozen=True, slots=True)
class _Home:
    """A meter of a party."""

    meter_id: str
    """Its id."""
    serial: str
    """Its serial number."""


def allocations(connection: Connection, rules: Rules, span: Span) -> Iterator[Allocation]:
    """
    Yield the shares of every metering point in every settled interval of a span, in order.

    The stations of an operator count as one metering point, named after their operator, since it
    buys for all of them together.

    Raises
    ------
    AllocationBrokenError
        If shares do not add up.
    """
    parties = {row.address: row.party for row in connection.execute(select(wallet))}
    homes = _homes(connection)
    newest = newest_runs(span.first_interval, span.until_interval).order_by("interval")
    for interval, number in connection.execute(newest).all():
        rows = connection.execute(
            select(run_member).where(run_member.c.run == number).order_by(run_member.c.account)
        ).all()
        members = {row.account: row for row in rows}
        points = [
            point
            for row in rows
            for point in _points(connection, rules, interval, row, homes.get(row.account, ()))
        ]
        for share in shares_of(points, _lots(connection, number)):
            yield Allocation(
                interval=interval,
                begin_s=rules.start_s(interval),
                end_s=rules.end_s(interval),
                run=number,
                party=parties[share.account],
                zone=members[share.account].zone,
                share=share,
                estimated=bool(members[share.account].estimated),
            )


def _homes(connection: Connection) -> Mapping[str, Sequence[_Home]]:
    """Return the home meters of each account, by serial number."""
    rows = connection.execute(
        select(wallet.c.address, meter.c.meter_id, meter.c.serial)
        .join(party, party.c.id == meter.c.party)
        .join(wallet, wallet.c.party == party.c.id)
        .where(meter.c.kind == "gateway")
        .order_by(meter.c.serial)
        .distinct()
    )
    found: defaultdict[str, list[_Home]] = defaultdict(list)
    for row in rows:
        found[row.address].append(_Home(row.meter_id, row.serial))
    return found


def _lots(connection: Connection, number: int) -> list[Lot]:
    return [lot_of(row) for row in connection.execute(select(lot).where(lot.c.run == number))]


def _points(
    connection: Connection,
    rules: Rules,
    interval: int,
    row: Row[Any],
    homes: Sequence[_Home],
) -> Iterator[Point]:
    """Yield the metering points of a member; its energy is divided as its meters measured it."""
    imports, exports = int(row.import_wh), int(row.export_wh)
    if len(homes) < 2:  # noqa: PLR2004 - nothing to divide
        name = homes[0].serial if homes else f"stations of {row.account}"
        yield Point(name, row.account, WattHours(imports), WattHours(exports))
        return
    taken = _divided(connection, rules, interval, homes, Register.IMPORT, imports)
    given = _divided(connection, rules, interval, homes, Register.EXPORT, exports)
    for home in homes:
        yield Point(
            home.serial,
            row.account,
            WattHours(taken[home.serial]),
            WattHours(given[home.serial]),
        )


def _divided(
    connection: Connection,
    rules: Rules,
    interval: int,
    homes: Sequence[_Home],
    register: Register,
    total: int,
) -> dict[str, int]:
    ends = connection.execute(
        select(reading.c.meter_id, reading.c.at_s, reading.c.energy_wh).where(
            reading.c.meter_id.in_([home.meter_id for home in homes]),
            reading.c.register == int(register),
            reading.c.at_s.in_((rules.start_s(interval), rules.end_s(interval))),
        )
    )
    registers: defaultdict[str, list[int]] = defaultdict(list)
    for one in ends:
        registers[one.meter_id].append(one.energy_wh)
    measured = {
        home.serial: max(registers[home.meter_id]) - min(registers[home.meter_id])
        if registers[home.meter_id]
        else 0
        for home in homes
    }
    if not sum(measured.values()):
        measured = dict.fromkeys(measured, 1)
    return shared_out(total, measured)
