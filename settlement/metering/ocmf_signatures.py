"""Verify the signatures of OCMF records and turn them into what the contract takes."""

import hashlib
from typing import Final

from coincurve import PublicKey
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ledger.errors import UnverifiedReading
from settlement.metering.ocmf import MalformedRecordError, OcmfRecord
from settlement.metering.signatures import Curve, MeterKey

_WORD: Final = 32
_V_OFFSET: Final = 27
_CURVES: Final = {Curve.SECP256K1: ec.SECP256K1, Curve.SECP256R1: ec.SECP256R1}
_ALGORITHM: Final = "ECDSA-{}-SHA256"


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
    Check that the meter signed the record as it stands.

    Raises
    ------
    WrongRecordSignatureError
        If it did not, or says that it signed on another curve.
    """
    curve = _CURVES[key.curve]
    if record.algorithm != _ALGORITHM.format(key.curve.value):
        raise WrongRecordSignatureError(_page(record))
    point = ec.EllipticCurvePublicKey.from_encoded_point(curve(), b"\x04" + key.public_key)
    _verify(record, point)


def verify_record_der(record: OcmfRecord, public_key: bytes) -> None:
    """
    Check a record against a public key in DER, on any curve that OpenSSL has.

    Raises
    ------
    UnsupportedKeyError
        If the key cannot be loaded.
    WrongRecordSignatureError
        If the key did not sign the record.
    """
    try:
        key = load_der_public_key(public_key)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise UnsupportedKeyError(str(fault)) from fault
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise UnsupportedKeyError("it is on no elliptic curve")
    _verify(record, key)


def signature_for_chain(record: OcmfRecord, key: MeterKey) -> bytes:
    """
    Return the signature as ``ChargeVault.closeWithOcmf`` takes it.

    P-256: r and s, 64 bytes. secp256k1: r, s and v, 65 bytes, v found by trying both.

    Raises
    ------
    MalformedRecordError
        If the signature is no DER.
    WrongRecordSignatureError
        If no v leads to the meter's key.
    """
    r, s = _split(record)
    raw = r.to_bytes(_WORD) + s.to_bytes(_WORD)
    if key.curve is Curve.SECP256R1:
        return raw
    digest = hashlib.sha256(record.payload).digest()
    for parity in (0, 1):
        try:
            found = PublicKey.from_signature_and_message(raw + bytes([parity]), digest, hasher=None)
        except ValueError:
            continue
        if found.format(compressed=False)[1:] == key.public_key:
            return raw + bytes([parity + _V_OFFSET])
    raise WrongRecordSignatureError(_page(record))


def _verify(record: OcmfRecord, key: ec.EllipticCurvePublicKey) -> None:
    try:
        key.verify(record.signature, record.payload, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature as fault:
        raise WrongRecordSignatureError(_page(record)) from fault


def _split(record: OcmfRecord) -> tuple[int, int]:
    try:
        r, s = decode_dss_signature(record.signature)
    except ValueError as fault:
        raise MalformedRecordError("the signature is no DER") from fault
    if not (0 < r < 1 << 256 and 0 < s < 1 << 256):
        raise MalformedRecordError("the signature is longer than the curve")
    return r, s


def _page(record: OcmfRecord) -> str:
    return f"{record.pagination_kind}{record.pagination_number}"
