"""Verify the signatures of OCMF records and turn them into what the contract takes."""

import base64
import binascii
import hashlib
import re
from typing import Final

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.errors import UnverifiedReading
from settlement.metering.ocmf import OcmfRecord
from settlement.metering.ocmf_json import MalformedRecordError
from settlement.metering.signatures import Curve, MeterKey, MeterKind, WrongMeterKindError

_WORD: Final = 32
_V_OFFSET: Final = 27
_CURVES: Final = {Curve.SECP256K1: ec.SECP256K1, Curve.SECP256R1: ec.SECP256R1}
_OCA_PREFIX: Final = "oca:base16:asn1:"
_PEM_LINE: Final = re.compile(r"-----(?:BEGIN|END) PUBLIC KEY-----")
_ALGORITHMS: Final = {
    "ECDSA-secp192k1-SHA256": "secp192k1",
    "ECDSA-secp256k1-SHA256": "secp256k1",
    "ECDSA-secp192r1-SHA256": "secp192r1",
    "ECDSA-secp256r1-SHA256": "secp256r1",
    "ECDSA-secp384r1-SHA256": "secp384r1",
    "ECDSA-brainpool256r1-SHA256": "brainpoolP256r1",
    "ECDSA-brainpool384r1-SHA256": "brainpoolP384r1",
    # Some meters write the curves' own names.
    "ECDSA-brainpoolP256r1-SHA256": "brainpoolP256r1",
    "ECDSA-brainpoolP384r1-SHA256": "brainpoolP384r1",
}
"""Curve of each algorithm that a record may name (OCMF 1.4.1, table 22, ``SA``)."""
_LOADABLE: Final[dict[str, ec.EllipticCurve]] = {
    one.name: one
    for one in (
        ec.SECP256K1(),
        ec.SECP192R1(),
        ec.SECP256R1(),
        ec.SECP384R1(),
        ec.BrainpoolP256R1(),
        ec.BrainpoolP384R1(),
    )
}
"""Curves whose points can stand without DER around them; OpenSSL has no secp192k1."""
_UNCOMPRESSED: Final = b"\x04"
_BITS_PER_BYTE: Final = 8


class WrongRecordSignatureError(UnverifiedReading):
    """The record was not signed by this key, or was changed since."""

    def __init__(self, page: str) -> None:
        super().__init__("wrong_record_signature", f"record {page} is not signed by its meter")


class UnsupportedKeyError(UnverifiedReading):
    """A public key that cannot be loaded."""

    def __init__(self, detail: str) -> None:
        super().__init__("unsupported_key", f"the public key cannot be used: {detail}")


def verify_record(record: OcmfRecord, key: MeterKey) -> None:
    """
    Check that the station's meter signed the record as it stands.

    Raises
    ------
    WrongMeterKindError
        If the key is not of a station's meter.
    UnsupportedKeyError
        If the key is no point of its curve.
    WrongRecordSignatureError
        If the meter did not sign, or says that it signed on another curve.
    """
    if key.kind is not MeterKind.STATION:
        raise WrongMeterKindError(key.kind, "OCMF record")
    encoded = b"\x04" + key.public_key
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key.curve](), encoded)
    except ValueError as fault:
        raise UnsupportedKeyError("it is no point of its curve") from fault
    _verify(record, point)


def verify_record_der(record: OcmfRecord, public_key: bytes) -> None:
    """
    Check a record against a public key in DER, on any curve that OpenSSL has.

    Some makers print the bare point, x and y with or without the byte before them; then it is one
    of the curve that the record names.

    Raises
    ------
    UnsupportedKeyError
        If the key cannot be loaded.
    WrongRecordSignatureError
        If the key did not sign the record, or the record names another curve.
    """
    curve = _LOADABLE.get(_ALGORITHMS.get(record.algorithm, ""))
    key: object
    try:
        if curve is not None and len(public_key) in _point_lengths(curve):
            key = ec.EllipticCurvePublicKey.from_encoded_point(curve, _encoded(public_key, curve))
        else:
            key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise UnsupportedKeyError(str(fault)) from fault
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedKeyError("it is on no elliptic curve")
    _verify(record, key)


def signature_for_chain(record: OcmfRecord, key: MeterKey) -> bytes:
    """
    Return the signature as ``ChargeVault.closeWithOcmf`` takes it.

    P-256: r, s and the meter's key, x and y, 128 bytes. secp256k1: r, s and v, 65 bytes, v found by
    trying both. The record's signature is DER, or r and s as they are.

    Raises
    ------
    MalformedRecordError
        If the signature is neither.
    WrongRecordSignatureError
        If no v leads to the meter's key.
    """
    r, s = _split(record)
    raw = r.to_bytes(_WORD) + s.to_bytes(_WORD)
    if key.curve is Curve.SECP256R1:
        return raw + key.public_key
    digest = hashlib.sha256(record.payload).digest()
    for parity in (0, 1):
        try:
            found = PublicKey.from_signature_and_message(raw + bytes([parity]), digest, hasher=None)
        except ValueError:
            continue
        if found.format(compressed=False)[1:] == key.public_key:
            return raw + bytes([parity + _V_OFFSET])
    raise WrongRecordSignatureError(_page(record))


def public_key_of(text: str) -> bytes:
    """
    Return the DER of a public key as meters and stations print it.

    Hexadecimal with or without blanks, base64, PEM, or the form of the OCA application note "Signed
    Meter Values" 1.0, ``oca:base16:asn1:<hex>``, as it is or in base64, as OCPP carries it.

    Raises
    ------
    UnsupportedKeyError
        If it is none of them.
    """
    bare = "".join(_PEM_LINE.sub("", text).split()).removeprefix(_OCA_PREFIX)
    try:
        return bytes.fromhex(bare)
    except ValueError:
        pass
    try:
        found = base64.b64decode(bare, validate=True)
        if found.startswith(_OCA_PREFIX.encode()):
            return bytes.fromhex(found.decode().removeprefix(_OCA_PREFIX))
    except (ValueError, binascii.Error) as fault:
        raise UnsupportedKeyError("it is neither hexadecimal nor base64 text") from fault
    return found


def _verify(record: OcmfRecord, key: ec.EllipticCurvePublicKey) -> None:
    if _ALGORITHMS.get(record.algorithm) != key.curve.name:
        raise WrongRecordSignatureError(_page(record))
    try:
        key.verify(_der(record.signature, key.curve), record.payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as fault:
        raise WrongRecordSignatureError(_page(record)) from fault


def _split(record: OcmfRecord) -> tuple[int, int]:
    try:
        r, s = decode_dss_signature(_der(record.signature, ec.SECP256R1()))
    except ValueError as fault:
        raise MalformedRecordError("the signature is no DER") from fault
    if not (0 < r < 1 << 256 and 0 < s < 1 << 256):
        raise MalformedRecordError("the signature is longer than the curve")
    return r, s


def _der(signature: bytes, curve: ec.EllipticCurve) -> bytes:
    """Return a signature in DER; some meters write r and s alone, each as long as the curve."""
    size = _size_bytes(curve)
    if len(signature) != 2 * size or _is_der(signature):
        return signature
    return encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))


def _is_der(signature: bytes) -> bool:
    try:
        decode_dss_signature(signature)
    except ValueError:
        return False
    return True


def _point_lengths(curve: ec.EllipticCurve) -> frozenset[int]:
    """Return how long a bare point may be: compressed, x and y, and with the byte before them."""
    size = _size_bytes(curve)
    return frozenset({size + 1, 2 * size, 2 * size + 1})


def _encoded(point: bytes, curve: ec.EllipticCurve) -> bytes:
    return _UNCOMPRESSED + point if len(point) == 2 * _size_bytes(curve) else point


def _size_bytes(curve: ec.EllipticCurve) -> int:
    return -(-curve.key_size // _BITS_PER_BYTE)


def _page(record: OcmfRecord) -> str:
    return f"{record.pagination_kind}{record.pagination_number}"
