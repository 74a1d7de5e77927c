"""Read what a driver sees before a session: the stations, their tariff, whether one is free."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, select

from ledger.units import Watts
from settlement.chain.reconciliation import token_held
from settlement.engine.bills.tariffs import posted_at
from settlement.engine.charging.money.viewing import tariff_view
from settlement.engine.charging.quoting import UnknownStationError
from settlement.engine.live.facts import taken
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.pricing.tariffs import Tariff
from settlement.tables import session, station


@dataclass(frozen=True, slots=True)
class Outlet:
    """A charging station, as a driver sees it."""

    station_id: str
    """Its name."""
    rated_power_w: Watts
    """Most power that its meter can carry, in W."""
    tariff: Tariff
    """What the contract takes: price and flat fee."""
    fingerprint: str
    """Fingerprint of the whole tariff, 0x-prefixed."""
    is_whole: bool
    """Whether price and flat fee are all that drivers pay."""
    components: tuple[Mapping[str, Any], ...]
    """Every component by kWh, minute, session, other, as ``tariff_view`` tells it."""
    busy: bool
    """Whether a car is charging there now."""


def outlets(service: Service) -> tuple[Outlet, ...]:
    """Return every station, by name."""
    with service.reading() as connection:
        rows = connection.execute(_stations().order_by(station.c.station_id)).mappings().all()
        busy = _busy(connection)
        return tuple(_outlet(service, connection, row, busy) for row in rows)


def outlet(service: Service, station_id: str) -> Outlet:
    """
    Return a station.

    Raises
    ------
    UnknownStationError
        If it is not of this community.
    """
    with service.reading() as connection:
        row = (
            connection.execute(_stations().where(station.c.station_id == station_id))
            .mappings()
            .first()
        )
        if row is None:
            raise UnknownStationError(station_id)
        return _outlet(service, connection, row, _busy(connection))


def held_micros(service: Service, address: str) -> int:
    """Return what a wallet holds on the chain now, in micros."""
    return token_held(service.gateway, service.contracts, address)


def _stations() -> Select[tuple[str, str]]:
    return select(station.c.station_id, station.c.meter_id)


def _busy(connection: Connection) -> frozenset[str]:
    rows = connection.execute(
        select(session.c.station_id).where(session.c.state == "charging").distinct()
    )
    return frozenset(rows.scalars())


def _outlet(
    service: Service, connection: Connection, row: RowMapping, busy: frozenset[str]
) -> Outlet:
    key = meter_key(connection, row["meter_id"], service.clock.now_s())
    posted = posted_at(service, row["station_id"])
    return Outlet(
        station_id=row["station_id"],
        rated_power_w=key.rated_power_w,
        tariff=taken(posted, service.rules),
        fingerprint=posted.fingerprint,
        is_whole=posted.is_whole,
        components=tuple(tariff_view(posted)["components"]),
        busy=row["station_id"] in busy,
    )
