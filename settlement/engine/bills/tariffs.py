"""
Say which tariff a station has, and keep each under its fingerprint once it was quoted.

A session has the tariff whose fingerprint is in its terms, whatever the community decides later.
"""

import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from sqlalchemy import Connection, RowMapping, bindparam, select

from ledger.errors import Integrity
from ledger.store.bulk import upsert
from ledger.units import BasisPoints, Micros, MicrosPerKilowattHour, UnixSeconds, WattHours
from settlement.engine.bills.rows import terms_in
from settlement.engine.community import Rules
from settlement.engine.service import Service
from settlement.pricing.billing import deposit_for
from settlement.pricing.ocpi import (
    OcpiTariff,
    deposit_for_tariff,
    is_simple,
    loads_tariff,
    of_simple,
    simple_parts,
)
from settlement.pricing.tariffs import Tariff
from settlement.tables import tariff

_REMEMBERED: Final = 256
_BODY: Final = select(tariff.c.body).where(tariff.c.fingerprint == bindparam("named"))


class TariffLostError(Integrity):
    """The tariff of a session's terms is not what was kept under its fingerprint, or not kept."""

    def __init__(self, fingerprint: str) -> None:
        super().__init__("tariff_lost", f"no tariff {fingerprint} is kept as it was quoted")


@dataclass(frozen=True, slots=True)
class Posted:
    """A tariff as it is shown, signed for and billed by."""

    fingerprint: str
    """Its fingerprint, 0x-prefixed, as the terms have it."""
    body: str
    """The document that it was read from, JSON."""
    ocpi: OcpiTariff
    """The tariff."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """Price per kWh that the contract takes, VAT included."""
    flat_micros: Micros
    """Flat fee that the contract takes, VAT included."""
    simple: Tariff | None
    """The same as a price and a fee, if that is how it was written."""

    @property
    def is_whole(self) -> bool:
        """Whether price and flat fee are all there is, so that the contract takes everything."""
        return self.simple is not None or is_simple(self.ocpi)

    def deposit_micros(
        self, requested_wh: WattHours, stay_s: int, start_s: UnixSeconds, rules: Rules
    ) -> Micros:
        """Return the deposit for an energy and a stay, in s, that begins at ``start_s``."""
        if self.simple is not None:
            return deposit_for(requested_wh, self.simple)
        return deposit_for_tariff(
            self.ocpi,
            requested_wh,
            stay_s,
            start_s,
            rules.utc_offset_minutes,
            rules.local.zone,
        )


def posted_at(service: Service, station_id: str) -> Posted:
    """Return the tariff of a station: its own, or else the community's."""
    own = service.rules.station_tariffs.get(station_id)
    return of_document(own) if own is not None else of_tariff(service.rules.tariff)


@lru_cache(_REMEMBERED)
def of_tariff(simple: Tariff) -> Posted:
    """Return a price and a fee as a posted tariff."""
    return Posted(
        fingerprint="0x" + simple.fingerprint.hex(),
        body=simple.canonical.decode(),
        ocpi=of_simple(simple),
        price_micros_per_kwh=simple.price_micros_per_kwh,
        flat_micros=simple.flat_micros,
        simple=simple,
    )


@lru_cache(_REMEMBERED)
def of_document(body: str) -> Posted:
    """
    Return the posted tariff of an OCPI Tariff object, JSON.

    Raises
    ------
    InvalidRequest
        If it is none, as ``loads_tariff`` says.
    """
    ocpi = loads_tariff(body)
    price, flat = simple_parts(ocpi)
    return Posted("0x" + ocpi.fingerprint.hex(), body, ocpi, price, flat, simple=None)


def keep_tariff(connection: Connection, posted: Posted, at_s: UnixSeconds) -> None:
    """Keep a tariff under its fingerprint; one that is kept already stays as it is."""
    connection.execute(
        upsert(connection, tariff)
        .values(
            fingerprint=posted.fingerprint,
            tariff_id=posted.ocpi.tariff_id,
            body=posted.body,
            at_s=at_s,
        )
        .on_conflict_do_nothing()
    )


def is_kept(connection: Connection, fingerprint: str) -> bool:
    """Say whether a tariff is kept under a fingerprint."""
    return _body(connection, fingerprint) is not None


def tariff_of(service: Service, connection: Connection, found: RowMapping) -> Posted:
    """
    Return the tariff of a session.

    Raises
    ------
    TariffLostError
        If none, or another, is kept under the fingerprint of its terms.
    """
    fingerprint = terms_in(found["terms"]).tariff_fingerprint
    body = _body(connection, fingerprint)
    # Sessions that were opened before tariffs were kept have the community's.
    posted = of_tariff(service.rules.tariff) if body is None else _read(body)
    if posted.fingerprint != fingerprint:
        raise TariffLostError(fingerprint)
    return posted


def _body(connection: Connection, fingerprint: str) -> str | None:
    return connection.execute(_BODY, {"named": fingerprint}).scalar()


@lru_cache(_REMEMBERED)
def _read(body: str) -> Posted:
    document = json.loads(body)
    if "price_micros_per_kwh" not in document:
        return of_document(body)
    return of_tariff(
        Tariff(
            tariff_id=document["id"],
            currency=document["currency"],
            price_micros_per_kwh=MicrosPerKilowattHour(document["price_micros_per_kwh"]),
            flat_micros=Micros(document["flat_micros"]),
            vat_rate_bp=BasisPoints(document["vat_rate_bp"]),
        )
    )
