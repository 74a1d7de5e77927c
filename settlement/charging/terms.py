"""The terms of a session, which the driver signs and the contract keeps a hash of."""

from dataclasses import dataclass
from typing import Final

from contracts.typed_data import hash_struct
from ledger.units import Micros, MicrosPerKilowattHour, UnixSeconds

_TAG_CHARACTERS: Final = 20


@dataclass(frozen=True, slots=True)
class SessionTerms:
    """What driver and operator agree on (decision 0003, ``SessionTerms``)."""

    driver: str
    """Driver's wallet, lower case."""
    purse: int
    """Which of the driver's purses holds the deposit; each holds one session at a time."""
    operator: str
    """Wallet that earns, lower case."""
    meter_id: str
    """Meter of the station, 0x-prefixed."""
    id_tag: str
    """One-time idTag that the meter's record will carry."""
    price_micros_per_kwh: MicrosPerKilowattHour
    """Price per kWh, VAT included."""
    flat_micros: Micros
    """Flat fee, VAT included."""
    deposit_micros: Micros
    """Deposit."""
    tariff_fingerprint: str
    """SHA-256 of the tariff, 0x-prefixed."""
    deadline_s: UnixSeconds
    """From this instant on anybody can give the deposit back."""
    salt: str
    """32 bytes that make the terms unique, 0x-prefixed."""


def session_id(terms: SessionTerms) -> bytes:
    """Return the hash of the terms: the session's id and the ERC-3009 nonce, 32 bytes."""
    return hash_struct("SessionTerms", terms_values(terms))


def terms_values(terms: SessionTerms) -> dict[str, object]:
    """Return the terms under the names that they are signed by (EIP-712, decision 0003)."""
    return {
        "driver": terms.driver,
        "purse": terms.purse,
        "operator": terms.operator,
        "meterId": terms.meter_id,
        "idTag": terms.id_tag,
        "priceMicrosPerKwh": terms.price_micros_per_kwh,
        "flatMicros": terms.flat_micros,
        "depositMicros": terms.deposit_micros,
        "tariffFingerprint": terms.tariff_fingerprint,
        "deadline": terms.deadline_s,
        "salt": terms.salt,
    }


def contract_tuple(terms: SessionTerms) -> tuple[object, ...]:
    """Return the terms as ``ChargeVault`` takes them."""
    return (
        terms.driver,
        terms.purse,
        terms.operator,
        bytes.fromhex(terms.meter_id[2:]),
        terms.id_tag,
        terms.price_micros_per_kwh,
        terms.flat_micros,
        terms.deposit_micros,
        bytes.fromhex(terms.tariff_fingerprint[2:]),
        terms.deadline_s,
        bytes.fromhex(terms.salt[2:]),
    )


@dataclass(frozen=True, slots=True)
class Opening:
    """What was so when a session was opened; the contract keeps a hash of it and the terms."""

    opened_s: UnixSeconds
    """Time of the block that opened it."""
    page_at_open: int
    """Last transaction page that the vault had seen of the meter then."""
    from_wallet: bool
    """Whether the deposit came from a wallet, whereto the refund is pushed."""

    def contract_tuple(self) -> tuple[object, ...]:
        """Return it as ``ChargeVault`` takes it."""
        return (self.opened_s, self.page_at_open, self.from_wallet)


@dataclass(frozen=True, slots=True)
class Authorization:
    """A driver's ERC-3009 authorization."""

    valid_after_s: int
    """It counts after this instant, in Unix seconds."""
    valid_before_s: int
    """It counts before this instant, in Unix seconds."""
    signature: bytes
    """r, s, v: 65 bytes."""

    def contract_tuple(self) -> tuple[object, ...]:
        """Return it as ``ChargeVault`` takes it."""
        signature = self.signature
        return (
            self.valid_after_s,
            self.valid_before_s,
            signature[64],
            signature[:32],
            signature[32:64],
        )


def id_tag_of(salt: bytes) -> str:
    """Return the one-time idTag of a salt: 20 characters, the most that OCPP 1.6 carries."""
    return salt.hex()[:_TAG_CHARACTERS].upper()


def deadline_s(now_s: UnixSeconds, longest_stay_s: int, offline_window_s: int) -> UnixSeconds:
    """Return when a session opened now can be expired: longest stay and offline window later."""
    return UnixSeconds(now_s + longest_stay_s + offline_window_s)
