import pytest
from eth_utils.crypto import keccak

from devnet.engine.trie import EMPTY_ROOT
from devnet.node.chain import Devnet
from tests.unit.devnet.rpc.support import NO_HASH, NOBODY, ask, fault, text, word
from tests.unit.devnet.support import KEEPER, Wallet

NO_CODE = text(keccak(b""))


@pytest.fixture
def keeper(wallet: Wallet) -> str:
    """A contract with 5 in slot 0, set in block 2."""
    address = wallet.deploy(KEEPER)
    wallet.send(to=address, data=(5).to_bytes(32, "big"))
    return text(address)


class TestStorage:
    def test_is_read_by_keys_of_any_length(self, node: Devnet, keeper: str) -> None:
        for key in ("0x", "0x0", "0x00", word(0), "0"):
            assert ask(node, "eth_getStorageAt", keeper, key) == word(5)
        assert ask(node, "eth_getStorageAt", keeper, "0x1") == word(0)

    def test_of_many_accounts_is_read_at_once(self, node: Devnet, keeper: str) -> None:
        wanted = {keeper: [word(0), word(1)], NOBODY: [word(0)]}
        found = ask(node, "eth_getStorageValues", wanted)
        assert found == {keeper: [word(5), word(0)], NOBODY: [word(0)]}
        assert ask(node, "eth_getStorageValues", wanted, "0x1")[keeper] == [word(0)] * 2

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ({}, "empty request"),
            ([], "an object of addresses with slots is wanted"),
            ({NOBODY: word(0)}, "slots are an array"),
            ({NOBODY: ["0x00"]}, "a hash has 32 bytes, not 1"),
            ({"0x1": [word(0)]}, "hex with an even number of digits"),
            ({NOBODY: [word(0)] * 1_025}, "too many slots (max 1024)"),
        ],
    )
    def test_that_cannot_be_is_named(self, node: Devnet, wanted: object, said: str) -> None:
        error = fault(node, "eth_getStorageValues", wanted)
        assert error["code"] == -32602
        assert said in error["message"]


class TestProof:
    def test_names_keys_as_they_were_given(self, node: Devnet, keeper: str) -> None:
        found = ask(node, "eth_getProof", keeper, ["0x0", word(0), "0x00"], "latest")
        assert [one["key"] for one in found["storageProof"]] == ["0x0", word(0), "0x0"]
        assert {one["value"] for one in found["storageProof"]} == {"0x5"}
        assert found["codeHash"] == text(keccak(KEEPER))

    def test_begins_at_the_root_of_its_block(self, wallet: Wallet, keeper: str) -> None:
        node = wallet.node
        for number in (1, 2):
            block = node.block(number)
            assert block is not None
            found = ask(node, "eth_getProof", keeper, ["0x0"], hex(number))
            assert keccak(hexstr=found["accountProof"][0]) == block.header.state_root
            (slot,) = found["storageProof"]
            assert slot["value"] == {1: "0x0", 2: "0x5"}[number]
        now = ask(node, "eth_getProof", keeper, ["0x0"])
        assert now["storageHash"] == text(keccak(hexstr=now["storageProof"][0]["proof"][0]))

    def test_of_nobody_is_of_an_empty_account(self, node: Devnet) -> None:
        found = ask(node, "eth_getProof", NOBODY, [])
        assert (found["balance"], found["nonce"]) == ("0x0", "0x0")
        assert (found["codeHash"], found["storageHash"]) == (NO_CODE, text(EMPTY_ROOT))

    def test_of_too_many_slots_is_refused(self, node: Devnet) -> None:
        for keys in (["0x0"] * 1_025, "0x0", None):
            assert fault(node, "eth_getProof", NOBODY, keys)["code"] == -32602


class TestAccounts:
    def test_are_shown_whole(self, wallet: Wallet, keeper: str) -> None:
        node = wallet.node
        found = ask(node, "eth_getAccount", keeper)
        assert found["codeHash"] == text(keccak(KEEPER))
        assert found["storageRoot"] == ask(node, "eth_getProof", keeper, [])["storageHash"]
        assert ask(node, "eth_getAccountInfo", keeper) == {
            "balance": "0x0",
            "nonce": "0x1",
            "code": text(KEEPER),
        }
        assert ask(node, "eth_getAccountInfo", text(wallet.address), "0x1")["nonce"] == "0x1"

    def test_after_a_block_that_is_not_there_are_not_found(self, node: Devnet) -> None:
        for method in ("eth_getAccount", "eth_getAccountInfo", "eth_getBalance", "eth_getCode"):
            assert fault(node, method, NOBODY, NO_HASH)["message"] == "header not found"


def test_bytes_are_hashed(node: Devnet) -> None:
    assert ask(node, "web3_sha3", "0x1234") == text(keccak(b"\x12\x34"))
