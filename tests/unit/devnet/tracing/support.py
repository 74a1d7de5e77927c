"""States to try transactions on: the devnet's own, and py-evm's of every fork."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from eth.abc import StateAPI
from eth.constants import BLANK_ROOT_HASH
from eth.db.atomic import AtomicDB
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.berlin.state import BerlinState
from eth.vm.forks.byzantium.state import ByzantiumState
from eth.vm.forks.cancun.state import CancunState
from eth.vm.forks.constantinople.state import ConstantinopleState
from eth.vm.forks.frontier.state import FrontierState
from eth.vm.forks.homestead.state import HomesteadState
from eth.vm.forks.istanbul.state import IstanbulState
from eth.vm.forks.london.state import LondonState
from eth.vm.forks.paris.state import ParisState
from eth.vm.forks.prague.state import PragueState
from eth.vm.forks.shanghai.state import ShanghaiState
from eth.vm.forks.spurious_dragon.state import SpuriousDragonState
from eth.vm.forks.tangerine_whistle.state import TangerineWhistleState

from devnet.engine.blocks import Header
from devnet.engine.builder import state_in
from devnet.engine.encoding import keccak
from devnet.engine.world import Account, World

FORKS = (
    FrontierState,
    HomesteadState,
    TangerineWhistleState,
    SpuriousDragonState,
    ByzantiumState,
    ConstantinopleState,
    IstanbulState,
    BerlinState,
    LondonState,
    ParisState,
    ShanghaiState,
    CancunState,
    PragueState,
)

CHAIN_ID = 1_337
BASE_FEE = 7
ETHER = 10**18
SENDER = b"\xaa" * 20
POOR = b"\xbb" * 20
MINER = b"\xcc" * 20

# Answers with the price of gas and the base fee.
PRICES = bytes.fromhex("3a5f524860205260405ff3")
# Stores the first word of its input in slot 0 and logs it, with topic 7.
KEEPER = bytes.fromhex("5f355f555f355f52600760205fa100")
# Answers with slot 0.
TELLER = bytes.fromhex("5f545f5260205ff3")
# Reverts with its input.
REFUSER = bytes.fromhex("365f5f37365ffd")


def calling(target: bytes, *, opcode: str = "f1", value: int = 0) -> bytes:
    """Return code that passes its input to ``target``, and returns what comes back."""
    takes_value = opcode in ("f1", "f2")
    return (
        bytes.fromhex("365f5f37" + "5f5f365f" + (f"60{value:02x}" if takes_value else ""))
        + b"\x73"
        + target
        + bytes.fromhex("5a" + opcode + "503d5f5f3e3d5ff3")
    )


def init_code(runtime: bytes) -> bytes:
    """Return the code whose execution leaves ``runtime`` as the contract; for every fork."""
    size = bytes((len(runtime),))
    prelude = b"\x60" + size + bytes.fromhex("600c600039" + "60") + size + bytes.fromhex("6000f3")
    return prelude + runtime


@dataclass
class Scene:
    """Accounts, and states that begin with them."""

    codes: Mapping[bytes, bytes] = field(default_factory=dict)
    """Contracts by address; each has nonce 1."""
    balances: Mapping[bytes, int] = field(default_factory=lambda: {SENDER: ETHER})
    """Coins by address."""
    storage: Mapping[bytes, Mapping[int, int]] = field(default_factory=dict)
    """Slots by address."""
    base_fee: int = BASE_FEE
    """Wei per gas that are burned."""

    def world(self) -> World:
        accounts = {
            address: Account(
                1 if address in self.codes else 0,
                self.balances.get(address, 0),
                keccak(self.codes.get(address, b"")),
            )
            for address in {*self.codes, *self.balances}
        }
        return World(accounts, self.storage, self.codes.values())

    def header(self) -> Header:
        return Header(
            parent_hash=b"\1" * 32,
            state_root=bytes(32),
            coinbase=MINER,
            block_number=1,
            gas_limit=60_000_000,
            timestamp=1_700_000_000,
            base_fee_per_gas=self.base_fee,
        )

    def flat(self) -> StateAPI:
        """Return a state of the devnet's own."""
        return state_in(self.world(), self.header(), CHAIN_ID, (b"\1" * 32,))

    def stock(self, fork: type[StateAPI] = PragueState) -> StateAPI:
        """Return a state of py-evm's own."""
        header = self.header()
        context = ExecutionContext(
            coinbase=header.coinbase,
            timestamp=header.timestamp,
            block_number=header.block_number,
            difficulty=0,
            mix_hash=header.mix_hash,
            gas_limit=header.gas_limit,
            prev_hashes=(b"\1" * 32,),
            chain_id=CHAIN_ID,
            base_fee_per_gas=self.base_fee,
            excess_blob_gas=0,
        )
        state = fork(AtomicDB(), context, BLANK_ROOT_HASH)
        for address, balance in self.balances.items():
            state.set_balance(address, balance)
        for address, code in self.codes.items():
            state.set_code(address, code)
            state.set_nonce(address, 1)
        for address, slots in self.storage.items():
            for slot, value in slots.items():
                state.set_storage(address, slot, value)
        state.lock_changes()
        return state


def error_string(text: str) -> bytes:
    """Return what Solidity reverts with when it gives ``text`` as the reason."""
    encoded = text.encode()
    return (
        bytes.fromhex("08c379a0")
        + (32).to_bytes(32, "big")
        + len(encoded).to_bytes(32, "big")
        + encoded.ljust(-(-len(encoded) // 32) * 32, b"\0")
    )
