"""Read what a screen shows of a session, and what has happened since it was read."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, RowMapping, func, select

from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds, WattHours, Watts
from settlement.engine.bills.tariffs import Posted, tariff_of
from settlement.engine.charging.quoting import UnknownSessionError
from settlement.engine.community import Rules
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.pricing.billing import bill
from settlement.pricing.tariffs import Tariff
from settlement.tables import event, intent, session

_ENDED = frozenset({"closed", "expired", "refused"})
_EVENTS_MAX = 1_000


@dataclass(frozen=True, slots=True)
class Refund:
    """The transaction that gave the rest of the deposit back."""

    transaction: str
    """Its hash."""
    block: int | None
    """Number of its block, once it is in one."""
    state: str
    """``signed``, ``broadcast``, ``mined`` or ``final``."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is stored of a session, as far as a screen shows it."""

    session_id: str
    """Its id."""
    state: str
    """Where it stands."""
    station_id: str
    """Where the car is."""
    driver: str
    """Who pays, lower case."""
    id_tag: str
    """One-time idTag."""
    transaction: str | None
    """The station's transaction, once there is one."""
    deposit_micros: Micros
    """What the driver put up so far."""
    opened_s: UnixSeconds
    """Time of the block that opened it, in Unix seconds; power is judged by the time since then."""
    deadline_s: UnixSeconds
    """From when on anybody can give the deposit back, in Unix seconds."""
    requested_wh: WattHours
    """What the driver asked for, in Wh."""
    rated_power_w: Watts
    """Most power that the station's meter can carry, in W."""
    begin: tuple[WattHours, UnixSeconds] | None
    """Register, in Wh, and instant of the begin; None until the station said both."""
    tariff: Tariff
    """What the contract takes from the deposit: price and flat fee of the tariff of its terms."""
    energy_wh: WattHours | None
    """Energy by the signed record, once there is one, in Wh."""
    charge_micros: Micros | None
    """Charge, once it is known."""
    refund_micros: Micros | None
    """Refund, once it is known."""
    refund: Refund | None
    """How the refund fares on the chain."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will change on the screen."""
        return self.state in _ENDED

    @property
    def price_micros_per_kwh(self) -> MicrosPerKilowattHour:
        """What another kWh costs, VAT included."""
        return self.tariff.price_micros_per_kwh

    def owed_micros(self, energy_wh: WattHours) -> Micros:
        """Return what an energy costs by the function that bills, deposit or not."""
        money = bill(energy_wh, self.tariff, self.deposit_micros)
        return Micros(money.charge_micros + money.overrun_micros)


@dataclass(frozen=True, slots=True)
class News:
    """Something that happened to a session."""

    seq: int
    """Place among all events."""
    name: str
    """What happened, in the past tense."""
    session_id: str
    """To which session."""


def facts(service: Service, session_id: str) -> Facts:
    """
    Return what is stored of a session.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    with service.reading() as connection:
        found = (
            connection.execute(select(session).where(session.c.session_id == session_id))
            .mappings()
            .first()
        )
        if found is None:
            raise UnknownSessionError(session_id)
        return _facts(service, connection, found)


def session_at(
    service: Service, station_id: str, *, transaction: str | None, id_tag: str | None
) -> str | None:
    """Return the session of a station's transaction, or else of an idTag there, if there is one."""
    with service.reading() as connection:
        for column, value in (
            (session.c.station_transaction, transaction),
            (session.c.id_tag, id_tag),
        ):
            # A start is heard of before it is judged, so its transaction may not be known yet.
            found = connection.execute(
                select(session.c.session_id).where(
                    session.c.station_id == station_id, column == value
                )
            ).scalar()
            if value is not None and found is not None:
                return str(found)
    return None


def newest_seq(service: Service) -> int:
    """Return the place of the newest event."""
    with service.reading() as connection:
        return connection.execute(select(func.max(event.c.seq))).scalar() or 0


def news_since(service: Service, seq: int) -> tuple[News, ...]:
    """Return what happened to sessions after the event ``seq``, oldest first; a part if much."""
    with service.reading() as connection:
        rows = connection.execute(
            select(event.c.seq, event.c.name, event.c.trace_id)
            .where(event.c.seq > seq)
            .order_by(event.c.seq)
            .limit(_EVENTS_MAX)
        ).all()
    return tuple(News(row.seq, row.name, row.trace_id) for row in rows)


def _facts(service: Service, connection: Connection, found: RowMapping) -> Facts:
    return Facts(
        session_id=found["session_id"],
        state=found["state"],
        station_id=found["station_id"],
        driver=found["driver"],
        id_tag=found["id_tag"],
        transaction=found["station_transaction"],
        deposit_micros=Micros(found["deposit_micros"]),
        opened_s=UnixSeconds(found["opened_s"]),
        deadline_s=UnixSeconds(found["deadline_s"]),
        requested_wh=WattHours(found["requested_wh"]),
        rated_power_w=_rated_power_w(service, connection, found),
        begin=_begin(found),
        tariff=taken(tariff_of(service, connection, found), service.rules),
        energy_wh=found["energy_wh"],
        charge_micros=found["charge_micros"],
        refund_micros=found["refund_micros"],
        refund=_refund(connection, found["session_id"]),
    )


def taken(posted: Posted, rules: Rules) -> Tariff:
    """Return what the contract takes under a tariff; whatever else it asks is invoiced."""
    if posted.simple is not None:
        return posted.simple
    return Tariff(
        tariff_id=posted.ocpi.tariff_id,
        currency=rules.currency,
        price_micros_per_kwh=posted.price_micros_per_kwh,
        flat_micros=posted.flat_micros,
        vat_rate_bp=rules.tariff.vat_rate_bp,
    )


def _rated_power_w(service: Service, connection: Connection, found: RowMapping) -> Watts:
    meter_id = json.loads(found["terms"])["meter_id"]
    return meter_key(connection, meter_id, service.clock.now_s()).rated_power_w


def _begin(found: RowMapping) -> tuple[WattHours, UnixSeconds] | None:
    if found["started_s"] is None or found["begin_wh"] is None:
        return None
    return WattHours(found["begin_wh"]), UnixSeconds(found["started_s"])


def _refund(connection: Connection, session_id: str) -> Refund | None:
    """Return the transaction that ended the session, by record or by deadline."""
    row = connection.execute(
        select(intent.c.hash, intent.c.block_number, intent.c.state)
        .where(intent.c.business_key.in_((f"close/{session_id}", f"expire/{session_id}")))
        .order_by(intent.c.id.desc())
    ).first()
    return None if row is None else Refund(row.hash, row.block_number, row.state)
