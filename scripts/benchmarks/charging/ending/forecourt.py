"""Put many stations of a community to work: all enrolled, every deposit open, every car in."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import httpx2
from ocpp.charge_point import remove_nones, snake_to_camel_case
from ocpp.v16 import call
from ocpp.v16.datatypes import MeterValue
from ocpp.v16.enums import ReadingContext, Reason

from api.embedded import Running, Secrets, embedded_chain, embedded_gateway, open_service, serving
from devnet.field.dataset import load_dataset
from devnet.field.drivers import (
    QUOTES_PATH,
    SESSIONS_PATH,
    Driver,
    Wish,
    read_quote,
    session_body,
)
from devnet.field.events import FiscalSlice, SessionStops
from devnet.field.keys import (
    OPERATOR,
    Curve,
    MeterKey,
    Role,
    Wallet,
    derive,
    meter_key,
    wallet_of,
)
from devnet.field.ocmf import OcmfMeter
from devnet.field.parameters import load_parameters
from devnet.field.service import post
from devnet.field.stations.charge_point import CONNECTOR, ocpp_instant, signed_value
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds, WattHours, Watts
from scripts import neighbourhood
from scripts.replay import places_of
from settlement.charging.reports import Phase, TransactionReport
from settlement.engine.charging import transactions
from settlement.engine.community import Meter, Party, Roster, Station
from settlement.engine.roll import apply_roster, fund_wallets
from settlement.engine.service import Service

_SEED: Final = 1
_BEGIN_S: Final = UnixSeconds(1_494_230_400)
_STAY_S: Final = 3_600
_BLOCKS_MAX: Final = 5
_WEEK_S: Final = 7 * 86_400
_REQUESTED_WH: Final = WattHours(8_000)
_ENERGY_WH: Final = WattHours(2_500)
_RATED_W: Final = Watts(7_400)
_BEGIN_WH: Final = WattHours(250_000)
_PURSE_MICROS: Final = 100_000_000
_HTTP_TIMEOUT_S: Final = 60


@dataclass(frozen=True, slots=True)
class Stay:
    """What each car does there."""

    requested_wh: WattHours = _REQUESTED_WH
    """Energy that its deposit is for, in Wh."""
    energy_wh: WattHours = _ENERGY_WH
    """Energy that it draws, in Wh."""
    rated_w: Watts = _RATED_W
    """Most power of its station, in W."""
    tariff: str | None = None
    """OCPI Tariff of the stations, JSON; None is the demonstration's price."""


_USUAL: Final = Stay()


@dataclass(frozen=True, slots=True)
class Plug:
    """A car that is about to be unplugged."""

    session_id: str
    """Its session."""
    driver: Wallet
    """Who pays."""
    station: str
    """Station's name, also its user name."""
    password: str
    """Password of its websocket."""
    frame: str
    """StopTransaction with the meter's signed records, as it goes over the wire."""


@dataclass(frozen=True, slots=True)
class Forecourt:
    """A service with a car at every station; the hour is over and nobody has left yet."""

    running: Running
    """The service."""
    clock: ReplayClock
    """The domain clock."""
    plugs: tuple[Plug, ...]
    """One for each station."""


@asynccontextmanager
async def forecourt(directory: Path, count: int, stay: Stay = _USUAL) -> AsyncIterator[Forecourt]:
    """Open a community with ``count`` stations in ``directory``, a paid-for car at each."""
    parameters, dataset = load_parameters(), load_dataset()
    clock = ReplayClock(_BEGIN_S)
    async with AsyncExitStack() as stack:
        devnet, _ = await stack.enter_async_context(
            embedded_chain(directory, clock, UnixSeconds(_BEGIN_S - _WEEK_S))
        )
        tariffs = {} if stay.tariff is None else {_name(n): stay.tariff for n in range(count)}
        rules = replace(neighbourhood.rules(parameters, dataset), station_tariffs=tariffs)
        opened = open_service(
            directory,
            embedded_gateway(devnet),
            clock,
            rules,
            Secrets.derive("forecourt"),
        )
        running = await stack.enter_async_context(
            serving(opened, host="127.0.0.1", port=0, status=dict)
        )
        keys = tuple(_key(n, stay.rated_w) for n in range(count))
        await running.desk.run(lambda: _enrol(running.service, keys))
        plugs = await _plug_in(running, keys, stay)
        # Enrolling and opening made a few blocks for each car, each a second after the last one.
        clock.set(UnixSeconds(_BEGIN_S + _STAY_S + _BLOCKS_MAX * len(plugs)))
        yield Forecourt(running, clock, plugs)


def _key(number: int, rated_w: Watts) -> MeterKey:
    curve = (Curve.SECP256R1, Curve.SECP256K1)[number % 2]
    return meter_key(_SEED, Role.STATION_METER, f"F-{number:04}", curve, rated_w)


def _enrol(service: Service, keys: Sequence[MeterKey]) -> None:
    """Enrol operator, state and every station, and give every driver money."""
    from_s = UnixSeconds(_BEGIN_S - _WEEK_S)
    roster = Roster(
        parties=(
            Party(OPERATOR, "operator", wallet_of(_SEED, OPERATOR).address_hex),
            Party(neighbourhood.STATE, "institution", None),
        ),
        meters=tuple(_meter(key, from_s) for key in keys),
        stations=tuple(
            Station(_name(n), OPERATOR, key.serial, _password(n)) for n, key in enumerate(keys)
        ),
    )
    apply_roster(service, roster)
    wallets = {_driver(n).address_hex: _PURSE_MICROS for n in range(len(keys))}
    fund_wallets(service, wallets, purpose="drivers")


def _meter(key: MeterKey, from_s: UnixSeconds) -> Meter:
    return Meter(
        serial=key.serial,
        party=OPERATOR,
        kind="station",
        curve=key.curve.name.lower(),
        public_key=key.public_key,
        rated_power_w=key.rated_power_w,
        valid_from_s=from_s,
        valid_until_s=UnixSeconds(from_s + 366 * 86_400),
    )


async def _plug_in(running: Running, keys: Sequence[MeterKey], stay: Stay) -> tuple[Plug, ...]:
    """Open a session at every station and start it; return how each will end."""
    plugs = []
    async with httpx2.AsyncClient(base_url=running.url, timeout=_HTTP_TIMEOUT_S) as client:
        for number, key in enumerate(keys):
            driver = Driver(_driver(number), places_of(running), load_parameters())
            wish = Wish(
                _name(number),
                key.meter_id,
                wallet_of(_SEED, OPERATOR).address_hex,
                stay.requested_wh,
            )
            quote = read_quote(await post(client, QUOTES_PATH, driver.ask(wish)))
            if stay.tariff is None:
                driver.check(quote, wish, _BEGIN_S)
            await post(client, SESSIONS_PATH, session_body(quote, wish, driver.sign(quote)))
            id_tag = quote.terms.id_tag
            transaction = await running.desk.run(_started(running, number, id_tag))
            plugs.append(
                Plug(
                    session_id="0x" + quote.session_id.hex(),
                    driver=driver.wallet,
                    station=_name(number),
                    password=_password(number),
                    frame=_stop(number, key, id_tag, transaction, stay.energy_wh),
                )
            )
    return tuple(plugs)


def _started(running: Running, number: int, id_tag: str) -> Callable[[], int]:
    """Return what tells the service that the car draws power, and says the transaction's id."""
    told = TransactionReport(
        station_id=_name(number),
        phase=Phase.STARTED,
        transaction=None,
        at_s=_BEGIN_S,
        seq_no=None,
        offline=False,
        trigger="",
        reason=None,
        id_tag=id_tag,
        evse_id=CONNECTOR,
        register_wh=_BEGIN_WH,
        values=(),
        records=(),
        key=f"start/{id_tag}",
        body=id_tag.encode(),
    )
    return lambda: int(transactions.report(running.service, told, elapsed_ns=lambda: 0).transaction)


def _stop(number: int, key: MeterKey, id_tag: str, transaction: int, energy_wh: WattHours) -> str:
    """Return the frame that ends a transaction, with its last fiscal record and its whole one."""
    end_s = UnixSeconds(_BEGIN_S + _STAY_S)
    end_wh = WattHours(_BEGIN_WH + energy_wh)
    event = SessionStops(
        at_s=end_s,
        station=_name(number),
        session=id_tag,
        page=1,
        begin_s=_BEGIN_S,
        begin_wh=_BEGIN_WH,
        end_wh=end_wh,
        slice=FiscalSlice(1, _BEGIN_S, end_s, _BEGIN_WH, end_wh),
    )
    meter, at = OcmfMeter(key, _name(number)), ocpp_instant(end_s)
    fiscal = meter.fiscal_record(event.slice, id_tag)
    whole = meter.transaction_record(event, id_tag)
    stop = call.StopTransaction(
        meter_stop=end_wh,
        timestamp=at,
        transaction_id=transaction,
        reason=Reason.ev_disconnected,
        id_tag=id_tag,
        transaction_data=[
            MeterValue(at, [signed_value(fiscal, ReadingContext.sample_clock)]),
            MeterValue(at, [signed_value(whole, ReadingContext.transaction_end)]),
        ],
    )
    payload = snake_to_camel_case(remove_nones(asdict(stop)))
    return json.dumps([2, f"stop-{number}", "StopTransaction", payload], separators=(",", ":"))


def _name(number: int) -> str:
    return f"F-{number:04}"


def _password(number: int) -> str:
    return derive(_SEED, Role.PASSWORD, _name(number)).hex()[:40]


def _driver(number: int) -> Wallet:
    return wallet_of(_SEED, f"driver-{number}")
