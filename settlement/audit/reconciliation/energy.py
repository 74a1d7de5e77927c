"""Compare posted energy with signed meters, and each interval with itself: E6 and E7."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection, RowMapping, func, select

from ledger.errors import UnverifiedReading
from ledger.units import UnixSeconds, WattHours
from settlement.audit.reconciliation.equations import Comparison, Equation, Owner
from settlement.audit.reconciliation.scope import Scope, run_trace
from settlement.engine.market.collecting import Collected
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.metering.readings import Quality, Reading, Register
from settlement.metering.signatures import MeterKey, verify_reading
from settlement.tables import reading, slice_

_MEMBER: Final = "wh/member/"
_GIVEN: Final = ("metered-export", "beside-export", "feeder-import", "unmeasured-import")
_TAKEN: Final = (
    "metered-import",
    "beside-import",
    "feeder-export",
    "feeder-losses",
    "unmeasured-export",
)
_SIGNED: Final = "signed by its meter"


def of_run(
    service: Service, scope: Scope, row: RowMapping, collected: Collected
) -> Iterator[Comparison]:
    """E6 and E7 of one run; of a correction, together with the runs before it."""
    trace_id = run_trace(service, row)
    before = scope.amended.get(row["run"], ())
    traces = [*(run_trace(service, one) for one in before), trace_id]
    moved = [one for trace in traces for one in scope.of(trace) if one["debit"].startswith("wh/")]
    traded_wh = sum(one["traded_wh"] for one in (*before, row))
    yield from _metered(trace_id, moved, collected)
    yield from _balanced(trace_id, moved, traded_wh)


def _metered(
    trace_id: str, moved: Sequence[RowMapping], collected: Collected
) -> Iterator[Comparison]:
    """E6: what was posted for each party is what its registers moved by."""
    posted: Counter[tuple[str, str]] = Counter()
    for one in moved:
        posted[one["code"], one["debit"]] -= one["amount"]
        posted[one["code"], one["credit"]] += one["amount"]
    for told in collected.metered:
        own = f"{_MEMBER}{told.party}"
        taken, given = -posted["metered-import", own], posted["metered-export", own]
        flag = "estimated" if told.estimated else "measured"
        yield Comparison(
            Equation.READINGS,
            f"{trace_id}/{told.party}",
            f"{taken} in {given} out",
            f"{told.import_wh} in {told.export_wh} out",
            Owner.GRID_OPERATOR,
            f"Wh from and to the feeder, {flag}",
        )


def _balanced(trace_id: str, moved: Sequence[RowMapping], traded_wh: int) -> Iterator[Comparison]:
    """E7: given to the feeder = taken from it, in sum, party by party, and traded once."""
    given = taken = 0
    pairs: Counter[tuple[str, ...]] = Counter()
    gained: Counter[str] = Counter()
    for one in moved:
        ends, amount = (one["debit"], one["credit"]), one["amount"]
        gained[one["credit"]] += amount
        gained[one["debit"]] -= amount
        # What a correction takes back goes the other way under the same code.
        inward = amount if one["credit"].startswith(_MEMBER) else -amount
        given += inward if one["code"] in _GIVEN else 0
        taken -= inward if one["code"] in _TAKEN else 0
        if one["code"] == "traded-energy":
            pair = tuple(sorted(ends))
            pairs[pair] += amount if ends == pair else -amount
    yield _interval(trace_id, given, taken, "Wh given to the feeder, Wh taken and lost")
    for account, energy_wh in sorted(gained.items()):
        if account.startswith(_MEMBER):
            party = account.removeprefix(_MEMBER)
            yield _interval(f"{trace_id}/{party}", energy_wh, 0, "Wh left after the interval")
    traded = sum(abs(energy_wh) for energy_wh in pairs.values())
    yield _interval(f"{trace_id}/traded", traded, traded_wh, "Wh traded, as the run says")


def _interval(subject: str, ledger_wh: int, other_wh: int, detail: str) -> Comparison:
    return Comparison(Equation.INTERVAL, subject, ledger_wh, other_wh, Owner.GRID_OPERATOR, detail)


class Signatures:
    """Checks that readings are signed; keeps the keys it has looked up."""

    def __init__(self, service: Service, connection: Connection) -> None:
        self._service: Final = service
        self._connection: Final = connection
        self._keys: Final[dict[str, MeterKey]] = {}

    def of_run(self, row: RowMapping) -> Iterator[Comparison]:
        """E6: each register at the end of an interval is what its meter signed."""
        end_s = self._service.rules.end_s(row["interval"])
        found = self._connection.execute(
            select(reading)
            .where(reading.c.at_s == end_s)
            .order_by(reading.c.meter_id, reading.c.register)
        ).mappings()
        for one in found.all():
            said = self._judge(one)
            register = Register(one["register"]).name.lower()
            yield Comparison(
                Equation.READINGS,
                f"{run_trace(self._service, row)}/{one['meter_id']}/{register}",
                said,
                _SIGNED,
                Owner.GRID_OPERATOR,
                f"register of {one['energy_wh']} Wh",
            )

    def _judge(self, row: RowMapping) -> str:
        at_s = UnixSeconds(row["at_s"])
        one = Reading(
            meter_id=row["meter_id"],
            register=Register(row["register"]),
            at_s=at_s,
            sequence=row["sequence"],
            energy_wh=WattHours(row["energy_wh"]),
            quality=Quality(row["quality"]),
        )
        try:
            verify_reading(self._service.domain, one, row["signature"], self._key(one))
        except UnverifiedReading as fault:
            return fault.code
        return _SIGNED

    def _key(self, one: Reading) -> MeterKey:
        known = self._keys.get(one.meter_id)
        if known is None or not known.valid_from_s <= one.at_s < known.valid_until_s:
            known = meter_key(self._connection, one.meter_id, one.at_s)
            self._keys[one.meter_id] = known
        return known


def of_sessions(connection: Connection, scope: Scope) -> Iterator[Comparison]:
    """E6: what a closed session was billed for is what its meter's fiscal records say."""
    closed = [row for row in scope.sessions if row["state"] == "closed"]
    told = _fiscal(connection, [row["session_id"] for row in closed])
    for row in closed:
        session_id = row["session_id"]
        if row["record"] is None:
            continue  # somebody else brought the record; the station has yet to tell of it
        posted = sum(
            one["amount"] for one in scope.of(session_id) if one["code"] == "session-energy"
        )
        yield Comparison(
            Equation.READINGS,
            session_id,
            posted,
            told.get(session_id, 0),
            Owner.GRID_OPERATOR,
            "Wh posted, Wh in signed fiscal records",
        )


def _fiscal(connection: Connection, sessions: Sequence[str]) -> Mapping[str, int]:
    if not sessions:
        return {}
    sums = connection.execute(
        select(slice_.c.session_id, func.sum(slice_.c.energy_wh))
        .where(slice_.c.session_id.in_(sessions))
        .group_by(slice_.c.session_id)
    )
    return {row[0]: int(row[1]) for row in sums}
