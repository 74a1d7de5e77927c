"""
Derive every private key of the field from a seed.

These are keys of simulated meters and people. A key is HMAC-SHA-256 under the seed over role, name
and a counter, so the same seed gives the same signatures on every machine. Half of the stations'
meters are on P-256 and half on secp256k1, alternating by sorted name, because real meters are.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

import coincurve
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from contracts.typed_data import address_of, keccak
from devnet.field.dataset import Dataset
from devnet.field.parameters import Parameters
from devnet.field.schedule import driver_names
from ledger.units import Watts

# Group orders: SEC 2 version 2.0, 2.4.1; FIPS 186-5 via SP 800-186, 3.2.1.3.
_SECP256K1_ORDER: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_SECP256R1_ORDER: Final = 0xFFFFFFFF_00000000_FFFFFFFF_FFFFFFFF_BCE6FAAD_A7179E84_F3B9CAC2_FC632551

FEEDER_HEAD: Final = "feeder-head"
OPERATOR: Final = "operator"


class Curve(IntEnum):
    """Elliptic curves, numbered as ``MeterRegistry.Curve``."""

    SECP256K1 = 0
    SECP256R1 = 1


class Kind(IntEnum):
    """Kinds of meters, numbered as ``MeterRegistry.Kind``."""

    STATION = 0
    GATEWAY = 1
    FEEDER_HEAD = 2


class Role(StrEnum):
    """What a key is for; two roles of one name never share a key."""

    STATION_METER = "station-meter"
    GATEWAY = "gateway"
    FEEDER_HEAD = "feeder-head"
    WALLET = "wallet"
    PASSWORD = "password"  # noqa: S105 - a role, no password


_ORDERS: Final = {Curve.SECP256K1: _SECP256K1_ORDER, Curve.SECP256R1: _SECP256R1_ORDER}


@dataclass(frozen=True, slots=True, repr=False)
class MeterKey:
    """A meter and the key it signs with."""

    serial: str
    """Serial number, printed on the meter."""
    meter_id: bytes
    """keccak256 of the serial number, 32 bytes."""
    kind: Kind
    """What it measures."""
    curve: Curve
    """The curve of its key."""
    private_key: bytes
    """32 bytes."""
    public_key: bytes
    """x and y, 32 bytes each."""
    rated_power_w: Watts
    """Most power it can carry, in W."""

    @property
    def meter_id_hex(self) -> str:
        """Return the meter id as 0x-prefixed hex."""
        return "0x" + self.meter_id.hex()


@dataclass(frozen=True, slots=True, repr=False)
class Wallet:
    """A person's key on the chain."""

    private_key: bytes
    """32 bytes, on secp256k1."""
    address: bytes
    """20 bytes."""

    @property
    def address_hex(self) -> str:
        """Return the address as 0x-prefixed hex, in lower case."""
        return "0x" + self.address.hex()


@dataclass(frozen=True, slots=True, repr=False)
class FieldKeys:
    """Every key of the field."""

    gateways: Mapping[str, MeterKey]
    """Gateway of each home, by the home's name."""
    stations: Mapping[str, MeterKey]
    """Meter of each station, by the station's name."""
    feeder_head: MeterKey
    """The feeder-head meter."""
    homes: Mapping[str, Wallet]
    """Wallet of each home, by its name."""
    operator: Wallet
    """Wallet of the station operator."""
    drivers: Mapping[str, Wallet]
    """Wallet of each driver, by its name."""
    passwords: Mapping[str, str]
    """OCPP password of each station, by its name: 40 hexadecimal characters."""

    @property
    def meters(self) -> tuple[MeterKey, ...]:
        """Every meter: gateways, stations, feeder head."""
        return (*self.gateways.values(), *self.stations.values(), self.feeder_head)


def derive(seed: int, role: Role, name: str, order: int = _SECP256K1_ORDER) -> bytes:
    """Return a private key for a group of ``order``: 32 bytes, from 1 to ``order`` - 1."""
    counter = 0
    while True:
        message = f"{role}\0{name}\0{counter}".encode()
        digest = hmac.digest(str(seed).encode(), message, hashlib.sha256)
        if 0 < int.from_bytes(digest) < order:
            return digest
        counter += 1


def wallet_of(seed: int, name: str) -> Wallet:
    """Return the wallet of the person or firm ``name``."""
    private_key = derive(seed, Role.WALLET, name)
    return Wallet(private_key, address_of(private_key))


def meter_key(seed: int, role: Role, name: str, curve: Curve, rated_power_w: Watts) -> MeterKey:
    """Return the meter of ``name``, with a key on ``curve``."""
    serial = f"VSN-{role}-{name}".upper()
    private_key = derive(seed, role, name, _ORDERS[curve])
    return MeterKey(
        serial=serial,
        meter_id=keccak(serial.encode()),
        kind=_KINDS[role],
        curve=curve,
        private_key=private_key,
        public_key=_public_key(private_key, curve),
        rated_power_w=rated_power_w,
    )


def build_keys(dataset: Dataset, parameters: Parameters, *, seed: int) -> FieldKeys:
    """Return every key of the field for ``seed``."""
    home_w, station_w = parameters.home.rated_w, parameters.station.rated_w
    head_w = parameters.grid.head_rated_w
    curves = (Curve.SECP256R1, Curve.SECP256K1)
    return FieldKeys(
        gateways={
            home: meter_key(seed, Role.GATEWAY, home, Curve.SECP256K1, home_w)
            for home in dataset.homes
        },
        stations={
            station: meter_key(seed, Role.STATION_METER, station, curves[n % 2], station_w)
            for n, station in enumerate(dataset.stations)
        },
        feeder_head=meter_key(seed, Role.FEEDER_HEAD, FEEDER_HEAD, Curve.SECP256K1, head_w),
        homes={home: wallet_of(seed, home) for home in dataset.homes},
        operator=wallet_of(seed, OPERATOR),
        drivers={name: wallet_of(seed, name) for name in driver_names(dataset).values()},
        passwords={
            station: derive(seed, Role.PASSWORD, station).hex()[:40] for station in dataset.stations
        },
    )


_KINDS: Final = {
    Role.STATION_METER: Kind.STATION,
    Role.GATEWAY: Kind.GATEWAY,
    Role.FEEDER_HEAD: Kind.FEEDER_HEAD,
}


def _public_key(private_key: bytes, curve: Curve) -> bytes:
    if curve is Curve.SECP256K1:
        return coincurve.PrivateKey(private_key).public_key.format(compressed=False)[1:]
    key = ec.derive_private_key(int.from_bytes(private_key), ec.SECP256R1())
    point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return point[1:]
