"""Write what was agreed as a Tariff object of OCPI 2.2.1 (mod_tariffs)."""

import json
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from ledger.units import BasisPoints, Micros, UnixSeconds
from settlement.charging.documents.exact import euros, instant, nearest
from settlement.charging.documents.facts import AgreedTariff, SessionFacts
from settlement.charging.documents.issuer import Issuer, ocpi_id
from settlement.charging.documents.lines import price_without_vat
from settlement.pricing.ocpi import OcpiTariff, TaxIncluded, loads_tariff, tariff_document

_BP_PER_PERCENT: Final = 100
_BP_DECIMALS: Final = 2
_PRICE_DECIMALS: Final = 6
_WHOLE_PERCENT: Final = 100
_LATER_FIELDS: Final = ("tax_included", "preauthorize_amount")
"""Fields that OCPI has only since 2.3.0."""
_LIMITS: Final = {"before_taxes": "excl_vat", "after_taxes": "incl_vat"}


def tariff_object(tariff: AgreedTariff, facts: SessionFacts, issuer: Issuer) -> dict[str, Any]:
    """Return the tariff of a session, as it was when the session was opened."""
    return described(tariff, facts.currency, issuer, at_s=facts.times.opened_s)


def described(
    tariff: AgreedTariff, currency: str, issuer: Issuer, *, at_s: UnixSeconds
) -> dict[str, Any]:
    """
    Return a tariff as an object of OCPI 2.2.1, which states prices without VAT.

    Where ours include it, the object carries the price without VAT to the nearest millionth; that
    of a price per kWh and a flat fee names the exact ones in its text.
    """
    own = {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "id": tariff.tariff_id or ocpi_id(tariff.fingerprint),
        "currency": currency,
        "last_updated": instant(at_s),
    }
    ocpi = ocpi_of(tariff)
    if ocpi is not None:
        return own | _before(ocpi)
    components = [_component("ENERGY", tariff.price_micros_per_kwh, tariff.vat_bp)]
    if tariff.flat_micros:
        components.append(_component("FLAT", tariff.flat_micros, tariff.vat_bp))
    return own | {
        "tariff_alt_text": _texts(tariff, currency),
        "elements": [{"price_components": components}],
    }


def ocpi_of(tariff: AgreedTariff) -> OcpiTariff | None:
    """Return the tariff as OCPI has it, or None if it is but a price per kWh and a flat fee."""
    document = json.loads(tariff.text) if tariff.text else {}
    return loads_tariff(tariff.text) if "elements" in document else None


def _before(ocpi: OcpiTariff) -> dict[str, Any]:
    """Return a tariff as OCPI 2.2.1 writes it: no tax in prices, limits under their old names."""
    document = dict(tariff_document(ocpi))
    for name in _LATER_FIELDS:
        document.pop(name, None)
    for name in ("min_price", "max_price"):
        limit = document.get(name)
        if isinstance(limit, Mapping):
            document[name] = {_LIMITS[key]: value for key, value in limit.items()}
    if ocpi.tax_included is TaxIncluded.YES:
        document["elements"] = [_untaxed(one) for one in _objects(document["elements"])]
    return document


def _untaxed(element: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **element,
        "price_components": [
            {**one, "price": _without(one["price"], one.get("vat", Decimal(0)))}
            for one in element["price_components"]
        ],
    }


def _without(price: Decimal, percent: Decimal) -> Decimal:
    exact = Fraction(Fraction(price) * _WHOLE_PERCENT, _WHOLE_PERCENT + Fraction(percent))
    return nearest(exact, _PRICE_DECIMALS)


def _objects(found: object) -> list[dict[str, Any]]:
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _component(kind: str, price_micros: int, vat_bp: BasisPoints) -> dict[str, Any]:
    return {
        "type": kind,
        "price": price_without_vat(price_micros, vat_bp),
        "vat": nearest(Fraction(vat_bp, _BP_PER_PERCENT), _BP_DECIMALS),
        "step_size": 1,
    }


def _texts(tariff: AgreedTariff, currency: str) -> list[dict[str, str]]:
    kwh = f"{euros(Micros(tariff.price_micros_per_kwh)):f} {currency}/kWh"
    flat = f" + {euros(tariff.flat_micros):f} {currency}" if tariff.flat_micros else ""
    return [
        {"language": "en", "text": f"{kwh}{flat}, VAT included"},
        {"language": "fr", "text": f"{kwh}{flat}, TVA comprise"},
    ]
