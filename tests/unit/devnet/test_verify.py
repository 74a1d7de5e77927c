from pathlib import Path

import pytest

from devnet.genesis import GenesisMissingError
from devnet.store import log
from devnet.verify import verify
from tests.unit.devnet.support import Wallet


def test_a_chain_is_verified_while_its_node_runs(tmp_path: Path, wallet: Wallet) -> None:
    wallet.send()
    report = verify(tmp_path)
    assert (report.blocks, report.transactions) == (1, 1)
    assert report.head_hash == wallet.node.head_hash
    assert report.precompiles == ("P256VERIFY (EIP-7951) at 0x100",)


def test_a_record_under_way_counts_as_not_there_and_is_left_alone(
    tmp_path: Path, wallet: Wallet
) -> None:
    wallet.send()
    path = tmp_path / log.LOG_FILE
    torn = path.read_bytes() + log._record(log.Kind.BLOCK, 2, b"x" * 100)[:50]
    path.write_bytes(torn)
    assert verify(tmp_path).blocks == 1
    assert path.read_bytes() == torn


def test_an_empty_directory_has_nothing_to_verify(tmp_path: Path) -> None:
    with pytest.raises(GenesisMissingError):
        verify(tmp_path)
