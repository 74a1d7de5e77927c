"""
Say what a session comes to, by the tariff that it was opened under.

Time is billed only if the meter counted it: the times of the signed record, cut where the signed
fiscal records cut it. Else the energy is billed at the tariff of the start and nothing by time. A
session without energy owes nothing.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, select

from ledger.units import Micros, UnixSeconds, WattHours, cost_floor
from settlement.engine.bills.rows import terms_in
from settlement.engine.bills.tariffs import tariff_of
from settlement.engine.service import Service
from settlement.metering.ocmf import OcmfRecord, parse_record
from settlement.metering.ocmf_energy import register_pair
from settlement.metering.ocmf_time import instant_s, is_synchronized, time_is_billable
from settlement.pricing.ocpi import Charging, Period, Rated, rate
from settlement.pricing.statements import Statement, statement
from settlement.tables import slice_

_SLICES: Final = (
    select(slice_.c.begin_s, slice_.c.end_s, slice_.c.energy_wh)
    .where(slice_.c.session_id == bindparam("named"))
    .order_by(slice_.c.begin_s, slice_.c.end_s)
)


@dataclass(frozen=True, slots=True)
class Billed:
    """What a session comes to."""

    rated: Rated
    """What its tariff asks."""
    owed_micros: Micros
    """What price and flat fee of its terms come to, before the deposit caps it."""
    deposit_micros: Micros
    """Its deposit."""

    @property
    def charge_micros(self) -> Micros:
        """What the contract takes by the meter's record alone."""
        return Micros(min(self.owed_micros, self.deposit_micros))

    @property
    def is_whole(self) -> bool:
        """Whether the contract can take all that the tariff asks by the meter's record alone."""
        return self.rated.gross_micros <= self.owed_micros

    def statement(self, charge_micros: Micros) -> Statement:
        """Return the lines if the contract takes ``charge_micros``."""
        return statement(self.rated, owed_micros=self.owed_micros, charge_micros=charge_micros)


def bill_session(
    service: Service,
    connection: Connection,
    found: RowMapping,
    energy_wh: WattHours,
    text: str | None,
) -> Billed:
    """
    Return what a session comes to with so much energy.

    Parameters
    ----------
    found
        The session.
    energy_wh
        Its energy, in Wh.
    text
        The signed record that proves it, or None if only the contract has seen it.
    """
    terms, posted = terms_in(found["terms"]), tariff_of(service, connection, found)
    charging = Charging(
        start_s=_start_s(found, text),
        periods=_periods(connection, found, energy_wh, text) if energy_wh else (),
        utc_offset_minutes=service.rules.utc_offset_minutes,
        zone=service.rules.local.zone,
    )
    flat = terms.flat_micros if energy_wh else 0
    return Billed(
        rated=rate(posted.ocpi, charging),
        owed_micros=Micros(cost_floor(energy_wh, terms.price_micros_per_kwh) + flat),
        deposit_micros=Micros(found["deposit_micros"]),
    )


def _start_s(found: RowMapping, text: str | None) -> UnixSeconds:
    """Return when the session started: by its meter's clock if that is right, else by ours."""
    if text is not None:
        begin, _ = register_pair(parse_record(text))
        if is_synchronized(begin):
            return instant_s(begin)
    return UnixSeconds(found["started_s"] or found["opened_s"])


def _periods(
    connection: Connection, found: RowMapping, energy_wh: WattHours, text: str | None
) -> tuple[Period, ...]:
    start_s = _start_s(found, text)
    at_once = (Period(start_s, start_s, energy_wh),)
    record = None if text is None else parse_record(text)
    if record is None or not time_is_billable(record):
        return at_once
    begin_s, end_s = _span(record)
    if end_s < begin_s:
        return at_once
    # A meter that counts time without knowing the hour is right about how long, not about when.
    ahead_s = start_s - begin_s
    parts = _sliced(connection, found["session_id"], begin_s, end_s, energy_wh)
    return tuple(
        Period(UnixSeconds(one.begin_s + ahead_s), UnixSeconds(one.end_s + ahead_s), one.energy_wh)
        for one in parts
    )


def _span(record: OcmfRecord) -> tuple[UnixSeconds, UnixSeconds]:
    begin, end = register_pair(record)
    return instant_s(begin), instant_s(end)


def _sliced(
    connection: Connection,
    session_id: str,
    begin_s: UnixSeconds,
    end_s: UnixSeconds,
    energy_wh: WattHours,
) -> tuple[Period, ...]:
    """Return the fiscal records as periods if they cover the session, else all of it as one."""
    rows = connection.execute(_SLICES, {"named": session_id}).all()
    parts = tuple(Period(UnixSeconds(a), UnixSeconds(b), WattHours(wh)) for a, b, wh in rows)
    follow = all(one.end_s == after.begin_s for one, after in pairwise(parts))
    if not parts or not follow or (parts[0].begin_s, parts[-1].end_s) != (begin_s, end_s):
        return (Period(begin_s, end_s, energy_wh),)
    if sum(one.energy_wh for one in parts) != energy_wh:
        return (Period(begin_s, end_s, energy_wh),)
    return parts
