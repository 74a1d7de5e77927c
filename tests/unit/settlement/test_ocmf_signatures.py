"""A record's signature is checked over its bytes, on its meter's curve and on no other."""

import base64
import dataclasses
import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_keys import keys as eth_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from settlement.metering.ocmf import OcmfRecord
from settlement.metering.ocmf_json import MalformedRecordError
from settlement.metering.ocmf_signatures import (
    UnsupportedKeyError,
    WrongRecordSignatureError,
    public_key_of,
    signature_for_chain,
    verify_record,
    verify_record_der,
)
from settlement.metering.signatures import Curve, MeterKey, MeterKind, WrongMeterKindError

ORDERS = {
    Curve.SECP256K1: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141,
    Curve.SECP256R1: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
}
PRIVATE = {
    Curve.SECP256K1: ec.derive_private_key(0xC0FFEE, ec.SECP256K1()),
    Curve.SECP256R1: ec.derive_private_key(0xC0FFEE, ec.SECP256R1()),
}
PAYLOAD = b'{"PG":"T9","RD":[{"RV":1.25}]}'
BOTH = pytest.mark.parametrize("curve", list(Curve))


def point(private):
    encoded = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return encoded[1:]


def der(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key(curve, **changes):
    whole = MeterKey(curve, point(PRIVATE[curve]), MeterKind.STATION, 22_000, 0, 2**40)
    return dataclasses.replace(whole, **changes)


def record(curve, payload=PAYLOAD, *, high_s=None, private=None):
    signature = (private or PRIVATE[curve]).sign(payload, ec.ECDSA(hashes.SHA256()))
    if high_s is not None:
        r, s = decode_dss_signature(signature)
        order = ORDERS[curve]
        s = (max if high_s else min)(s, order - s)
        signature = encode_dss_signature(r, s)
    return OcmfRecord(payload, "T", 9, "tag", (), f"ECDSA-{curve}-SHA256", signature)


def bare(made, size=32):
    """r and s alone, as some meters write them."""
    r, s = decode_dss_signature(made.signature)
    return r.to_bytes(size) + s.to_bytes(size)


class TestVerifyRecord:
    @BOTH
    @pytest.mark.parametrize("high_s", [False, True])
    def test_takes_what_the_meter_signed_with_either_s(self, curve, high_s):
        verify_record(record(curve, high_s=high_s), key(curve))

    @BOTH
    @given(at=st.integers(0, len(PAYLOAD) - 1), flip=st.integers(1, 255))
    @settings(max_examples=30, deadline=None)
    def test_refuses_a_payload_with_one_byte_changed(self, curve, at, flip):
        altered = bytearray(PAYLOAD)
        altered[at] ^= flip
        forged = dataclasses.replace(record(curve), payload=bytes(altered))
        with pytest.raises(WrongRecordSignatureError, match="T9"):
            verify_record(forged, key(curve))

    @BOTH
    def test_refuses_another_meter(self, curve):
        stranger = ec.derive_private_key(0xBAD, PRIVATE[curve].curve)
        with pytest.raises(WrongRecordSignatureError) as caught:
            verify_record(record(curve, private=stranger), key(curve))
        assert caught.value.code == "wrong_record_signature"

    @BOTH
    @pytest.mark.parametrize(
        "algorithm",
        ["ECDSA-secp384r1-SHA256", "ECDSA-secp256r1-SHA512", "secp256r1", "", "ECDSA-SHA256"],
    )
    def test_refuses_a_record_that_names_another_algorithm(self, curve, algorithm):
        with pytest.raises(WrongRecordSignatureError):
            verify_record(dataclasses.replace(record(curve), algorithm=algorithm), key(curve))

    def test_refuses_a_record_that_names_the_other_of_the_two_curves(self):
        for one, other in (tuple(Curve), tuple(reversed(Curve))):
            named = dataclasses.replace(record(one), algorithm=f"ECDSA-{other}-SHA256")
            with pytest.raises(WrongRecordSignatureError):
                verify_record(named, key(one))

    @BOTH
    @pytest.mark.parametrize("signature", [b"", b"\x30\x00", b"\0" * 64, b"\x30\x06\x02\x01\x01"])
    def test_refuses_what_is_no_signature(self, curve, signature):
        with pytest.raises(WrongRecordSignatureError):
            verify_record(dataclasses.replace(record(curve), signature=signature), key(curve))

    @BOTH
    def test_takes_r_and_s_as_they_are(self, curve):
        verify_record(dataclasses.replace(record(curve), signature=bare(record(curve))), key(curve))

    @BOTH
    @pytest.mark.parametrize("cut", [slice(1, None), slice(None, -1)])
    def test_refuses_r_and_s_of_another_length(self, curve, cut):
        made = record(curve)
        with pytest.raises(WrongRecordSignatureError):
            verify_record(dataclasses.replace(made, signature=bare(made)[cut]), key(curve))

    @BOTH
    @pytest.mark.parametrize("kind", [MeterKind.GATEWAY, MeterKind.FEEDER_HEAD])
    def test_refuses_the_key_of_anything_but_a_station(self, curve, kind):
        with pytest.raises(WrongMeterKindError):
            verify_record(record(curve), key(curve, kind=kind))

    @BOTH
    @pytest.mark.parametrize("public_key", [b"", b"\0" * 64, b"\x01" * 64, b"\x01" * 63])
    def test_refuses_a_key_that_is_no_point(self, curve, public_key):
        with pytest.raises(UnsupportedKeyError) as caught:
            verify_record(record(curve), key(curve, public_key=public_key))
        assert caught.value.code == "unsupported_key"

    def test_refuses_a_point_of_the_other_curve(self):
        for one, other in (tuple(Curve), tuple(reversed(Curve))):
            with pytest.raises(UnsupportedKeyError):
                verify_record(record(one), key(one, public_key=point(PRIVATE[other])))


class TestVerifyRecordDer:
    @BOTH
    def test_takes_the_key_as_it_is_printed(self, curve):
        verify_record_der(record(curve), der(PRIVATE[curve]))

    @pytest.mark.parametrize(
        ("curve", "algorithm"),
        [
            (ec.SECP384R1(), "ECDSA-secp384r1-SHA256"),
            (ec.BrainpoolP256R1(), "ECDSA-brainpool256r1-SHA256"),
            (ec.BrainpoolP256R1(), "ECDSA-brainpoolP256r1-SHA256"),
        ],
    )
    def test_takes_the_other_curves_of_the_format(self, curve, algorithm):
        private = ec.derive_private_key(77, curve)
        made = record(Curve.SECP256R1, private=private)
        verify_record_der(dataclasses.replace(made, algorithm=algorithm), der(private))
        with pytest.raises(WrongRecordSignatureError):
            verify_record_der(made, der(private))

    @pytest.mark.parametrize(
        ("curve", "algorithm", "size"),
        [
            (ec.SECP192R1(), "ECDSA-secp192r1-SHA256", 24),
            (ec.SECP256K1(), "ECDSA-secp256k1-SHA256", 32),
            (ec.SECP256R1(), "ECDSA-secp256r1-SHA256", 32),
            (ec.SECP384R1(), "ECDSA-secp384r1-SHA256", 48),
            (ec.BrainpoolP256R1(), "ECDSA-brainpool256r1-SHA256", 32),
            (ec.BrainpoolP384R1(), "ECDSA-brainpoolP384r1-SHA256", 48),
        ],
    )
    def test_takes_a_bare_point_and_a_bare_signature_on_every_curve(self, curve, algorithm, size):
        private = ec.derive_private_key(77, curve)
        made = dataclasses.replace(record(Curve.SECP256R1, private=private), algorithm=algorithm)
        made = dataclasses.replace(made, signature=bare(made, size))
        formats = (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint)
        points = [private.public_key().public_bytes(Encoding.X962, one) for one in formats]
        for printed in (*points, points[0][1:], der(private)):
            verify_record_der(made, printed)
            with pytest.raises(WrongRecordSignatureError):
                verify_record_der(dataclasses.replace(made, payload=b"{}"), printed)

    def test_refuses_a_bare_point_of_another_curve(self):
        stranger = ec.derive_private_key(77, ec.BrainpoolP256R1())
        with pytest.raises(UnsupportedKeyError):
            verify_record_der(record(Curve.SECP256R1), point(stranger))

    def test_refuses_a_curve_that_openssl_lacks(self):
        made = dataclasses.replace(record(Curve.SECP256R1), algorithm="ECDSA-secp192k1-SHA256")
        with pytest.raises(UnsupportedKeyError):
            verify_record_der(made, b"\x01" * 48)

    def test_refuses_a_tampered_record(self):
        made = dataclasses.replace(record(Curve.SECP256R1), payload=PAYLOAD + b" ")
        with pytest.raises(WrongRecordSignatureError):
            verify_record_der(made, der(PRIVATE[Curve.SECP256R1]))

    @pytest.mark.parametrize("public_key", [b"", b"\x30\x00", b"x" * 91])
    def test_refuses_what_is_no_key(self, public_key):
        with pytest.raises(UnsupportedKeyError):
            verify_record_der(record(Curve.SECP256R1), public_key)

    def test_refuses_a_key_on_no_elliptic_curve(self):
        with pytest.raises(UnsupportedKeyError, match="no elliptic curve"):
            verify_record_der(
                record(Curve.SECP256R1),
                der(ed25519.Ed25519PrivateKey.from_private_bytes(b"k" * 32)),
            )


class TestSignatureForChain:
    @pytest.mark.parametrize("high_s", [False, True])
    def test_is_r_and_s_and_the_key_on_p256(self, high_s):
        made = record(Curve.SECP256R1, high_s=high_s)
        r, s = decode_dss_signature(made.signature)
        raw = signature_for_chain(made, key(Curve.SECP256R1))
        assert raw == r.to_bytes(32) + s.to_bytes(32) + point(PRIVATE[Curve.SECP256R1])

    @pytest.mark.parametrize("high_s", [False, True])
    @pytest.mark.parametrize("page", range(6))
    def test_recovers_to_the_meter_on_secp256k1(self, high_s, page):
        made = record(Curve.SECP256K1, PAYLOAD + b" " * page, high_s=high_s)
        raw = signature_for_chain(made, key(Curve.SECP256K1))
        r, s = decode_dss_signature(made.signature)
        assert raw[:64] == r.to_bytes(32) + s.to_bytes(32)
        assert raw[64] in {27, 28}
        found = eth_keys.Signature(raw[:64] + bytes([raw[64] - 27]))
        digest = hashlib.sha256(made.payload).digest()
        assert found.recover_public_key_from_msg_hash(digest).to_bytes() == point(
            PRIVATE[Curve.SECP256K1]
        )

    def test_refuses_a_record_that_leads_to_another_key(self):
        made = dataclasses.replace(record(Curve.SECP256K1), payload=b"{}")
        with pytest.raises(WrongRecordSignatureError):
            signature_for_chain(made, key(Curve.SECP256K1))

    def test_refuses_numbers_that_no_point_has(self):
        order = ORDERS[Curve.SECP256K1]
        made = record(Curve.SECP256K1)
        forged = dataclasses.replace(made, signature=encode_dss_signature(order, order))
        with pytest.raises(WrongRecordSignatureError):
            signature_for_chain(forged, key(Curve.SECP256K1))

    @BOTH
    def test_is_the_same_whether_the_meter_writes_der_or_not(self, curve):
        made = record(curve)
        alone = dataclasses.replace(made, signature=bare(made))
        assert signature_for_chain(alone, key(curve)) == signature_for_chain(made, key(curve))

    @BOTH
    @pytest.mark.parametrize("signature", [b"", b"\0" * 63, b"\x30\x06\x02\x01\x01\x02\x01"])
    def test_refuses_what_is_no_der(self, curve, signature):
        made = dataclasses.replace(record(curve), signature=signature)
        with pytest.raises(MalformedRecordError, match="no DER"):
            signature_for_chain(made, key(curve))

    @BOTH
    @pytest.mark.parametrize(("r", "s"), [(0, 1), (1, 0), (2**256, 1), (1, 2**256)])
    def test_refuses_numbers_that_do_not_fit(self, curve, r, s):
        made = dataclasses.replace(record(curve), signature=encode_dss_signature(r, s))
        with pytest.raises(MalformedRecordError, match="longer than the curve"):
            signature_for_chain(made, key(curve))


class TestPublicKeyOf:
    RAW = der(PRIVATE[Curve.SECP256R1])

    @pytest.mark.parametrize(
        "text",
        [
            RAW.hex(),
            RAW.hex().upper(),
            RAW.hex(" "),
            RAW.hex(" ", 4),
            base64.b64encode(RAW).decode(),
            "oca:base16:asn1:" + RAW.hex(),
            base64.b64encode(b"oca:base16:asn1:" + RAW.hex().encode()).decode(),
            PRIVATE[Curve.SECP256R1]
            .public_key()
            .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            .decode(),
        ],
        ids=["hex", "upper", "blanks", "groups", "base64", "oca", "oca in base64", "pem"],
    )
    def test_reads_every_form_in_print(self, text):
        assert public_key_of(text) == self.RAW
        verify_record_der(record(Curve.SECP256R1), public_key_of(text))

    @pytest.mark.parametrize(
        "text", ["xyz", "b2NhOmJhc2UxNjphc24xOnp6", "oca:base58:asn1:00", "a-b_", "é", "=", "abc"]
    )
    def test_refuses_any_other(self, text):
        with pytest.raises(UnsupportedKeyError):
            public_key_of(text)
