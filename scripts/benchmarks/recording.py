"""Measure how fast the service takes readings: verified, checked, kept byte for byte, durable."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count, groupby, islice
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from coincurve import PublicKey

from api.embedded import Secrets, embedded_chain, open_service, web3_gateway
from api.routes.readings import SignedReading as Body
from devnet.field import gateways
from devnet.field.dataset import load_dataset
from devnet.field.events import HomeReadings
from devnet.field.keys import Curve, FieldKeys, MeterKey, Role, build_keys, meter_key
from devnet.field.parameters import load_parameters
from devnet.field.schedule import build_schedule
from ledger.clock import ReplayClock
from ledger.tables import entry
from ledger.tables import metadata as ledger_tables
from ledger.units import UnixSeconds, WattHours, Watts
from scripts import neighbourhood
from scripts.benchmarks.books.twin import Batch, RawTwin, rows_of
from scripts.benchmarks.measuring import medians_ns, per_second, stopwatch_ns
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from settlement.engine.community import Meter, Party, Roster
from settlement.engine.market.readings import record_readings
from settlement.engine.roll import apply_roster
from settlement.engine.service import Service
from settlement.tables import metadata as service_tables
from settlement.tables import reading

_SEED: Final = 1
_DAYS: Final = 7
_BATCHES: Final = 24
_ROUNDS: Final = 5
_LEAD_S: Final = 7 * 86_400
_HOUR_S: Final = 3_600
_GATEWAYS: Final = 100
_BATCH: Final = 2 * _GATEWAYS
_LAST_S: Final = UnixSeconds(2**32 - 1)
_V_OFFSET: Final = 27
_ACCEPTED: Final = "accepted"

Instant = tuple[UnixSeconds, list[Body]]
"""An instant, and what was sent of it: JSON that the API has parsed and checked."""


@dataclass(frozen=True, slots=True)
class Feed:
    """Who sends readings, and what they send."""

    roster: Roster
    """Their meters."""
    instants: Callable[[Service], Iterator[Instant]]
    """What comes, signed for the service."""


def recording_row(directory: Path, command: str) -> Row:
    """Return the rate at which ``record_readings`` takes the homes' hourly readings."""
    readings, ours_ns, raw_ns = asyncio.run(_race(directory, _homes, _raw_ns))
    return Row(
        "readings_recorded_per_s",
        per_second(readings, ours_ns),
        "readings/s",
        Baseline(
            per_second(readings, raw_ns),
            "sqlite3.executemany of the same rows of reading and entry, in transactions of "
            f"{readings // _BATCHES} readings and as durable, nothing verified",
            Sense.SHARE,
        ),
        command,
    )


def verified_row(directory: Path, command: str) -> Row:
    """
    Return the rate at which one process takes batches of 200 readings, two of each gateway.

    Timed is all from the JSON that the API has parsed to the answers after the durable commit:
    conversion, look-ups, digest, signature, continuity, evidence, entry of the log.
    """
    readings, ours_ns, raw_ns = asyncio.run(_race(directory, _gateways, _recovered_raw_ns))
    return Row(
        "verified_readings",
        per_second(readings, ours_ns),
        "readings/s",
        Baseline(
            per_second(readings, raw_ns),
            "coincurve.PublicKey.from_signature_and_message of the same digests, then "
            "sqlite3.executemany of the same rows of reading and entry, in transactions of "
            f"{_BATCH} readings and as durable",
            Sense.SHARE,
        ),
        command,
    )


Raw = Callable[[RawTwin, Sequence[Batch]], int]
"""What the machine needs at least for the rows of each batch, in ns."""


async def _race(
    directory: Path, feed_from: Callable[[UnixSeconds], Feed], raw: Raw
) -> tuple[int, int, int]:
    """Return how many readings a round has, and the median times of both sides, in ns."""
    parameters, dataset = load_parameters(), load_dataset()
    schedule = build_schedule(dataset, parameters, seed=_SEED, days=_DAYS)
    genesis_s = UnixSeconds(schedule.first_s - _LEAD_S)
    clock = ReplayClock(genesis_s)
    async with embedded_chain(directory, clock, genesis_s) as (_, node_url):

        def measure() -> tuple[int, int, int]:
            service, _ = open_service(
                directory,
                web3_gateway(node_url),
                clock,
                neighbourhood.rules(parameters, dataset),
                Secrets.derive(f"seed {_SEED}"),
            )
            feed = feed_from(genesis_s)
            apply_roster(service, feed.roster)
            try:
                with RawTwin(directory / "readings.sqlite", ledger_tables, service_tables) as twin:
                    return _measure(
                        service, clock, feed.instants(service), lambda rows: raw(twin, rows)
                    )
            finally:
                service.close()

        return await asyncio.to_thread(measure)


def _homes(from_s: UnixSeconds) -> Feed:
    """Return the neighbourhood without its stations, whose enrolment would only take time."""
    parameters, dataset = load_parameters(), load_dataset()
    keys = build_keys(dataset, parameters, seed=_SEED)
    schedule = build_schedule(dataset, parameters, seed=_SEED, days=_DAYS)
    full = neighbourhood.roster(keys, seed=_SEED, from_s=from_s)
    meters = tuple(one for one in full.meters if one.kind == "gateway")
    homes = sorted(
        (one for one in schedule.events if isinstance(one, HomeReadings)), key=lambda one: one.at_s
    )
    return Feed(
        Roster(parties=full.parties, meters=meters, stations=()),
        lambda service: _instants(service, keys, homes),
    )


def _instants(
    service: Service, keys: FieldKeys, homes: Sequence[HomeReadings]
) -> Iterator[Instant]:
    """Yield what all homes send at each instant of the week."""
    for at_s, group in groupby(homes, lambda one: one.at_s):
        signed = [
            one
            for event in group
            for one in gateways.sign_home(event, keys.gateways[event.home], service.domain)
        ]
        yield at_s, [Body.model_validate(one.as_json()) for one in signed]


def _gateways(from_s: UnixSeconds) -> Feed:
    """Return a street of many homes."""
    keys = [
        meter_key(_SEED, Role.GATEWAY, f"bench-{number}", Curve.SECP256K1, Watts(12_000))
        for number in range(_GATEWAYS)
    ]
    meters = tuple(
        Meter(
            serial=key.serial,
            party=key.serial,
            kind="gateway",
            curve="secp256k1",
            public_key=key.public_key,
            rated_power_w=key.rated_power_w,
            valid_from_s=from_s,
            valid_until_s=_LAST_S,
        )
        for key in keys
    )
    parties = tuple(Party(key.serial, "prosumer", "0x" + key.meter_id[:20].hex()) for key in keys)
    return Feed(
        Roster(parties=parties, meters=meters, stations=()),
        lambda service: _street(service, keys, from_s),
    )


def _street(service: Service, keys: Sequence[MeterKey], from_s: UnixSeconds) -> Iterator[Instant]:
    """Yield what a street sends each hour, for ever: import and export of every home."""
    registers = (gateways.Register.IMPORT, gateways.Register.EXPORT)
    for hour in count(1):
        at_s = UnixSeconds(from_s + hour * _HOUR_S)
        signed = [
            gateways.sign_reading(
                gateways.Reading(key.meter_id, register, at_s, hour, WattHours(1_000 * hour)),
                key,
                service.domain,
            )
            for key in keys
            for register in registers
        ]
        yield at_s, [Body.model_validate(one.as_json()) for one in signed]


def _measure(
    service: Service,
    clock: ReplayClock,
    instants: Iterator[Instant],
    raw_ns: Callable[[Sequence[Batch]], int],
) -> tuple[int, int, int]:
    counted = 0

    def one_round() -> tuple[int, int]:
        nonlocal counted
        todo = list(islice(instants, _BATCHES))
        counted = sum(len(bodies) for _, bodies in todo)
        ours_ns = 0
        for at_s, bodies in todo:
            clock.set(at_s)
            began_ns = perf_counter_ns()
            answers = record_readings(service, [one.domain() for one in bodies])
            ours_ns += perf_counter_ns() - began_ns
            if any(answer.status != _ACCEPTED for answer in answers):
                raise BenchmarkInvalidError(f"readings of {at_s} were not accepted")
        return ours_ns, raw_ns([_written(service, at_s) for at_s, _ in todo])

    ours_ns, least_ns = medians_ns(one_round, _ROUNDS)
    return counted, ours_ns, least_ns


def _written(service: Service, at_s: UnixSeconds) -> Batch:
    """Return what the readings of an instant became on disk."""
    with service.reading() as connection:
        return {
            table: rows_of(connection, table, table.c.at_s == at_s) for table in (reading, entry)
        }


def _raw_ns(twin: RawTwin, batches: Sequence[Batch]) -> int:
    return twin.insert_ns(batches)


def _recovered_raw_ns(twin: RawTwin, batches: Sequence[Batch]) -> int:
    columns = reading.columns.keys()
    digest, signature = columns.index("digest"), columns.index("signature")
    signed = [
        (row[digest], row[signature][:64] + bytes([row[signature][64] - _V_OFFSET]))
        for batch in batches
        for row in batch[reading]
    ]
    recovered_ns = stopwatch_ns(
        lambda: [
            PublicKey.from_signature_and_message(seal, said, hasher=None) for said, seal in signed
        ]
    )
    return recovered_ns + twin.insert_ns(batches)
