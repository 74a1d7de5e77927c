"""
Keep readings that came after the run of their interval, and say which readings a run knew.

A late reading is kept like any other. Beside it stands the newest run of the moment it came: that
run and those before it did not know the reading, so that each of them comes out again as it was.
"""

from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, FromClause, select

from ledger.store.bulk import insert_rows
from ledger.units import UnixSeconds
from settlement.engine.market.progress import newest
from settlement.engine.market.registers import Key, next_reading
from settlement.engine.service import Service
from settlement.metering.readings import Reading
from settlement.tables import dirty_interval, late_reading, reading

_SAME: Final = (
    (late_reading.c.at_s == reading.c.at_s)
    & (late_reading.c.meter_id == reading.c.meter_id)
    & (late_reading.c.register == reading.c.register)
)


def known_readings(connection: Connection, number: int, until_s: UnixSeconds) -> FromClause:
    """Return the readings up to ``until_s`` that run ``number`` knew, as a table to select from."""
    unknown = (late_reading.c.after_run >= number) & (late_reading.c.at_s <= until_s)
    if connection.execute(select(late_reading.c.at_s).where(unknown).limit(1)).first() is None:
        return reading
    return (
        select(reading)
        .where(~select(late_reading.c.at_s).where(_SAME, unknown).exists())
        .subquery()
    )


def keep_late(service: Service, connection: Connection, readings: Iterable[Reading]) -> None:
    """Note that ``readings``, which are stored, came late, and which intervals they change."""
    late = list(readings)
    if not late:
        return
    number, last = newest(connection)
    rows = [(*key, number) for key in sorted(map(_key, late))]
    insert_rows(connection, late_reading, rows)
    changed = {one for given in late for one in _changed(service, connection, given)}
    settled = [one for one in changed if one <= last]
    mark_dirty(connection, settled, since_s=service.clock.now_s())


def mark_dirty(connection: Connection, intervals: Iterable[int], *, since_s: UnixSeconds) -> None:
    """Say that settled intervals wait for a correction, unless they do so already."""
    known = set(connection.execute(select(dirty_interval.c.interval)).scalars())
    marks = [(one, since_s) for one in sorted(set(intervals) - known)]
    insert_rows(connection, dirty_interval, marks)


def _key(one: Reading) -> Key:
    return one.at_s, one.meter_id, int(one.register)


def _changed(service: Service, connection: Connection, one: Reading) -> Iterable[int]:
    """
    Return the intervals whose energy a reading may change.

    Those that end and begin with it, and the one in which the register spoke next: its energy
    counted from before the reading until then.
    """
    interval_of = service.rules.interval_of
    yield interval_of(UnixSeconds(one.at_s - 1))
    yield interval_of(one.at_s)
    following = next_reading(connection, one)
    if following is not None:
        yield interval_of(UnixSeconds(following.at_s - 1))
