"""
Add the P-256 precompile of EIP-7951 to Prague, and nothing else.

Meters sign with P-256; Osaka verifies it at address 0x100. py-evm ends at Prague, so the devnet
runs Prague plus exactly this precompile.
"""

from typing import Any, Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from eth.abc import ComputationAPI
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.computation import PragueComputation
from eth.vm.forks.prague.state import PragueState
from eth_typing import Address

P256_ADDRESS: Final = Address((0x100).to_bytes(20, "big"))
"""Where the precompile lives (EIP-7951, parameters)."""

P256_GAS: Final = 6_900
"""What every call costs, in gas, whether the signature is good or not (EIP-7951)."""

PRECOMPILE_NAME: Final = "P256VERIFY (EIP-7951) at 0x100"
"""How reports name the one difference from stock Prague."""

_INPUT_LENGTH: Final = 160
_WORD: Final = 32
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ONE: Final = (1).to_bytes(_WORD, "big")
_PREHASHED: Final = ec.ECDSA(Prehashed(SHA256()))


def p256_verify(data: bytes) -> bytes:
    """
    Return 32 bytes holding one if ``data`` is a good P-256 signature, else no bytes.

    Both halves of the order are accepted for s, as the standard says (EIP-7951, specification).

    Parameters
    ----------
    data
        Exactly 160 bytes: digest, r, s, and the public key's x and y, big-endian.
    """
    if len(data) != _INPUT_LENGTH:
        return b""
    digest = data[:_WORD]
    r, s, x, y = (
        int.from_bytes(data[at : at + _WORD], "big") for at in range(_WORD, _INPUT_LENGTH, _WORD)
    )
    if not (0 < r < _ORDER and 0 < s < _ORDER):
        return b""
    try:
        key = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
        key.verify(encode_dss_signature(r, s), digest, _PREHASHED)
    except (ValueError, InvalidSignature):
        return b""
    return _ONE


def _precompile(computation: ComputationAPI) -> ComputationAPI:
    computation.consume_gas(P256_GAS, reason="P256VERIFY precompile")
    # The setter is untyped in py-evm's interface.
    cast("Any", computation).output = p256_verify(bytes(computation.msg.data))
    return computation


class VoisinComputation(PragueComputation):
    """Prague's computation with one more precompile."""

    _precompiles = {  # noqa: RUF012 - as its base declares it
        **PragueComputation.get_precompiles(),
        P256_ADDRESS: _precompile,
    }


class VoisinState(PragueState):
    """Prague's state, running ``VoisinComputation``."""

    computation_class = VoisinComputation


class VoisinVM(PragueVM):
    """Stock py-evm Prague plus the P-256 precompile: the devnet's rules and its judge."""

    fork = "prague"
    _state_class = VoisinState
