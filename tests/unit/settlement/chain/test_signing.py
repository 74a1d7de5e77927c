"""What the outbox signs is, byte for byte, what eth-account signs."""

import pytest
import rlp
from eth_account import Account
from hypothesis import example, given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from settlement.chain.sending.fees import Fees
from settlement.chain.sending.signing import Signer

GAS = 900_000
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEYS = st.integers(1, ORDER - 1).map(lambda number: number.to_bytes(32))
WEI = st.one_of(st.integers(0, 255), st.integers(0, 2**96))
NONCES = st.one_of(st.integers(0, 300), st.integers(0, 2**63))
CONTRACTS = st.none() | st.binary(min_size=20, max_size=20).map(lambda raw: "0x" + raw.hex())
# RLP writes a single low byte, up to 55 bytes and more than that each in another way.
DATA = st.one_of(
    st.binary(max_size=2), st.binary(min_size=54, max_size=57), st.binary(max_size=900)
)


def by_eth_account(key, chain_id, nonce, fees, *, to=None, data=b""):
    """Return the signed bytes of the same transaction, by somebody else."""
    fields = {
        "type": 2,
        "chainId": chain_id,
        "nonce": nonce,
        "maxFeePerGas": fees.max_fee_wei,
        "maxPriorityFeePerGas": fees.tip_wei,
        "gas": GAS,
        "value": 0,
        "data": data,
    }
    receiver = {} if to is None else {"to": bytes.fromhex(to[2:])}
    signed = Account.from_key(key).sign_transaction(fields | receiver)
    assert signed.hash == keccak(signed.raw_transaction)
    return bytes(signed.raw_transaction)


def lengths(raw):
    """Return how many bytes r and s take at the end of a transaction's bytes."""
    return tuple(len(one) for one in rlp.decode(raw[1:])[-2:])


class TestSign:
    @given(KEYS, st.integers(1, 2**53), NONCES, st.builds(Fees, WEI, WEI), CONTRACTS, DATA)
    @example(b"\1" * 32, 1, 0, Fees(0, 0), None, b"")
    @example(b"\1" * 32, 3_300, 128, Fees(256, 127), "0x" + "00" * 20, b"\x7f")
    def test_gives_the_bytes_that_eth_account_gives(self, key, chain_id, nonce, fees, to, data):
        raw = Signer(key, chain_id).sign(nonce, fees, to=to, data=data, gas=GAS)
        assert raw == by_eth_account(key, chain_id, nonce, fees, to=to, data=data)

    @pytest.mark.parametrize("part", [0, 1])
    def test_leaves_out_the_zeros_that_half_a_signature_begins_with(self, part):
        """Every 256th r, and s, is a byte shorter; a node would refuse it with its zero."""
        key = b"\2" * 32
        signer = Signer(key, 1)
        for nonce in range(2_000):
            raw = signer.sign(nonce, Fees(0, 0), to=None, data=b"", gas=GAS)
            if lengths(raw)[part] < 32:
                assert raw == by_eth_account(key, 1, nonce, Fees(0, 0))
                return
        pytest.fail("no signature was short")


class TestAddress:
    @given(KEYS)
    def test_is_the_one_that_eth_account_gives(self, key):
        assert Signer(key, 1).address == Account.from_key(key).address.lower()
