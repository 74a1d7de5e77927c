"""Measure the node's engine and store at size: 20,000 accounts, 10,000 blocks, 100 members."""

import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from functools import cache, partial
from itertools import count, islice
from pathlib import Path
from time import perf_counter_ns
from typing import Final

import orjson
from eth.db.atomic import AtomicDB
from eth_typing import Address

from contracts.artifacts import load_artifact
from contracts.typed_data import address_of, keccak
from devnet.engine.blocks import Header
from devnet.engine.flat import FlatEngine
from devnet.engine.signing import sign
from devnet.engine.transactions import Transaction, decode
from devnet.genesis import Genesis, new_chain
from devnet.node.chain import Devnet
from devnet.rpc.dispatch import respond
from devnet.stock.engine import StockEngine
from devnet.store.beginning import begin
from ledger.clock import ReplayClock
from scripts.benchmarks.measuring import (
    NS_PER_MS,
    NS_PER_S,
    each,
    per_second,
    printed_by,
    stopwatch_ns,
)
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from scripts.benchmarks.stage import START_S

_CHAIN_ID: Final = 3_300
_ACCOUNTS: Final = 20_000
_BATCH: Final = 200
_STATUS: Final = Path("/proc/self/status")
_BLOCKS: Final = 10_000
_ROUNDS: Final = 8
_STOCK_ROUNDS: Final = 2
_HOLDERS: Final = 100
_PURSE_WEI: Final = 10**18
_DEPLOY_GAS: Final = 5_000_000
_MINT_GAS: Final = 140_000
_TRANSFER_GAS: Final = 100_000
_KIB: Final = 1_024
_WORD: Final = 32


class Tokens:
    """A token, its owner, and signed calls of it."""

    def __init__(self, holders: int) -> None:
        """Name ``holders`` accounts; the first one deploys and mints."""
        self._nonces = [count() for _ in range(holders)]
        self.addresses: Final = tuple(map(_address, range(holders)))
        owner = self.addresses[0]
        self.token: Final = Address(keccak(b"\xd6\x94" + owner + b"\x80")[-20:])

    def deploy(self) -> bytes:
        """Return the transaction that makes the token."""
        artifact = load_artifact("EnergyEuro")
        code = artifact.bytecode
        return self._signed(0, b"", code + bytes(12) + self.addresses[0], _DEPLOY_GAS)

    def mints(self) -> Iterator[bytes]:
        """Yield transactions that give every account tokens."""
        for holder in self.addresses:
            yield self._signed(0, self.token, _call("mint", holder, 10**9), _MINT_GAS)

    def transfers(self, to: int = 0) -> Iterator[bytes]:
        """Yield transfers, each by the next account to another, or to the first ``to`` in turn."""
        for number in count():
            sender = 1 + number % (len(self.addresses) - 1)
            payee = number % to if to else (number * 7_919) % len(self.addresses)
            data = _call("transfer", self.addresses[payee], 1)
            yield self._signed(sender, self.token, data, _TRANSFER_GAS)

    def _signed(self, sender: int, to: bytes, data: bytes, gas: int) -> bytes:
        wanted = Transaction(
            sender=Address(self.addresses[sender]),
            chain_id=_CHAIN_ID,
            nonce=next(self._nonces[sender]),
            gas=gas,
            to=Address(to),
            data=data,
        )
        return sign(wanted, _key(sender))


def rows(directory: Path, command: str) -> tuple[Row, ...]:
    """Return the rows of engine and store."""
    memory_mb = Decimal(printed_by(__name__, str(directory / "memory"), str(_ACCOUNTS)))
    floor_mb = Decimal(_ACCOUNTS * (20 + 32 + 32)) / (_KIB * _KIB)
    return (
        _erc20(command),
        *_long_chain(directory / "long", command),
        _start(directory / "started", command),
        Row(
            "memory_20000_mb",
            memory_mb,
            "MB",
            Baseline(floor_mb, "addresses, balances and hashes of the accounts alone", Sense.COST),
            command,
        ),
    )


def _erc20(command: str) -> Row:
    genesis = _genesis(_ACCOUNTS)
    tokens = Tokens(_ACCOUNTS)
    deploy, mints = tokens.deploy(), list(tokens.mints())
    more = tokens.transfers()
    batches = [list(islice(more, _BATCH)) for _ in range(_ROUNDS)]
    ours = _Builder(genesis)
    ours.block([deploy])
    for at in range(0, len(mints), _BATCH):
        ours.block(mints[at : at + _BATCH])
    ours_ns = min(stopwatch_ns(partial(ours.block, batch)) for batch in batches)
    few = Tokens(_BATCH + 1)
    stock = StockEngine(new_chain(_genesis(_BATCH + 1), AtomicDB()))
    _stock_block(stock, [few.deploy()])
    for mint in [*few.mints()][: _BATCH + 1]:
        _stock_block(stock, [mint])
    moves = few.transfers()
    stock_ns = min(
        stopwatch_ns(partial(_stock_block, stock, batch))
        for batch in [list(islice(moves, _BATCH)) for _ in range(_STOCK_ROUNDS)]
    )
    what = "stock py-evm builds a block of as many transfers, among 201 accounts"
    return Row(
        "engine_erc20_200",
        per_second(_BATCH, ours_ns),
        "tx/s",
        Baseline(per_second(_BATCH, stock_ns), what, Sense.FASTER),
        command,
    )


class _Builder:
    """The flat engine with nothing around it."""

    def __init__(self, genesis: Genesis) -> None:
        world, first = begin(genesis)
        self._hashes = [first.hash]
        self._engine = FlatEngine(world, first.header, _CHAIN_ID, self._ancestors)
        self._at_s = first.header.timestamp

    def block(self, raws: list[bytes]) -> None:
        self._at_s += 1
        built = self._engine.build(
            self._engine.next_header(self._at_s), [decode(raw) for raw in raws]
        )
        if any(receipt.status != 1 for receipt in built.receipts) or built.refused:
            raise BenchmarkInvalidError("a transfer failed")
        if len(built.receipts) != len(raws):
            raise BenchmarkInvalidError("a block did not take all transfers")
        self._engine.commit(built.block, built.changes)
        self._hashes.append(built.block.hash)

    def _ancestors(self, number: int) -> Iterator[bytes]:
        return (self._hashes[before] for before in range(number - 1, -1, -1))


def _stock_block(stock: StockEngine, raws: list[bytes]) -> None:
    header: Header = stock.next_header(START_S + stock.number + 1)
    built = stock.build(header, [decode(raw) for raw in raws])
    if any(receipt.status != 1 for receipt in built.receipts):
        raise BenchmarkInvalidError("a transfer failed in stock py-evm")
    stock.commit(built.block)


def _long_chain(directory: Path, command: str) -> tuple[Row, ...]:
    tokens, genesis = Tokens(_HOLDERS * 2), _genesis(_HOLDERS * 2)
    devnet = Devnet.open(directory, genesis, ReplayClock(START_S))
    for raw in (tokens.deploy(), *tokens.mints()):
        devnet.send_raw(raw)
    for raw in islice(tokens.transfers(_HOLDERS), _BLOCKS - devnet.head_number):
        devnet.send_raw(raw)
    head = devnet.head_hash
    devnet.close()
    log_ns = stopwatch_ns((directory / "blocks.log").read_bytes)
    began_ns = perf_counter_ns()
    again = Devnet.open(directory, genesis, ReplayClock(START_S))
    open_ns = perf_counter_ns() - began_ns
    if again.head_hash != head:
        raise BenchmarkInvalidError("the chain came back another")
    try:
        found_ns, block_ns = _search(again, tokens)
    finally:
        again.close()
    return (
        Row(
            "reopen_10000_s",
            each(open_ns, 1, NS_PER_S),
            "s",
            Baseline(each(log_ns, 1, NS_PER_S), "reading the block log alone", Sense.SHARE),
            command,
        ),
        Row(
            "get_logs_10000_ms",
            each(found_ns, 1, NS_PER_MS),
            "ms",
            Baseline(each(block_ns, 1, NS_PER_MS), "eth_getBlockByNumber of one block", Sense.COST),
            command,
        ),
    )


def _search(devnet: Devnet, tokens: Tokens) -> tuple[int, int]:
    """Return how long it takes to find a holder's hundred events, and to show one block."""
    wanted = {
        "fromBlock": "0x0",
        "toBlock": "latest",
        "address": "0x" + tokens.token.hex(),
        "topics": [None, None, "0x" + bytes(12).hex() + tokens.addresses[3].hex()],
    }
    asked = _asked("eth_getLogs", wanted)
    found = orjson.loads(respond(devnet, asked))["result"]
    if len(found) < _BLOCKS // _HOLDERS - _HOLDERS // 2:
        raise BenchmarkInvalidError(f"{len(found)} events were found")
    best_ns = min(stopwatch_ns(lambda: respond(devnet, asked)) for _ in range(_ROUNDS))
    block = _asked("eth_getBlockByNumber", hex(_BLOCKS // 2))
    return best_ns, min(stopwatch_ns(lambda: respond(devnet, block)) for _ in range(_ROUNDS))


def _start(directory: Path, command: str) -> Row:
    """Measure from the command to the first answer, as a new user sees it."""
    bare_ns = stopwatch_ns(lambda: subprocess.run([sys.executable, "-c", ""], check=True))
    began_ns = perf_counter_ns()
    options = ["--dir", str(directory), "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own node
        [sys.executable, "-m", "devnet", *options],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        line = process.stdout.readline() if process.stdout else ""
        taken_ns = perf_counter_ns() - began_ns
        process.terminate()
    if not line.startswith("listening on"):
        raise BenchmarkInvalidError("the node did not start")
    return Row(
        "start_s",
        each(taken_ns, 1, NS_PER_S),
        "s",
        Baseline(each(bare_ns, 1, NS_PER_S), "Python starting and ending alone", Sense.SHARE),
        command,
    )


def memory_mb_at_size(directory: str, accounts: int) -> Decimal:
    """Return the most memory that a process took whose chain has so many holders, in MB."""
    tokens = Tokens(accounts)
    devnet = Devnet.open(Path(directory), _genesis(accounts), ReplayClock(START_S))
    try:
        devnet.send_raw(tokens.deploy())
        last = None
        for raw in tokens.mints():
            last = devnet.submit(raw)
            if len(devnet.pool) > _BATCH:
                last.mined.result()
        if last is not None:
            last.mined.result()
    finally:
        devnet.close()
    # Not ``ru_maxrss``: a process that was started by a large one begins with that one's peak.
    [peak] = [line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:")]
    return Decimal(peak.split()[1]) / _KIB


def _genesis(accounts: int) -> Genesis:
    balances = tuple(
        (f"0x{address.hex()}", _PURSE_WEI) for address in map(_address, range(accounts))
    )
    return Genesis(_CHAIN_ID, START_S, balances=tuple(sorted(balances)))


@cache
def _address(number: int) -> bytes:
    return address_of(_key(number))


def _key(number: int) -> bytes:
    return (number + 1).to_bytes(_WORD, "big")


def _call(function: str, holder: bytes, amount: int) -> bytes:
    selector = keccak(f"{function}(address,uint256)".encode())[:4]
    return selector + bytes(12) + holder + amount.to_bytes(_WORD, "big")


def _asked(method: str, *params: object) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})


if __name__ == "__main__":
    print(memory_mb_at_size(sys.argv[1], int(sys.argv[2])))
