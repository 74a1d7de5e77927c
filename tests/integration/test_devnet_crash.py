"""Nodes that are killed while they work."""

import contextlib
import itertools
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from eth_account import Account

from devnet.genesis import load_genesis
from devnet.node.chain import Devnet
from devnet.store.faults import POINTS
from devnet.store.log import BlockRecordDamagedError
from devnet.verify import verify
from ledger.clock import SystemClock
from scripts.campaigns.senders import GENESIS, senders

CHAIN_ID = 31_337
KILLS = 8
# How long a node may work before it is killed, in ms: prime steps, so that it hits all phases.
WORK_MS = [20 + 7 * step % 97 for step in range(KILLS)]
ADMIN = Account.from_key(b"\x11" * 32)
START_TIMEOUT_S = 30
ROOT = Path(__file__).parents[2]
# A node that is killed at the fourth block; it says what it took before.
KILLED = """
import sys
from pathlib import Path
from devnet.node.chain import Devnet
from ledger.clock import SystemClock
from scripts.campaigns.senders import GENESIS, senders

node = Devnet.open(Path(sys.argv[1]), GENESIS, SystemClock(), breakable=True)
node.faults.kill_at(sys.argv[2], 4)
(sender,) = senders(1)
for nonce in range(9):
    print(node.send_raw(sender.sign(nonce)), flush=True)
"""


@contextlib.contextmanager
def node(directory: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run ``python -m devnet`` and give its URL; it is killed at the end."""
    command = [sys.executable, "-m", "devnet", "--dir", str(directory), "--port", "0"]
    with subprocess.Popen(
        [*command, "--chain-id", str(CHAIN_ID)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ) as process:
        try:
            yield process, _url(process)
        finally:
            process.kill()


def _url(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline().decode() if ready else "nothing in time"
    found = re.fullmatch(r"listening on (http://\S+)\n", line)
    assert found is not None, line
    return found[1]


def rpc(client: httpx2.Client, url: str, method: str, *given: object) -> object:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)}
    reply = client.post(url, json=body).json()
    assert "result" in reply, reply
    return reply["result"]


def transaction(nonce: int) -> str:
    return ADMIN.sign_transaction(
        {
            "to": ADMIN.address,
            "nonce": nonce,
            "chainId": CHAIN_ID,
            "gas": 100_000,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "value": 0,
            "data": bytes(nonce % 50),
        }
    ).raw_transaction.to_0x_hex()


def send_until_killed(process: subprocess.Popen[bytes], url: str, work_ms: int) -> list[str]:
    """Send one transaction after another; kill the node in the midst; return what it took."""
    taken: list[str] = []
    with httpx2.Client(timeout=10) as client:
        nonce = int(str(rpc(client, url, "eth_getTransactionCount", ADMIN.address)), 16)
        # Two are taken before time runs, however busy the machine is.
        for _ in range(2):
            taken.append(str(rpc(client, url, "eth_sendRawTransaction", transaction(nonce))))
            nonce += 1
        killer = subprocess.Popen(
            ["/bin/sh", "-c", f"sleep {work_ms / 1000}; kill -9 {process.pid}"]
        )
        with contextlib.suppress(httpx2.TransportError):
            taken.extend(
                str(rpc(client, url, "eth_sendRawTransaction", transaction(following)))
                for following in itertools.count(nonce)
            )
        killer.wait()
    process.wait()
    return taken


def test_what_a_node_took_survives_its_being_killed(tmp_path: Path) -> None:
    taken: list[str] = []
    for work_ms in WORK_MS:
        with node(tmp_path) as (process, url):
            taken += send_until_killed(process, url, work_ms)
    report = verify(tmp_path)
    # The last one under way when the node died may be there or not; what was taken must be.
    assert len(taken) <= report.transactions <= len(taken) + KILLS
    opened = Devnet.open(tmp_path, load_genesis(tmp_path), SystemClock())
    with contextlib.closing(opened):
        assert opened.head_hash == report.head_hash
        for sent in taken:
            found = opened.mined(bytes.fromhex(sent[2:]))
            assert found is not None
            assert found.succeeded
    assert len(taken) > KILLS


def test_a_node_ends_by_itself_on_sigterm(tmp_path: Path) -> None:
    with node(tmp_path) as (process, url):
        with httpx2.Client() as client:
            assert rpc(client, url, "eth_sendRawTransaction", transaction(0))
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
    assert verify(tmp_path).transactions == 1


def test_a_node_says_which_block_is_damaged_and_does_not_start(tmp_path: Path) -> None:
    with node(tmp_path) as (_, url), httpx2.Client() as client:
        for nonce in range(3):
            rpc(client, url, "eth_sendRawTransaction", transaction(nonce))
    path = tmp_path / "blocks.log"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-m", "devnet", "--dir", str(tmp_path), "--port", "0"],
        capture_output=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=START_TIMEOUT_S,
    )
    assert done.returncode == 1
    assert (
        done.stderr.decode()
        .strip()
        .splitlines()[-1]
        .startswith("devnet: record 2 of the block log is damaged")
    )
    with pytest.raises(BlockRecordDamagedError):
        verify(tmp_path)


@pytest.mark.parametrize("point", POINTS)
def test_a_block_is_there_after_a_kill_as_soon_as_it_was_written(
    tmp_path: Path, point: str
) -> None:
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), point],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=START_TIMEOUT_S,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    taken = killed.stdout.decode().split()
    assert len(taken) == 3
    there = 4 if point in {"written", "synced", "published"} else 3
    (sender,) = senders(1)
    with contextlib.closing(Devnet.open(tmp_path, GENESIS, SystemClock())) as node:
        assert node.head_number == node.next_nonce(sender.address) == there
        found = [node.mined(bytes.fromhex(sent[2:])) for sent in taken]
        assert [one.block.number for one in found if one is not None] == [1, 2, 3]
        node.send_raw(sender.sign(there))
        head_hash = node.head_hash
    report = verify(tmp_path)
    assert (report.transactions, report.head_hash) == (there + 1, head_hash)


def test_a_short_campaign_of_kills_and_damage_finds_nothing_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.campaigns.kills", "--kills", "6", "--seed", "7"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        timeout=4 * START_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"0 lost, 0 receipts changed" in done.stdout
    counted = re.search(rb"(\d+) flipped bits: (\d+) refused by number", done.stdout)
    assert counted is not None
    assert counted[1] == counted[2] != b"0"
