import contextlib
import logging
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
import rlp
from eth.db.atomic import AtomicDB
from eth_account import Account as Key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devnet.engine.blocks import encode_block
from devnet.engine.world import EMPTY_CODE, Account, Changes
from devnet.genesis import GenesisDiffersError, new_chain
from devnet.node.chain import Devnet
from devnet.node.submissions import DevnetClosedError
from devnet.precompile import VoisinVM
from devnet.stock.importing import BlockInvalidError
from devnet.store import log
from devnet.store.log import BlockRecordDamagedError
from devnet.store.records import BlockRecord
from devnet.verify import read_chain, verify
from ledger.clock import ReplayClock
from ledger.units import UnixSeconds
from tests.unit.devnet.support import GENESIS, KEEPER, REFUSER, START_S, Wallet


def test_an_empty_chain_is_its_block_0(node: Devnet) -> None:
    assert node.head_number == 0
    assert node.head_hash == "0x" + node.head.hash.hex()
    assert node.head.header.timestamp == START_S


def test_each_transaction_is_a_block(wallet: Wallet) -> None:
    first, second = wallet.send(), wallet.send()
    assert (first.block.number, second.block.number) == (1, 2)
    assert second.block.header.parent_hash == first.block.hash
    assert wallet.node.head_hash == "0x" + second.block.hash.hex()
    assert len(first.block.transactions) == 1


def test_block_times_follow_the_clock_and_never_repeat(wallet: Wallet, clock: ReplayClock) -> None:
    times = [wallet.send().block.header.timestamp for _ in range(3)]
    clock.set(UnixSeconds(START_S + 1_000))
    times.append(wallet.send().block.header.timestamp)
    assert times == [START_S + 100, START_S + 101, START_S + 102, START_S + 1_000]


def test_a_revert_is_mined_and_uses_up_the_nonce(wallet: Wallet) -> None:
    refuser = wallet.deploy(REFUSER)
    mined = wallet.send(to=refuser)
    assert not mined.succeeded
    assert mined.logs == ()
    assert wallet.nonce() == 2


def test_logs_carry_their_place(wallet: Wallet) -> None:
    keeper = wallet.deploy(KEEPER)
    mined = wallet.send(to=keeper, data=b"\x05".rjust(32, b"\0"))
    (entry,) = mined.logs
    assert entry.address == keeper
    assert entry.topics == ((7).to_bytes(32, "big"),)
    assert int.from_bytes(entry.data, "big") == 5
    assert (entry.block_number, entry.log_index) == (2, 0)
    assert entry.block_hash == mined.block.hash


def test_the_base_fee_stays_0(wallet: Wallet) -> None:
    for _ in range(3):
        assert wallet.send().block.header.base_fee_per_gas == 0


def test_the_past_can_be_read(wallet: Wallet) -> None:
    keeper = wallet.deploy(KEEPER)
    for number in (5, 6):
        wallet.send(to=keeper, data=number.to_bytes(32, "big"))
    node = wallet.node
    stored = [node.scratch(number).get_storage(keeper, 0) for number in (1, 2, 3)]
    assert stored == [0, 5, 6]


def test_system_contracts_do_their_part_in_every_block(wallet: Wallet) -> None:
    wallet.send()
    mined = wallet.send()
    state = wallet.node.scratch(mined.block.number)
    history = bytes.fromhex("0000f90827f1c53a10cb7a02335b175320002935")
    assert state.get_storage(history, 1).to_bytes(32, "big") == mined.block.header.parent_hash
    roots = bytes.fromhex("000f3df6d732807ef1319fb7b8bb8522d0beac02")
    timestamp = mined.block.header.timestamp
    assert state.get_storage(roots, timestamp % 8_191) == timestamp


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(["transfer", "keep", "refuse", "deploy"]), max_size=5))
def test_py_evm_imports_every_block_with_full_validation(
    tmp_path_factory: pytest.TempPathFactory, clock: ReplayClock, actions: list[str]
) -> None:
    directory = tmp_path_factory.mktemp("chain")
    with contextlib.closing(Devnet.open(directory, GENESIS, clock)) as node:
        wallet = Wallet(node, Key.from_key(b"\x11" * 32))
        keeper, refuser = wallet.deploy(KEEPER), wallet.deploy(REFUSER)
        for number, action in enumerate(actions):
            if action == "transfer":
                wallet.send()
            elif action == "keep":
                wallet.send(to=keeper, data=number.to_bytes(32, "big"))
            elif action == "refuse":
                wallet.send(to=refuser)
            else:
                wallet.deploy(KEEPER)
        expected = node.head_hash
        report = verify(directory)
    stock = new_chain(GENESIS, AtomicDB())
    for block in read_chain(directory):
        stock.import_block(rlp.decode(block.raw, sedes=VoisinVM.get_block_class()))
    assert "0x" + stock.get_canonical_head().hash.hex() == expected == report.head_hash
    assert report.blocks == report.transactions == len(actions) + 2


def test_a_chain_opened_again_is_the_same(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock
) -> None:
    keeper = wallet.deploy(KEEPER)
    mined = wallet.send(to=keeper, data=b"\1" * 32)
    wallet.node.close()
    with contextlib.closing(Devnet.open(tmp_path, GENESIS, clock)) as again:
        assert again.head_hash == wallet.node.head_hash
        found = again.mined(mined.transaction.hash)
        assert found is not None
        assert found.logs == mined.logs
        assert (found.gas_used, found.succeeded) == (mined.gas_used, True)
        assert Wallet(again, wallet.account).send(to=keeper).succeeded


def test_a_chain_with_another_start_is_refused_and_the_directory_stays_free(
    tmp_path: Path, clock: ReplayClock
) -> None:
    Devnet.open(tmp_path, GENESIS, clock).close()
    with pytest.raises(GenesisDiffersError):
        Devnet.open(tmp_path, replace(GENESIS, chain_id=2), clock)
    Devnet.open(tmp_path, GENESIS, clock).close()


def test_damage_is_named_and_the_directory_stays_free(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock
) -> None:
    for _ in range(3):
        wallet.send()
    wallet.node.close()
    path = tmp_path / log.LOG_FILE
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle] ^= 1
    path.write_bytes(data)
    for _ in range(2):
        with pytest.raises(BlockRecordDamagedError, match="record 2 of the block log is damaged"):
            Devnet.open(tmp_path, GENESIS, clock)
    with pytest.raises(BlockRecordDamagedError):
        verify(tmp_path)


def test_a_block_that_does_not_follow_is_named(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock
) -> None:
    wallet.send()
    wallet.send()
    wallet.node.close()
    (_, second) = log.read_records(tmp_path)
    write_records(tmp_path, second.payload)
    with pytest.raises(BlockInvalidError, match="block 1 breaks the rules") as caught:
        Devnet.open(tmp_path, GENESIS, clock)
    assert caught.value.number == 1


def test_a_block_with_another_state_than_it_names_is_refused(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock
) -> None:
    wallet.send()
    wallet.node.close()
    (record,) = log.read_records(tmp_path)
    block = BlockRecord.decode(record.payload)
    changes = Changes.decode(block.changes)
    rich = {wallet.address: Account(1, 5, EMPTY_CODE)}
    lying = replace(block, changes=replace(changes, accounts=rich).encode())
    write_records(tmp_path, lying.encode())
    with pytest.raises(BlockInvalidError, match="the state is not the one that it names"):
        Devnet.open(tmp_path, GENESIS, clock)


def test_a_block_that_breaks_the_rules_is_found_by_the_judge(
    tmp_path: Path, wallet: Wallet
) -> None:
    wallet.send()
    wallet.node.close()
    (record,) = log.read_records(tmp_path)
    block = BlockRecord.decode(record.payload)
    header = replace(block.block().header, gas_used=20_999)
    raw = encode_block(header.encode(), block.block().transactions)
    write_records(tmp_path, replace(block, raw=raw).encode())
    with pytest.raises(BlockInvalidError, match="block 1 breaks the rules"):
        verify(tmp_path)


def test_what_is_no_block_is_named(tmp_path: Path, clock: ReplayClock) -> None:
    Devnet.open(tmp_path, GENESIS, clock).close()
    write_records(tmp_path, b"nonsense")
    with pytest.raises(BlockInvalidError, match="block 1"):
        Devnet.open(tmp_path, GENESIS, clock)


def write_records(directory: Path, *payloads: bytes) -> None:
    (directory / log.LOG_FILE).write_bytes(
        b"".join(
            log._record(log.Kind.BLOCK, number, payload)
            for number, payload in enumerate(payloads, start=1)
        )
    )


def test_nothing_is_visible_before_the_disk_has_it(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, raw = wallet.node, wallet.sign()
    before = node.head_hash
    seen: list[str] = []
    real = log.os.fdatasync

    def look(descriptor: int) -> None:
        seen.append(node.head_hash)
        real(descriptor)

    monkeypatch.setattr(log.os, "fdatasync", look)
    node.send_raw(raw)
    assert seen == [before]
    assert node.head_hash != before


def test_a_full_disk_leaves_the_chain_as_it_was(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    wallet.send()
    node, before = wallet.node, wallet.node.head_hash
    with monkeypatch.context() as patch:
        patch.setattr(log.os, "pwrite", _full)
        with pytest.raises(OSError, match="no space"):
            node.send_raw(wallet.sign())
    assert (node.head_hash, wallet.nonce()) == (before, 1)
    node.close()
    with contextlib.closing(Devnet.open(tmp_path, GENESIS, clock)) as again:
        assert again.head_hash == before


def _full(_descriptor: int, _data: bytes, _at: int) -> int:
    raise OSError("no space left on device")


def test_a_closed_node_takes_nothing(wallet: Wallet) -> None:
    raw = wallet.sign()
    wallet.node.close()
    wallet.node.close()
    with pytest.raises(DevnetClosedError):
        wallet.node.send_raw(raw)


def test_opening_says_who_checks_signatures(
    tmp_path: Path, clock: ReplayClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        Devnet.open(tmp_path / "said", GENESIS, clock).close()
    assert "signatures by coincurve" in caplog.text


def test_blocks_go_on_when_the_index_cannot_be_written(
    wallet: Wallet, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = wallet.node._storage._index

    def fail() -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(index, "flush", fail)
        patch.setattr("devnet.store.index.FLUSH_BLOCKS", 1)
        mined = [wallet.send() for _ in range(3)]
    for one in mined:
        assert wallet.node.mined(one.transaction.hash) is not None


def test_a_chain_changed_by_hand_many_times_opens_as_it_was(
    tmp_path: Path, wallet: Wallet, clock: ReplayClock
) -> None:
    for number in range(4):
        rich = wallet.node.newest_account(wallet.address)._replace(balance=number)
        wallet.node.change(wallet.address, rich, None, {1: number})
        wallet.send()
    wallet.node.close()
    with contextlib.closing(Devnet.open(tmp_path, GENESIS, clock)) as again:
        assert again.head_hash == wallet.node.head_hash
        assert again.newest_account(wallet.address).balance == 3
        proof = again.proof(again.head_number, wallet.address, (1,))
        assert proof.storage[0].value == 3
        # The root after the last block, computed anew, is the one that the block names.
        assert again._storage.engine.root() == again.head.header.state_root
