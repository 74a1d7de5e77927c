from pathlib import Path

import orjson
import pytest

from devnet.export import export
from devnet.genesis import GenesisMissingError
from devnet.stock.engine import StockEngine
from devnet.stock.foreign import open_foreign_chain
from devnet.verify import ChangedByHandError
from tests.unit.devnet.support import KEEPER, Wallet


class TestExport:
    def test_others_read_the_chain_from_it(self, tmp_path: Path, wallet: Wallet) -> None:
        keeper = wallet.deploy(KEEPER)
        wallet.send(to=keeper, data=b"\1" * 32)
        report = export(tmp_path, tmp_path / "out")
        read = StockEngine(
            open_foreign_chain(report.genesis.read_bytes(), report.blocks.read_bytes())
        )
        assert read.number == report.count == 2
        assert read.block(2).hash == wallet.node.head.hash

    def test_the_genesis_declares_osaka_and_every_fork_before(
        self, tmp_path: Path, wallet: Wallet
    ) -> None:
        wallet.send()
        document = orjson.loads(export(tmp_path, tmp_path / "out").genesis.read_bytes())
        assert document["config"]["osakaTime"] == 0
        assert document["config"]["londonBlock"] == 0
        assert document["nonce"] == "0x0"
        assert "voisin" not in document["config"]

    def test_a_chain_that_was_changed_by_hand_stays_here(
        self, tmp_path: Path, wallet: Wallet
    ) -> None:
        rich = wallet.node.newest_account(wallet.address)._replace(balance=5)
        wallet.node.change(wallet.address, rich, None, {})
        with pytest.raises(ChangedByHandError, match="set by hand"):
            export(tmp_path, tmp_path / "out")

    def test_an_empty_directory_has_nothing_to_export(self, tmp_path: Path) -> None:
        with pytest.raises(GenesisMissingError):
            export(tmp_path, tmp_path / "out")
