"""Lay sessions out as a table: one row each, the columns that owners of chargers ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.units import UnixSeconds
from settlement.charging.documents.exact import euros, kilowatt_hours, nearest
from settlement.charging.documents.facts import SessionFacts
from settlement.metering.ocmf import OcmfReading

Cell = str | Decimal | None
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WH_DECIMALS: Final = 3
_PRICE_DECIMALS: Final = 6
_PERCENT_DECIMALS: Final = 1
_WH_PER_KWH: Final = 1_000
_MICROS: Final = 1_000_000
_WHOLE_PERCENT: Final = 100


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table."""

    key: str
    """Name that never changes and is the same in every language."""
    headings: tuple[str, str]
    """Heading in English and in French."""
    cell: Callable[[SessionFacts], Cell]
    """What stands in it for a session; None leaves it empty."""


def local_time(at_s: UnixSeconds, utc_offset_minutes: int) -> str:
    """Return an instant in local time with its offset, as ISO 8601 writes it."""
    zone = timezone(timedelta(minutes=utc_offset_minutes))
    return (_EPOCH + timedelta(seconds=at_s)).astimezone(zone).isoformat(sep=" ")


def duration(seconds: int) -> str:
    """Return a duration as hours, minutes and seconds: ``26:03:09``."""
    minutes, rest = divmod(max(0, seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _register(found: OcmfReading | None) -> Decimal | None:
    """Return a register in kWh with all digits that the meter wrote."""
    if found is None or found.digits is None:
        return None
    value = Decimal(found.digits).scaleb(-found.decimals)
    return value.scaleb(-_WH_DECIMALS) if found.unit == "Wh" else value


def _price_per_kwh(facts: SessionFacts) -> Decimal | None:
    if not facts.energy_wh:
        return None
    paid = Fraction(facts.money.total_micros * _WH_PER_KWH, facts.energy_wh * _MICROS)
    return nearest(paid, _PRICE_DECIMALS)


def _sun_percent(facts: SessionFacts) -> Decimal | None:
    if facts.sun_wh is None or not facts.energy_wh:
        return None
    return nearest(Fraction(facts.sun_wh * _WHOLE_PERCENT, facts.energy_wh), _PERCENT_DECIMALS)


def _vat(facts: SessionFacts) -> Decimal:
    return euros(facts.money.total_micros) - euros(facts.money.net_micros)


def _at(pick: Callable[[SessionFacts], UnixSeconds]) -> Callable[[SessionFacts], str]:
    return lambda facts: local_time(pick(facts), facts.times.utc_offset_minutes)


COLUMNS: Final = (
    Column("created", ("Created", "Début"), _at(lambda one: one.times.started_s)),
    Column("finished", ("Finished", "Fin"), _at(lambda one: one.times.stopped_s)),
    Column("station", ("Station", "Borne"), lambda one: one.station_id),
    Column("identifier", ("Identifier (idTag)", "Identifiant (idTag)"), lambda one: one.id_tag),
    Column("driver", ("Driver", "Conducteur"), lambda one: one.driver),
    Column(
        "meterStart",
        ("Meter start (kWh)", "Compteur début (kWh)"),
        lambda one: _register(one.evidence.begin),
    ),
    Column(
        "meterStop",
        ("Meter stop (kWh)", "Compteur fin (kWh)"),
        lambda one: _register(one.evidence.end),
    ),
    Column(
        "chargedEnergy",
        ("Charged energy (kWh)", "Énergie chargée (kWh)"),
        lambda one: kilowatt_hours(one.energy_wh),
    ),
    Column(
        "chargeDuration",
        ("Duration (h:mm:ss)", "Durée (h:mm:ss)"),
        lambda one: duration(one.times.stopped_s - one.times.started_s),
    ),
    Column("solarPercentage", ("Sun (%)", "Soleil (%)"), _sun_percent),
    Column(
        "price",
        ("Price, VAT included", "Prix TTC"),
        lambda one: euros(one.money.total_micros),
    ),
    Column("pricePerKWh", ("Price/kWh, VAT included", "Prix/kWh TTC"), _price_per_kwh),
    Column("vat", ("VAT in it", "Dont TVA"), _vat),
    Column("deposit", ("Deposit", "Dépôt"), lambda one: euros(one.money.deposit_micros)),
    Column("refund", ("Refund", "Remboursement"), lambda one: euros(one.money.refund_micros)),
    Column(
        "invoiced",
        ("Beside the deposit", "Hors dépôt"),
        lambda one: euros(one.money.invoice_micros),
    ),
    Column("currency", ("Currency", "Devise"), lambda one: one.currency),
    Column("state", ("State", "État"), lambda one: one.state),
    Column(
        "finality",
        ("Transaction is", "La transaction est"),
        lambda one: one.settlement.finality.value,
    ),
    Column("transaction", ("Transaction", "Transaction"), lambda one: one.settlement.hash),
    Column("signedBy", ("Signed by", "Signé par"), lambda one: one.signed_by),
    Column(
        "tariff", ("Tariff fingerprint", "Empreinte du tarif"), lambda one: one.tariff.fingerprint
    ),
    Column("session", ("Session", "Session"), lambda one: one.session_id),
)
"""The columns, in order; new ones are added at the end."""
