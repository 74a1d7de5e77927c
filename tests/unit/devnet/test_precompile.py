import hashlib

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from devnet.precompile import P256_ADDRESS, p256_verify
from devnet.tracing.calls import Call, attempt
from tests.unit.devnet.support import Wallet

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIME = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
GOOD = (1).to_bytes(32, "big")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")


def signed(message: bytes, secret: int = 7) -> tuple[bytes, int, int, int, int]:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    point = key.public_key().public_numbers()
    return hashlib.sha256(message).digest(), r, s, point.x, point.y


def packed(digest: bytes, r: int, s: int, x: int, y: int) -> bytes:
    return digest + word(r) + word(s) + word(x) + word(y)


@given(st.binary(max_size=100), st.integers(min_value=1, max_value=ORDER - 1))
def test_what_another_library_signed_is_good(message: bytes, secret: int) -> None:
    assert p256_verify(packed(*signed(message, secret))) == GOOD


def test_the_other_s_is_good_too() -> None:
    digest, r, s, x, y = signed(b"meter")
    assert p256_verify(packed(digest, r, ORDER - s, x, y)) == GOOD


@given(st.integers(min_value=0, max_value=159), st.integers(min_value=1, max_value=255))
def test_one_changed_byte_is_not_good(at: int, change: int) -> None:
    data = bytearray(packed(*signed(b"meter")))
    data[at] ^= change
    assert p256_verify(bytes(data)) == b""


@given(st.binary(max_size=200).filter(lambda data: len(data) != 160))
def test_any_other_length_is_not_good(data: bytes) -> None:
    assert p256_verify(data) == b""


@pytest.mark.parametrize("field", [1, 2])
@pytest.mark.parametrize("number", [0, ORDER, ORDER + 1, 2**256 - 1])
def test_r_and_s_out_of_range_are_not_good(field: int, number: int) -> None:
    parts = list(signed(b"meter"))
    parts[field] = number
    assert p256_verify(packed(*parts)) == b""


@pytest.mark.parametrize(("x", "y"), [(0, 0), (PRIME, 1), (1, 1), (2**256 - 1, 0)])
def test_a_point_off_the_curve_is_not_good(x: int, y: int) -> None:
    digest, r, s, _, _ = signed(b"meter")
    assert p256_verify(packed(digest, r, s, x, y)) == b""


def test_contracts_find_it_at_0x100_for_6900_gas(wallet: Wallet) -> None:
    data = packed(*signed(b"meter"))
    request = Call(sender=wallet.address, to=bytes(P256_ADDRESS), data=data)
    outcome = attempt(wallet.node.scratch(wallet.node.head_number), request)
    zeros = data.count(0)
    assert outcome.output == GOOD
    assert outcome.gas_used == 21_000 + 4 * zeros + 16 * (160 - zeros) + 6_900


def test_it_costs_the_same_when_the_signature_is_bad(wallet: Wallet) -> None:
    request = Call(sender=wallet.address, to=bytes(P256_ADDRESS), data=b"\1")
    outcome = attempt(wallet.node.scratch(wallet.node.head_number), request)
    assert (outcome.output, outcome.gas_used) == (b"", 21_000 + 16 + 6_900)
