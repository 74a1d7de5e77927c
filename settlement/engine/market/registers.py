"""
Look up and write registers' readings for many at once.

``reading`` keeps each reading byte for byte under its business key: meter, register, instant.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Select,
    and_,
    bindparam,
    func,
    literal,
    select,
    tuple_,
    union_all,
)

from ledger.store.bulk import insert_rows
from ledger.units import UnixSeconds, WattHours
from settlement.metering.readings import Quality, Reading, Register
from settlement.tables import meter, reading

Key = tuple[str, int, int]
"""Business key of a reading: meter, register, instant."""

_instant: Final[Callable[[Reading], UnixSeconds]] = attrgetter("at_s")
_FIELDS: Final = (
    reading.c.meter_id,
    reading.c.register,
    reading.c.at_s,
    reading.c.sequence,
    reading.c.energy_wh,
    reading.c.quality,
)


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading as it came, with its signature."""

    reading: Reading
    """What the meter says."""
    signature: bytes
    """r, s, v: 65 bytes."""
    body: bytes
    """What was sent, byte for byte."""


def key_of(one: Reading) -> Key:
    """Return the business key of a reading."""
    return one.meter_id, one.register.value, one.at_s


class Registers:
    """What is stored of the registers that a batch speaks of, and what the batch adds to it."""

    def __init__(self, connection: Connection, readings: Iterable[SignedReading]) -> None:
        """Look up all that the batch needs, however many readings it has, in two queries."""
        given = [one.reading for one in readings]
        self._connection: Final = connection
        self._newest: Final = _newest(connection, {one.meter_id for one in given})
        self._bodies: Final = _bodies(connection, [one for one in given if self._may_be_known(one)])
        self._added: Final[dict[tuple[str, Register], list[Reading]]] = {}
        self._unwritten: Final[list[tuple[object, ...]]] = []

    def body_of(self, one: Reading) -> bytes | None:
        """Return what was accepted before under the reading's business key, byte for byte."""
        return self._bodies.get(key_of(one))

    def before(self, one: Reading) -> Reading | None:
        """Return the register's newest reading up to ``one``, stored or added."""
        register = (one.meter_id, one.register)
        stored = self._newest.get(register)
        if stored is not None and stored.at_s > one.at_s:
            stored = last_reading(self._connection, one.meter_id, one.register, one.at_s)
        added = self._added.get(register)
        if added is None:
            return stored
        place = bisect_right(added, one.at_s, key=_instant)
        if place == 0:
            return stored
        newest = added[place - 1]
        return newest if stored is None or stored.at_s < newest.at_s else stored

    def add(self, signed: SignedReading, digest: bytes) -> None:
        """Take a reading that was found good; ``write`` writes it."""
        one = signed.reading
        key = key_of(one)
        self._bodies[key] = signed.body
        added = self._added.setdefault((one.meter_id, one.register), [])
        added.insert(bisect_right(added, one.at_s, key=_instant), one)
        self._unwritten.append(
            (
                *key,
                one.sequence,
                one.energy_wh,
                one.quality.value,
                digest,
                signed.signature,
                signed.body,
            )
        )

    def write(self) -> None:
        """Write what was added and is not yet written."""
        insert_rows(self._connection, reading, self._unwritten)
        self._unwritten.clear()

    def _may_be_known(self, one: Reading) -> bool:
        """Say whether a reading of this business key can be stored: none is past the newest."""
        newest = self._newest.get((one.meter_id, one.register))
        return newest is not None and one.at_s <= newest.at_s


def last_reading(
    connection: Connection, meter_id: str, register: Register, until_s: UnixSeconds
) -> Reading | None:
    """Return the newest reading of a register up to and including ``until_s``, if there is one."""
    found = connection.execute(
        select(*_FIELDS)
        .where(
            reading.c.meter_id == meter_id,
            reading.c.register == register.value,
            reading.c.at_s <= until_s,
        )
        .order_by(reading.c.at_s.desc())
        .limit(1)
    ).first()
    return None if found is None else _reading_of(found)


def stored_readings(connection: Connection, limit: int) -> tuple[SignedReading, ...]:
    """Return the oldest ``limit`` readings as they came."""
    found = connection.execute(
        select(*_FIELDS, reading.c.signature, reading.c.body).order_by(reading.c.at_s).limit(limit)
    )
    return tuple(SignedReading(_reading_of(row), row.signature, row.body) for row in found)


def _newest(connection: Connection, meters: set[str]) -> dict[tuple[str, Register], Reading]:
    """Return the newest reading of each register of ``meters``: one seek in the index for each."""
    found = connection.execute(_EACH_NEWEST, {"meters": sorted(meters)})
    return {(row[0], Register(row[1])): _reading_of(row) for row in found}


def _each_newest() -> Select[str, int, int, int, int, int]:
    """Return the query, which names every register of every meter so that no history is read."""
    registers = union_all(*(select(literal(one.value).label("register")) for one in Register))
    each, other = registers.subquery("each"), reading.alias("other")
    newest_s = (
        select(func.max(other.c.at_s))
        .where(other.c.meter_id == meter.c.meter_id, other.c.register == each.c.register)
        .scalar_subquery()
    )
    return (
        select(*_FIELDS)
        .select_from(meter)
        .join(each, literal(1) == 1)
        .join(
            reading,
            and_(
                reading.c.meter_id == meter.c.meter_id,
                reading.c.register == each.c.register,
                reading.c.at_s == newest_s,
            ),
        )
        .where(meter.c.meter_id.in_(bindparam("meters", expanding=True)))
    )


_EACH_NEWEST: Final = _each_newest()


def _bodies(connection: Connection, readings: Sequence[Reading]) -> dict[Key, bytes]:
    """Return what was accepted before under the business keys of ``readings``."""
    if not readings:
        return {}
    columns = (reading.c.meter_id, reading.c.register, reading.c.at_s)
    found = connection.execute(
        select(*columns, reading.c.body).where(
            tuple_(*columns).in_([key_of(one) for one in readings])
        )
    )
    return {(row[0], row[1], row[2]): row[3] for row in found}


def _reading_of(row: Sequence[Any]) -> Reading:
    """Return the reading that a row begins with, in the order of ``_FIELDS``."""
    meter_id, register, at_s, sequence, energy_wh, quality = row[:6]
    return Reading(
        meter_id=meter_id,
        register=Register(register),
        at_s=UnixSeconds(at_s),
        sequence=sequence,
        energy_wh=WattHours(energy_wh),
        quality=Quality(quality),
    )
