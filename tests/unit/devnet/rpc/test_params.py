from collections.abc import Callable

import pytest

from devnet.node.chain import Devnet
from devnet.rpc import params
from devnet.rpc.errors import INVALID_PARAMS, SERVER, RpcFault
from devnet.rpc.params import Json
from tests.unit.devnet.rpc.support import NO_HASH, NOBODY
from tests.unit.devnet.support import Wallet

GAS = 50_000_000


def refused(read: Callable[..., object], value: Json, *more: object) -> str:
    with pytest.raises(RpcFault) as caught:
        read(value, 3, *more)
    assert caught.value.number == INVALID_PARAMS
    return str(caught.value)


class TestQuantity:
    def test_reads_hex(self) -> None:
        assert params.quantity("0x0", 0) == 0
        assert params.quantity("0xfF", 0) == 255
        assert params.quantity("0x" + "f" * 64, 0) == 2**256 - 1

    @pytest.mark.parametrize(
        "value", ["0x", "0x00", "0x01", "0xg", "0x1 ", "0x" + "1" * 65, 5, 1.5, True, None, [], {}]
    )
    def test_takes_nothing_else(self, value: Json) -> None:
        said = refused(params.quantity, value)
        assert said.startswith("invalid argument 3: ")
        assert "is not a hex number without leading zeros" in said

    @pytest.mark.parametrize("value", ["", "1", "latest", "-0x1"])
    def test_names_a_prefix_that_is_missing(self, value: str) -> None:
        said = refused(params.quantity, value)
        assert said == "invalid argument 3: hex string without 0x prefix"

    def test_does_not_repeat_all_of_a_long_text(self) -> None:
        assert len(refused(params.quantity, "0x" + "z" * 1_000_000)) < 200


class TestNumber:
    @pytest.mark.parametrize("value", ["0x10", "16", 16])
    def test_reads_what_tools_send(self, value: Json) -> None:
        assert params.number(value, 0) == 16

    @pytest.mark.parametrize("value", [-1, True, None, 1.0, "٣", "1_0", "-1", "9" * 5_000, []])
    def test_takes_nothing_else(self, value: Json) -> None:
        assert refused(params.number, value).startswith("invalid argument 3: ")

    @pytest.mark.parametrize("value", [11, "11", "0xb"])
    def test_has_an_upper_end(self, value: Json) -> None:
        assert "above 10" in refused(params.number, value, 10)
        assert params.number(10, 3, 10) == 10


class TestData:
    def test_reads_bytes(self) -> None:
        assert params.data("0x", 0) == b""
        assert params.data("0x00fF", 0) == b"\x00\xff"

    @pytest.mark.parametrize(
        "value", ["", "12", "0x1", "0xg0", "0x 12", "0x12 34", "0x1234\n", "0X12", None, 5, ["0x"]]
    )
    def test_takes_nothing_else(self, value: Json) -> None:
        assert "is not hex with an even number of digits" in refused(params.data, value)

    def test_has_a_length_where_one_is_wanted(self) -> None:
        assert "an address has 20 bytes, not 2" in refused(params.address, "0x1234")
        assert "a hash has 32 bytes, not 2" in refused(params.word, "0x1234")
        assert params.address(NOBODY, 0)[-1] == 0x99


class TestSlot:
    def test_reads_short_keys_and_leading_zeros(self) -> None:
        assert params.slot("0x") == params.slot("0x0") == params.slot("0x000") == 0
        assert params.slot("0x" + "0" * 63 + "5") == 5

    def test_quotes_the_key_as_geth_does(self) -> None:
        with pytest.raises(RpcFault, match='invalid hex in storage key: "0xasdf"'):
            params.slot("0xasdf")
        with pytest.raises(RpcFault, match="storage key too long"):
            params.slot("0x" + "0" * 65)
        with pytest.raises(RpcFault, match="a storage key is a string"):
            params.slot(5)


class TestStateBlock:
    def test_is_a_number_a_tag_a_hash_or_an_object(self, wallet: Wallet) -> None:
        wallet.send()
        node = wallet.node
        genesis = node.block(0)
        assert genesis is not None
        first: Json = "0x" + genesis.hash.hex()
        for which in ("0x0", "earliest", first, {"blockHash": first}, {"blockNumber": "0x0"}):
            assert params.state_block(node, which, 0) == 0  # type: ignore[arg-type]
        for tag in ("latest", "pending", "safe", "finalized", None):
            assert params.state_block(node, tag, 0) == 1

    @pytest.mark.parametrize("which", ["0x1", NO_HASH, {"blockHash": NO_HASH}])
    def test_that_is_not_there_is_not_found(self, node: Devnet, which: Json) -> None:
        with pytest.raises(RpcFault, match="header not found") as caught:
            params.state_block(node, which, 0)
        assert caught.value.number == SERVER

    def test_is_not_both_a_hash_and_a_number(self, node: Devnet) -> None:
        both: Json = {"blockHash": NO_HASH, "blockNumber": "0x0"}
        with pytest.raises(RpcFault, match="cannot specify both BlockHash and BlockNumber"):
            params.state_block(node, both, 1)

    def test_that_went_away_since_is_not_found(self, node: Devnet) -> None:
        with pytest.raises(RpcFault, match="header not found"):
            params.state_after(node, 7)


class TestCall:
    def test_reads_every_field(self) -> None:
        listed: Json = [{"address": NOBODY, "storageKeys": [NO_HASH]}]
        read = params.call(
            {
                "from": NOBODY,
                "to": NOBODY,
                "input": "0x12",
                "data": "0x12",
                "value": "0x5",
                "gas": "0x6",
                "maxFeePerGas": "0x7",
                "maxPriorityFeePerGas": "0x1",
                "accessList": listed,
                "blobVersionedHashes": [NO_HASH],
                "maxFeePerBlobGas": "0x8",
                "authorizationList": [
                    {
                        "chainId": "0x1",
                        "address": NOBODY,
                        "nonce": "0x2",
                        "yParity": "0x1",
                        "r": "0x3",
                        "s": "0x4",
                    }
                ],
            },
            0,
            GAS,
        )
        assert (read.sender[-1], read.to[-1], read.data, read.value, read.gas) == (
            0x99,
            0x99,
            b"\x12",
            5,
            6,
        )
        assert (read.cap, read.tip, read.max_fee_per_blob_gas) == (7, 1, 8)
        assert read.access_list[0][1] == (int(NO_HASH, 16),)
        assert read.blob_versioned_hashes == (bytes.fromhex(NO_HASH[2:]),)
        (authorization,) = read.authorization_list
        assert (authorization.nonce, authorization.y_parity, authorization.s) == (2, 1, 4)

    def test_of_nothing_makes_an_empty_contract(self) -> None:
        read = params.call({}, 0, GAS)
        assert (read.sender, read.to, read.data, read.gas) == (bytes(20), b"", b"", None)

    def test_caps_its_gas(self) -> None:
        assert params.call({"gas": "0x" + "f" * 16}, 0, GAS).gas == GAS

    @pytest.mark.parametrize(
        "value",
        [
            None,
            "0x",
            [],
            {"to": "0x12"},
            {"to": 5},
            {"from": NO_HASH},
            {"data": 5},
            {"data": "0x01", "input": "0x02"},
            {"value": "5"},
            {"gas": -5},
            {"accessList": {}},
            {"accessList": [5]},
            {"accessList": [{"address": NOBODY, "storageKeys": ["0x1"]}]},
            {"authorizationList": {}},
            {"authorizationList": [5]},
            {"authorizationList": [{"chainId": "0x1"}]},
            {"blobVersionedHashes": "0x"},
            {"blobVersionedHashes": ["0x12"]},
        ],
    )
    def test_that_cannot_be_is_refused(self, value: Json) -> None:
        assert refused(params.call, value, GAS)


class TestLogFilter:
    def test_of_nothing_is_everything_in_the_newest_block(self, node: Devnet) -> None:
        read = params.log_filter(node, {}, 0)
        assert (read.first, read.last, read.addresses, read.topics) == (0, 0, frozenset(), ())

    def test_lets_null_and_no_choice_stand_for_anything(self, node: Devnet) -> None:
        wanted: Json = {"topics": [None, [], [NO_HASH, None], NO_HASH]}
        topic = frozenset((bytes.fromhex(NO_HASH[2:]),))
        assert params.log_filter(node, wanted, 0).topics == (frozenset(),) * 3 + (topic,)

    def test_says_which_way_a_range_is_wrong(self, wallet: Wallet) -> None:
        wallet.send()
        backwards: Json = {"fromBlock": "0x9", "toBlock": "0x8"}
        with pytest.raises(RpcFault, match="invalid block range params"):
            params.log_filter(wallet.node, backwards, 0)
        with pytest.raises(RpcFault, match="block range extends beyond current head block"):
            params.log_filter(wallet.node, {"fromBlock": "0x0", "toBlock": "0x2"}, 0)
