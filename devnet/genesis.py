"""
Say what the chain starts from, and hold a directory to it.

Block 0 carries the four system contracts of Prague, difficulty 0 and base fee 0. The base fee stays
0 as long as no block uses more than half of its gas limit (EIP-1559), so nobody needs coins to pay
for gas. The file ``genesis.json`` has geth's genesis layout.
"""

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self, cast

import orjson
from eth.abc import AtomicDatabaseAPI
from eth.chains.base import Chain
from eth.constants import ZERO_ADDRESS, ZERO_HASH32
from eth.typing import AccountState, HeaderParams
from eth.vm.forks.cancun.constants import BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CONTRACT_CODE
from eth.vm.forks.prague.constants import (
    CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS,
    HISTORY_STORAGE_ADDRESS,
    HISTORY_STORAGE_CONTRACT_CODE,
    WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS,
)
from eth_typing import Address, BlockNumber

from devnet.precompile import VoisinVM
from ledger.errors import Integrity, InvalidRequest
from ledger.units import UnixSeconds

GENESIS_FILE: Final = "genesis.json"

# EIP-7002 and EIP-7251, "Bytecode"; the other two system contracts come with py-evm.
_WITHDRAWAL_REQUESTS_CODE: Final = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe1460cb5760115f54807fffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffff146101f457600182026001905f5b5f821115606857"
    "81019083028483029004916001019190604d565b909390049250505036603814608857366101f457346101f4"
    "575f5260205ff35b34106101f457600154600101600155600354806003026004013381556001015f35815560"
    "010160203590553360601b5f5260385f601437604c5fa0600101600355005b6003546002548082038060101160"
    "df575060105b5f5b8181146101835782810160030260040181604c02815460601b8152601401816001015481"
    "526020019060020154807fffffffffffffffffffffffffffffffff0000000000000000000000000000000016"
    "8252906010019060401c908160381c81600701538160301c81600601538160281c81600501538160201c8160"
    "0401538160181c81600301538160101c81600201538160081c81600101535360010160e1565b910180921461"
    "019557906002556101a0565b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffff14156101cd57505f5b6001546002828201116101e25750505f6101e856"
    "5b01600290035b5f555f600155604c025ff35b5f5ffd"
)
_CONSOLIDATION_REQUESTS_CODE: Final = bytes.fromhex(
    "3373fffffffffffffffffffffffffffffffffffffffe1460d35760115f54807fffffffffffffffffffffff"
    "ffffffffffffffffffffffffffffffffffffffffff1461019a57600182026001905f5b5f821115606857"
    "81019083028483029004916001019190604d565b9093900492505050366060146088573661019a573461019a"
    "575f5260205ff35b341061019a57600154600101600155600354806004026004013381556001015f35815560"
    "0101602035815560010160403590553360601b5f5260605f60143760745fa0600101600355005b6003546002"
    "548082038060021160e7575060025b5f5b8181146101295782810160040260040181607402815460601b8152"
    "60140181600101548152602001816002015481526020019060030154905260010160e9565b910180921461013b"
    "5790600255610146565b90505f6002555f6003555b5f54807fffffffffffffffffffffffffffffffffffffff"
    "ffffffffffffffffffffffffff141561017357505f5b6001546001828201116101885750505f61018e565b01"
    "600190035b5f555f6001556074025ff35b5f5ffd"
)

SYSTEM_CONTRACTS: Final = (
    (BEACON_ROOTS_ADDRESS, BEACON_ROOTS_CONTRACT_CODE),
    (HISTORY_STORAGE_ADDRESS, HISTORY_STORAGE_CONTRACT_CODE),
    (WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS, _WITHDRAWAL_REQUESTS_CODE),
    (CONSOLIDATION_REQUEST_PREDEPLOY_ADDRESS, _CONSOLIDATION_REQUESTS_CODE),
)
"""Address and code of the contracts of EIP-4788, 2935, 7002 and 7251."""

_ADDRESS_DIGITS: Final = 40
_PRAGUE_BLOBS: Final = {"target": 6, "max": 9, "baseFeeUpdateFraction": 5_007_716}
# EIP-7840; Osaka keeps Prague's numbers.
_BLOB_SCHEDULE: Final = {
    "cancun": {"target": 3, "max": 6, "baseFeeUpdateFraction": 3_338_477},
    "prague": _PRAGUE_BLOBS,
    "osaka": _PRAGUE_BLOBS,
}


class GenesisDiffersError(Integrity):
    """The directory holds a chain that started from something else."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            "genesis_differs", f"{directory / GENESIS_FILE} is of another chain; its blocks stay"
        )
        self.directory: Final = directory


class GenesisMissingError(Integrity):
    """The directory holds no chain."""

    def __init__(self, directory: Path) -> None:
        super().__init__("genesis_missing", f"there is no {GENESIS_FILE} in {directory}")
        self.directory: Final = directory


class GenesisInvalidError(InvalidRequest):
    """The description of block 0 cannot be right."""

    def __init__(self, why: str) -> None:
        super().__init__("genesis_invalid", f"no chain can start from this: {why}")


class ClockProfile(StrEnum):
    """What block times follow."""

    WALL = "wall"
    """The domain clock, which is the wall clock; blocks lead it by a few seconds at most."""
    DISCRETE = "discrete"
    """A domain clock that is driven from outside; blocks may lead it as far as they need."""


@dataclass(frozen=True, slots=True)
class Genesis:
    """What block 0 is made from."""

    chain_id: int
    """EIP-155 number of the chain."""
    timestamp_s: UnixSeconds
    """Instant of block 0; every later block is later."""
    gas_limit: int = 60_000_000
    """Gas that a block may use, the same in every block."""
    balances: tuple[tuple[str, int], ...] = ()
    """Accounts with coins at the start: 0x address and wei, sorted by address."""
    clock: ClockProfile = ClockProfile.DISCRETE
    """What block times follow."""

    def __post_init__(self) -> None:
        """Refuse what no chain can start from."""
        if self.chain_id < 1 or self.timestamp_s < 0 or self.gas_limit < 1:
            raise GenesisInvalidError("chain id, gas limit or instant out of range")
        for address, wei in self.balances:
            digits = address.removeprefix("0x")
            if len(digits) != _ADDRESS_DIGITS or not _is_hex(digits) or wei < 0:
                raise GenesisInvalidError(f"bad balance {address!r}: {wei}")

    def to_json(self) -> bytes:
        """Return the canonical text of ``genesis.json``."""
        alloc: dict[str, dict[str, str]] = {
            "0x" + address.hex(): {"balance": "0x0", "nonce": "0x1", "code": "0x" + code.hex()}
            for address, code in SYSTEM_CONTRACTS
        }
        alloc |= {address.lower(): {"balance": hex(wei)} for address, wei in self.balances}
        document = {
            "config": {
                "chainId": self.chain_id,
                "terminalTotalDifficulty": 0,
                "shanghaiTime": 0,
                "cancunTime": 0,
                "pragueTime": 0,
                "osakaTime": 0,
                "blobSchedule": _BLOB_SCHEDULE,
                "voisin": {"clock": self.clock},
            },
            "difficulty": "0x0",
            "gasLimit": hex(self.gas_limit),
            "timestamp": hex(self.timestamp_s),
            "baseFeePerGas": "0x0",
            "alloc": alloc,
        }
        return orjson.dumps(
            document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE
        )

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """
        Read what ``to_json`` wrote.

        Raises
        ------
        GenesisInvalidError
            If ``text`` is not what ``to_json`` writes.
        """
        system = {"0x" + address.hex() for address, _ in SYSTEM_CONTRACTS}
        try:
            document = orjson.loads(text)
            genesis = cls(
                chain_id=int(document["config"]["chainId"]),
                timestamp_s=UnixSeconds(int(document["timestamp"], 16)),
                gas_limit=int(document["gasLimit"], 16),
                balances=tuple(
                    (address, int(account["balance"], 16))
                    for address, account in sorted(document["alloc"].items())
                    if address not in system
                ),
                clock=ClockProfile(document["config"]["voisin"]["clock"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GenesisInvalidError(f"not a genesis: {error}") from error
        if genesis.to_json() != text:
            raise GenesisInvalidError("the file was changed by hand")
        return genesis


def load_genesis(directory: Path) -> Genesis:
    """
    Read the genesis of the chain in ``directory``.

    Raises
    ------
    GenesisMissingError
        If there is none.
    GenesisInvalidError
        If the file was changed by hand.
    """
    path = directory / GENESIS_FILE
    if not path.exists():
        raise GenesisMissingError(directory)
    return Genesis.from_json(path.read_bytes())


def settle_genesis(directory: Path, genesis: Genesis) -> None:
    """
    Write ``genesis`` into ``directory``, or check that it is the one already there.

    Raises
    ------
    GenesisDiffersError
        If another one is there.
    """
    path = directory / GENESIS_FILE
    if path.exists():
        if path.read_bytes() != genesis.to_json():
            raise GenesisDiffersError(directory)
        return
    draft = path.with_suffix(".draft")
    with draft.open("wb") as file:
        file.write(genesis.to_json())
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_directory(directory)


def sync_directory(directory: Path) -> None:
    """Make the names in ``directory`` durable."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def new_chain(genesis: Genesis, database: AtomicDatabaseAPI) -> Chain:
    """Return a py-evm chain that holds block 0 alone, under the rules of ``VoisinVM``."""
    rules = Chain.configure(
        "VoisinChain", vm_configuration=((BlockNumber(0), VoisinVM),), chain_id=genesis.chain_id
    )
    state: AccountState = {
        address: {"balance": 0, "nonce": 1, "code": code, "storage": {}}
        for address, code in SYSTEM_CONTRACTS
    }
    for address, wei in genesis.balances:
        account = Address(bytes.fromhex(address.removeprefix("0x")))
        state[account] = {"balance": wei, "nonce": 0, "code": b"", "storage": {}}
    header: dict[str, HeaderParams] = {
        "difficulty": 0,
        "gas_limit": genesis.gas_limit,
        "timestamp": genesis.timestamp_s,
        "base_fee_per_gas": 0,
        "coinbase": ZERO_ADDRESS,
        "parent_beacon_block_root": ZERO_HASH32,
        "extra_data": b"",
    }
    # py-evm declares the base class here, and returns the class that it is called on.
    return cast("Chain", rules.from_genesis(database, header, state))


def _is_hex(digits: str) -> bool:
    try:
        bytes.fromhex(digits)
    except ValueError:
        return False
    return True
