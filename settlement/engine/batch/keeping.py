"""Keep what a batch came to in the service's tables: readings, runs and lines, many at a time."""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Table

from ledger import tables as ledger_tables
from ledger.store import migrate, open_engine
from settlement import tables
from settlement.engine.batch.running import BatchRun
from settlement.metering.homes.flags import Flag
from settlement.metering.readings import Quality

RUNS_AT_ONCE: Final = 64
"""Runs that become durable together."""
_INITIAL: Final = 0
_STATE: Final = "computed"


def open_books(file: Path) -> Engine:
    """Return the database of a batch, its tables made."""
    engine = open_engine(file)
    migrate(engine, "ledger", ledger_tables.metadata)
    migrate(engine, "settlement", tables.metadata)
    return engine


def kept(engine: Engine, runs: Iterable[BatchRun]) -> Iterator[BatchRun]:
    """
    Yield each run once it is stored.

    Nothing is posted to a ledger: a batch moves no money, and its lines say who owes whom what.
    """
    waiting = iter(runs)
    while together := list(islice(waiting, RUNS_AT_ONCE)):
        with engine.begin() as connection:
            keep(connection, together)
        yield from together


def keep(connection: Connection, runs: Sequence[BatchRun]) -> None:
    """Store runs with their lines, and the readings that they were the first to use."""
    _insert(connection, tables.reading, (row for one in runs for row in _readings(one)))
    _insert(connection, tables.run, (_run(one) for one in runs))
    _insert(
        connection, tables.run_state, ({"run": one.inputs.run, "state": _STATE} for one in runs)
    )
    _insert(connection, tables.line, (row for one in runs for row in _lines(one)))


def _insert(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> None:
    """
    Insert rows that name the same columns; the database fills in what they do not name.

    They go to the driver as tuples, a third faster than by SQLAlchemy's own ``executemany``.
    """
    given = list(rows)
    if not given:
        return
    names = list(given[0])
    statement = table.insert().compile(dialect=connection.dialect, column_keys=names)
    places = getattr(statement, "positiontup", None) or names
    connection.exec_driver_sql(
        str(statement), [tuple(row[name] for name in places) for row in given]
    )


def _readings(one: BatchRun) -> Iterator[dict[str, Any]]:
    for evidence in one.evidence:
        reading = evidence.reading
        estimated = reading.quality is Quality.ESTIMATED
        flags = Flag.GATEWAY_ESTIMATE if estimated else Flag.NONE
        yield {
            "meter_id": reading.meter_id,
            "register": int(reading.register),
            "at_s": reading.at_s,
            "sequence": reading.sequence,
            "energy_wh": reading.energy_wh,
            "quality": int(reading.quality),
            "digest": evidence.digest,
            "signature": evidence.signature,
            "body": b"",
            "flags": int(flags),
        }


def _run(one: BatchRun) -> dict[str, Any]:
    settled, inputs = one.settlement, one.inputs
    noted = {
        "begin_s": one.begin_s,
        "end_s": one.end_s,
        "spendable": {member.account: member.spendable_micros for member in inputs.members},
    }
    return {
        "run": inputs.run,
        "interval": inputs.interval,
        "kind": _INITIAL,
        "root": settled.root,
        "traded_wh": settled.traded_wh,
        "stations_wh": 0,
        "sun_to_cars_wh": 0,
        "home_to_home_wh": settled.traded_wh,
        "surplus_wh": settled.surplus_wh,
        "deficit_wh": settled.deficit_wh,
        "losses_wh": None,
        "price_micros_per_kwh": settled.price,
        "estimated": int(any(member.estimated for member in inputs.members)),
        "inputs": json.dumps(noted, sort_keys=True),
        "at_s": one.end_s,
    }


def _lines(one: BatchRun) -> Iterator[dict[str, Any]]:
    for position, line in enumerate(one.settlement.lines):
        yield {
            "run": one.inputs.run,
            "position": position,
            "payer": line.payer,
            "payee": line.payee,
            "kind": line.kind.value,
            "rail": line.rail.value,
            "energy_wh": line.energy_wh,
            "amount_micros": line.amount_micros,
            "price_micros_per_kwh": line.price,
        }
