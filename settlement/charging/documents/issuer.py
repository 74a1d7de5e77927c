"""Who issues charge detail records, and where its stations stand."""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any, Final

from ledger.errors import InvalidRequest

_TEXT_MAX: Final = {"name": 255, "address": 45, "city": 45, "postal_code": 10}
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_COUNTRY_LONG: Final = re.compile(r"[A-Z]{3}")
_PARTY: Final = re.compile(r"[A-Z0-9]{3}")
_LATITUDE: Final = re.compile(r"-?[0-9]{1,2}\.[0-9]{5,7}")
_LONGITUDE: Final = re.compile(r"-?[0-9]{1,3}\.[0-9]{5,7}")
_WORD: Final = re.compile(r"[A-Z0-9_]{1,36}")
_STATION_MAX: Final = 36
_NO_SIGN: Final = re.compile(r"[^A-Z0-9]")


class BadIssuerError(InvalidRequest):
    """The description of the issuer and its stations cannot be used."""

    def __init__(self, detail: str) -> None:
        super().__init__("bad_issuer", detail)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a station stands and what it offers (OCPI 2.2.1, CdrLocation)."""

    address: str
    """Street and number."""
    city: str
    """City or town."""
    country: str
    """ISO 3166-1 alpha-3; ``ZZZ``, which no country has, if nobody has said."""
    latitude: str = "0.00000"
    """Degrees north, 5 to 7 decimals."""
    longitude: str = "0.00000"
    """Degrees east, 5 to 7 decimals."""
    name: str = ""
    """What people call it."""
    postal_code: str = ""
    """Postal code."""
    connector_standard: str = "IEC_62196_T2"
    """OCPI's ConnectorType."""
    connector_format: str = "SOCKET"
    """``SOCKET`` or ``CABLE``."""
    power_type: str = "AC_3_PHASE"
    """OCPI's PowerType."""

    def __post_init__(self) -> None:
        """Refuse what no charge detail record can carry."""
        for name, most in _TEXT_MAX.items():
            if len(getattr(self, name)) > most:
                raise BadIssuerError(f"{name} has more than {most} characters")
        patterns = {
            "country": _COUNTRY_LONG,
            "latitude": _LATITUDE,
            "longitude": _LONGITUDE,
            "connector_standard": _WORD,
            "connector_format": _WORD,
            "power_type": _WORD,
        }
        for name, pattern in patterns.items():
            if pattern.fullmatch(getattr(self, name)) is None:
                raise BadIssuerError(f"{name} {getattr(self, name)!r} is not as OCPI writes it")


@dataclass(frozen=True, slots=True)
class Issuer:
    """The charge point operator, as it is known in roaming."""

    country_code: str = "ZZ"
    """ISO 3166-1 alpha-2; ``ZZ``, which no country has, if nobody has said."""
    party_id: str = "VSN"
    """The operator's id, three letters or digits."""
    name: str = "Voisin"
    """The operator's name."""
    public_url: str = "http://127.0.0.1:8000"
    """Address by which others reach the service, no slash at the end."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where each station stands, by its id."""

    def __post_init__(self) -> None:
        """Refuse ids that OCPI does not have."""
        if _COUNTRY.fullmatch(self.country_code) is None:
            raise BadIssuerError(f"country_code {self.country_code!r} is not two letters")
        if _PARTY.fullmatch(self.party_id) is None:
            raise BadIssuerError(f"party_id {self.party_id!r} is not three letters or digits")

    def place_of(self, station_id: str, community: str) -> Place:
        """Return where a station stands; of one that nobody described, that it is not known."""
        return self.places.get(station_id) or Place(
            address=station_id[: _TEXT_MAX["address"]],
            city=community[: _TEXT_MAX["city"]],
            country="ZZZ",
        )

    def evse_id(self, station_id: str) -> str:
        """Return the station's EVSE id as eMI3 writes it: ``FR*ABC*ECA314*1``."""
        bare = _NO_SIGN.sub("", station_id.upper())[:_STATION_MAX]
        return f"{self.country_code}*{self.party_id}*E{bare}*1"


def ocpi_id(session_id: str, purpose: str = "") -> str:
    """
    Return a short name for a session: 36 characters, which is all that OCPI leaves for it.

    Without a purpose it is the session's; each purpose gives another, the same on every machine.
    """
    if purpose:
        digits = hashlib.sha256(f"{session_id}/{purpose}".encode()).hexdigest()
    else:
        digits = session_id.removeprefix("0x")
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digits[at:until] for at, until in pairwise(cuts))


def parse_issuer(text: str) -> Issuer:
    """
    Read the issuer from TOML: its own fields, and a table ``stations`` of places by station id.

    Raises
    ------
    BadIssuerError
        If the text is no TOML, or holds a field that nobody knows, or one that OCPI cannot carry.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise BadIssuerError(f"not TOML: {fault}") from fault
    stations = document.pop("stations", {})
    if not isinstance(stations, dict):
        raise BadIssuerError("stations is no table")
    places = {name: Place(**_known(Place, one, name)) for name, one in stations.items()}
    return Issuer(**_known(Issuer, document, "the issuer"), places=places)


def _known(kind: type[Place | Issuer], document: object, where: str) -> dict[str, Any]:
    """Return the fields of a table, each of which must be a text that ``kind`` has."""
    if not isinstance(document, dict):
        raise BadIssuerError(f"{where} is no table")
    names = {one.name for one in fields(kind)} - {"places"}
    for name, value in document.items():
        if name not in names or not isinstance(value, str):
            raise BadIssuerError(f"{where}: {name} is no text that is known here")
    missing = {"address", "city", "country"} & names - set(document)
    if missing:
        raise BadIssuerError(f"{where}: {', '.join(sorted(missing))} is missing")
    return document
