"""Gather what is known of sessions, many at a time, from every table that says anything of them."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from typing import Any, Final

from sqlalchemy import Column, Connection, RowMapping, select

from ledger import tables as ledger_tables
from ledger.errors import VoisinError
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.charging.documents.facts import (
    AgreedTariff,
    ChargeLine,
    Evidence,
    Finality,
    LogEntry,
    Money,
    Roof,
    SessionFacts,
    Stretch,
    Times,
    Transaction,
)
from settlement.charging.documents.lines import simple_lines
from settlement.charging.documents.parts import cut_at_prices
from settlement.charging.terms import SessionTerms
from settlement.engine.bills.billing import bill_session
from settlement.engine.charging.quoting import UnknownSessionError
from settlement.engine.charging.running import terms_of
from settlement.engine.origin.sessions import roofs_of, sun_of_sessions, traced_intervals
from settlement.engine.roll import meter_keys
from settlement.engine.service import Service
from settlement.metering.ocmf import OcmfReading, parse_record
from settlement.metering.ocmf_energy import register_pair
from settlement.metering.signatures import MeterKey
from settlement.pricing import statements
from settlement.tables import charge_line, event, intent, meter, observed, run, session, slice_
from settlement.tables import tariff as tariff_table

BATCH: Final = 200
"""How many sessions are gathered at once."""
_ENDS: Final = ("session_closed", "session_expired")
_BEGINS: Final = ("session_opened",)

Rows = Sequence[RowMapping]
ByName = Mapping[str, Rows]


def facts_of(service: Service, connection: Connection, session_id: str) -> SessionFacts:
    """
    Return what is known of one session.

    Raises
    ------
    UnknownSessionError
        If there is none of that id.
    """
    rows = (
        connection.execute(select(session).where(session.c.session_id == session_id))
        .mappings()
        .all()
    )
    if not rows:
        raise UnknownSessionError(session_id)
    return next(gathered(service, connection, rows))


def gathered(service: Service, connection: Connection, rows: Rows) -> Iterator[SessionFacts]:
    """Return what is known of each of the sessions in ``rows``, in their order."""
    for first in range(0, len(rows), BATCH):
        part = rows[first : first + BATCH]
        gathering = Gathering(service, connection, part)
        for row in part:
            yield gathering.facts(row)


class Gathering:
    """Everything that tables say of some sessions, read with one query a table."""

    def __init__(self, service: Service, connection: Connection, rows: Rows) -> None:
        self._service: Final = service
        self._connection: Final = connection
        identities = [row["session_id"] for row in rows]
        terms = {row["session_id"]: terms_of(row) for row in rows}
        self._terms: Final[Mapping[str, SessionTerms]] = terms
        read = partial(_read, connection)
        transfer = ledger_tables.transfer
        self._lines: Final = _by(
            read(charge_line.c.session_id, identities, charge_line.c.position), "session_id"
        )
        self._slices: Final = _by(
            read(slice_.c.session_id, identities, slice_.c.page), "session_id"
        )
        self._events: Final = _by(read(event.c.trace_id, identities, event.c.seq), "trace_id")
        self._intents: Final = _by(read(intent.c.trace_id, identities, intent.c.nonce), "trace_id")
        self._transfers: Final = _by(
            read(transfer.c.trace_id, identities, transfer.c.seq), "trace_id"
        )
        hashes = {one for found in self._events.values() for one in _hashes(found)}
        self._blocks: Final = {
            one["transaction_hash"]: int(one["block_number"])
            for one in read(observed.c.transaction_hash, hashes, observed.c.log_index)
        }
        intervals = {one["interval"] for found in self._slices.values() for one in found}
        self._drawn: Final = _drawn(read(run.c.interval, intervals, run.c.run))
        self._traced: Final = traced_intervals(connection, intervals)
        origins = sun_of_sessions(service, connection, identities)
        self._roofs: Final = roofs_of(connection, origins)
        meters = {one.meter_id for one in terms.values()}
        self._serials: Final = {
            str(one["meter_id"]): str(one["serial"])
            for one in read(meter.c.meter_id, meters, meter.c.valid_from_s)
        }
        self._keys: Final = meter_keys(connection, meters)
        prints = {one.tariff_fingerprint for one in terms.values()}
        self._tariffs: Final = {
            str(one["fingerprint"]): one
            for one in read(tariff_table.c.fingerprint, prints, tariff_table.c.at_s)
        }

    def facts(self, row: RowMapping) -> SessionFacts:
        """Return what is known of one of the sessions."""
        identity = str(row["session_id"])
        terms, rules = self._terms[identity], self._service.rules
        tariff = self._tariff(terms)
        slices = self._slices.get(identity, ())
        energy = WattHours(row["energy_wh"] or 0)
        sun_wh, roofs = self._sun(identity, energy)
        return SessionFacts(
            session_id=identity,
            state=row["state"],
            station_id=row["station_id"],
            community=rules.name,
            operator=rules.operator_party,
            driver=row["driver"],
            id_tag=row["id_tag"],
            transaction_id=row["transaction_id"],
            currency=rules.currency,
            times=self._times(row),
            energy_wh=energy,
            money=self._money(row, energy, tariff),
            tariff=tariff,
            evidence=self._evidence(row, terms),
            stretches=cut_at_prices(
                sorted((_stretch(one) for one in slices), key=lambda part: part.begin_s),
                tariff,
                rules.local,
            ),
            opening=self._transaction(identity, _BEGINS, "open"),
            settlement=self._transaction(
                identity, _ENDS, "expire" if row["state"] == "expired" else "close"
            ),
            entries=tuple(
                LogEntry(one["id"], one["code"], one["seq"])
                for one in self._transfers.get(identity, ())
            ),
            sun_wh=sun_wh,
            roofs=roofs,
        )

    def _sun(self, identity: str, energy: WattHours) -> tuple[Fraction | None, tuple[Roof, ...]]:
        """
        Return the neighbors' sun in a session, and whose it was.

        Runs of before lots were kept name no roofs; of them the share is known and no more.
        """
        slices = self._slices.get(identity, ())
        share = _sun_wh(slices, self._drawn, energy)
        if share is None or any(one["interval"] not in self._traced for one in slices):
            return share, ()
        roofs = self._roofs[identity]
        return Fraction(sum(one.energy_wh for one in roofs)), roofs

    def _tariff(self, terms: SessionTerms) -> AgreedTariff:
        """Return the tariff that the terms name, with its text if it is kept."""
        simple = self._service.rules.tariff
        text, name, vat_bp = "", "", simple.vat_rate_bp
        kept = self._tariffs.get(terms.tariff_fingerprint)
        if kept is not None:
            text, name = str(kept["body"]), str(kept["tariff_id"])
            vat_bp = _vat_of(text, vat_bp)
        elif terms.tariff_fingerprint == f"0x{simple.fingerprint.hex()}":
            text, name = simple.canonical.decode(), simple.tariff_id
        return AgreedTariff(
            fingerprint=terms.tariff_fingerprint,
            tariff_id=name,
            text=text,
            price_micros_per_kwh=MicrosPerKilowattHour(terms.price_micros_per_kwh),
            flat_micros=Micros(terms.flat_micros),
            vat_bp=BasisPoints(vat_bp),
        )

    def _money(self, row: RowMapping, energy_wh: WattHours, tariff: AgreedTariff) -> Money:
        charge = Micros(row["charge_micros"] or 0)
        kept = self._lines.get(row["session_id"], ())
        if kept:
            lines = tuple(_line(one) for one in kept)
        elif row["state"] == "closing":
            # Lines are kept once the charge is final; until then they are what it is to be.
            billed = bill_session(self._service, self._connection, row, energy_wh, row["record"])
            lines = tuple(_stated(one) for one in billed.statement(charge).lines)
        else:
            lines = simple_lines(energy_wh, charge, tariff)
        return Money(
            deposit_micros=Micros(row["deposit_micros"]),
            charge_micros=charge,
            refund_micros=Micros(row["refund_micros"] or 0),
            overrun_micros=Micros(row["overrun_micros"] or 0),
            lines=lines,
        )

    def _times(self, row: RowMapping) -> Times:
        opened_s = UnixSeconds(row["opened_s"])
        found = self._events.get(row["session_id"], ())
        ended = [one["at_s"] for one in found if one["name"] in _ENDS]
        newest = max((one["at_s"] for one in found), default=opened_s)
        ended_s = UnixSeconds(ended[-1] if ended else newest)
        started_s = UnixSeconds(row["started_s"] or opened_s)
        return Times(
            opened_s=opened_s,
            started_s=started_s,
            stopped_s=UnixSeconds(row["stopped_s"] or ended_s),
            ended_s=ended_s,
            utc_offset_minutes=self._service.rules.local.offset_minutes(started_s),
        )

    def _evidence(self, row: RowMapping, terms: SessionTerms) -> Evidence:
        begin, end = _registers(row["record"])
        return Evidence(
            meter_id=terms.meter_id,
            serial=self._serials.get(terms.meter_id, ""),
            key=_key_at(self._keys.get(terms.meter_id, ()), UnixSeconds(row["opened_s"])),
            record=row["record"],
            begin=begin,
            end=end,
        )

    def _transaction(self, identity: str, names: Sequence[str], purpose: str) -> Transaction:
        """Return the transaction of a final event, or of our intent as far as it is."""
        for one in reversed(self._events.get(identity, ())):
            if one["name"] in names:
                found = json.loads(one["body"])["transaction"]
                return Transaction(found, self._blocks.get(found), Finality.FINAL)
        for one in reversed(self._intents.get(identity, ())):
            if one["business_key"].startswith(f"{purpose}/"):
                block = one["block_number"]
                finality = Finality.SENT if block is None else Finality.MINED
                return Transaction(one["hash"], block, finality)
        return Transaction(None, None, Finality.WAITING)


def _read(
    connection: Connection, column: Column[Any], wanted: Collection[object], order: Column[Any]
) -> Rows:
    """Return the rows of a table in which ``column`` is one of ``wanted``."""
    found = connection.execute(select(column.table).where(column.in_(wanted)).order_by(order))
    return found.mappings().all()


def _by(rows: Rows, name: str) -> ByName:
    found: defaultdict[str, list[RowMapping]] = defaultdict(list)
    for row in rows:
        found[str(row[name])].append(row)
    return found


def _hashes(rows: Rows) -> Iterator[str]:
    for row in rows:
        if row["name"] in (*_BEGINS, *_ENDS):
            yield json.loads(row["body"])["transaction"]


def _line(row: RowMapping) -> ChargeLine:
    return ChargeLine(
        dimension=row["dimension"],
        volume=row["volume"],
        unit_price=row["unit_price"],
        net_micros=Micros(row["net_micros"]),
        vat_bp=None if row["vat_bp"] is None else BasisPoints(row["vat_bp"]),
        vat_micros=Micros(row["vat_micros"]),
        rail=row["rail"],
    )


def _stated(one: statements.ChargeLine) -> ChargeLine:
    return ChargeLine(
        dimension=one.dimension,
        volume=one.volume,
        unit_price=one.unit_price,
        net_micros=one.net_micros,
        vat_bp=one.vat_bp,
        vat_micros=one.vat_micros,
        rail=one.rail.value,
    )


def _stretch(row: RowMapping) -> Stretch:
    return Stretch(
        UnixSeconds(row["begin_s"]),
        UnixSeconds(row["end_s"]),
        WattHours(row["energy_wh"]),
        parking=not row["energy_wh"],
    )


def _vat_of(text: str, otherwise_bp: BasisPoints) -> BasisPoints:
    """Return the VAT rate of a simple tariff's canonical text."""
    document = json.loads(text)
    return BasisPoints(document.get("vat_rate_bp", otherwise_bp))


def _registers(record: str | None) -> tuple[OcmfReading | None, OcmfReading | None]:
    """Return begin and end of a record that was judged good when it was taken."""
    if record is None:
        return None, None
    try:
        return register_pair(parse_record(record))
    except VoisinError:
        return None, None


def _key_at(keys: Sequence[MeterKey], at_s: UnixSeconds) -> MeterKey | None:
    return next((one for one in keys if one.valid_from_s <= at_s < one.valid_until_s), None)


def _drawn(runs: Iterable[RowMapping]) -> Mapping[int, tuple[int, int]]:
    """Return what stations drew in each interval, of it from neighbors' sun, over all its runs."""
    drawn: dict[int, tuple[int, int]] = {}
    for one in runs:
        sun_wh, stations_wh = drawn.get(int(one["interval"]), (0, 0))
        drawn[int(one["interval"])] = (
            sun_wh + one["sun_to_cars_wh"],
            stations_wh + one["stations_wh"],
        )
    return drawn


def _sun_wh(
    slices: Rows, drawn: Mapping[int, tuple[int, int]], energy_wh: WattHours
) -> Fraction | None:
    """
    Return the neighbors' solar energy of a session, pro rata over the sessions of each interval.

    None if it drew nothing, or an interval of it is not settled yet.
    """
    if not slices or sum(one["energy_wh"] for one in slices) != energy_wh:
        return None
    total = Fraction(0)
    for one in slices:
        found = drawn.get(one["interval"])
        if found is None:
            return None
        sun_wh, stations_wh = found
        if stations_wh:
            total += Fraction(one["energy_wh"] * sun_wh, stations_wh)
    return total
