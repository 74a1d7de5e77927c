"""The node as other people's clients use it: ethers, and cast of foundry."""

import json
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from devnet.genesis import Genesis
from devnet.node.chain import Devnet
from devnet.server import RunningNode, serve
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "tests" / "peers" / "node_modules"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
ARTIFACT = (ROOT / "contracts" / "compiled" / "EnergyEuro.json").read_bytes()
CHAIN_ID = 31_337
START_S = UnixSeconds(1_494_230_400)
KEY = "0x" + "11" * 32
ADMIN = Account.from_key(KEY).address
HOLDER = "0x" + "77" * 20
FREE = ("--gas-price", "0", "--priority-gas-price", "0", "--timeout", "10")


@pytest.fixture
def devnet(tmp_path: Path) -> Iterator[Devnet]:
    opened = Devnet.open(tmp_path, Genesis(CHAIN_ID, START_S), ReplayClock(START_S))
    yield opened
    opened.close()


@pytest.fixture
def running(devnet: Devnet) -> Iterator[RunningNode]:
    started = serve(devnet)
    yield started
    started.stop()


def ethers(act: str, url: str) -> Any:
    """Run ``act`` of ethers.mjs and return what it saw."""
    ended = subprocess.run(
        [MODULES / ".bin" / "node", Path(__file__).parent / "clients" / "ethers.mjs", act, url],
        input=ARTIFACT,
        capture_output=True,
        check=False,
        timeout=15,
    )
    assert ended.returncode == 0, ended.stderr.decode()
    return json.loads(ended.stdout)


class TestEthers:
    def test_deploys_a_contract_calls_it_and_reads_its_events(
        self, devnet: Devnet, running: RunningNode
    ) -> None:
        assert ethers("contract", running.url) == {
            "name": "Energy Euro",
            "decimals": "6",
            "balance": "1500000",
            "balance_before": "0",
            "statuses": [1, 1],
            "price": "0",
            "transfers": 2,
            "found": [[True, ADMIN, HOLDER, "1500000"]],
            "code": True,
            "nonce": 3,
        }
        assert devnet.head_number == 3

    def test_decodes_the_errors_of_a_contract(self, running: RunningNode) -> None:
        short = {
            "code": "CALL_EXCEPTION",
            "name": "ERC20InsufficientBalance",
            "args": [ADMIN, "0", "7"],
        }
        assert ethers("revert", running.url) == {
            "call": short,
            "estimate": short,
            "batch": {
                "code": "CALL_EXCEPTION",
                "name": "EnergyEuro_LengthsDiffer",
                "args": ["1", "0"],
            },
        }

    def test_hears_blocks_and_an_event_over_a_websocket(self, running: RunningNode) -> None:
        seen = ethers("subscriptions", running.url.replace("http", "ws"))
        assert seen == {
            "blocks": [2, 3, 4],
            "transfer": {"args": [ADMIN, HOLDER, "2"], "block": 3},
        }


class Cast:
    """cast, with one node to talk to."""

    def __init__(self, url: str, home: Path) -> None:
        self._url = url
        self._home = home

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        machine = platform.machine()
        program = f"cast-linux-{MACHINES.get(machine, machine)}/bin/cast"
        return subprocess.run(
            [MODULES / "@foundry-rs" / program, *arguments],
            env={"HOME": str(self._home), "NO_COLOR": "1", "ETH_RPC_URL": self._url},
            capture_output=True,
            check=False,
            text=True,
            timeout=15,
        )

    def says(self, *arguments: str) -> str:
        ended = self.run(*arguments)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout.strip()

    def send(self, *arguments: str) -> Any:
        return json.loads(self.says("send", "--json", "--private-key", KEY, *FREE, *arguments))


@pytest.fixture
def cast(running: RunningNode, tmp_path_factory: pytest.TempPathFactory) -> Cast:
    return Cast(running.url, tmp_path_factory.mktemp("home"))


class TestCast:
    @pytest.fixture
    def token(self, cast: Cast) -> str:
        code = json.loads(ARTIFACT)["bytecode"]
        receipt = cast.send("--create", code, "constructor(address)", ADMIN)
        assert receipt["status"] == "0x1"
        return str(receipt["contractAddress"])

    def test_asks_which_chain_it_is(self, cast: Cast) -> None:
        assert cast.says("chain-id") == str(CHAIN_ID)
        assert cast.says("block-number") == "0"
        assert cast.says("block", "0", "--field", "timestamp") == str(START_S)

    def test_sends_and_calls_and_reads_events(self, cast: Cast, token: str) -> None:
        minted = cast.send(token, "mint(address,uint256)", HOLDER, "5000000")
        assert minted["effectiveGasPrice"] == "0x0"
        balance = cast.says("call", token, "balanceOf(address)(uint256)", HOLDER)
        assert balance.split()[0] == "5000000"
        event = "Transfer(address indexed,address indexed,uint256)"
        (log,) = json.loads(cast.says("logs", "--json", "--address", token, event))
        assert log["transactionHash"] == minted["transactionHash"]
        assert int(log["data"], 16) == 5_000_000

    def test_says_why_a_contract_refused(self, cast: Cast, token: str) -> None:
        refused = cast.run("call", token, "transfer(address,uint256)", HOLDER, "7", "--from", ADMIN)
        assert refused.returncode == 1
        assert "execution reverted" in refused.stderr
        assert "e450d38c" in refused.stderr
