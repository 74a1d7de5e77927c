"""A test has a chain of its own, asked by web3.py in the same process."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from web3.exceptions import Web3RPCError

from devnet import testing
from devnet.keys import public_accounts
from devnet.rpc.dispatch import MAX_BATCH
from devnet.testing import SnapshotGoneError, open_web3, taken_back

ROOT = Path(__file__).parents[3]
HOW_TO = ROOT / "docs" / "how-to" / "run-a-devnet.md"


@pytest.fixture
def web3():
    with open_web3() as found:
        yield found


def pay(web3, wei=1):
    sender, other = web3.eth.accounts[:2]
    return web3.eth.get_transaction_receipt(
        web3.eth.send_transaction({"from": sender, "to": other, "value": wei})
    )


def test_the_accounts_of_anvil_have_coins_and_sign(web3):
    assert web3.eth.accounts == [one.address for one in public_accounts()]
    assert {web3.eth.get_balance(one) for one in web3.eth.accounts} == {10_000 * 10**18}
    assert pay(web3)["status"] == 1


def test_what_was_sent_is_mined_when_the_call_returns(web3):
    assert [pay(web3)["blockNumber"] for _ in range(3)] == [1, 2, 3]


def test_is_connected_under_the_number_that_was_asked_for():
    with open_web3(chain_id=7) as web3:
        assert web3.is_connected()
        assert web3.eth.chain_id == 7


def test_takes_what_web3_has_of_its_own_kind(web3):
    receipt = pay(web3)
    found = web3.eth.get_transaction(receipt["transactionHash"])
    assert web3.eth.get_block(receipt["blockHash"], full_transactions=True)["transactions"] == [
        found
    ]


def test_answers_a_batch_in_its_order(web3):
    pay(web3, 5)
    other = web3.eth.accounts[1]
    with web3.batch_requests() as batch:
        batch.add(web3.eth.get_block(1))
        batch.add(web3.eth.get_balance(other))
        batch.add(web3.eth.get_block(0))
        first, balance, start = batch.execute()
    assert (first["number"], balance, start["number"]) == (1, 10_000 * 10**18 + 5, 0)


def test_says_why_a_batch_is_answered_as_a_whole(web3):
    with web3.batch_requests() as batch:
        for _ in range(MAX_BATCH + 1):
            batch.add(web3.eth.get_block(0))
        with pytest.raises(Web3RPCError, match="batch too large"):
            batch.execute()


def test_takes_back_what_happened_meanwhile_even_if_that_failed(web3):
    pay(web3)
    before = web3.eth.get_block("latest")

    def failed():
        with taken_back(web3):
            pay(web3)
            web3.provider.make_request("evm_increaseTime", [3_600])
            pay(web3)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failed()
    assert web3.eth.get_block("latest") == before


def test_takes_back_within_what_is_taken_back(web3):
    with taken_back(web3):
        pay(web3)
        with taken_back(web3):
            pay(web3)
        assert web3.eth.block_number == 1
    assert web3.eth.block_number == 0


def test_says_so_if_the_chain_went_back_further_meanwhile(web3):
    earlier = web3.provider.make_request("evm_snapshot", [])["result"]
    with pytest.raises(SnapshotGoneError), taken_back(web3):
        web3.provider.make_request("evm_revert", [earlier])


def test_goes_on_with_a_chain_that_is_kept(tmp_path):
    with open_web3(tmp_path / "kept") as web3:
        paid = pay(web3)
    with open_web3(tmp_path / "kept") as web3:
        assert web3.eth.get_transaction_receipt(paid["transactionHash"]) == paid
        assert pay(web3)["blockNumber"] == 2


def test_leaves_nothing_of_a_chain_that_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(testing, "_MEMORY", tmp_path)
    with open_web3():
        assert len(list(tmp_path.iterdir())) == 1
    assert not list(tmp_path.iterdir())


def test_a_machine_without_a_place_in_memory_will_do(tmp_path, monkeypatch):
    monkeypatch.setattr(testing, "_MEMORY", tmp_path / "none")
    with open_web3() as web3:
        assert pay(web3)["status"] == 1


def test_the_tests_of_the_how_to_pass(tmp_path):
    text = HOW_TO.read_text(encoding="utf-8")
    files = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", text, re.DOTALL))
    assert set(files) == {"conftest.py", "test_purse.py"}
    for name, body in files.items():
        (tmp_path / name).write_text(body, encoding="utf-8")
    token = ROOT / "contracts" / "compiled" / "EnergyEuro.json"
    (tmp_path / token.name).write_bytes(token.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."],
        cwd=tmp_path,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed" in done.stdout
