"""
Hash and sign EIP-712 typed data from the type tables in ``typed_data.json`` (decision 0003).

Hand-written encoding over a fast keccak and ``coincurve``: a reading's digest costs microseconds
where general encoders cost a hundred.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from struct import Struct
from typing import Any, Final

from coincurve import PrivateKey, PublicKey
from sha3 import keccak_256 as _keccak_256

_WORD: Final = 32
_ADDRESS: Final = 20
_SIGNATURE: Final = 65
_LENGTHS: Final = {"address": _ADDRESS, "bytes32": _WORD}
_V_OFFSET: Final = 27
_PREFIX: Final = b"\x19\x01"
_WORDS: Final = {
    "uint8": "31xB",
    "uint64": "24xQ",
    "bytes32": "32s",
}
"""How ``struct`` writes a word of each type that it knows."""
_DOMAIN_FIELDS: Final = (
    ("string", "name"),
    ("string", "version"),
    ("uint256", "chainId"),
    ("address", "verifyingContract"),
)

Fields = tuple[tuple[str, str], ...]


class TypedDataError(ValueError):
    """A value does not fit its type, or a type is not in the tables."""


class BadSignatureError(ValueError):
    """A signature that no key can have made."""


def keccak(data: bytes) -> bytes:
    """Return the Keccak-256 hash of ``data``, 32 bytes."""
    return bytes(_keccak_256(data).digest())


@cache
def _tables() -> Mapping[str, Fields]:
    text = files("contracts").joinpath("typed_data.json").read_text(encoding="utf-8")
    tables = {
        name: tuple((kind, field) for kind, field in fields)
        for name, fields in json.loads(text).items()
    }
    return tables | {"EIP712Domain": _DOMAIN_FIELDS}


def _fields(name: str) -> Fields:
    try:
        return _tables()[name]
    except KeyError as fault:
        raise TypedDataError(f"no typed data named {name!r}") from fault


@cache
def encode_type(name: str) -> str:
    """
    Return the type as a string, referenced types behind it in order (EIP-712, ``encodeType``).

    Raises
    ------
    TypedDataError
        If there is no such type.
    """
    found: set[str] = set()
    pending = [name]
    while pending:
        one = pending.pop()
        for kind, _ in _fields(one):
            base = kind.removesuffix("[]")
            if base in _tables() and base not in found:
                found.add(base)
                pending.append(base)
    order = [name, *sorted(found - {name})]
    return "".join(f"{one}({','.join(f'{k} {f}' for k, f in _fields(one))})" for one in order)


def wallet_types(name: str) -> dict[str, list[dict[str, str]]]:
    """
    Return a type and the domain's as wallets take them (``eth_signTypedData_v4``).

    Raises
    ------
    TypedDataError
        If there is no such type.
    """
    return {
        one: [{"name": field, "type": kind} for kind, field in _fields(one)]
        for one in ("EIP712Domain", name)
    }


@cache
def type_hash(name: str) -> bytes:
    """Return the hash of a type, 32 bytes (EIP-712, ``typeHash``)."""
    return keccak(encode_type(name).encode())


def hash_struct(name: str, values: Mapping[str, object]) -> bytes:
    """
    Return the hash of a struct, 32 bytes (EIP-712, ``hashStruct``).

    Addresses are 0x hex or 20 bytes, ``bytes32`` 0x hex or 32 bytes.

    Raises
    ------
    TypedDataError
        If a value is missing or does not fit its type.
    """
    encoded = [type_hash(name)]
    for kind, field in _fields(name):
        try:
            value = values[field]
        except KeyError as fault:
            raise TypedDataError(f"{name}.{field} is missing") from fault
        encoded.append(_encode(kind, value, f"{name}.{field}"))
    return keccak(b"".join(encoded))


@dataclass(frozen=True)
class Domain:
    """What a signature is bound to: an application on a chain (EIP-712)."""

    name: str
    """Name of the application."""
    version: str
    """Its version."""
    chain_id: int
    """EIP-155 chain id."""
    verifying_contract: str
    """Contract that checks, 0x-prefixed."""

    @cached_property
    def separator(self) -> bytes:
        """Hash of the domain, 32 bytes."""
        values = {
            "name": self.name,
            "version": self.version,
            "chainId": self.chain_id,
            "verifyingContract": self.verifying_contract,
        }
        return hash_struct("EIP712Domain", values)


def digest(domain: Domain, name: str, values: Mapping[str, object]) -> bytes:
    """Return what is signed, 32 bytes."""
    return keccak(_PREFIX + domain.separator + hash_struct(name, values))


@cache
def words_of(name: str) -> Struct:
    """
    Return what packs a struct of fixed-size fields for ``digest_of_words``: type hash, then fields.

    ``pack`` checks that integers fit, not that there are 32 bytes where 32 are due.

    Raises
    ------
    TypedDataError
        If a field is of another size than a word has.
    """
    try:
        fields = [_WORDS[kind] for kind, _ in _fields(name)]
    except KeyError as fault:
        raise TypedDataError(f"{name} is not of words alone") from fault
    return Struct(f">{_WORD}s{''.join(fields)}")


def digest_of_words(domain: Domain, words: bytes) -> bytes:
    """Return what is signed, 32 bytes, of a struct that ``words_of`` packed."""
    inner: bytes = _keccak_256(words).digest()
    outer: bytes = _keccak_256(_PREFIX + domain.separator + inner).digest()
    return outer


def sign(digest: bytes, private_key: bytes) -> bytes:
    """Return the deterministic signature r, s, v of a digest: 65 bytes, v 27 or 28 (RFC 6979)."""
    signed = PrivateKey(private_key).sign_recoverable(digest, hasher=None)
    return signed[:64] + bytes([signed[64] + _V_OFFSET])


def signer_of(digest: bytes, signature: bytes) -> bytes:
    """
    Return the address, 20 bytes, whose key signed ``digest``.

    Raises
    ------
    BadSignatureError
        If no key can have made the signature.
    """
    return address_of_public_key(signing_key(digest, signature))


def signing_key(digest: bytes, signature: bytes) -> bytes:
    """
    Return the public key x, y, 64 bytes, that signed ``digest``.

    Both values of s are taken, as the contracts' ``ecrecover`` takes them; v tells which key it is.

    Raises
    ------
    BadSignatureError
        If no key can have made the signature.
    """
    if len(signature) != _SIGNATURE or signature[64] not in {_V_OFFSET, _V_OFFSET + 1}:
        raise BadSignatureError("a signature is 65 bytes r, s, v with v 27 or 28")
    recoverable = signature[:64] + bytes([signature[64] - _V_OFFSET])
    try:
        key = PublicKey.from_signature_and_message(recoverable, digest, hasher=None)
    except ValueError as fault:
        raise BadSignatureError("no key can have made this signature") from fault
    return key.format(compressed=False)[1:]


def address_of_public_key(public_key: bytes) -> bytes:
    """Return the address, 20 bytes, of a public key x, y of 64 bytes."""
    return keccak(public_key)[-_ADDRESS:]


def address_of(private_key: bytes) -> bytes:
    """Return the address, 20 bytes, of a private key."""
    public_key = PrivateKey(private_key).public_key.format(compressed=False)
    return address_of_public_key(public_key[1:])


def _encode(kind: str, value: Any, where: str) -> bytes:  # noqa: ANN401 - checked below
    if kind.startswith(("uint", "int", "bool")):
        return _number(kind, value, where)
    if kind in _LENGTHS:
        return _bytes(value, _LENGTHS[kind], where).rjust(_WORD, b"\0")
    if kind == "string":
        if not isinstance(value, str):
            raise TypedDataError(f"{where} is no string")
        try:
            return keccak(value.encode())
        except UnicodeEncodeError as fault:
            raise TypedDataError(f"{where} is no Unicode text") from fault
    return _structs(kind, value, where)


def _structs(kind: str, value: Any, where: str) -> bytes:  # noqa: ANN401
    base = kind.removesuffix("[]")
    structs = [value] if kind == base else value
    if not isinstance(structs, Sequence) or not all(isinstance(one, Mapping) for one in structs):
        raise TypedDataError(f"{where} is no {kind}")
    hashes = [hash_struct(base, one) for one in structs]
    return hashes[0] if kind == base else keccak(b"".join(hashes))


def _number(kind: str, value: Any, where: str) -> bytes:  # noqa: ANN401
    if isinstance(value, bool) != (kind == "bool"):
        raise TypedDataError(f"{where} is no {kind}: {value!r}")
    return _integer("uint1" if kind == "bool" else kind, value, where)


def _integer(kind: str, value: Any, where: str) -> bytes:  # noqa: ANN401
    signed = kind.startswith("int")
    bits = int(kind.removeprefix("int" if signed else "uint"))
    low, high = (-(1 << bits - 1), 1 << bits - 1) if signed else (0, 1 << bits)
    if not isinstance(value, int) or not low <= value < high:
        raise TypedDataError(f"{where} is no {kind}: {value!r}")
    return int(value).to_bytes(_WORD, "big", signed=signed)


def _bytes(value: Any, length: int, where: str) -> bytes:  # noqa: ANN401
    try:
        raw = bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else value
    except ValueError as fault:
        raise TypedDataError(f"{where} is not {length} bytes") from fault
    if not isinstance(raw, bytes) or (isinstance(value, str) and any(map(str.isspace, value))):
        raise TypedDataError(f"{where} is not {length} bytes")
    if len(raw) != length:
        raise TypedDataError(f"{where} is {len(raw)} bytes, not {length}")
    return raw
