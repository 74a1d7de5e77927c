"""
Open a chain that another node made: geth's ``genesis.json`` and its exported ``chain.rlp``.

Forks are scheduled by number before the merge, by time after it. py-evm knows numbers alone, so the
times are turned into numbers by the blocks at hand. A fork that no block reaches is left out: the
next block is then under the rules of the newest one.

Osaka and what follows it run as Prague with the P-256 precompile. A block whose outcome depends on
the rest of Osaka (EIP-7883, 7918, 7939) is refused, because its gas or its roots differ; what Osaka
only forbids (EIP-7823, 7825, 7934) is not looked for.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import orjson
from eth.abc import VirtualMachineAPI
from eth.chains.base import Chain
from eth.consensus.noproof import NoProofConsensus
from eth.db.atomic import AtomicDB
from eth.typing import AccountState, HeaderParams
from eth.vm.forks.arrow_glacier import ArrowGlacierVM
from eth.vm.forks.berlin import BerlinVM
from eth.vm.forks.byzantium import ByzantiumVM
from eth.vm.forks.cancun import CancunVM
from eth.vm.forks.constantinople import ConstantinopleVM
from eth.vm.forks.frontier import FrontierVM
from eth.vm.forks.gray_glacier import GrayGlacierVM
from eth.vm.forks.homestead import HomesteadVM
from eth.vm.forks.istanbul import IstanbulVM
from eth.vm.forks.london import LondonVM
from eth.vm.forks.muir_glacier import MuirGlacierVM
from eth.vm.forks.paris import ParisVM
from eth.vm.forks.petersburg import PetersburgVM
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.shanghai import ShanghaiVM
from eth.vm.forks.spurious_dragon import SpuriousDragonVM
from eth.vm.forks.tangerine_whistle import TangerineWhistleVM
from eth_typing import Address, BlockNumber

from devnet.engine.blocks import Block, decode_block
from devnet.engine.encoding import BadRlpError, rlp_items
from devnet.precompile import VoisinVM
from devnet.stock.importing import import_blocks
from ledger.errors import InvalidRequest

Rules = type[VirtualMachineAPI]

_BY_NUMBER: Final[tuple[tuple[str, Rules], ...]] = (
    # py-evm would give back the coins of The DAO; only mainnet does.
    ("homesteadBlock", HomesteadVM.configure(support_dao_fork=False)),
    ("eip150Block", TangerineWhistleVM),
    ("eip155Block", SpuriousDragonVM),
    ("eip158Block", SpuriousDragonVM),
    ("byzantiumBlock", ByzantiumVM),
    ("constantinopleBlock", ConstantinopleVM),
    ("petersburgBlock", PetersburgVM),
    ("istanbulBlock", IstanbulVM),
    ("muirGlacierBlock", MuirGlacierVM),
    ("berlinBlock", BerlinVM),
    ("londonBlock", LondonVM),
    ("arrowGlacierBlock", ArrowGlacierVM),
    ("grayGlacierBlock", GrayGlacierVM),
)
_BY_TIME: Final[tuple[tuple[str, Rules], ...]] = (
    ("shanghaiTime", ShanghaiVM),
    ("cancunTime", CancunVM),
    ("pragueTime", PragueVM),
    ("osakaTime", VoisinVM),
)
# Changes of the blob parameters alone, EIP-7892.
_BLOB_PARAMETERS: Final = tuple(f"bpo{step}Time" for step in range(1, 6))
_KNOWN_TIMES: Final = frozenset((*(name for name, _ in _BY_TIME), *_BLOB_PARAMETERS))
_FIRST_BASE_FEE: Final = 1_000_000_000
_NONCE_LENGTH: Final = 8
_FIRST_LIST_BYTE: Final = 0xC0


class ForeignGenesisError(InvalidRequest):
    """A genesis file that says nothing we can start from."""

    def __init__(self, why: str) -> None:
        super().__init__("foreign_genesis", f"no chain can start from this genesis file: {why}")


@dataclass(frozen=True, slots=True)
class ForeignGenesis:
    """What a genesis file in geth's layout says."""

    chain_id: int
    """EIP-155 number of the chain."""
    config: dict[str, Any]
    """Its forks, as they stand in the file."""
    header: dict[str, HeaderParams]
    """Fields of block 0 that every fork has."""
    later: dict[str, HeaderParams]
    """Fields of block 0 that came with London and Cancun."""
    state: AccountState
    """Accounts of block 0."""


def open_foreign_chain(genesis_json: bytes, chain_rlp: bytes) -> Chain:
    """
    Return a py-evm chain with every block of another node's export, each fully validated.

    Proofs of work are not checked: test chains carry none.

    Raises
    ------
    ForeignGenesisError
        If the genesis file cannot be read, or a block reaches a fork that is not known here.
    BadRlpError, UndecodableTransactionError, UnrecoverableSenderError
        If the export holds anything but blocks.
    BlockInvalidError
        If a block breaks the rules.
    """
    raws = tuple(split_blocks(chain_rlp))
    chain = new_foreign_chain(read_foreign_genesis(genesis_json), [decode_block(r) for r in raws])
    import_blocks(chain, raws)
    return chain


def new_foreign_chain(genesis: ForeignGenesis, blocks: Sequence[Block]) -> Chain:
    """
    Return a chain that holds block 0 alone.

    Parameters
    ----------
    blocks
        The blocks to come, from block 1 on: their times tell where the forks are.

    Raises
    ------
    ForeignGenesisError
        If a block reaches a fork that is not known here.
    """
    rules = Chain.configure(
        "ForeignChain",
        vm_configuration=fork_schedule(genesis, blocks),
        chain_id=genesis.chain_id,
    )
    first = rules.get_vm_class_for_block_number(BlockNumber(0))
    header = dict(genesis.header)
    if issubclass(first, LondonVM):
        header["base_fee_per_gas"] = genesis.later["base_fee_per_gas"]
    if issubclass(first, CancunVM):
        header |= genesis.later
    # py-evm declares the base class here, and returns the class that it is called on.
    return cast("Chain", rules.from_genesis(AtomicDB(), header, genesis.state))


def fork_schedule(
    genesis: ForeignGenesis, blocks: Sequence[Block]
) -> tuple[tuple[BlockNumber, Rules], ...]:
    """
    Return from which block number on which rules hold.

    Raises
    ------
    ForeignGenesisError
        If a block reaches a fork that is not known here.
    """
    first_time = cast("int", genesis.header["timestamp"])
    times = [first_time, *(block.header.timestamp for block in blocks)]
    difficulties = [genesis.header["difficulty"], *(one.header.difficulty for one in blocks)]
    _refuse_unknown_forks(genesis.config, times[-1])
    schedule: dict[int, Rules] = {0: FrontierVM}
    # As in geth: who does not name Petersburg never had Constantinople without it.
    numbers = {"petersburgBlock": genesis.config.get("constantinopleBlock"), **genesis.config}
    for name, rules in _BY_NUMBER:
        number = numbers.get(name)
        if number is not None:
            schedule[number] = rules
    # A block without difficulty is what the merge is known by; its number in the file is a hint.
    _begin(schedule, next((at for at, one in enumerate(difficulties) if one == 0), None), ParisVM)
    for name, rules in _BY_TIME:
        start = genesis.config.get(name)
        if start is not None:
            _begin(
                schedule, next((at for at, one in enumerate(times) if one >= start), None), rules
            )
    return tuple((BlockNumber(at), _without_proof(schedule[at])) for at in sorted(schedule))


def read_foreign_genesis(text: bytes) -> ForeignGenesis:
    """
    Read a genesis file in geth's layout.

    Raises
    ------
    ForeignGenesisError
        If something that must be there is not, or is no number or hex.
    """
    try:
        document = orjson.loads(text)
        config = document["config"]
        return ForeignGenesis(
            chain_id=int(config["chainId"]),
            config=config,
            header={
                "difficulty": _number(document.get("difficulty")),
                "gas_limit": _number(document["gasLimit"]),
                "timestamp": _number(document.get("timestamp")),
                "coinbase": Address(_data(document.get("coinbase"), 20)),
                "extra_data": _data(document.get("extraData")),
                "mix_hash": _data(document.get("mixHash"), 32),
                "nonce": _number(document.get("nonce")).to_bytes(_NONCE_LENGTH, "big"),
            },
            later={
                "base_fee_per_gas": _number(document.get("baseFeePerGas"), _FIRST_BASE_FEE),
                "blob_gas_used": _number(document.get("blobGasUsed")),
                "excess_blob_gas": _number(document.get("excessBlobGas")),
                "parent_beacon_block_root": _data(document.get("parentBeaconBlockRoot"), 32),
            },
            state=_state(document.get("alloc", {})),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ForeignGenesisError(f"{type(error).__name__}: {error}") from error


def split_blocks(chain_rlp: bytes) -> Iterator[bytes]:
    """
    Yield the blocks of an export, which is their RLP one after the other.

    Raises
    ------
    BadRlpError
        If something stands between them, or the last one is cut off.
    """
    for raw in rlp_items(chain_rlp):
        if raw[0] < _FIRST_LIST_BYTE:
            raise BadRlpError("expected input list for types.Block")
        yield raw


def _begin(schedule: dict[int, Rules], number: int | None, rules: Rules) -> None:
    """Let ``rules`` hold from block ``number`` on, whatever older fork begins later."""
    if number is None:
        return
    for later in [at for at in schedule if at >= number]:
        del schedule[later]
    schedule[number] = rules


def _without_proof(rules: Rules) -> Rules:
    if issubclass(rules, ParisVM):
        return rules
    return cast("Rules", cast("Any", rules).configure(consensus_class=NoProofConsensus))


def _refuse_unknown_forks(config: dict[str, Any], newest_time: int) -> None:
    for name, start in config.items():
        is_unknown = name.endswith("Time") and name not in _KNOWN_TIMES
        if is_unknown and start is not None and start <= newest_time:
            raise ForeignGenesisError(f"{name} is a fork that is not known here")


def _state(alloc: dict[str, dict[str, Any]]) -> AccountState:
    return {
        Address(_data(address, 20)): {
            "balance": _number(account.get("balance")),
            "nonce": _number(account.get("nonce")),
            "code": _data(account.get("code")),
            "storage": {
                int(slot, 16): int(value, 16)
                for slot, value in (account.get("storage") or {}).items()
            },
        }
        for address, account in alloc.items()
    }


def _number(value: str | int | None, default: int = 0) -> int:
    if value is None or value == "":
        return default
    return value if isinstance(value, int) else int(value, 0)


def _data(value: str | None, length: int = 0) -> bytes:
    """Return the bytes of hex text, with or without 0x; as many zeros as ``length`` if none."""
    if value is None:
        return bytes(length)
    read = bytes.fromhex(value.removeprefix("0x"))
    if length and len(read) != length:
        raise ValueError(f"{value} has not {length} bytes")
    return read
