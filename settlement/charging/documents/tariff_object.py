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

_BP_PER_PERCENT: Final = 100
_BP_DECIMALS: Final = 2


def tariff_object(tariff: AgreedTariff, facts: SessionFacts, issuer: Issuer) -> dict[str, Any]:
    """
    Return the tariff of a session, as it was when the session was opened.

    A tariff that was given as an OCPI object is returned as it was given.
    """
    return described(tariff, facts.currency, issuer, at_s=facts.times.opened_s)


def described(
    tariff: AgreedTariff, currency: str, issuer: Issuer, *, at_s: UnixSeconds
) -> dict[str, Any]:
    """
    Return a tariff as an OCPI object.

    OCPI 2.2.1 states prices without VAT. Ours include it, so the object carries the price without
    VAT to the nearest millionth, and the exact one in its text.
    """
    own = {
        "country_code": issuer.country_code,
        "party_id": issuer.party_id,
        "id": tariff.tariff_id or ocpi_id(tariff.fingerprint),
        "currency": currency,
        "last_updated": instant(at_s),
    }
    given = json.loads(tariff.text, parse_float=Decimal) if tariff.text else {}
    if isinstance(given, Mapping) and "elements" in given:
        return own | dict(given)
    components = [_component("ENERGY", tariff.price_micros_per_kwh, tariff.vat_bp)]
    if tariff.flat_micros:
        components.append(_component("FLAT", tariff.flat_micros, tariff.vat_bp))
    return own | {
        "tariff_alt_text": _texts(tariff, currency),
        "elements": [{"price_components": components}],
    }


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
