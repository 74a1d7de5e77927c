from dataclasses import replace
from pathlib import Path

import pytest
import rlp
from eth_account import Account
from eth_keys import keys
from hypothesis import given
from hypothesis import strategies as st

from devnet.admission import (
    MAX_TRANSACTION_BYTES,
    MAX_TRANSACTION_GAS,
    Refusal,
    TransactionRefusedError,
    check_state,
    decode_transaction,
    gas_needs,
)
from devnet.engine.world import NOBODY
from devnet.node.chain import Devnet
from ledger.clock import ReplayClock
from tests.unit.devnet.support import CHAIN_ID, GENESIS, KEEPER, Wallet

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
AUTHORIZATION = {
    "chainId": CHAIN_ID,
    "address": "0x" + "00" * 19 + "77",
    "nonce": 0,
}


def refused(node: Devnet, raw: bytes) -> TransactionRefusedError:
    """Send ``raw``, see it refused, and see that nothing happened."""
    before = node.head_hash
    with pytest.raises(TransactionRefusedError) as caught:
        node.send_raw(raw)
    assert node.head_hash == before
    return caught.value


@pytest.mark.parametrize(
    ("fields", "refusal", "text"),
    [
        ({"chainId": 999}, Refusal.CHAIN_ID, "invalid chain id for signer: have 999 want 1337"),
        ({"nonce": 0, "gas": 50_000}, Refusal.NONCE_LOW, "nonce too low: next nonce 1, tx nonce 0"),
        ({"gas": 20_999}, Refusal.INTRINSIC_GAS, "intrinsic gas too low: gas 20999, "),
        (
            {"gas": 37_100, "data": b"\1" * 1_000},
            Refusal.FLOOR_GAS,
            "insufficient gas for floor data gas cost: gas 37100, minimum needed 61000",
        ),
        (
            {"maxPriorityFeePerGas": 2, "maxFeePerGas": 1},
            Refusal.TIP_ABOVE_CAP,
            "max priority fee per gas higher than max fee per gas",
        ),
        (
            {"gas": MAX_TRANSACTION_GAS + 1},
            Refusal.GAS_ABOVE_CAP,
            "transaction gas limit too high",
        ),
        (
            {"value": 1},
            Refusal.FUNDS,
            "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1",
        ),
        ({"maxFeePerGas": 3}, Refusal.FUNDS, "insufficient funds"),
        (
            {"to": None, "data": b"\1" * 49_153, "gas": 5_000_000},
            Refusal.INITCODE,
            "max initcode size exceeded: code size 49153, limit 49152",
        ),
        ({"data": b"\1" * MAX_TRANSACTION_BYTES}, Refusal.OVERSIZED, "oversized data"),
    ],
)
def test_a_transaction_against_a_rule_is_refused_in_the_words_of_geth(
    wallet: Wallet, fields: dict[str, object], refusal: Refusal, text: str
) -> None:
    wallet.send()
    error = refused(wallet.node, wallet.sign(**fields))
    assert error.refusal is refusal
    assert text in str(error)


def test_the_same_transaction_again_is_known(wallet: Wallet) -> None:
    raw = wallet.sign()
    wallet.node.send_raw(raw)
    assert str(refused(wallet.node, raw)) == "already known"


def test_a_legacy_transaction_for_another_chain_is_refused(wallet: Wallet) -> None:
    fields = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 0}
    assert refused(wallet.node, wallet.sign(chainId=999, **fields)).refusal is Refusal.CHAIN_ID
    assert wallet.send(**fields).succeeded


def test_a_legacy_transaction_for_every_chain_is_refused(wallet: Wallet) -> None:
    fields = {"maxFeePerGas": None, "maxPriorityFeePerGas": None, "gasPrice": 0, "chainId": None}
    assert refused(wallet.node, wallet.sign(**fields)).refusal is Refusal.UNPROTECTED


def test_an_account_with_code_cannot_send(tmp_path: Path, clock: ReplayClock) -> None:
    # Only a wallet whose address collides with a contract could; so give one code by EIP-7702
    # first, which may send, and then look at the rule itself through a genesis with its code.
    sender = Account.from_key(b"\x22" * 32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "devnet.store.beginning.SYSTEM_CONTRACTS",
            ((bytes.fromhex(sender.address[2:]), KEEPER),),
        )
        node = Devnet.open(tmp_path / "coded", GENESIS, clock)
    wallet = Wallet(node, sender)
    error = refused(node, wallet.sign())
    node.close()
    assert error.refusal is Refusal.SENDER_HAS_CODE
    assert "sender not an eoa" in str(error)


def test_an_account_that_delegates_can_send(wallet: Wallet) -> None:
    target = wallet.deploy(KEEPER)
    wallet.send(authorizationList=[_authorize(wallet, "0x" + target.hex())])
    assert wallet.node.scratch(wallet.node.head_number).get_code(wallet.address)[:3] == b"\xef\1\0"
    assert wallet.send().succeeded


def _authorize(wallet: Wallet, target: str) -> object:
    return wallet.account.sign_authorization(
        AUTHORIZATION | {"address": target, "nonce": wallet.nonce() + 1}
    )


def test_a_block_smaller_than_the_gas_asked_for_is_refused(
    tmp_path: Path, clock: ReplayClock
) -> None:
    node = Devnet.open(tmp_path / "small", replace(GENESIS, gas_limit=100_000), clock)
    wallet = Wallet(node, Account.from_key(b"\x11" * 32))
    error = refused(node, wallet.sign(gas=100_001))
    node.close()
    assert str(error) == "exceeds block gas limit"


def test_a_fee_cap_below_the_base_fee_is_refused(wallet: Wallet) -> None:
    transaction = decode_transaction(wallet.sign())
    with pytest.raises(TransactionRefusedError) as caught:
        check_state(transaction, NOBODY, b"", base_fee=1)
    text = "max fee per gas less than block base fee: maxFeePerGas: 0, baseFee: 1"
    assert text in str(caught.value)


def test_a_transaction_that_would_raise_the_base_fee_is_refused(
    tmp_path: Path, clock: ReplayClock
) -> None:
    node = Devnet.open(tmp_path / "small", replace(GENESIS, gas_limit=100_000), clock)
    wallet = Wallet(node, Account.from_key(b"\x11" * 32))
    assert wallet.send(gas=50_000).block.header.base_fee_per_gas == 0
    assert str(refused(node, wallet.sign(gas=50_001))) == "exceeds block gas limit"
    node.close()


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x02", b"\x02\xc0", b"\xc0", b"\xf8", b"\x80", b"\xbf" * 9, b"\x02" * 200],
)
def test_what_is_no_transaction_is_refused(node: Devnet, raw: bytes) -> None:
    assert refused(node, raw).refusal is Refusal.MALFORMED


@pytest.mark.parametrize("kind", [0, 3, 5, 0x7F])
def test_types_that_the_chain_has_not_are_refused(node: Devnet, kind: int) -> None:
    assert str(refused(node, bytes([kind]) + b"\xc0")) == "transaction type not supported"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_with_a_reason(raw: bytes) -> None:
    with pytest.raises(TransactionRefusedError):
        decode_transaction(raw)


def test_a_transaction_with_bytes_behind_it_is_refused(wallet: Wallet) -> None:
    assert refused(wallet.node, wallet.sign() + b"\0").refusal is Refusal.MALFORMED


def test_a_high_s_is_refused(wallet: Wallet) -> None:
    raw = wallet.sign()
    fields = rlp.decode(raw[1:])
    fields[-1] = (ORDER - int.from_bytes(fields[-1], "big")).to_bytes(32, "big")
    fields[-3] = b"" if fields[-3] else b"\1"
    assert refused(wallet.node, raw[:1] + rlp.encode(fields)).refusal is Refusal.SENDER


@pytest.mark.parametrize("r", [b"", b"\xff" * 32])
def test_a_signature_by_nobody_is_refused(wallet: Wallet, r: bytes) -> None:
    raw = wallet.sign()
    fields = rlp.decode(raw[1:])
    fields[-2] = r
    assert refused(wallet.node, raw[:1] + rlp.encode(fields)).refusal is Refusal.SENDER


def test_a_parity_of_two_is_refused(wallet: Wallet) -> None:
    raw = wallet.sign()
    fields = rlp.decode(raw[1:])
    fields[-3] = b"\2"
    assert refused(wallet.node, raw[:1] + rlp.encode(fields)).refusal is Refusal.SENDER


def test_a_delegation_without_authorizations_is_refused(wallet: Wallet) -> None:
    raw = wallet.sign(authorizationList=[_authorize(wallet, AUTHORIZATION["address"])])
    fields = rlp.decode(raw[1:])
    unsigned = [*fields[:9], []]
    key = keys.PrivateKey(bytes(wallet.account.key))
    signature = key.sign_msg(b"\x04" + rlp.encode(unsigned))
    error = refused(wallet.node, b"\x04" + rlp.encode([*unsigned, *signature.vrs]))
    assert error.refusal is Refusal.NO_AUTHORIZATION


def test_gas_needs_follow_the_schedule() -> None:
    plain = gas_needs(b"", creates=False, access_list=(), authorizations=0)
    assert (plain.intrinsic, plain.floor) == (21_000, 21_000)
    rich = gas_needs(b"\0\1" * 40, creates=True, access_list=((bytes(20), 2),), authorizations=3)
    assert rich.intrinsic == 21_000 + 40 * 20 + 32_000 + 3 * 2 + 2_400 + 2 * 1_900 + 75_000
    assert rich.floor == 21_000 + 10 * (40 + 160)
