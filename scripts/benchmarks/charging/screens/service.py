"""Be the service under test: chain, ledger, web on the wall clock; its sessions are open."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx2
import structlog
import typer

from api.embedded import Running, Secrets, embedded_chain, embedded_gateway, open_service, serving
from devnet.field.drivers import Driver, Wish
from devnet.field.keys import Curve, FieldKeys, MeterKey, Role, meter_key, wallet_of
from devnet.field.parameters import load_parameters
from ledger.clock import SystemClock
from ledger.units import UnixSeconds, WattHours, Watts
from scripts.benchmarks.charging.screens.process import Seat, until_told
from scripts.benchmarks.rows import BenchmarkInvalidError
from scripts.replay import places_of
from scripts.street import place
from settlement.engine.finality import advance
from settlement.engine.roll import fund_wallets

_SEED: Final = 1
_LEAD_S: Final = 3_600
_RATED_W: Final = Watts(22_000)
_REQUESTED_WH: Final = WattHours(20_000)
_WALLET_MICROS: Final = 100_000_000
_OPENING_TIMEOUT_S: Final = 120


def main(directory: Path, sessions: int) -> None:
    """Serve until the standard input ends."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(_serve(directory, sessions))


async def _serve(directory: Path, sessions: int) -> None:
    clock = SystemClock()
    born_s = clock.now_s()
    names = [f"CA-{number}" for number in range(sessions)]
    meters = {
        name: meter_key(_SEED, Role.STATION_METER, name, Curve.SECP256K1, _RATED_W)
        for name in names
    }
    keys = replace(
        place.street_keys(_SEED), stations=meters, passwords={name: name * 2 for name in names}
    )
    genesis_s = UnixSeconds(born_s - _LEAD_S)
    async with embedded_chain(directory, clock, genesis_s) as (devnet, _):
        opened = await asyncio.to_thread(
            open_service,
            directory,
            embedded_gateway(devnet),
            clock,
            place.street_rules(),
            Secrets.derive("screens"),
        )
        async with serving(opened, host="127.0.0.1", port=0, status=_status) as running:
            await place.enrol(running, keys, seed=_SEED, from_s=born_s)
            seats = await _open_all(running, keys, meters)
            port = int(running.url.rpartition(":")[2])
            await asyncio.to_thread(until_told, port, seats)


async def _open_all(
    running: Running, keys: FieldKeys, meters: Mapping[str, MeterKey]
) -> list[Seat]:
    """Put down a deposit at every station, and wait until all are final."""
    service = running.service
    wallets = {name: wallet_of(_SEED, f"driver at {name}") for name in meters}
    await running.desk.run(
        lambda: fund_wallets(
            service,
            {one.address_hex: _WALLET_MICROS for one in wallets.values()},
            purpose="drivers",
        )
    )
    await place.catch_up(running, SystemClock())
    seats = []
    async with httpx2.AsyncClient(base_url=running.url, timeout=60) as client:
        for name, key in meters.items():
            driver = Driver(wallets[name], places_of(running), load_parameters())
            operator = keys.operator.address_hex
            wish = Wish(name, key.meter_id, operator, _REQUESTED_WH)
            one = await driver.open_session(client, wish, service.clock)
            stream = f"/api/sessions/{one.session_id}/live"
            seats.append(Seat(name, keys.passwords[name], one.id_tag, stream))
        await asyncio.wait_for(_all_open(running, client, seats), _OPENING_TIMEOUT_S)
    return seats


async def _all_open(running: Running, client: httpx2.AsyncClient, seats: list[Seat]) -> None:
    for one in seats:
        while True:
            found = await client.get(one.stream.replace("/live", ""))
            if found.json()["state"] == "open":
                break
            if found.json()["state"] != "opening":
                raise BenchmarkInvalidError(f"a session is {found.json()['state']}")
            await running.desk.run(lambda: advance(running.service))
            await asyncio.sleep(1)


def _status() -> Mapping[str, Any]:
    return {}


if __name__ == "__main__":
    typer.run(main)
