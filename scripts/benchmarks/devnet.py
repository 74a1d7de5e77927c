"""Measure the embedded node: start, transfers, a session's close, and a question over HTTP."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final, cast

from eth.abc import MiningChainAPI
from eth.chains.base import MiningChain
from eth.constants import ZERO_ADDRESS, ZERO_HASH32
from eth.db.atomic import AtomicDB
from eth.vm.forks.prague import PragueVM
from eth_account import Account
from eth_typing import Address, BlockNumber

from api.embedded import web3_gateway
from devnet.field.keys import Curve
from devnet.genesis import SYSTEM_CONTRACTS, Genesis, new_chain
from devnet.node.chain import Devnet
from devnet.rpc.dispatch import respond
from devnet.server import serve
from ledger.clock import ReplayClock
from scripts.benchmarks.machine import Trial
from scripts.benchmarks.measuring import (
    NS_PER_MS,
    each,
    in_turn,
    medians_ns,
    per_second,
    stopwatch_ns,
)
from scripts.benchmarks.rivals import comparison, ethtester
from scripts.benchmarks.rows import Baseline, BenchmarkInvalidError, Row, Sense
from scripts.benchmarks.stage import START_S, Stage
from scripts.benchmarks.volume import engine
from scripts.benchmarks.volume.gas_trade import settlement

COMMAND: Final = "scripts/bench devnet"

_CHAIN_ID: Final = 3_300
_KEY: Final = b"\x22" * 32
_PAYEE: Final = Address(b"\x77" * 20)
_PURSE_WEI: Final = 10**18
_TRANSFER_GAS: Final = 21_000
_TRANSFERS: Final = 100
_QUESTIONS: Final = 200
_ROUNDS: Final = 5
_STARTS: Final = 15
_CLOSES: Final = 15
_MEMBERS: Final = 100
_ASKED: Final = b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}'


def run(trial: Trial) -> tuple[Row, ...]:
    """Return the rows of the devnet."""
    return (
        _start(trial.directory),
        _transfers(trial.directory),
        _closing(trial.directory),
        _settling(trial.directory),
        _block_number(trial.directory),
        *engine.rows(trial.directory, COMMAND),
        *comparison.rows(trial.directory),
        *ethtester.rows(COMMAND),
    )


@contextmanager
def _opened(directory: Path, genesis: Genesis) -> Iterator[tuple[Devnet, ReplayClock]]:
    clock = ReplayClock(START_S)
    devnet = Devnet.open(directory, genesis, clock)
    try:
        yield devnet, clock
    finally:
        devnet.close()


def _start(directory: Path) -> Row:
    genesis, numbers = Genesis(_CHAIN_ID, START_S), count()

    def one_round() -> tuple[int, int]:
        fresh = directory / f"start-{next(numbers)}"
        began_ns = perf_counter_ns()
        devnet = Devnet.open(fresh, genesis, ReplayClock(START_S))
        ours_ns = perf_counter_ns() - began_ns
        devnet.close()
        return ours_ns, stopwatch_ns(lambda: new_chain(genesis, AtomicDB()))

    ours_ns, bare_ns = medians_ns(one_round, _STARTS)
    what = "block 0 made by py-evm in memory, no file written"
    return _in_ms("start_ms", (ours_ns, bare_ns), 1, what)


def _transfers(directory: Path) -> Row:
    account = Account.from_key(_KEY)
    genesis = Genesis(_CHAIN_ID, START_S, balances=((str(account.address).lower(), _PURSE_WEI),))
    ours, theirs = _signed_transfers(), _signed_transfers()
    stock = _stock_chain(bytes.fromhex(account.address[2:]))
    decode = PragueVM.get_transaction_builder().decode
    with _opened(directory / "transfers", genesis) as (devnet, _):

        def one_round() -> tuple[int, int]:
            mine, same = next(ours), next(theirs)
            return (
                stopwatch_ns(lambda: [devnet.send_raw(raw) for raw in mine]),
                stopwatch_ns(lambda: [stock.mine_all([decode(raw)]) for raw in same]),
            )

        ours_ns, stock_ns = medians_ns(one_round, _ROUNDS)
        here = devnet.newest_account(_PAYEE).balance
        if not here == stock.get_vm().state.get_balance(_PAYEE) == (_ROUNDS + 1) * _TRANSFERS:
            raise BenchmarkInvalidError("stock py-evm did not make the same transfers")
    return Row(
        "transfer_tx_per_s",
        per_second(_TRANSFERS, ours_ns),
        "tx/s",
        Baseline(
            per_second(_TRANSFERS, stock_ns),
            "stock py-evm's MiningChain.mine_all of the same signed bytes, one a block too, in "
            "memory and without the system calls of Prague",
            Sense.FASTER,
        ),
        COMMAND,
    )


def _signed_transfers() -> Iterator[list[bytes]]:
    """Yield batches of signed transfers, the same each time this is called."""
    account = Account.from_key(_KEY)
    for first in count(0, _TRANSFERS):
        yield [
            bytes(account.sign_transaction(_transfer(first + number)).raw_transaction)
            for number in range(_TRANSFERS)
        ]


def _transfer(nonce: int) -> dict[str, Any]:
    return {
        "type": 2,
        "chainId": _CHAIN_ID,
        "nonce": nonce,
        "maxFeePerGas": 0,
        "maxPriorityFeePerGas": 0,
        "gas": _TRANSFER_GAS,
        "value": 1,
        "data": b"",
        "to": _PAYEE,
    }


def _stock_chain(sender: bytes) -> MiningChainAPI:
    """Return what a py-evm user would mine with: Prague as it comes, nothing on disk."""
    rules = MiningChain.configure(
        "StockChain", vm_configuration=((BlockNumber(0), PragueVM),), chain_id=_CHAIN_ID
    )
    state: dict[Address, Any] = {
        address: {"balance": 0, "nonce": 1, "code": code, "storage": {}}
        for address, code in SYSTEM_CONTRACTS
    }
    state[Address(sender)] = {"balance": _PURSE_WEI, "nonce": 0, "code": b"", "storage": {}}
    header: dict[str, Any] = {
        "difficulty": 0,
        "gas_limit": Genesis(_CHAIN_ID, START_S).gas_limit,
        "timestamp": START_S,
        "base_fee_per_gas": 0,
        "coinbase": ZERO_ADDRESS,
        "parent_beacon_block_root": ZERO_HASH32,
        "extra_data": b"",
    }
    # py-evm declares the base class here, and returns the class that it is called on.
    return cast("MiningChainAPI", rules.from_genesis(AtomicDB(), header, state))


def closing_ns(directory: Path) -> tuple[int, int]:
    """Return how long it takes to mine a session's close on disk, and to try it by a call."""
    with _opened(directory, Genesis(_CHAIN_ID, START_S)) as (devnet, clock):
        stage = Stage(devnet, clock)
        meter = stage.enrol("bench", Curve.SECP256R1)

        def one_round() -> tuple[int, int]:
            closing = stage.open_session(meter)
            tried_ns = stopwatch_ns(lambda: stage.try_out(stage.vault, closing.data))
            raw = stage.sign(stage.vault.address, closing.data)
            return stopwatch_ns(lambda: stage.mine(raw)), tried_ns

        return medians_ns(one_round, _CLOSES)


def _closing(directory: Path) -> Row:
    what = "eth_call of the same bytes on the same state in the same process"
    return _in_ms("close_with_ocmf_ms", closing_ns(directory / "closing"), 1, what)


def _settling(directory: Path) -> Row:
    with _opened(directory / "settling", Genesis(_CHAIN_ID, START_S)) as (devnet, clock):
        stage = Stage(devnet, clock)
        settle, runs = settlement(stage, _MEMBERS), count(1)

        def one_round() -> tuple[int, int]:
            data = settle(next(runs))
            tried_ns = stopwatch_ns(lambda: stage.try_out(stage.trade, data))
            raw = stage.sign(stage.trade.address, data)
            return stopwatch_ns(lambda: stage.mine(raw)), tried_ns

        times_ns = medians_ns(one_round, _CLOSES)
    what = "eth_call of the same bytes on the same state in the same process"
    return _in_ms("settle_100_members_ms", times_ns, 1, what)


def _block_number(directory: Path) -> Row:
    with _opened(directory / "rpc", Genesis(_CHAIN_ID, START_S)) as (devnet, _):
        node = serve(devnet)
        gateway = web3_gateway(node.url)
        try:
            one_round = in_turn(
                lambda: [gateway.head_number() for _ in range(_QUESTIONS)],
                lambda: [respond(devnet, _ASKED) for _ in range(_QUESTIONS)],
            )
            times_ns = medians_ns(one_round, _ROUNDS)
        finally:
            node.stop()
    what = "the same JSON-RPC request answered in the same process, without HTTP"
    return _in_ms("rpc_block_number_ms", times_ns, _QUESTIONS, what)


def _in_ms(name: str, times_ns: tuple[int, int], calls: int, what: str) -> Row:
    ours, ceiling = (each(total_ns, calls, NS_PER_MS) for total_ns in times_ns)
    return Row(name, ours, "ms", Baseline(ceiling, what, Sense.SHARE), COMMAND)
