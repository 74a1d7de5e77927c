"""The node over HTTP, with web3.py as its client."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from eth_account import Account
from eth_utils import keccak
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractCustomError, Web3RPCError

from contracts.artifacts import load_artifact
from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.rpc.app import MAX_BODY_BYTES
from devnet.server import RunningNode, serve
from devnet.verify import verify
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds

CHAIN_ID = 31_337
START_S = UnixSeconds(1_494_230_400)
ADMIN = Account.from_key(b"\x11" * 32)


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Devnet]:
    clock = ReplayClock(START_S)
    opened = Devnet.open(tmp_path, Genesis(CHAIN_ID, START_S), clock)
    yield opened
    opened.close()


@pytest.fixture
def running(devnet: Devnet) -> Iterator[RunningNode]:
    started = serve(devnet)
    yield started
    started.stop()


@pytest.fixture
def web3(running: RunningNode) -> Iterator[Web3]:
    provider = HTTPProvider(running.url)
    yield Web3(provider)
    for _, session in provider._request_session_manager.session_cache.items():  # noqa: PERF102
        session.close()


def send(web3: Web3, transaction: dict[str, Any]) -> Any:
    filled = transaction | {
        "from": ADMIN.address,
        "nonce": web3.eth.get_transaction_count(ADMIN.address),
        "chainId": CHAIN_ID,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
    }
    filled["gas"] = web3.eth.estimate_gas(filled)
    del filled["from"]
    signed = ADMIN.sign_transaction(filled)
    sent = web3.eth.send_raw_transaction(signed.raw_transaction)
    return web3.eth.wait_for_transaction_receipt(sent, timeout=5, poll_latency=0.01)


def test_a_real_contract_is_deployed_called_and_heard(
    devnet: Devnet, web3: Web3, tmp_path: Path
) -> None:
    artifact = load_artifact("EnergyEuro")
    factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.bytecode)
    deployed = send(web3, {"data": factory.constructor(ADMIN.address).data_in_transaction})
    assert deployed.status == 1
    token = web3.eth.contract(address=deployed.contractAddress, abi=artifact.abi)
    assert token.functions.name().call() == "Energy Euro"
    minter = token.functions.MINTER_ROLE().call()
    send(web3, _to(token, token.functions.grantRole(minter, ADMIN.address)))
    receipt = send(web3, _to(token, token.functions.mint(ADMIN.address, 5_000_000)))
    (event,) = token.events.Transfer().process_receipt(receipt)
    assert event.args.value == 5_000_000
    assert token.functions.balanceOf(ADMIN.address).call() == 5_000_000
    assert token.functions.balanceOf(ADMIN.address).call(block_identifier=1) == 0
    topic = keccak(text="Transfer(address,address,uint256)")
    (found,) = web3.eth.get_logs({"fromBlock": 0, "address": token.address, "topics": [topic]})
    assert found["transactionHash"] == receipt["transactionHash"]
    with pytest.raises(ContractCustomError):
        token.functions.transfer("0x" + "00" * 19 + "01", 2**200).call({"from": ADMIN.address})
    report = verify(tmp_path)
    assert report.head_hash == devnet.head_hash == web3.eth.get_block("latest")["hash"].to_0x_hex()


def _to(token: Any, call: Any) -> dict[str, Any]:
    return {"to": token.address, "data": call._encode_transaction_data()}


def test_a_refusal_reaches_the_client_in_the_words_of_geth(web3: Web3) -> None:
    signed = ADMIN.sign_transaction(
        {
            "to": ADMIN.address,
            "nonce": 0,
            "chainId": CHAIN_ID,
            "gas": 20_000,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "value": 0,
        }
    )
    with pytest.raises(Web3RPCError, match="intrinsic gas too low"):
        web3.eth.send_raw_transaction(signed.raw_transaction)


def test_a_body_over_the_limit_is_refused(running: RunningNode) -> None:
    with httpx2.Client() as client:
        reply = client.post(running.url, content=b" " * (MAX_BODY_BYTES + 1))
        assert reply.status_code == 413
        reply = client.post(running.url, content=b"{")
        assert (reply.status_code, reply.json()["error"]["code"]) == (200, -32700)
        assert client.get(running.url).status_code == 405


def test_deep_calls_do_not_end_the_node(devnet: Devnet, running: RunningNode, web3: Web3) -> None:
    # The contract calls itself with all the gas there is: 5f5f5f5f5f 30 5a f1.
    runtime = bytes.fromhex("5f5f5f5f5f305af100")
    init = bytes([0x60, len(runtime), 0x60, 10, 0x5F, 0x39, 0x60, len(runtime), 0x5F, 0xF3])
    deployed = send(web3, {"data": "0x" + (init + runtime).hex()})
    body = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_call",
        "params": [{"to": deployed.contractAddress, "gas": hex(2**40)}],
    }
    with httpx2.Client(timeout=60) as client:
        assert client.post(running.url, json=body).json() == {
            "jsonrpc": "2.0",
            "id": 1,
            "result": "0x",
        }
    assert devnet.head_number == 1


def test_clients_at_once_get_every_transaction_in(devnet: Devnet, running: RunningNode) -> None:
    failures: list[object] = []

    def work(secret: int) -> None:
        account = Account.from_key(bytes([secret]) * 32)
        with httpx2.Client(timeout=30) as client:
            for nonce in range(5):
                raw = account.sign_transaction(
                    {
                        "to": ADMIN.address,
                        "nonce": nonce,
                        "chainId": CHAIN_ID,
                        "gas": 21_000,
                        "maxFeePerGas": 0,
                        "maxPriorityFeePerGas": 0,
                        "value": 0,
                    }
                ).raw_transaction
                reply = client.post(
                    running.url,
                    json={
                        "jsonrpc": "2.0",
                        "id": 1,
                        "method": "eth_sendRawTransaction",
                        "params": [raw.to_0x_hex()],
                    },
                ).json()
                if "result" not in reply:
                    failures.append(reply)

    threads = [threading.Thread(target=work, args=(secret,)) for secret in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    blocks = range(1, devnet.head_number + 1)
    assert sum(len(devnet.outcomes(number)) for number in blocks) == 20


def test_a_stopped_node_frees_its_port(devnet: Devnet) -> None:
    node = serve(devnet)
    port = int(node.url.rsplit(":", 1)[1])
    node.stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0
    again = serve(devnet, "127.0.0.1", port)
    assert again.url == node.url
    again.stop()


def test_a_taken_port_is_an_error(devnet: Devnet, running: RunningNode) -> None:
    with pytest.raises(OSError, match="in use"):
        serve(devnet, "127.0.0.1", int(running.url.rsplit(":", 1)[1]))
