from dataclasses import replace
from pathlib import Path

import pytest
import rlp
from eth.db.atomic import AtomicDB
from eth_keys import keys
from hypothesis import given
from hypothesis import strategies as st

from contracts.typed_data import keccak
from devnet.genesis import (
    GENESIS_FILE,
    SYSTEM_CONTRACTS,
    Genesis,
    GenesisDiffersError,
    GenesisInvalidError,
    GenesisMissingError,
    load_genesis,
    new_chain,
    settle_genesis,
)
from ledger.errors import Integrity
from ledger.units import UnixSeconds
from tests.unit.devnet.support import GENESIS

RICH = "0x" + "ab" * 20


@given(
    st.builds(
        Genesis,
        chain_id=st.integers(min_value=1, max_value=2**60),
        timestamp_s=st.integers(min_value=0, max_value=2**40).map(UnixSeconds),
        gas_limit=st.integers(min_value=1, max_value=2**40),
        balances=st.dictionaries(
            st.binary(min_size=20, max_size=20).map(lambda one: "0x" + one.hex()),
            st.integers(min_value=0, max_value=2**200),
            max_size=3,
        ).map(lambda found: tuple(sorted(found.items()))),
    )
)
def test_what_was_written_is_read_back(genesis: Genesis) -> None:
    assert Genesis.from_json(genesis.to_json()) == genesis


def test_a_file_changed_by_hand_is_refused() -> None:
    with pytest.raises(GenesisInvalidError, match="changed by hand"):
        Genesis.from_json(GENESIS.to_json().replace(b'"nonce": "0x1"', b'"nonce": "0x2"', 1))


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'{"config": 1}'])
def test_what_is_no_genesis_is_refused(text: bytes) -> None:
    with pytest.raises(GenesisInvalidError):
        Genesis.from_json(text)


@pytest.mark.parametrize("balance", [("0x12", 1), ("0x" + "zz" * 20, 1), (RICH, -1)])
def test_a_balance_that_cannot_be_is_refused(balance: tuple[str, int]) -> None:
    with pytest.raises(GenesisInvalidError):
        replace(GENESIS, balances=(balance,))


@pytest.mark.parametrize(
    "other",
    [
        replace(GENESIS, chain_id=1),
        replace(GENESIS, timestamp_s=UnixSeconds(1)),
        replace(GENESIS, gas_limit=1),
        replace(GENESIS, balances=((RICH, 1),)),
    ],
)
def test_a_directory_keeps_to_its_genesis(tmp_path: Path, other: Genesis) -> None:
    settle_genesis(tmp_path, GENESIS)
    settle_genesis(tmp_path, GENESIS)
    with pytest.raises(GenesisDiffersError) as caught:
        settle_genesis(tmp_path, other)
    assert caught.value.code == "genesis_differs"
    assert isinstance(caught.value, Integrity)
    assert load_genesis(tmp_path) == GENESIS
    assert [one.name for one in tmp_path.iterdir()] == [GENESIS_FILE]


def test_a_directory_without_a_chain_says_so(tmp_path: Path) -> None:
    with pytest.raises(GenesisMissingError):
        load_genesis(tmp_path)


def test_block_0_has_no_difficulty_no_base_fee_and_the_balances() -> None:
    chain = new_chain(replace(GENESIS, balances=((RICH, 5),)), AtomicDB())
    head = chain.get_canonical_head()
    assert (head.difficulty, head.base_fee_per_gas) == (0, 0)
    state = chain.get_vm(head).state
    assert state.get_balance(bytes.fromhex(RICH[2:])) == 5
    for address, code in SYSTEM_CONTRACTS:
        assert state.get_code(address) == code


# The presigned transactions of EIP-7002 and EIP-7251 ("Deployment"): whoever changes one byte of
# the code gets another sender, and with it another address.
@pytest.mark.parametrize(
    ("index", "head", "s"),
    [
        (2, "5f556101f880602d5f395ff3", 0x5FEEB084551E4E03A3581E269BC2EA2F8D0008),
        (3, "5f5561019e80602d5f395ff3", 0xC0730F92DC275B663D377A7CBB141B6600052),
    ],
)
def test_the_code_of_the_request_contracts_is_the_deployed_one(
    index: int, head: str, s: int
) -> None:
    address, code = SYSTEM_CONTRACTS[index]
    init = b"\x7f" + b"\xff" * 32 + bytes.fromhex(head) + code
    unsigned = rlp.encode([0, 0xE8D4A51000, 0x3D090, b"", 0, init])
    key = keys.Signature(vrs=(0, 0x539, s)).recover_public_key_from_msg_hash(keccak(unsigned))
    assert keccak(rlp.encode([key.to_canonical_address(), 0]))[12:] == address
