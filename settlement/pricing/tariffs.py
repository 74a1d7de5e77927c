"""Say what drivers pay, in a form that two parties can compare by one hash."""

import hashlib
import json
from dataclasses import dataclass

from ledger.errors import InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints, Micros, MicrosPerKilowattHour


class BadTariffError(InvalidRequest):
    """A tariff that nobody could charge."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_tariff", detail)


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price per kWh and a flat fee, VAT included."""

    tariff_id: str
    """Name of the tariff."""
    currency: str
    """ISO 4217 code."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """Price per kWh, VAT included."""
    flat_micros: Micros
    """Fee per session, VAT included; owed only if energy flowed."""
    vat_rate_bp: BasisPoints
    """VAT rate."""

    def __post_init__(self) -> None:
        """Refuse what nobody could charge."""
        if self.price_micros_per_kwh < 0 or self.flat_micros < 0:
            raise BadTariffError("a tariff has no negative price")
        if not 0 <= self.vat_rate_bp <= WHOLE_BP:
            raise BadTariffError(f"a VAT rate of {self.vat_rate_bp} basis points")

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the tariff's canonical JSON, 32 bytes; fixed in a session's terms."""
        canonical = {
            "currency": self.currency,
            "flat_micros": self.flat_micros,
            "id": self.tariff_id,
            "price_micros_per_kwh": self.price_micros_per_kwh,
            "vat_rate_bp": self.vat_rate_bp,
        }
        text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).digest()
