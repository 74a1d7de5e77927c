"""Keep how much of a meter's energy each community gets, and say which slots are ours."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, func, select

from contracts.typed_data import keccak
from ledger.errors import ExistsWithDifferent, InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints, UnixSeconds
from settlement.engine.community import Participation
from settlement.engine.service import Service
from settlement.metering.homes.shares import Slots, check_factors, slots_of
from settlement.tables import meter, participation, run

_Row = tuple[str, str, int, int]
"""Meter, community, instant, factor."""


class BadFactorError(InvalidRequest):
    """A factor below nothing or above all, inside an interval, or of no home's meter."""

    def __init__(self, serial: str, detail: str) -> None:
        super().__init__("bad_factor", f"the factor of meter {serial} {detail}")


class SettledBeforeError(InvalidRequest):
    """Something is to hold from an instant on whose interval is settled."""

    def __init__(self, what: str, from_s: int, settled_s: int) -> None:
        super().__init__(
            "settled_before", f"{what} from {from_s} on, and all up to {settled_s} is settled"
        )


class FactorDiffersError(ExistsWithDifferent):
    """Another factor of the same meter and community begins at the same instant."""

    def __init__(self, serial: str, from_s: int) -> None:
        super().__init__("factor_differs", f"meter {serial} has another factor from {from_s} on")


def meter_id_of(serial: str) -> str:
    """Return the meter id of a serial number: its keccak256, 0x-prefixed (decision 0002)."""
    return "0x" + keccak(serial.encode()).hex()


def declare(service: Service, connection: Connection, given: Iterable[Participation]) -> None:
    """
    Keep factors, all or none. Idempotent by meter, community and instant.

    What is given together holds together: of two communities one may gain what the other loses.

    Raises
    ------
    BadFactorError
        If a factor is not 0 to 10,000 basis points, begins inside an interval, or is of a meter
        that no home has.
    SettledBeforeError
        If it begins before the end of an interval that is settled.
    FactorDiffersError
        If another was declared for the same meter, community and instant.
    FactorsBeyondWholeError
        If all communities' factors of a meter sum to more than 10,000 at any instant.
    """
    stored = {row[:3]: row[3] for row in _rows(connection)}
    settled_s = settled_until(service, connection)
    homes = _homes(connection)
    new: list[_Row] = []
    for one in given:
        key = (meter_id_of(one.serial), one.community, int(one.from_s))
        if key not in stored:
            if key[0] not in homes:
                raise BadFactorError(one.serial, "is of no home's meter")
            _check(service, one, settled_s)
            stored[key] = one.factor_bp
            new.append((*key, one.factor_bp))
        elif stored[key] != one.factor_bp:
            raise FactorDiffersError(one.serial, one.from_s)
    everything = [(*key, factor) for key, factor in stored.items()]
    for meter_id, instants in _instants(new).items():
        mine = [row for row in everything if row[0] == meter_id]
        for at_s in instants | {row[2] for row in mine if row[2] > min(instants)}:
            check_factors(meter_id, _factors(service, mine, at_s), at_s)
    names = ("meter_id", "community", "from_s", "factor_bp")
    if new:
        connection.execute(
            participation.insert(), [dict(zip(names, row, strict=True)) for row in sorted(new)]
        )


def slots_at(service: Service, connection: Connection, at_s: UnixSeconds) -> Mapping[str, Slots]:
    """Return the slots of each meter that has factors; of all others everything is ours."""
    of_meter: dict[str, list[_Row]] = defaultdict(list)
    for row in _rows(connection):
        of_meter[row[0]].append(row)
    ours = service.rules.community_id
    return {
        meter_id: slots_of(_factors(service, rows, at_s), ours)
        for meter_id, rows in of_meter.items()
    }


def settled_until(service: Service, connection: Connection) -> UnixSeconds:
    """Return the end of the newest settled interval, in Unix seconds; 0 if there is none."""
    newest = connection.execute(select(func.max(run.c.interval))).scalar()
    return UnixSeconds(0) if newest is None else service.rules.end_s(newest)


def _homes(connection: Connection) -> frozenset[str]:
    """Return every meter that is or was a home's."""
    found = connection.execute(
        select(meter.c.meter_id).where(meter.c.kind == "gateway").distinct()
    ).scalars()
    return frozenset(found)


def _check(service: Service, one: Participation, settled_s: UnixSeconds) -> None:
    if not 0 <= one.factor_bp <= WHOLE_BP:
        raise BadFactorError(one.serial, f"is {one.factor_bp} basis points")
    if one.from_s % service.rules.interval_s:
        raise BadFactorError(one.serial, f"begins at {one.from_s}, inside an interval")
    if one.from_s < settled_s:
        raise SettledBeforeError(f"a factor of meter {one.serial}", one.from_s, settled_s)


def _factors(service: Service, rows: Sequence[_Row], at_s: int) -> Mapping[str, BasisPoints]:
    """Return each community's factor of one meter; ours is all until it is declared."""
    factors = {service.rules.community_id: WHOLE_BP}
    for _, community, from_s, factor_bp in sorted(rows, key=lambda row: row[2]):
        if from_s <= at_s:
            factors[community] = BasisPoints(factor_bp)
    return factors


def _instants(rows: Iterable[_Row]) -> Mapping[str, set[int]]:
    """Return at which instants the factors of each meter change."""
    found: dict[str, set[int]] = defaultdict(set)
    for meter_id, _, from_s, _ in rows:
        found[meter_id].add(from_s)
    return found


def _rows(connection: Connection) -> list[_Row]:
    return [
        (row.meter_id, row.community, row.from_s, row.factor_bp)
        for row in connection.execute(select(participation))
    ]
