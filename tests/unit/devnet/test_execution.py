import pytest

from devnet.admission import Refusal, TransactionRefusedError
from devnet.execution import Call, CallFailedError, call, estimate_gas
from tests.unit.devnet.support import KEEPER, REFUSER, TELLER, TIMER, Wallet, init_code

GAS = 10_000_000


def asked(wallet: Wallet, to: bytes, data: bytes = b"", value: int = 0) -> Call:
    return Call(wallet.address, to, data, value, GAS)


def test_a_call_changes_nothing(wallet: Wallet) -> None:
    keeper, before = wallet.deploy(KEEPER), wallet.node.head_hash
    call(wallet.node.chain, wallet.node.head, asked(wallet, keeper, b"\1" * 32))
    assert wallet.node.head_hash == before
    assert wallet.node.state_at(wallet.node.head).get_storage(keeper, 0) == 0


def test_a_call_sees_the_block_that_it_is_asked_in(wallet: Wallet) -> None:
    timer = wallet.deploy(TIMER)
    deployed = wallet.node.head
    wallet.send()
    for header in (deployed, wallet.node.head, wallet.node.next_header()):
        output = call(wallet.node.chain, header, asked(wallet, timer))
        assert int.from_bytes(output, "big") == header.timestamp


def test_a_refusal_comes_with_what_the_contract_said(wallet: Wallet) -> None:
    refuser = wallet.deploy(REFUSER)
    with pytest.raises(CallFailedError, match="execution reverted") as caught:
        call(wallet.node.chain, wallet.node.head, asked(wallet, refuser))
    assert caught.value.reverted
    assert int.from_bytes(caught.value.output, "big") == 42


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("5b5f56", "out of gas"),
        ("fe", "invalid opcode"),
        ("50", "stack underflow"),
        ("600456", "invalid jump destination"),
    ],
)
def test_a_failure_of_the_machine_is_named_as_geth_does(
    wallet: Wallet, code: str, text: str
) -> None:
    broken = wallet.deploy(bytes.fromhex(code))
    request = Call(wallet.address, broken, b"", 0, 50_000)
    with pytest.raises(CallFailedError, match=text) as caught:
        call(wallet.node.chain, wallet.node.head, request)
    assert not caught.value.reverted
    assert caught.value.output == b""


def test_a_call_with_coins_that_the_caller_has_not_is_refused(wallet: Wallet) -> None:
    with pytest.raises(TransactionRefusedError) as caught:
        call(wallet.node.chain, wallet.node.head, asked(wallet, bytes(20), value=1))
    assert caught.value.refusal is Refusal.FUNDS


@pytest.mark.parametrize("data", [b"", b"\1", b"\1" * 32, bytes(2_000), b"\1" * 2_000])
def test_what_is_estimated_is_enough_and_hardly_more(wallet: Wallet, data: bytes) -> None:
    keeper = wallet.deploy(KEEPER)
    node = wallet.node
    enough = estimate_gas(node.chain, node.next_header(), asked(wallet, keeper, data))
    mined = wallet.send(to=keeper, data=data, gas=enough)
    assert mined.succeeded
    assert mined.gas_used <= enough <= mined.gas_used * 1.02


def test_a_contract_is_made_with_what_was_estimated(wallet: Wallet) -> None:
    node, code = wallet.node, init_code(TELLER)
    enough = estimate_gas(node.chain, node.next_header(), asked(wallet, b"", code))
    assert wallet.send(to=None, data=code, gas=enough).succeeded


def test_a_refund_does_not_make_the_estimate_too_small(wallet: Wallet) -> None:
    keeper = wallet.deploy(KEEPER)
    wallet.send(to=keeper, data=b"\1" * 32)
    node = wallet.node
    enough = estimate_gas(node.chain, node.next_header(), asked(wallet, keeper, bytes(32)))
    mined = wallet.send(to=keeper, data=bytes(32), gas=enough)
    assert mined.succeeded
    assert mined.gas_used < enough


def test_an_estimate_of_what_reverts_is_refused(wallet: Wallet) -> None:
    refuser = wallet.deploy(REFUSER)
    with pytest.raises(CallFailedError, match="execution reverted"):
        estimate_gas(wallet.node.chain, wallet.node.head, asked(wallet, refuser))
