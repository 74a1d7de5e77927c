"""
Count what each home register did in an interval, from stored readings.

What a run knows are the readings of instants up to the interval's end. What earlier runs counted
beyond what a register had said by then stands in their inputs, under ``ahead``.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from sqlalchemy import Connection, FromClause, RowMapping, select

from ledger.units import UnixSeconds, WattHours
from settlement.engine.market.registers import last_reading
from settlement.engine.meters.holdings import Holding
from settlement.engine.service import Service
from settlement.metering.homes.counting import Counted, Estimates, counted, profile_wh
from settlement.metering.homes.flags import Flag
from settlement.metering.readings import Register
from settlement.tables import reading, run

_DAY_S: Final = 86_400
_TWO_WAYS: Final = (int(Register.IMPORT), int(Register.EXPORT))
_NOTHING: Final = WattHours(0)


class Counters:
    """The registers of an interval; what they all need is looked up once."""

    def __init__(
        self,
        service: Service,
        connection: Connection,
        interval: int,
        number: int,
        known: FromClause = reading,
    ) -> None:
        """Look up what was said at both ends of ``interval``, as far as run ``number`` knew it."""
        self._connection: Final = connection
        self._known: Final = known
        self._begin_s: Final = service.rules.start_s(interval)
        self._end_s: Final = service.rules.end_s(interval)
        self._rows: Final = self._said_at(self._begin_s, self._end_s)
        self._estimating: Final = service.rules.estimates is Estimates.PROFILE
        self._ahead: Final = self._counted_ahead(interval, number) if self._estimating else {}

    def counted(self, one: Holding, register: Register) -> Counted:
        """Return what a register counted."""
        begin, end = (self._value(one, register, at_s) for at_s in (self._begin_s, self._end_s))
        if begin is None:
            begin = self._earlier(one, register)
        ahead = self._ahead.get(register_name(one.meter_id, register), _NOTHING)
        estimate = None
        if end is None and self._estimating:
            estimate = profile_wh(
                lambda at_s: self._value_then(one, register, at_s),
                self._begin_s,
                self._end_s,
                one.modulus_wh,
            )
        return counted(begin, end, ahead, estimate, one.modulus_wh)

    def flags(self, one: Holding) -> Flag:
        """Return what the readings at the interval's end came with, and whether it is stuck."""
        at_end = [row for row in self._rows.get(one.meter_id, ()) if row["at_s"] == self._end_s]
        found = Flag.NONE
        for row in at_end:
            found |= Flag(row["flags"])
        return found | (Flag.STUCK if at_end and self._stands_still(one) else Flag.NONE)

    def digests(self, one: Holding) -> Iterator[bytes]:
        """Yield the digests of what a meter said at both ends, by register and instant."""
        for row in self._rows.get(one.meter_id, ()):
            yield row["digest"]

    def _stands_still(self, one: Holding) -> bool:
        """Say whether neither register has moved in the interval, nor in the day before its end."""
        for register in map(Register, _TWO_WAYS):
            begin, end = (self._value(one, register, at_s) for at_s in (self._begin_s, self._end_s))
            if end is None or begin != end:
                return False
        day_s = UnixSeconds(self._end_s - _DAY_S)
        return all(
            self._value_then(one, register, day_s) == self._value(one, register, self._end_s)
            for register in map(Register, _TWO_WAYS)
        )

    def _value(self, one: Holding, register: Register, at_s: UnixSeconds) -> WattHours | None:
        for row in self._rows.get(one.meter_id, ()):
            if (row["register"], row["at_s"]) == (register, at_s):
                return WattHours(row["energy_wh"])
        return None

    def _value_then(self, one: Holding, register: Register, at_s: UnixSeconds) -> WattHours | None:
        """Return what a register said at an earlier instant, if it was then in the same hands."""
        if at_s < one.since_s:
            return None
        known = self._known
        found = self._connection.execute(
            select(known.c.energy_wh).where(
                known.c.at_s == at_s,
                known.c.meter_id == one.meter_id,
                known.c.register == int(register),
            )
        ).scalar()
        return None if found is None else WattHours(found)

    def _earlier(self, one: Holding, register: Register) -> WattHours | None:
        """Return what a register said last before the interval, in the same hands."""
        until_s = UnixSeconds(self._begin_s - 1)
        found = last_reading(self._connection, one.meter_id, register, until_s, self._known)
        return None if found is None or found.at_s < one.since_s else found.energy_wh

    def _said_at(self, *instants: UnixSeconds) -> Mapping[str, list[RowMapping]]:
        known = self._known
        found = self._connection.execute(
            select(
                known.c.meter_id,
                known.c.register,
                known.c.at_s,
                known.c.energy_wh,
                known.c.digest,
                known.c.flags,
            )
            .where(known.c.at_s.in_(instants), known.c.register.in_(_TWO_WAYS))
            .order_by(known.c.register, known.c.at_s)
        ).mappings()
        of_meter: dict[str, list[RowMapping]] = defaultdict(list)
        for row in found:
            of_meter[row["meter_id"]].append(row)
        return of_meter

    def _counted_ahead(self, interval: int, number: int) -> Mapping[str, WattHours]:
        """Return how far the interval before left what was counted ahead of what was said."""
        noted = self._connection.execute(
            select(run.c.inputs)
            .where(run.c.interval == interval - 1, run.c.run < number)
            .order_by(run.c.run.desc())
            .limit(1)
        ).scalar()
        found = {} if noted is None else json.loads(noted).get("ahead", {})
        return {name: WattHours(ahead_wh) for name, ahead_wh in found.items()}


def register_name(meter_id: str, register: Register) -> str:
    """Return what a register is noted under."""
    return f"{meter_id}/{int(register)}"
