"""
The port to the chain over JSON-RPC, by web3's provider.

Requests go through the provider's ``make_request`` directly: no formatting middleware, so a round
trip costs what the node and HTTP cost.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from web3 import HTTPProvider
from web3.types import RPCEndpoint

from ledger.errors import ChainError, ChainUnavailable
from ledger.units import UnixSeconds
from settlement.chain.gateway import ChainIdentity, Header, Log, Receipt

_TIMEOUT_S: Final = 30
_BATCH: Final = 100
_KNOWN: Final = ("already known", "nonce too low")


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


class Web3Gateway:
    """A node reached by JSON-RPC over HTTP."""

    def __init__(self, url: str) -> None:
        self._provider = HTTPProvider(url, request_kwargs={"timeout": _TIMEOUT_S})

    def identity(self) -> ChainIdentity:
        """Return chain id and genesis hash."""
        return ChainIdentity(
            chain_id=int(self._ask("eth_chainId"), 16), genesis_hash=self.headers(0, 0)[0].hash
        )

    def head_number(self) -> int:
        """Return the height of the newest block."""
        return int(self._ask("eth_blockNumber"), 16)

    def headers(self, first: int, last: int) -> tuple[Header, ...]:
        """Return the headers from ``first`` to ``last``, both included, or none."""
        numbers = range(first, last + 1)
        found = self._ask_many("eth_getBlockByNumber", [(hex(one), False) for one in numbers])
        for number, one in zip(numbers, found, strict=True):
            if one is None:
                raise ChainUnavailable(f"the node has no block {number}")
        return tuple(
            Header(
                number=int(one["number"], 16),
                hash=one["hash"],
                parent_hash=one["parentHash"],
                timestamp_s=UnixSeconds(int(one["timestamp"], 16)),
            )
            for one in found
        )

    def logs(self, first: int, last: int, addresses: tuple[str, ...]) -> tuple[Log, ...]:
        """Return the logs of ``addresses`` in blocks ``first`` to ``last``, both included."""
        asked = {"fromBlock": hex(first), "toBlock": hex(last), "address": list(addresses)}
        return tuple(
            Log(
                block_number=int(log["blockNumber"], 16),
                block_hash=log["blockHash"],
                transaction_hash=log["transactionHash"],
                log_index=int(log["logIndex"], 16),
                address=log["address"].lower(),
                topics=tuple(bytes.fromhex(topic[2:]) for topic in log["topics"]),
                data=bytes.fromhex(log["data"][2:]),
            )
            for log in self._ask("eth_getLogs", asked)
        )

    def receipts(self, hashes: Sequence[str]) -> tuple[Receipt | None, ...]:
        """Return the receipt of each transaction, or None for one that is not mined."""
        found = self._ask_many("eth_getTransactionReceipt", [(one,) for one in hashes])
        return tuple(one and _receipt(one) for one in found)

    def transaction_count(self, address: str) -> int:
        """Return how many transactions ``address`` has on the chain."""
        return int(self._ask("eth_getTransactionCount", address, "latest"), 16)

    def send(self, raw: bytes) -> None:
        """
        Give signed bytes to the node; a transaction that it has already is no error.

        "nonce too low" is taken as "it has it": the outbox never gives a nonce twice, and looks for
        the receipt next; without one, its foreign-nonce check stops the service.

        Raises
        ------
        ChainUnavailable
            If the node gave no answer.
        TransactionRefusedError
            If the node refuses these bytes.
        """
        answer = self._request("eth_sendRawTransaction", "0x" + raw.hex())
        error = answer.get("error")
        if error and not any(text in str(error["message"]) for text in _KNOWN):
            raise TransactionRefusedError(str(error["message"]))

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
        answer = self._request(method, *params)
        if answer.get("error"):
            raise ChainUnavailable(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def _ask_many(self, method: str, each: Sequence[tuple[object, ...]]) -> list[Any]:
        """Ask the same of several things, in batches if there are many."""
        if len(each) == 1:
            return [self._ask(method, *each[0])]
        found: list[Any] = []
        for begin in range(0, len(each), _BATCH):
            asked = [(RPCEndpoint(method), params) for params in each[begin : begin + _BATCH]]
            try:
                answers = self._provider.make_batch_request(asked)
            except OSError as fault:
                raise ChainUnavailable(f"{method}: {fault}") from fault
            # A node that refuses the batch as a whole answers with one error.
            for answer in answers if isinstance(answers, list) else [answers]:
                if answer.get("error"):
                    raise ChainUnavailable(f"{method}: {answer['error']['message']}")
                found.append(answer["result"])
        return found

    def _request(self, method: str, *params: object) -> dict[str, Any]:
        try:
            answer = self._provider.make_request(RPCEndpoint(method), list(params))
        except OSError as fault:
            raise ChainUnavailable(f"{method}: {fault}") from fault
        return cast("dict[str, Any]", answer)


def _receipt(found: dict[str, Any]) -> Receipt:
    return Receipt(
        transaction_hash=found["transactionHash"],
        block_number=int(found["blockNumber"], 16),
        block_hash=found["blockHash"],
        succeeded=int(found["status"], 16) == 1,
        gas_used=int(found["gasUsed"], 16),
    )
