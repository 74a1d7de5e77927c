"""
Act for drivers: read a quote, check it, and put down the deposit with one signature.

A driver trusts no quote. The terms are hashed here and compared with what the driver knows: the
published price, the station's plate, the energy asked for, and the contracts' addresses. Only then
is the one ERC-3009 authorization signed, whose nonce is that hash.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import httpx2

from contracts.typed_data import hash_struct
from devnet.field.keys import Wallet
from devnet.field.parameters import Parameters
from devnet.field.service import Authorization, Places, authorize, post
from ledger.clock import Clock
from ledger.errors import Conflict, InvalidRequest
from ledger.units import CENT_MICROS, Micros, UnixSeconds, WattHours, cost_ceil

QUOTES_PATH: Final = "/api/quotes"
SESSIONS_PATH: Final = "/api/sessions"

_ID_TAG_CHARACTERS: Final = 20
_WORD_BYTES: Final = 32


class QuoteUnreadableError(InvalidRequest):
    """A quote lacks something or says it in the wrong form."""

    def __init__(self, detail: str) -> None:
        super().__init__("quote_unreadable", detail)


class QuoteDiffersError(Conflict):
    """A quote is not what the driver was promised; nothing is signed."""

    def __init__(self, field: str, quoted: object, expected: object) -> None:
        super().__init__("quote_differs", f"{field}: quoted {quoted!r}, expected {expected!r}")
        self.field: Final = field


@dataclass(frozen=True, slots=True)
class Wish:
    """What a driver wants, and what stands on the station's plate."""

    station: str
    """Name of the station."""
    meter_id: bytes
    """Id of its meter, 32 bytes."""
    operator: str
    """Address of the station operator, 0x-prefixed."""
    requested_wh: WattHours
    """Energy asked for, in Wh."""


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms of a session, as a quote says them (``SessionTerms``, decision 0003)."""

    driver: str
    """Address of who pays."""
    purse: int
    """Which of the driver's purses holds the deposit."""
    operator: str
    """Address of who is paid."""
    meter_id: bytes
    """Id of the station's meter, 32 bytes."""
    id_tag: str
    """One-time idTag that the meter's record will carry."""
    price_micros_per_kwh: int
    """Price, VAT included."""
    flat_micros: int
    """Fee per session with energy, VAT included."""
    deposit_micros: int
    """What is put down."""
    tariff_fingerprint: bytes
    """SHA-256 of the tariff, 32 bytes."""
    deadline_s: int
    """Until when only a signed record closes the session, in Unix seconds."""
    salt: bytes
    """Salt, 32 bytes."""

    @property
    def session_id(self) -> bytes:
        """Hash of the terms, 32 bytes: the session's id and the deposit's ERC-3009 nonce."""
        return hash_struct("SessionTerms", self.values())

    def values(self) -> dict[str, object]:
        """Return the terms under the names that they are signed by."""
        return {
            "driver": self.driver,
            "purse": self.purse,
            "operator": self.operator,
            "meterId": self.meter_id,
            "idTag": self.id_tag,
            "priceMicrosPerKwh": self.price_micros_per_kwh,
            "flatMicros": self.flat_micros,
            "depositMicros": self.deposit_micros,
            "tariffFingerprint": self.tariff_fingerprint,
            "deadline": self.deadline_s,
            "salt": self.salt,
        }


@dataclass(frozen=True, slots=True)
class Quote:
    """The answer to a driver's question, as read."""

    document: Mapping[str, object]
    """The terms as the service wrote them, to be sent back untouched."""
    terms: Terms
    """The terms as understood."""
    session_id: bytes
    """Hash of the terms as the service says it, 32 bytes."""
    places: tuple[int, str, str]
    """Chain id, token and vault that the service names."""
    valid_after_s: int
    """The authorization counts after this instant, in Unix seconds."""
    valid_before_s: int
    """The authorization counts before this instant, in Unix seconds."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """A session whose deposit is on its way to the vault, or there."""

    session_id: str
    """Hash of the terms, 0x-prefixed."""
    state: str
    """Where the session stands."""
    id_tag: str
    """The one-time idTag to show at the station."""
    deposit_micros: Micros
    """What was put down."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver with a wallet, who knows the community and its published parameters."""

    wallet: Wallet
    """The driver's wallet."""
    places: Places
    """The contracts."""
    parameters: Parameters
    """What was published."""

    def ask(self, wish: Wish) -> dict[str, object]:
        """Return the body of ``POST /api/quotes``."""
        return {
            "station_id": wish.station,
            "driver": self.wallet.address_hex,
            "requested_wh": wish.requested_wh,
        }

    def check(self, quote: Quote, wish: Wish, now_s: UnixSeconds) -> None:
        """
        Refuse a quote that is not what the driver was promised.

        Raises
        ------
        QuoteDiffersError
            Naming the first term that differs.
        """
        terms, tariff, places = quote.terms, self.parameters.tariff, self.places
        deadline_s = self.parameters.deadline_s(now_s)
        expected: dict[str, tuple[object, object]] = {
            "places": (
                quote.places,
                (places.chain_id, places.token.lower(), places.vault.lower()),
            ),
            "session_id": (quote.session_id, terms.session_id),
            "driver": (terms.driver, self.wallet.address_hex),
            "operator": (terms.operator, wish.operator.lower()),
            "meter_id": (terms.meter_id, wish.meter_id),
            "id_tag": (is_one_time_tag(terms.id_tag), True),
            "price_micros_per_kwh": (terms.price_micros_per_kwh, tariff.price),
            "flat_micros": (terms.flat_micros, tariff.flat),
            "deposit_micros": (
                terms.deposit_micros,
                deposit_micros(wish.requested_wh, self.parameters),
            ),
            "tariff_fingerprint": (
                terms.tariff_fingerprint,
                tariff_fingerprint(self.parameters),
            ),
            "deadline_s": (now_s < terms.deadline_s <= deadline_s, True),
            "valid_now": (quote.valid_after_s < now_s < quote.valid_before_s, True),
        }
        for field, (quoted, promised) in expected.items():
            if quoted != promised:
                raise QuoteDiffersError(field, quoted, promised)

    def sign(self, quote: Quote) -> bytes:
        """Sign the deposit: one ERC-3009 authorization, whose nonce is the hash of the terms."""
        authorization = Authorization(
            payer=self.wallet.address_hex,
            payee=self.places.vault,
            amount_micros=Micros(quote.terms.deposit_micros),
            valid_after_s=quote.valid_after_s,
            valid_before_s=quote.valid_before_s,
            nonce=quote.terms.session_id,
        )
        return authorize(authorization, self.wallet, self.places)

    async def open_session(
        self, client: httpx2.AsyncClient, wish: Wish, clock: Clock
    ) -> OpenSession:
        """
        Ask for a quote, check it, sign it, and open the session.

        The clock is read when the quote is there: a second may pass while it is made. Doing it
        again at the same domain instant sends the same bytes and changes nothing (law L6).

        Raises
        ------
        QuoteUnreadableError
            If the quote cannot be read.
        QuoteDiffersError
            If the quote is not what the driver was promised.
        ServiceRefusedError
            If the service refuses the request or the session.
        """
        quote = read_quote(await post(client, QUOTES_PATH, self.ask(wish)))
        self.check(quote, wish, clock.now_s())
        opened = await post(client, SESSIONS_PATH, session_body(quote, wish, self.sign(quote)))
        return OpenSession(
            session_id="0x" + quote.session_id.hex(),
            state=str(opened.get("state")),
            id_tag=quote.terms.id_tag,
            deposit_micros=Micros(quote.terms.deposit_micros),
        )


def deposit_micros(requested_wh: WattHours, parameters: Parameters) -> Micros:
    """Return the deposit for an energy: its price, rounded up to a whole cent."""
    tariff = parameters.tariff
    cost_micros = cost_ceil(requested_wh, tariff.price) + tariff.flat
    return Micros(-(-cost_micros // CENT_MICROS) * CENT_MICROS)


def tariff_fingerprint(parameters: Parameters) -> bytes:
    """Return the SHA-256 of the published tariff: sorted keys, no spaces, money in micros."""
    tariff = parameters.tariff
    canonical = {
        "currency": parameters.community.currency,
        "flat_micros": tariff.flat,
        "id": tariff.id,
        "price_micros_per_kwh": tariff.price,
        "vat_rate_bp": tariff.vat_bp,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def is_one_time_tag(id_tag: str) -> bool:
    """Return whether OCPP 1.6 and OCMF can carry ``id_tag``: 1 to 20 plain characters, no bar."""
    plain = id_tag.isascii() and id_tag.isprintable() and "|" not in id_tag
    return plain and 0 < len(id_tag) <= _ID_TAG_CHARACTERS


def read_quote(body: Mapping[str, object]) -> Quote:
    """
    Read the answer of ``POST /api/quotes``.

    Integers may come as numbers or, above 2^53, as strings.

    Raises
    ------
    QuoteUnreadableError
        If something is missing or in the wrong form.
    """
    try:
        document = body["terms"]
        if not isinstance(document, Mapping):
            raise QuoteUnreadableError("terms is no object")
        return Quote(
            document=document,
            terms=_read_terms(document),
            session_id=_word(body["session_id"]),
            places=(_number(body["chain_id"]), _address(body["token"]), _address(body["vault"])),
            valid_after_s=_number(body["valid_after"]),
            valid_before_s=_number(body["valid_before"]),
        )
    except KeyError as fault:
        raise QuoteUnreadableError(f"{fault.args[0]} is missing") from fault
    except ValueError as fault:
        raise QuoteUnreadableError(str(fault)) from fault


def session_body(quote: Quote, wish: Wish, signature: bytes) -> dict[str, object]:
    """Return the body of ``POST /api/sessions``; the terms go back as they came."""
    return {
        "terms": quote.document,
        "requested_wh": wish.requested_wh,
        "valid_after": quote.valid_after_s,
        "valid_before": quote.valid_before_s,
        "signature": "0x" + signature.hex(),
    }


def _read_terms(document: Mapping[str, object]) -> Terms:
    return Terms(
        driver=_address(document["driver"]),
        purse=_number(document["purse"]),
        operator=_address(document["operator"]),
        meter_id=_word(document["meter_id"]),
        id_tag=str(document["id_tag"]),
        price_micros_per_kwh=_number(document["price_micros_per_kwh"]),
        flat_micros=_number(document["flat_micros"]),
        deposit_micros=_number(document["deposit_micros"]),
        tariff_fingerprint=_word(document["tariff_fingerprint"]),
        deadline_s=_number(document["deadline_s"]),
        salt=_word(document["salt"]),
    )


def _number(value: object) -> int:
    if isinstance(value, str):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is not a whole number")


def _word(value: object) -> bytes:
    return _bytes(value, _WORD_BYTES)


def _address(value: object) -> str:
    return "0x" + _bytes(value, 20).hex()


def _bytes(value: object, length: int) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError(f"{value!r} is not 0x-prefixed hexadecimal")
    found = bytes.fromhex(value[2:])
    if len(found) != length:
        raise ValueError(f"{value!r} is not {length} bytes")
    return found
