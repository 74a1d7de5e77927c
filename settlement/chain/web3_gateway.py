"""
The port to the chain over JSON-RPC, by web3's provider.

Requests go through the provider's ``make_request`` directly: no formatting middleware, so a round
trip costs what the node and HTTP cost.
"""

from collections.abc import Sequence
from typing import Any, Final, Protocol, cast

import requests
from requests.utils import get_netrc_auth
from web3 import HTTPProvider
from web3.providers.rpc.utils import ExceptionRetryConfiguration
from web3.types import RPCEndpoint

from ledger.errors import ChainError, ChainUnavailable
from ledger.units import UnixSeconds
from settlement.chain.gateway import (
    Answer,
    ChainIdentity,
    FeeQuote,
    Header,
    Log,
    Look,
    Receipt,
)

_TIMEOUT_S: Final = 30
_SEND: Final = "eth_sendRawTransaction"
_BATCH: Final = 100
_HASHES_ONLY: Final = False
# A connection that the node closed while it was idle is opened again, but only for questions:
# signed bytes must not reach a node whose chain nobody has compared since it came back.
_RETRIES: Final = 2
_ASKED_AGAIN: Final = (
    "eth_blockNumber",
    "eth_call",
    "eth_chainId",
    "eth_getBlockByNumber",
    "eth_getCode",
    "eth_getLogs",
    "eth_getTransactionCount",
    "eth_getTransactionReceipt",
)
# What geth, Erigon, Nethermind, Besu, Reth, anvil and our own node say; a text that contains
# another stands before it.
_ANSWERS: Final = (
    ("already known", Answer.KNOWN),
    ("alreadyknown", Answer.KNOWN),
    ("known transaction", Answer.KNOWN),
    ("already imported", Answer.KNOWN),
    ("nonce too low", Answer.NONCE_TOO_LOW),
    ("nonce_too_low", Answer.NONCE_TOO_LOW),
    ("oldnonce", Answer.NONCE_TOO_LOW),
    ("replacement transaction underpriced", Answer.REPLACES_TOO_CHEAPLY),
    ("replacement_transaction_underpriced", Answer.REPLACES_TOO_CHEAPLY),
    ("replacementnotallowed", Answer.REPLACES_TOO_CHEAPLY),
    ("max fee per gas less than block base fee", Answer.TOO_CHEAP),
    ("transaction underpriced", Answer.TOO_CHEAP),
    ("feetoolow", Answer.TOO_CHEAP),
    ("gas price below", Answer.TOO_CHEAP),
    ("pool is full", Answer.NO_ROOM),
    ("account limit exceeded", Answer.NO_ROOM),
)


class TransactionRefusedError(ChainError):
    """The node refuses the signed bytes."""

    def __init__(self, reason: str) -> None:
        super().__init__("transaction_refused", f"the node refuses the transaction: {reason}")


class CallRevertedError(ChainError):
    """A contract refused a call."""

    def __init__(self, data: bytes, reason: str) -> None:
        super().__init__("call_reverted", f"the call was reverted: {reason}")
        self.data: Final = data
        """ABI-encoded custom error, or nothing."""


class Provider(Protocol):
    """How a node is asked; web3.py's providers are asked so."""

    def make_request(self, method: RPCEndpoint, params: Any) -> Any:  # noqa: ANN401 - JSON
        """Return what the node answers to one request."""
        ...

    def make_batch_request(self, requests: list[tuple[RPCEndpoint, Any]]) -> Any:  # noqa: ANN401 - JSON
        """Return what the node answers to several, in their order."""
        ...


class Web3Gateway:
    """A node reached by JSON-RPC: by its URL over HTTP, or as a provider says."""

    def __init__(self, node: str | Provider) -> None:
        self._provider: Provider = _over_http(node) if isinstance(node, str) else node

    def identity(self) -> ChainIdentity:
        """Return chain id and genesis hash."""
        return ChainIdentity(
            chain_id=int(self._ask("eth_chainId"), 16), genesis_hash=self.headers(0, 0)[0].hash
        )

    def head_number(self) -> int:
        """Return the height of the newest block."""
        return int(self._ask("eth_blockNumber"), 16)

    def head(self) -> Header:
        """Return the header of the newest block."""
        return _header(self._ask("eth_getBlockByNumber", "latest", _HASHES_ONLY))

    def headers(self, first: int, last: int) -> tuple[Header, ...]:
        """Return the headers from ``first`` to ``last``, both included, or none."""
        numbers = range(first, last + 1)
        found = self._ask_many(
            "eth_getBlockByNumber", [(hex(one), _HASHES_ONLY) for one in numbers]
        )
        for number, one in zip(numbers, found, strict=True):
            if one is None:
                raise ChainUnavailable(f"the node has no block {number}")
        return tuple(map(_header, found))

    def logs(self, first: int, last: int, addresses: tuple[str, ...]) -> tuple[Log, ...]:
        """Return the logs of ``addresses`` in blocks ``first`` to ``last``, both included."""
        asked = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(addresses)}
        return tuple(map(_log, self._ask("eth_getLogs", asked)))

    def logs_in(self, hashes: Sequence[str], addresses: tuple[str, ...]) -> tuple[Log, ...]:
        """
        Return the logs of ``addresses`` in the blocks of these hashes, on whatever fork they are.

        Raises
        ------
        ChainUnavailable
            If the node does not know one of the blocks any more.
        """
        asked = [({"blockHash": one, "address": list(addresses)},) for one in hashes]
        return tuple(_log(log) for logs in self._ask_many("eth_getLogs", asked) for log in logs)

    def receipts(self, hashes: Sequence[str]) -> tuple[Receipt | None, ...]:
        """Return the receipt of each transaction, or None for one that is not mined."""
        found = self._ask_many("eth_getTransactionReceipt", [(one,) for one in hashes])
        return tuple(one and _receipt(one) for one in found)

    def transaction_count(self, address: str) -> int:
        """Return how many transactions ``address`` has on the chain."""
        return int(self._ask("eth_getTransactionCount", address, "latest"), 16)

    def look(self, hashes: Sequence[str], address: str) -> Look:
        """
        Return receipts, the count of ``address`` and the newest block, in one round trip.

        The count is asked for first: a transaction that it counts has its receipt.
        """
        asked: list[tuple[str, tuple[object, ...]]] = [
            ("eth_getTransactionCount", (address, "latest")),
            *(("eth_getTransactionReceipt", (one,)) for one in hashes),
            ("eth_getBlockByNumber", ("latest", _HASHES_ONLY)),
        ]
        count, *receipts, head = self._ask_all(asked)
        return Look(tuple(one and _receipt(one) for one in receipts), int(count, 16), _header(head))

    def fees(self) -> FeeQuote:
        """Return what the node asks for gas now."""
        history, tip, price = self._ask_all(
            [
                ("eth_feeHistory", ("0x1", "latest", [])),
                ("eth_maxPriorityFeePerGas", ()),
                ("eth_gasPrice", ()),
            ]
        )
        base_fee = int(history["baseFeePerGas"][-1], 16)
        # A node with a least price, and no base fee, says so in the price alone.
        return FeeQuote(base_fee, max(int(tip, 16), int(price, 16) - base_fee))

    def codes(self, addresses: Sequence[str]) -> tuple[bytes, ...]:
        """Return the code at each address, empty where there is none."""
        found = self._ask_many("eth_getCode", [(one, "latest") for one in addresses])
        return tuple(bytes.fromhex(code[2:]) for code in found)

    def send(self, raw: bytes) -> Answer:
        """
        Give signed bytes to the node and return what it says; never send them twice.

        Raises
        ------
        ChainUnavailable
            If the node gave no answer; the same bytes may be sent again.
        TransactionRefusedError
            If the node refuses these bytes.
        """
        said = _said(self._request(_SEND, "0x" + raw.hex()))
        if isinstance(said, TransactionRefusedError):
            raise said
        return said

    def send_all(self, raws: Sequence[bytes]) -> tuple[Answer | TransactionRefusedError, ...]:
        """
        Give the bytes of several transactions to the node in one round trip; never send them twice.

        Returns what it says to each, in order; a refusal stands in its place and touches no other.

        Raises
        ------
        ChainUnavailable
            If the node gave no answer; the same bytes may be sent again.
        """
        if len(raws) == 1:
            return (_said(self._request(_SEND, "0x" + raws[0].hex())),)
        answers = self._batch([(_SEND, ("0x" + raw.hex(),)) for raw in raws])
        return tuple(_said(_answer(_SEND, one)) for one in answers)

    def call(self, to: str, data: bytes, sender: str | None = None) -> bytes:
        """
        Return what a call would return, without a transaction.

        Raises
        ------
        CallRevertedError
            If the contract refuses; carries the revert data.
        """
        message = {"to": to, "data": "0x" + data.hex()} | ({"from": sender} if sender else {})
        answer = self._request("eth_call", message, "latest")
        error = answer.get("error")
        if error:
            reverted = error.get("data")
            raise CallRevertedError(
                bytes.fromhex(reverted[2:]) if isinstance(reverted, str) else b"",
                str(error["message"]),
            )
        return bytes.fromhex(cast("str", answer["result"])[2:])

    def calls_at(self, block: int, calls: Sequence[tuple[str, bytes]]) -> tuple[bytes, ...]:
        """
        Return what each call (contract, data) returns after ``block``, asked in one round.

        Raises
        ------
        ChainUnavailable
            If the node does not answer, or no longer has the state of that block.
        """
        asked = [({"to": to, "data": "0x" + data.hex()}, hex(block)) for to, data in calls]
        found = self._ask_many("eth_call", asked)
        return tuple(bytes.fromhex(one[2:]) for one in found)

    def _ask(self, method: str, *params: object) -> Any:  # noqa: ANN401 - JSON
        return _result(method, self._request(method, *params))

    def _ask_many(self, method: str, each: Sequence[tuple[object, ...]]) -> list[Any]:
        """Ask the same of several things."""
        return self._ask_all([(method, params) for params in each])

    def _ask_all(self, questions: Sequence[tuple[str, tuple[object, ...]]]) -> list[Any]:
        """Ask several things in one round trip, or in a few if there are very many."""
        if len(questions) == 1:
            method, params = questions[0]
            return [self._ask(method, *params)]
        found: list[Any] = []
        for begin in range(0, len(questions), _BATCH):
            part = questions[begin : begin + _BATCH]
            found += [
                _result(method, answer)
                for (method, _), answer in zip(part, self._batch(part), strict=True)
            ]
        return found

    def _batch(self, part: Sequence[tuple[str, tuple[object, ...]]]) -> list[Any]:
        """Return what the node answers to each of several requests, in one round trip."""
        asked = [(RPCEndpoint(method), params) for method, params in part]
        try:
            answers = self._provider.make_batch_request(asked)
        except (OSError, ValueError) as fault:
            raise ChainUnavailable(f"{part[0][0]}: {fault}") from fault
        if not isinstance(answers, list):
            # A node that refuses the batch as a whole answers with one error.
            _result(part[0][0], answers)
        each = answers if isinstance(answers, list) else []
        if len(each) != len(part):
            raise ChainUnavailable(f"{part[0][0]}: {len(each)} answers to {len(part)}")
        return each

    def _request(self, method: str, *params: object) -> dict[str, Any]:
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except (OSError, ValueError) as fault:
            raise ChainUnavailable(f"{method}: {fault}") from fault
        return _answer(method, answer)


def _over_http(url: str) -> HTTPProvider:
    return HTTPProvider(
        url,
        request_kwargs={"timeout": _TIMEOUT_S},
        session=_session(url),
        exception_retry_configuration=ExceptionRetryConfiguration(
            errors=(requests.ConnectionError,), retries=_RETRIES, method_allowlist=_ASKED_AGAIN
        ),
    )


def _session(url: str) -> requests.Session:
    """Return a session that has read the environment: proxies, certificates and ``.netrc``."""
    session = requests.Session()
    found = session.merge_environment_settings(url, {}, None, None, None)
    session.proxies, session.verify, session.cert = (
        found[name] for name in ("proxies", "verify", "cert")
    )
    session.auth = get_netrc_auth(url)
    # Else it would read all of it again for each request, which takes a third of the request.
    session.trust_env = False
    return session


def _said(answer: dict[str, Any]) -> Answer | TransactionRefusedError:
    """Return what a node says to signed bytes; a refusal is returned, not raised."""
    error = answer.get("error")
    if not error:
        return Answer.TAKEN
    said = str(error["message"])
    for text, meaning in _ANSWERS:
        if text in said.lower():
            return meaning
    return TransactionRefusedError(said)


def _answer(method: str, answer: object) -> dict[str, Any]:
    """Return an answer that is whole; half an answer is none."""
    if not isinstance(answer, dict) or not ("result" in answer or answer.get("error")):
        raise ChainUnavailable(f"{method}: the node's answer is no JSON-RPC")
    return answer


def _result(method: str, answer: object) -> Any:  # noqa: ANN401 - JSON
    """Return the result in an answer, which is not an error."""
    whole = _answer(method, answer)
    if whole.get("error"):
        raise ChainUnavailable(f"{method}: {whole['error']['message']}")
    return whole["result"]


def _header(found: dict[str, Any]) -> Header:
    return Header(
        number=int(found["number"], 16),
        hash=found["hash"],
        parent_hash=found["parentHash"],
        timestamp_s=UnixSeconds(int(found["timestamp"], 16)),
        base_fee_wei=int(found.get("baseFeePerGas") or "0x0", 16),
    )


def _log(found: dict[str, Any]) -> Log:
    return Log(
        block_number=int(found["blockNumber"], 16),
        block_hash=found["blockHash"],
        transaction_hash=found["transactionHash"],
        log_index=int(found["logIndex"], 16),
        address=found["address"].lower(),
        topics=tuple(bytes.fromhex(topic[2:]) for topic in found["topics"]),
        data=bytes.fromhex(found["data"][2:]),
    )


def _receipt(found: dict[str, Any]) -> Receipt:
    return Receipt(
        transaction_hash=found["transactionHash"],
        block_number=int(found["blockNumber"], 16),
        block_hash=found["blockHash"],
        succeeded=int(found["status"], 16) == 1,
        gas_used=int(found["gasUsed"], 16),
    )
