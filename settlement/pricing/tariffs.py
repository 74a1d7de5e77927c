"""Say what drivers pay, in a form that two parties can compare by one hash."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Final

from ledger.errors import InvalidRequest
from ledger.units import WHOLE_BP, BasisPoints, Micros, MicrosPerKilowattHour

_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_DECIMAL: Final = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,18}))?")
_DECIMALS: Final = 6
_AMOUNT_MAX: Final = 2**63 - 1


class BadTariffError(InvalidRequest):
    """A tariff that nobody could charge."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_tariff", detail)


class TariffTooPreciseError(InvalidRequest):
    """A price with more decimals than the token has; it is refused, not rounded."""

    def __init__(self, text: str) -> None:
        super().__init__("tariff_too_precise", f"{text} has more than {_DECIMALS} decimals")
        self.text: Final = text


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
        if not self.tariff_id:
            raise BadTariffError("a tariff has a name")
        if _CURRENCY.fullmatch(self.currency) is None:
            raise BadTariffError(f"{self.currency!r} is no ISO 4217 code")
        for amount in (self.price_micros_per_kwh, self.flat_micros):
            if not 0 <= amount <= _AMOUNT_MAX:
                raise BadTariffError(f"{amount} micros is no price")
        if not 0 <= self.vat_rate_bp <= WHOLE_BP:
            raise BadTariffError(f"a VAT rate of {self.vat_rate_bp} basis points")

    @property
    def canonical(self) -> bytes:
        """The tariff as JSON in one fixed form: keys in order, no blanks, ASCII."""
        document = {
            "currency": self.currency,
            "flat_micros": self.flat_micros,
            "id": self.tariff_id,
            "price_micros_per_kwh": self.price_micros_per_kwh,
            "vat_rate_bp": self.vat_rate_bp,
        }
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the canonical form, 32 bytes; fixed in a session's terms."""
        return hashlib.sha256(self.canonical).digest()


def price_of(text: str) -> MicrosPerKilowattHour:
    """
    Return a price per kWh as people write it: ``0.3917`` is 391,700 micros.

    Raises
    ------
    BadTariffError
        If it is no plain decimal number.
    TariffTooPreciseError
        If it has more decimals than the token's six.
    """
    matched = _DECIMAL.fullmatch(text)
    if matched is None:
        raise BadTariffError(f"{text!r} is no plain decimal number")
    decimals = matched[2] or ""
    if len(decimals.rstrip("0")) > _DECIMALS:
        raise TariffTooPreciseError(text)
    return MicrosPerKilowattHour(int(matched[1] + decimals[:_DECIMALS].ljust(_DECIMALS, "0")))
