"""Trace the sun in sessions to the roofs that it came from."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from ledger.units import WattHours
from settlement.charging.documents.facts import Roof
from settlement.engine.grid.keeping import lot_of
from settlement.engine.service import Service, wallet_of
from settlement.tables import lot, run, run_member, slice_, wallet
from settlement.trading.origin.cars import Drawn, drawn_by_sessions
from settlement.trading.origin.lots import Lot

_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a session's sun came from in one interval."""

    interval: int
    """Interval."""
    drawn: Drawn
    """Lot and energy."""


def sun_of_session(service: Service, connection: Connection, session_id: str) -> tuple[Origin, ...]:
    """Return the energy of roofs in a session, by interval, then seller."""
    return sun_of_sessions(service, connection, (session_id,))[session_id]


def roofs_in(service: Service, session_id: str) -> tuple[Roof, ...]:
    """Return what each roof gave to one session so far, the most first, then by party."""
    with service.reading() as connection:
        origins = sun_of_sessions(service, connection, (session_id,))
        return roofs_of(connection, origins)[session_id]


def sun_of_sessions(
    service: Service, connection: Connection, session_ids: Collection[str]
) -> Mapping[str, tuple[Origin, ...]]:
    """
    Return the same for each of some sessions.

    Over all sessions of an interval this is what the stations' operator bought of neighbors in it.
    Whatever is not settled yet has no sun yet.
    """
    wanted = frozenset(session_ids)
    intervals = connection.execute(
        select(slice_.c.interval).where(slice_.c.session_id.in_(wanted)).distinct()
    ).scalars()
    found: dict[str, list[Origin]] = {session_id: [] for session_id in wanted}
    asked = sorted(intervals)
    for first in range(0, len(asked), _BATCH):
        part = asked[first : first + _BATCH]
        lots = _purchases(service, connection, part)
        sessions = _energies(connection, part)
        for interval in part:
            for session_id, parts in drawn_by_sessions(lots[interval], sessions[interval]).items():
                if session_id in wanted:
                    found[session_id] += [Origin(interval, drawn) for drawn in parts]
    return {session_id: tuple(origins) for session_id, origins in found.items()}


def roofs_of(
    connection: Connection, origins: Mapping[str, tuple[Origin, ...]]
) -> Mapping[str, tuple[Roof, ...]]:
    """Return what each roof gave to each session, the most first, then by party."""
    parties = {row.address: row.party for row in connection.execute(select(wallet))}
    return {session_id: _roofs(parties, parts) for session_id, parts in origins.items()}


def traced_intervals(connection: Connection, intervals: Collection[int]) -> frozenset[int]:
    """Return which of the intervals were settled with their lots kept."""
    rows = connection.execute(
        select(run.c.interval)
        .join(run_member, run_member.c.run == run.c.run)
        .where(run.c.interval.in_(intervals))
        .distinct()
    ).scalars()
    return frozenset(rows)


def _roofs(parties: Mapping[str, str], origins: tuple[Origin, ...]) -> tuple[Roof, ...]:
    energies: defaultdict[str, int] = defaultdict(int)
    leaves: defaultdict[str, list[str]] = defaultdict(list)
    for one in origins:
        party = parties.get(one.drawn.lot.seller, one.drawn.lot.seller)
        energies[party] += one.drawn.energy_wh
        leaves[party].append(one.drawn.lot.leaf)
    return tuple(
        Roof(party, WattHours(energy), tuple(leaves[party]))
        for party, energy in sorted(energies.items(), key=lambda item: (-item[1], item[0]))
    )


def _purchases(
    service: Service, connection: Connection, intervals: list[int]
) -> Mapping[int, list[Lot]]:
    """Return what the operator bought in each interval, by its newest run."""
    newest = (
        select(run.c.interval, func.max(run.c.run).label("run"))
        .where(run.c.interval.in_(intervals))
        .group_by(run.c.interval)
        .subquery()
    )
    rows = connection.execute(
        select(lot, newest.c.interval)
        .join(newest, newest.c.run == lot.c.run)
        .where(lot.c.buyer == wallet_of(connection, service.rules.operator_party))
    )
    found: defaultdict[int, list[Lot]] = defaultdict(list)
    for row in rows:
        found[row.interval].append(lot_of(row))
    return found


def _energies(connection: Connection, intervals: list[int]) -> Mapping[int, dict[str, WattHours]]:
    rows: list[Row[Any]] = list(
        connection.execute(
            select(slice_.c.interval, slice_.c.session_id, func.sum(slice_.c.energy_wh).label("wh"))
            .where(slice_.c.interval.in_(intervals))
            .group_by(slice_.c.interval, slice_.c.session_id)
        )
    )
    found: defaultdict[int, dict[str, WattHours]] = defaultdict(dict)
    for row in rows:
        found[row.interval][row.session_id] = WattHours(int(row.wh))
    return found
