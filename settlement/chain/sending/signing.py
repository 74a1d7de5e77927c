"""
Sign transactions of type 2 (EIP-1559) by secp256k1.

Every closing is signed while its driver waits, so the bytes are put together here: the general
signer spends ten times as long on what a transaction could be as on the signature.
"""

from typing import Final

import rlp  # type: ignore[import-untyped]  # ships no types
from coincurve import PrivateKey

from contracts.typed_data import keccak
from settlement.chain.sending.fees import Fees

_TYPE: Final = b"\x02"
_ADDRESS_LENGTH: Final = 20
_SCALAR_LENGTH: Final = 32


class Signer:
    """A key that signs transactions for one chain."""

    def __init__(self, private_key: bytes, chain_id: int) -> None:
        """Sign with ``private_key``, 32 bytes, for the chain ``chain_id``."""
        self._key: Final = PrivateKey(private_key)
        self._chain_id: Final = _scalar(chain_id)
        point = self._key.public_key.format(compressed=False)[1:]
        self.address: Final = "0x" + keccak(point)[-_ADDRESS_LENGTH:].hex()
        """Address of the key, lower case."""

    def sign(self, nonce: int, fees: Fees, *, to: str | None, data: bytes, gas: int) -> bytes:
        """
        Return the signed bytes of a transaction that moves no ether; their keccak256 is its hash.

        The same arguments give the same bytes, since the signature's nonce follows from key and
        digest (RFC 6979).

        Parameters
        ----------
        nonce
            Number of the transaction.
        fees
            What it offers for gas.
        to
            Contract called, or None to create one.
        data
            Call data or init code.
        gas
            Gas limit.
        """
        fields = [
            self._chain_id,
            _scalar(nonce),
            _scalar(fees.tip_wei),
            _scalar(fees.max_fee_wei),
            _scalar(gas),
            b"" if to is None else bytes.fromhex(to[2:]),
            b"",
            data,
            [],
        ]
        digest = keccak(_TYPE + rlp.encode(fields, infer_serializer=False))
        signature = self._key.sign_recoverable(digest, hasher=None)
        r, s, parity = signature[:_SCALAR_LENGTH], signature[_SCALAR_LENGTH:-1], signature[-1:]
        fields += [parity.lstrip(b"\0"), r.lstrip(b"\0"), s.lstrip(b"\0")]
        return bytes(_TYPE + rlp.encode(fields, infer_serializer=False))


def _scalar(number: int) -> bytes:
    """Return a number as RLP has it: its bytes, the highest first, and none for 0."""
    return number.to_bytes((number.bit_length() + 7) // 8)
