"""Measure how fast the service takes readings: verified, checked, kept byte for byte, durable."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from api.embedded import Secrets, embedded_chain, open_service, web3_gateway
from api.routes.readings import SignedReading as Body
from devnet.field.dataset import load_dataset
from devnet.field.events import HomeReadings
from devnet.field.gateways import sign_home
from devnet.field.keys import FieldKeys, build_keys
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from ledger.clock import ReplayClock
from ledger.tables import entry
from ledger.tables import metadata as ledger_tables
from ledger.units import UnixSeconds
from scripts import neighbourhood
from scripts.benchmarks.books.twin import Batch, RawTwin, rows_of
from scripts.benchmarks.measuring import medians_ns, per_second
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.engine.community import Roster
from settlement.engine.market.readings import SignedReading, record_readings
from settlement.engine.roll import apply_roster
from settlement.engine.service import Service
from settlement.tables import inbox, reading
from settlement.tables import metadata as service_tables

_SEED: Final = 1
_DAYS: Final = 7
_BATCHES: Final = 24
_ROUNDS: Final = 5
_LEAD_S: Final = 7 * 86_400
_ACCEPTED: Final = "accepted"

Instant = tuple[UnixSeconds, list[SignedReading]]


def recording_row(directory: Path, command: str) -> Row:
    """Return the rate at which ``record_readings`` takes the homes' hourly readings."""
    readings, ours_ns, raw_ns = asyncio.run(_race(directory))
    return Row(
        "readings_recorded_per_s",
        per_second(readings, ours_ns),
        "readings/s",
        Baseline(
            per_second(readings, raw_ns),
            "sqlite3.executemany of the same rows of reading, inbox and entry, in transactions of "
            f"{readings // _BATCHES} readings and as durable, nothing verified",
            Sense.SHARE,
        ),
        command,
    )


async def _race(directory: Path) -> tuple[int, int, int]:
    """Return how many readings a round has, and the median times of both sides, in ns."""
    parameters, dataset = load_parameters(), load_dataset()
    keys = build_keys(dataset, parameters, seed=_SEED)
    schedule = build_schedule(dataset, parameters, seed=_SEED, days=_DAYS)
    genesis_s = UnixSeconds(schedule.first_s - _LEAD_S)
    clock = ReplayClock(genesis_s)
    async with embedded_chain(directory, clock, genesis_s) as (_, node_url):

        def measure() -> tuple[int, int, int]:
            service = open_service(
                directory,
                web3_gateway(node_url),
                clock,
                neighbourhood.rules(parameters, dataset),
                Secrets.derive(f"seed {_SEED}"),
            )
            apply_roster(service, _homes_only(keys, genesis_s))
            homes = [one for one in schedule.events if isinstance(one, HomeReadings)]
            try:
                return _measure(service, clock, _instants(service, keys, homes), directory)
            finally:
                service.database.dispose()
                service.readers.dispose()

        return await asyncio.to_thread(measure)


def _homes_only(keys: FieldKeys, from_s: UnixSeconds) -> Roster:
    """Return the community without its stations, whose enrolment would only take time."""
    full = neighbourhood.roster(keys, seed=_SEED, from_s=from_s)
    gateways = tuple(one for one in full.meters if one.kind == "gateway")
    return Roster(parties=full.parties, meters=gateways, stations=())


def _instants(
    service: Service, keys: FieldKeys, homes: Sequence[HomeReadings]
) -> Iterator[Instant]:
    """Yield what all homes send at each instant of the week, signed, as the API hands it over."""
    for at_s, group in groupby(sorted(homes, key=lambda one: one.at_s), lambda one: one.at_s):
        signed = [
            one
            for event in group
            for one in sign_home(event, keys.gateways[event.home], service.domain)
        ]
        yield at_s, [Body.model_validate(one.as_json()).domain() for one in signed]


def _measure(
    service: Service, clock: ReplayClock, instants: Iterator[Instant], directory: Path
) -> tuple[int, int, int]:
    counted = 0
    with RawTwin(directory / "readings.sqlite", ledger_tables, service_tables) as twin:

        def one_round() -> tuple[int, int]:
            nonlocal counted
            todo = list(islice(instants, _BATCHES))
            counted = sum(len(readings) for _, readings in todo)
            ours_ns = 0
            for at_s, readings in todo:
                clock.set(at_s)
                began_ns = perf_counter_ns()
                answers = record_readings(service, readings)
                ours_ns += perf_counter_ns() - began_ns
                if any(answer.status != _ACCEPTED for answer in answers):
                    raise BenchmarkInvalidError(f"readings of {at_s} were not accepted")
            return ours_ns, twin.insert_ns([_written(service, at_s) for at_s, _ in todo])

        ours_ns, raw_ns = medians_ns(one_round, _ROUNDS)
    return counted, ours_ns, raw_ns


def _written(service: Service, at_s: UnixSeconds) -> Batch:
    """Return what the readings of an instant became on disk."""
    with service.reading() as connection:
        return {
            table: rows_of(connection, table, table.c.at_s == at_s)
            for table in (reading, inbox, entry)
        }
