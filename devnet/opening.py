"""Open a chain the way it was asked for: a new one, one that is there, or a foreign one."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devnet.genesis import GENESIS_FILE, ClockProfile, Genesis, load_genesis
from devnet.keys import public_accounts
from devnet.node.chain import Devnet
from devnet.node.foreign import open_foreign
from devnet.store.engines import EngineKind
from ledger.clock import Clock, ReplayClock, SystemClock

_PURSE_WEI: Final = 10_000 * 10**18


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a node is to be run."""

    directory: Path
    """Where the blocks are kept."""
    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8545
    """Port to listen on; 0 for a free one."""
    chain_id: int = 31_337
    """EIP-155 number of a new chain."""
    clock: ClockProfile = ClockProfile.DISCRETE
    """What the block times of a new chain follow."""
    engine: EngineKind = EngineKind.FLAT
    """What executes."""
    accounts: bool = False
    """Whether anvil's ten accounts have coins and the node signs for them."""
    faults: bool = False
    """Whether the node may be broken on purpose."""
    fresh: bool = False
    """Whether to forget the chain that is there."""
    foreign: tuple[Path, Path] | None = None
    """A foreign chain to serve instead: genesis in geth's layout, and blocks in RLP."""


def open_node(options: RunOptions) -> Devnet:
    """
    Open the chain that ``options`` name.

    Raises
    ------
    VoisinError
        If it cannot be opened; see ``Devnet.open`` and ``open_foreign``.
    """
    if options.foreign is not None:
        genesis_path, blocks_path = options.foreign
        return open_foreign(genesis_path.read_bytes(), blocks_path.read_bytes())
    if options.fresh:
        shutil.rmtree(options.directory, ignore_errors=True)
    genesis = _genesis(options)
    clock: Clock = SystemClock()
    if genesis.clock is ClockProfile.DISCRETE:
        # Nobody drives it here but who asks for time to pass.
        clock = ReplayClock(genesis.timestamp_s)
    devnet = Devnet.open(
        options.directory, genesis, clock, options.engine, breakable=options.faults
    )
    if options.accounts:
        devnet.keys.update(
            {bytes.fromhex(one.address[2:]): one.private_key for one in public_accounts()}
        )
    return devnet


def _genesis(options: RunOptions) -> Genesis:
    """Return the start that the directory has, or a new one at the present instant."""
    if (options.directory / GENESIS_FILE).exists():
        # A chain keeps its instant, its balances and its clock; only the number is asked for again.
        there = load_genesis(options.directory)
        return Genesis(
            options.chain_id, there.timestamp_s, there.gas_limit, there.balances, there.clock
        )
    funded = public_accounts() if options.accounts else ()
    balances = tuple(sorted((one.address.lower(), _PURSE_WEI) for one in funded))
    return Genesis(options.chain_id, SystemClock().now_s(), balances=balances, clock=options.clock)
