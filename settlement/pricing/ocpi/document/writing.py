"""Write a tariff as the Tariff object of OCPI 2.3.0, for pages, partners and detail records."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

from ledger.units import UnixSeconds
from settlement.pricing.ocpi.document.canonical import plain_decimal
from settlement.pricing.ocpi.document.model import (
    FREE_OF_RESTRICTIONS,
    Element,
    OcpiTariff,
    PriceComponent,
    PriceLimit,
    Restrictions,
)

_RENAMED: Final = {"min_duration_s": "min_duration", "max_duration_s": "max_duration"}


def tariff_document(tariff: OcpiTariff) -> dict[str, object]:
    """
    Return the document that ``parse_tariff`` would read as the same tariff.

    Numbers are ``Decimal`` or ``int``. OCPI 2.2.1 has the same fields but ``tax_included``; a
    tariff whose prices include VAT has no exact form there.
    """
    document: dict[str, object | None] = {
        "country_code": tariff.country_code,
        "party_id": tariff.party_id,
        "id": tariff.tariff_id,
        "currency": tariff.currency,
        "type": tariff.type and str(tariff.type),
        "tariff_alt_text": [
            {"language": one.language, "text": one.text} for one in tariff.alt_text
        ],
        "tariff_alt_url": tariff.alt_url,
        "min_price": _limit(tariff.min_price),
        "max_price": _limit(tariff.max_price),
        "preauthorize_amount": tariff.preauthorize_amount,
        "elements": [_element(one) for one in tariff.elements],
        "tax_included": str(tariff.tax_included),
        "start_date_time": _instant(tariff.valid_from_s),
        "end_date_time": _instant(tariff.valid_until_s),
        "energy_mix": None if tariff.energy_mix is None else json.loads(tariff.energy_mix),
        "last_updated": tariff.last_updated,
    }
    return _present(document)


def dumps_tariff(tariff: OcpiTariff) -> str:
    """Return the document as JSON whose numbers are exactly those of the tariff."""
    return _json(tariff_document(tariff))


def _present(document: Mapping[str, object | None]) -> dict[str, object]:
    return {name: value for name, value in document.items() if value not in (None, [], {})}


def _limit(limit: PriceLimit | None) -> dict[str, object] | None:
    if limit is None:
        return None
    return _present({"before_taxes": limit.before_taxes, "after_taxes": limit.after_taxes})


def _element(element: Element) -> dict[str, object]:
    components = [_component(one) for one in element.components]
    restrictions = _restrictions(element.restrictions)
    return _present({"price_components": components, "restrictions": restrictions})


def _component(component: PriceComponent) -> dict[str, object]:
    return _present(
        {
            "type": str(component.dimension),
            "price": component.price,
            "vat": component.vat_percent,
            "step_size": component.step_size,
        }
    )


def _restrictions(limits: Restrictions) -> dict[str, object] | None:
    if limits == FREE_OF_RESTRICTIONS:
        return None
    plain = (
        "min_kwh",
        "max_kwh",
        "min_current",
        "max_current",
        "min_power",
        "max_power",
        "min_duration_s",
        "max_duration_s",
    )
    return _present(
        {
            "start_time": _clock(limits.start_minute),
            "end_time": _clock(limits.end_minute),
            "start_date": _day(limits.start_date),
            "end_date": _day(limits.end_date),
            **{_RENAMED.get(name, name): getattr(limits, name) for name in plain},
            "day_of_week": sorted(str(day) for day in limits.days),
            "reservation": limits.reservation and str(limits.reservation),
        }
    )


def _clock(minute: int | None) -> str | None:
    return None if minute is None else f"{minute // 60:02d}:{minute % 60:02d}"


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _instant(at_s: UnixSeconds | None) -> str | None:
    return None if at_s is None else f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _json(value: object) -> str:
    """Return JSON text; the standard writer would make a float of a decimal."""
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_json(one) for one in value) + "]"
    return json.dumps(value)
