from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devnet.node.chain import Devnet
from devnet.rpc.dispatch import MAX_BATCH, METHODS, respond
from tests.unit.devnet.support import KEEPER, REFUSER, TELLER, TIMER, Wallet

NOBODY = "0x" + "00" * 19 + "99"
NO_HASH = "0x" + "ab" * 32


def post(node: Devnet, asked: object) -> Any:
    reply = respond(node, orjson.dumps(asked))
    return orjson.loads(reply) if reply else None


def ask(node: Devnet, method: str, *given: object) -> Any:
    reply = post(node, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)})
    assert reply["id"] == 1
    return reply["result"]


def fault(node: Devnet, method: str, *given: object) -> dict[str, Any]:
    reply = post(node, {"jsonrpc": "2.0", "id": 1, "method": method, "params": list(given)})
    assert "result" not in reply
    return reply["error"]


def text(value: bytes) -> str:
    return "0x" + value.hex()


def test_the_chain_presents_itself(node: Devnet) -> None:
    assert ask(node, "web3_clientVersion").startswith("voisin-devnet/")
    assert ask(node, "net_version") == "1337"
    assert ask(node, "eth_chainId") == "0x539"
    assert ask(node, "eth_syncing") is False
    assert ask(node, "eth_accounts") == []
    assert ask(node, "eth_gasPrice") == ask(node, "eth_maxPriorityFeePerGas") == "0x0"


def test_a_sent_transaction_is_found_everywhere(wallet: Wallet) -> None:
    node = wallet.node
    keeper = wallet.deploy(KEEPER)
    sent = ask(node, "eth_sendRawTransaction", text(wallet.sign(to=keeper, data=b"\1" * 32)))
    assert ask(node, "eth_blockNumber") == "0x2"
    receipt = ask(node, "eth_getTransactionReceipt", sent)
    found = ask(node, "eth_getTransactionByHash", sent)
    block = ask(node, "eth_getBlockByNumber", "latest", False)
    assert block["hash"] == node.head_hash == receipt["blockHash"] == found["blockHash"]
    assert block["transactions"] == [sent]
    assert receipt["status"] == "0x1"
    assert receipt["contractAddress"] is None
    assert found["from"] == receipt["from"] == text(wallet.address)
    assert found["input"] == "0x" + "01" * 32
    assert receipt["gasUsed"] == receipt["cumulativeGasUsed"] == block["gasUsed"]
    assert ask(node, "eth_getBlockReceipts", "latest") == [receipt]
    assert ask(node, "eth_getBlockByHash", block["hash"], True)["transactions"] == [found]
    assert ask(node, "eth_getLogs", {"address": text(keeper)}) == receipt["logs"]
    assert len(receipt["logs"]) == 1


def test_state_is_read_now_and_in_the_past(wallet: Wallet) -> None:
    node = wallet.node
    keeper = text(wallet.deploy(KEEPER))
    deployed = node.head_hash
    wallet.send(to=bytes.fromhex(keeper[2:]), data=b"\5".rjust(32, b"\0"))
    who = text(wallet.address)
    five, none = "0x" + "5".rjust(64, "0"), "0x" + "0" * 64
    assert ask(node, "eth_getStorageAt", keeper, "0x0", "latest") == five
    assert ask(node, "eth_getStorageAt", keeper, "0x0", "0x1") == none
    assert ask(node, "eth_getStorageAt", keeper, "0x0", {"blockHash": deployed}) == none
    assert ask(node, "eth_getTransactionCount", who, "pending") == "0x2"
    assert ask(node, "eth_getTransactionCount", who, {"blockNumber": "0x1"}) == "0x1"
    assert ask(node, "eth_getCode", keeper) == text(KEEPER)
    assert ask(node, "eth_getCode", keeper, "earliest") == "0x"
    assert ask(node, "eth_getBalance", who, "safe") == "0x0"


def test_a_call_sees_past_state(wallet: Wallet) -> None:
    node = wallet.node
    # A contract that answers with slot 0, whose own constructor cannot set it: read the keeper's
    # slot through a contract at the keeper's address is not possible, so call by block time.
    timer = text(wallet.deploy(TIMER))
    wallet.send()
    times = [
        int(ask(node, "eth_call", {"to": timer}, number), 16) for number in ("0x1", "0x2", "latest")
    ]
    assert times == [node.block(number).header.timestamp for number in (1, 2, node.head_number)]
    assert int(ask(node, "eth_call", {"to": timer}, "pending"), 16) > node.head.header.timestamp


def test_a_reverted_call_answers_as_geth_does(wallet: Wallet) -> None:
    refuser = text(wallet.deploy(REFUSER))
    said = {"code": 3, "message": "execution reverted", "data": "0x" + "2a".rjust(64, "0")}
    assert fault(wallet.node, "eth_call", {"to": refuser}, "latest") == said
    assert fault(wallet.node, "eth_estimateGas", {"to": refuser}) == said


def test_a_refused_transaction_answers_as_geth_does(wallet: Wallet) -> None:
    error = fault(wallet.node, "eth_sendRawTransaction", text(wallet.sign(gas=20_000)))
    assert error == {
        "code": -32000,
        "message": "intrinsic gas too low: gas 20000, minimum needed 21000",
    }


def test_gas_is_estimated_for_the_next_block(wallet: Wallet) -> None:
    teller = text(wallet.deploy(TELLER))
    call = {"from": text(wallet.address), "to": teller}
    first = ask(wallet.node, "eth_estimateGas", call)
    assert first == ask(wallet.node, "eth_estimateGas", call, "latest")
    assert 21_000 < int(first, 16) < 30_000


def test_what_is_not_there_is_null(node: Devnet) -> None:
    assert ask(node, "eth_getBlockByNumber", "0x9", True) is None
    assert ask(node, "eth_getBlockByHash", NO_HASH) is None
    assert ask(node, "eth_getBlockReceipts", "0x9") is None
    assert ask(node, "eth_getTransactionByHash", NO_HASH) is None
    assert ask(node, "eth_getTransactionReceipt", NO_HASH) is None


def test_state_of_a_block_that_is_not_there_is_a_fault(node: Devnet) -> None:
    for which in ("0x9", {"blockHash": NO_HASH}, {"blockNumber": "0x9"}):
        error = fault(node, "eth_getBalance", NOBODY, which)
        assert error == {"code": -32000, "message": "header not found"}


def test_logs_are_found_by_range_address_and_topic(wallet: Wallet) -> None:
    node = wallet.node
    one, two = wallet.deploy(KEEPER), wallet.deploy(KEEPER)
    for contract in (one, two, one):
        wallet.send(to=contract)
    seven, eight = "0x" + "7".rjust(64, "0"), "0x" + "8".rjust(64, "0")

    def blocks(**wanted: object) -> list[int]:
        found = ask(node, "eth_getLogs", {"fromBlock": "earliest"} | wanted)
        return [int(entry["blockNumber"], 16) for entry in found]

    assert blocks() == [3, 4, 5]
    assert blocks(address=text(one)) == [3, 5]
    assert blocks(address=[text(one), text(two)]) == [3, 4, 5]
    assert blocks(fromBlock="0x4", toBlock="0x4") == [4]
    assert blocks(topics=[seven]) == blocks(topics=[None]) == blocks(topics=[[eight, seven]])
    assert blocks(topics=[eight]) == blocks(topics=[seven, None]) == []
    assert ask(node, "eth_getLogs", {"blockHash": node.head_hash}) != []


@pytest.mark.parametrize(
    ("wanted", "code"),
    [
        ({"fromBlock": "0x2", "toBlock": "0x1"}, -32602),
        ({"fromBlock": "0x0", "toBlock": "0x12"}, -32602),
        ({"blockHash": NO_HASH}, -32000),
        ({"blockHash": NO_HASH, "fromBlock": "0x0"}, -32602),
        ({"topics": [None] * 5}, -32602),
        ({"topics": "0x"}, -32602),
        ({"topics": ["0x12"]}, -32602),
        ({"address": "0x12"}, -32602),
        ([], -32602),
    ],
)
def test_a_filter_that_cannot_be_is_a_fault(node: Devnet, wanted: object, code: int) -> None:
    assert fault(node, "eth_getLogs", wanted)["code"] == code


def test_fees_of_the_past_are_zero(wallet: Wallet) -> None:
    wallet.send()
    history = ask(wallet.node, "eth_feeHistory", "0x5", "latest", [50.0])
    assert history["oldestBlock"] == "0x0"
    assert history["baseFeePerGas"] == ["0x0"] * 3
    assert history["reward"] == [["0x0"], ["0x0"]]
    assert history["gasUsedRatio"] == [0.0, 21_000 / 60_000_000]


@pytest.mark.parametrize(
    ("method", "given", "message"),
    [
        ("eth_getBalance", [], "missing value for required argument 0"),
        ("eth_getStorageAt", [NOBODY], "missing value for required argument 1"),
        ("eth_getStorageAt", [NOBODY, None], "missing value for required argument 1"),
        ("eth_chainId", [1], "too many arguments, want at most 0"),
        ("eth_getBalance", ["0x12"], "invalid argument 0: an address has 20 bytes, not 1"),
        ("eth_getBalance", [NOBODY, "newest"], "invalid argument 1: hex string without 0x prefix"),
        ("eth_getBlockByNumber", ["0x01"], "invalid argument 0: '0x01' is not a hex number"),
        ("eth_getBlockByNumber", ["0x0", "yes"], "invalid argument 1: not a boolean"),
        ("eth_getBlockByHash", ["0x12"], "invalid argument 0: a hash has 32 bytes, not 1"),
        ("eth_sendRawTransaction", ["0x123"], "invalid argument 0: '0x123' is not hex with an"),
        ("eth_sendRawTransaction", ["12"], "invalid argument 0: '12' is not hex with an"),
        ("eth_call", ["0x"], "invalid argument 0: a call is an object"),
        (
            "eth_call",
            [{"to": NOBODY, "gas": "-0x1"}],
            "invalid argument 0: hex string without 0x prefix",
        ),
        ("eth_call", [{"data": "0x01", "input": "0x02"}], 'both "data" and "input" are set'),
        ("eth_call", [{"accessList": [{}]}], "invalid argument 0: an access list holds"),
        ("eth_getBalance", [NOBODY, {}], "invalid argument 1: neither blockHash nor"),
        ("eth_feeHistory", ["0x1", "latest", 5], "invalid argument 2: percentiles are an array"),
    ],
)
def test_wrong_parameters_are_named(
    node: Devnet, method: str, given: list[object], message: str
) -> None:
    error = fault(node, method, *given)
    assert error["code"] == -32602
    assert message in error["message"]


def test_an_unknown_method_is_named(node: Devnet) -> None:
    assert fault(node, "eth_mine") == {
        "code": -32601,
        "message": "the method eth_mine does not exist/is not available",
    }


@pytest.mark.parametrize("body", [b"", b"{", b"nonsense", b'{"a":}', b"\xff"])
def test_what_is_no_json_is_a_parse_error(node: Devnet, body: bytes) -> None:
    reply = orjson.loads(respond(node, body))
    assert reply == {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": -32700, "message": "parse error"},
    }


@pytest.mark.parametrize(
    "asked",
    [
        1,
        "eth_chainId",
        None,
        [],
        {},
        {"jsonrpc": "1.0", "id": 1, "method": "eth_chainId"},
        {"jsonrpc": "2.0", "id": 1, "method": 5},
        {"jsonrpc": "2.0", "id": {}, "method": "eth_chainId"},
    ],
)
def test_what_is_no_request_is_invalid(node: Devnet, asked: object) -> None:
    assert post(node, asked)["error"]["code"] == -32600


def test_parameters_by_name_are_refused(node: Devnet) -> None:
    reply = post(node, {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": {"a": 1}})
    assert reply["error"] == {"code": -32602, "message": "non-array args"}


def test_a_batch_is_answered_in_order_without_its_notifications(node: Devnet) -> None:
    one = {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"}
    replies = post(node, [one, {"jsonrpc": "2.0", "method": "eth_chainId"}, 5, one | {"id": 2}])
    assert [reply["id"] for reply in replies] == ["a", None, 2]
    assert [("error" in reply) for reply in replies] == [False, True, False]


def test_notifications_alone_get_no_answer(node: Devnet) -> None:
    note = {"jsonrpc": "2.0", "method": "eth_chainId"}
    assert respond(node, orjson.dumps(note)) == respond(node, orjson.dumps([note])) == b""


def test_a_batch_has_a_limit(node: Devnet) -> None:
    one = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    (reply,) = post(node, [one] * (MAX_BATCH + 1))
    assert reply["error"] == {"code": -32600, "message": "batch too large"}
    assert len(post(node, [one] * MAX_BATCH)) == MAX_BATCH


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.floats(allow_nan=False)
    | st.sampled_from(["latest", "pending", "0x", "0x0", "0x1", NOBODY, NO_HASH, "", "\0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["to", "from", "data", "input", "gas", "blockHash", "topics", "address"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(sorted(METHODS)), st.lists(JSON, max_size=4))
def test_whatever_is_asked_gets_a_result_or_a_fault(
    node: Devnet, method: str, given_params: list[object]
) -> None:
    reply = post(node, {"jsonrpc": "2.0", "id": 1, "method": method, "params": given_params})
    assert ("result" in reply) != ("error" in reply)
    if "error" in reply:
        assert reply["error"]["code"] in {3, -32000, -32601, -32602}
