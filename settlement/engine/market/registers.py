"""
Look up and write registers' readings for many at once.

``reading`` keeps each reading byte for byte under its business key: instant, meter, register. Its
one index begins with the instant, so that what comes together is written side by side: an index by
meter would put each reading of a batch on a page of its own. What the batch needs of the past, the
newest reading of each register, stands in ``register_head``.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

from sqlalchemy import Connection, FromClause, bindparam, func, select, tuple_, update

from ledger.store.bulk import insert_rows
from ledger.units import UnixSeconds, WattHours
from settlement.metering.homes.flags import Flag
from settlement.metering.readings import Quality, Reading, Register
from settlement.tables import reading, register_head

Key = tuple[int, str, int]
"""Business key of a reading: instant, meter, register."""

_instant: Final[Callable[[Reading], UnixSeconds]] = attrgetter("at_s")
_KEY: Final = (reading.c.at_s, reading.c.meter_id, reading.c.register)
_FIELDS: Final = (
    reading.c.meter_id,
    reading.c.register,
    reading.c.at_s,
    reading.c.sequence,
    reading.c.energy_wh,
    reading.c.quality,
)
_MOVED: Final = ("at_s", "sequence", "energy_wh", "quality")
_MOVE_HEAD: Final = (
    update(register_head)
    .where(
        register_head.c.meter_id == bindparam("of_meter"),
        register_head.c.register == bindparam("of_register"),
    )
    .values({name: bindparam(f"now_{name}") for name in _MOVED})
)
_HEADS: Final = (
    select(register_head)
    .where(register_head.c.meter_id.in_(bindparam("meters", expanding=True)))
    .order_by(register_head.c.meter_id, register_head.c.register)
    .with_for_update()
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
    return one.at_s, one.meter_id, int(one.register)


class Registers:
    """What is stored of the registers that a batch speaks of, and what the batch adds to it."""

    def __init__(self, connection: Connection, readings: Iterable[SignedReading]) -> None:
        """Look up all that the batch needs, however many readings it has, in two queries."""
        given = [one.reading for one in readings]
        self._connection: Final = connection
        self._newest: Final = _heads(connection, {one.meter_id for one in given})
        self._bodies: Final = _bodies(connection, [one for one in given if self._may_be_known(one)])
        self._added: Final[dict[tuple[str, Register], list[Reading]]] = {}
        self._unwritten: Final[list[tuple[SignedReading, bytes, Flag]]] = []

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

    def after(self, one: Reading) -> Reading | None:
        """Return the register's next reading after ``one``, stored or added."""
        register = (one.meter_id, one.register)
        newest = self._newest.get(register)
        stored = None
        if newest is not None and newest.at_s > one.at_s:
            stored = next_reading(self._connection, one)
        added = self._added.get(register, [])
        place = bisect_right(added, one.at_s, key=_instant)
        if place == len(added):
            return stored
        following = added[place]
        return following if stored is None or following.at_s < stored.at_s else stored

    def add(self, signed: SignedReading, digest: bytes, flags: Flag) -> None:
        """Take a reading that was found good; ``write`` writes it."""
        one = signed.reading
        key = key_of(one)
        self._bodies[key] = signed.body
        added = self._added.setdefault((one.meter_id, one.register), [])
        added.insert(bisect_right(added, one.at_s, key=_instant), one)
        self._unwritten.append((signed, digest, flags))

    def write(self) -> None:
        """Write what was added and is not yet written, and move the registers' heads."""
        insert_rows(self._connection, reading, [_row(*one) for one in self._unwritten])
        self._unwritten.clear()
        moved = [
            (register, added[-1])
            for register, added in self._added.items()
            if (head := self._newest.get(register)) is None or head.at_s < added[-1].at_s
        ]
        new = [one for register, one in moved if register not in self._newest]
        old = [one for register, one in moved if register in self._newest]
        insert_rows(self._connection, register_head, [_head(one) for one in new])
        if old:
            self._connection.execute(_MOVE_HEAD, [_move(one) for one in old])
        self._newest.update(moved)

    def _may_be_known(self, one: Reading) -> bool:
        """Say whether a reading of this business key can be stored: none is past the newest."""
        newest = self._newest.get((one.meter_id, one.register))
        return newest is not None and one.at_s <= newest.at_s


def last_reading(
    connection: Connection,
    meter_id: str,
    register: Register,
    until_s: UnixSeconds,
    among: FromClause = reading,
) -> Reading | None:
    """
    Return the newest reading of a register up to and including ``until_s``, if there is one.

    Goes back from one instant at which anybody spoke to the one before, as the index allows, until
    the register spoke too: a step for each interval that it missed, however many meters there are.
    Only readings ``among`` the given ones count (``settlement.engine.market.late``).
    """
    mine = (among.c.meter_id == meter_id, among.c.register == int(register))
    steps = (
        select(func.max(reading.c.at_s).label("at_s"))
        .where(reading.c.at_s <= until_s)
        .cte("steps", recursive=True)
    )
    spoke = select(among.c.at_s).where(among.c.at_s == steps.c.at_s, *mine)
    earlier = select(func.max(reading.c.at_s)).where(reading.c.at_s < steps.c.at_s)
    steps = steps.union_all(
        select(earlier.scalar_subquery()).where(
            steps.c.at_s.is_not(None), ~spoke.correlate(steps).exists()
        )
    )
    fields = [among.c[column.name] for column in _FIELDS]
    found = connection.execute(
        select(*fields).where(
            among.c.at_s == select(func.min(steps.c.at_s)).scalar_subquery(), *mine
        )
    ).first()
    return None if found is None else _reading_of(found)


def next_reading(connection: Connection, one: Reading) -> Reading | None:
    """Return the next stored reading of a register after ``one``, if there is one."""
    found = connection.execute(
        select(*_FIELDS)
        .where(
            reading.c.at_s > one.at_s,
            reading.c.meter_id == one.meter_id,
            reading.c.register == int(one.register),
        )
        .order_by(reading.c.at_s)
        .limit(1)
    ).first()
    return None if found is None else _reading_of(found)


def stored_readings(connection: Connection, limit: int) -> tuple[SignedReading, ...]:
    """Return the oldest ``limit`` readings as they came."""
    found = connection.execute(
        select(*_FIELDS, reading.c.signature, reading.c.body).order_by(*_KEY).limit(limit)
    )
    return tuple(SignedReading(_reading_of(row), row.signature, row.body) for row in found)


def first_head_astray(connection: Connection) -> str | None:
    """Return which register's head is not its newest reading, if there is one."""
    newest = (
        select(reading.c.meter_id, reading.c.register, func.max(reading.c.at_s).label("at_s"))
        .group_by(reading.c.meter_id, reading.c.register)
        .subquery()
    )
    stored = select(*_FIELDS).join(
        newest,
        (newest.c.at_s == reading.c.at_s)
        & (newest.c.meter_id == reading.c.meter_id)
        & (newest.c.register == reading.c.register),
    )
    right = {(row[0], row[1]): tuple(row) for row in connection.execute(stored)}
    heads = {(row[0], row[1]): tuple(row) for row in connection.execute(select(register_head))}
    for register in sorted(right.keys() | heads.keys()):
        if right.get(register) != heads.get(register):
            return f"register {register[1]} of meter {register[0]}"
    return None


def _heads(connection: Connection, meters: Iterable[str]) -> dict[tuple[str, Register], Reading]:
    """Return the newest reading of each register of ``meters``, and keep others off meanwhile."""
    found = connection.execute(_HEADS, {"meters": sorted(meters)})
    heads = map(_reading_of, found)
    return {(one.meter_id, one.register): one for one in heads}


def _bodies(connection: Connection, readings: Sequence[Reading]) -> dict[Key, bytes]:
    """Return what was accepted before under the business keys of ``readings``."""
    if not readings:
        return {}
    found = connection.execute(
        select(*_KEY, reading.c.body).where(tuple_(*_KEY).in_([key_of(one) for one in readings]))
    )
    return {(row[0], row[1], row[2]): row[3] for row in found}


def _row(signed: SignedReading, digest: bytes, flags: Flag) -> tuple[object, ...]:
    return (*_head(signed.reading), digest, signed.signature, signed.body, int(flags))


def _head(one: Reading) -> tuple[object, ...]:
    """Return a reading's fields, in the order of ``_FIELDS``."""
    return (
        one.meter_id,
        int(one.register),
        one.at_s,
        one.sequence,
        one.energy_wh,
        int(one.quality),
    )


def _move(one: Reading) -> Mapping[str, object]:
    """Return what ``_MOVE_HEAD`` needs to know."""
    return {
        "of_meter": one.meter_id,
        "of_register": int(one.register),
        "now_at_s": one.at_s,
        "now_sequence": one.sequence,
        "now_energy_wh": one.energy_wh,
        "now_quality": int(one.quality),
    }


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
