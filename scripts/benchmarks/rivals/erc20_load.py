"""Transfer a token, one transfer after the other or by several senders at once."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, Final

from eth_account import Account

from devnet.engine.encoding import keccak
from devnet.keys import PublicAccount, public_accounts
from scripts.benchmarks.measuring import NS_PER_S
from scripts.benchmarks.rivals.client import Client, request
from scripts.benchmarks.rivals.nodes import CHAIN_ID, Node
from scripts.benchmarks.rows import BenchmarkInvalidError
from settlement.chain.calls import Contract, creation
from settlement.chain.outbox import created_address

SENDERS: Final = 8
_PAYEE: Final = "0x" + "77" * 20
_PURSE_MICROS: Final = 10**12
_GAS: Final = 5_000_000
_TRANSFER_GAS: Final = 100_000
_MINED_TIMEOUT_NS: Final = 30 * NS_PER_S
_SUCCEEDED: Final = "0x1"


@dataclass(frozen=True, slots=True)
class Transfer:
    """A signed transaction as it goes over the wire."""

    send: bytes
    """Request that sends it."""
    fetch: bytes
    """Request for its receipt."""


class Load:
    """
    The token's deployment and transfers of one unit, all signed beforehand.

    It is good once on any fresh chain of the same number whose base fee is not above its fee:
    the accounts are public ones, and the first of them deploys the token before anything else.
    """

    def __init__(self, max_fee_wei: int, lone: int, joint: int) -> None:
        """
        Sign everything.

        Parameters
        ----------
        max_fee_wei
            What every transaction offers per gas, in wei.
        lone
            Transfers of the sender that is alone.
        joint
            Transfers of the others, together.
        """
        self._max_fee_wei: Final = max_fee_wei
        owner, single, *senders = public_accounts()[: SENDERS + 2]
        self._owner: Final = owner
        self._token: Final = Contract.at("EnergyEuro", created_address(owner.address.lower(), 0))
        purses = self._token.encode(
            "mintBatch",
            [account.address.lower() for account in (single, *senders)],
            [_PURSE_MICROS] * (SENDERS + 1),
        )
        self.setup: Final = (
            self._sign(owner, 0, None, creation("EnergyEuro", owner.address.lower())),
            self._sign(owner, 1, self._token.address, purses),
        )
        """What comes before any transfer."""
        self.lone: Final = self._transfers(single, lone)
        """Transfers of one sender, in their order."""
        self.joint: Final = tuple(self._transfers(one, joint // SENDERS) for one in senders)
        """Transfers of every other sender, in their order."""

    @property
    def transfers(self) -> int:
        """How many transfers there are in all."""
        return len(self.lone) + sum(len(one) for one in self.joint)

    def arrived(self, client: Client) -> int:
        """Return how many transfers the chain knows of."""
        asked = {"to": self._token.address, "data": self._hex("balanceOf", _PAYEE)}
        return int(client.call("eth_call", asked, "latest"), 16)

    def _hex(self, function: str, *arguments: object) -> str:
        return "0x" + self._token.encode(function, *arguments).hex()

    def _transfers(self, sender: PublicAccount, transfers: int) -> tuple[Transfer, ...]:
        data = self._token.encode("transfer", _PAYEE, 1)
        return tuple(
            self._sign(sender, nonce, self._token.address, data) for nonce in range(transfers)
        )

    def _sign(self, sender: PublicAccount, nonce: int, to: str | None, data: bytes) -> Transfer:
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "maxFeePerGas": self._max_fee_wei,
            "maxPriorityFeePerGas": 0,
            "gas": _GAS if sender == self._owner else _TRANSFER_GAS,
            "value": 0,
            "data": data,
        }
        if to is not None:
            fields["to"] = bytes.fromhex(to[2:])
        raw = bytes(Account.sign_transaction(fields, sender.private_key).raw_transaction)
        return Transfer(
            request("eth_sendRawTransaction", "0x" + raw.hex()),
            request("eth_getTransactionReceipt", "0x" + keccak(raw).hex()),
        )


def one_by_one_ns(client: Client, transfers: Sequence[Transfer]) -> list[int]:
    """Return how long each transfer takes from its sending until its receipt is there, in ns."""
    times_ns = []
    for transfer in transfers:
        began_ns = perf_counter_ns()
        client.ask(transfer.send)
        _receipt(client, transfer)
        times_ns.append(perf_counter_ns() - began_ns)
    return times_ns


def at_once_ns(node: Node, batches: Sequence[Sequence[Transfer]]) -> int:
    """
    Return how long all batches take, each on its own connection, in ns.

    Every sender sends all it has and then fetches the receipts, one by one.
    """
    with ExitStack() as opened:
        clients = [opened.enter_context(node.connect()) for _ in batches]
        senders = opened.enter_context(ThreadPoolExecutor(len(batches)))
        began_ns = perf_counter_ns()
        # The list asks every thread for its end, and so raises what one of them raised.
        list(senders.map(_send_then_fetch, clients, batches))
        return perf_counter_ns() - began_ns


def _send_then_fetch(client: Client, batch: Sequence[Transfer]) -> None:
    for transfer in batch:
        client.ask(transfer.send)
    for transfer in batch:
        _receipt(client, transfer)


def _receipt(client: Client, transfer: Transfer) -> None:
    give_up_ns = perf_counter_ns() + _MINED_TIMEOUT_NS
    while perf_counter_ns() < give_up_ns:
        receipt = client.ask(transfer.fetch)
        if receipt is not None:
            if receipt["status"] != _SUCCEEDED:
                raise BenchmarkInvalidError("the token refused a transfer")
            return
    raise BenchmarkInvalidError("a transfer was never mined")
