"""
Send each intended transaction to the chain exactly once.

Nonce, signed bytes and hash are stored in the database transaction of the business rows, before
anything is sent. A signed intent never gets another nonce: after a crash or a silence the same
bytes are sent again, and the chain takes a nonce once. A nonce on the chain that is not ours means
that somebody else holds the key: stop.
"""

from dataclasses import dataclass
from typing import Any, Final

import rlp  # type: ignore[import-untyped]  # ships no types
from eth_account import Account
from eth_account.signers.local import LocalAccount
from sqlalchemy import Connection, func, select, update

from contracts.typed_data import keccak
from ledger.errors import Integrity
from settlement.chain.gateway import ChainGateway, Receipt
from settlement.tables import attempt, intent

_CREATED_LENGTH: Final = 20


class ForeignNonceError(Integrity):
    """The chain holds a transaction of our key that we never signed."""

    def __init__(self, signer: str, on_chain: int, ours: int) -> None:
        super().__init__(
            "foreign_nonce",
            f"{signer} has {on_chain} transactions on the chain, the outbox signed only {ours}",
        )


@dataclass(frozen=True, slots=True)
class Call:
    """What a transaction is to do."""

    to: str | None
    """Contract called, or None to create one."""
    data: bytes
    """Call data or init code."""
    name: str
    """What it is, for people: ``ChargeVault.closeWithOcmf``."""
    gas: int
    """Gas limit."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """A signed intent that is not yet final."""

    intent_id: int
    """Row of the intent."""
    business_key: str
    """What it was signed for; unique."""
    hash: str
    """Transaction hash, 0x-prefixed."""
    raw: bytes
    """Signed bytes."""
    mined: bool
    """Whether a receipt was seen."""


class Outbox:
    """The transactions of one signing key."""

    def __init__(self, private_key: bytes, chain_id: int) -> None:
        self._account: LocalAccount = Account.from_key(private_key)
        self._chain_id = chain_id

    @property
    def address(self) -> str:
        """Address of the signing key, lower case."""
        return str(self._account.address).lower()

    def next_nonce(self, connection: Connection) -> int:
        """Return the nonce that the next intent will get."""
        counted = connection.execute(
            select(func.count()).select_from(intent).where(intent.c.signer == self.address)
        ).scalar_one()
        return int(counted)

    def plan(self, connection: Connection, *, business_key: str, trace_id: str, call: Call) -> str:
        """
        Sign ``call`` under the next nonce and store it; return the transaction hash.

        Idempotent by ``business_key``. The caller's transaction carries it, so it exists exactly if
        the business rows do. Nothing is sent here.
        """
        known = connection.execute(
            select(attempt.c.hash)
            .join(intent, intent.c.id == attempt.c.intent_id)
            .where(intent.c.business_key == business_key)
        ).scalar()
        if known is not None:
            return str(known)
        nonce = self.next_nonce(connection)
        fields: dict[str, Any] = {
            "type": 2,
            "chainId": self._chain_id,
            "nonce": nonce,
            "maxFeePerGas": 0,
            "maxPriorityFeePerGas": 0,
            "gas": call.gas,
            "value": 0,
            "data": call.data,
        }
        if call.to is not None:
            fields["to"] = bytes.fromhex(call.to[2:])
        signed = self._account.sign_transaction(fields)
        intent_id = connection.execute(
            intent.insert()
            .values(
                business_key=business_key,
                trace_id=trace_id,
                signer=self.address,
                nonce=nonce,
                state="signed",
            )
            .returning(intent.c.id)
        ).scalar_one()
        transaction_hash = "0x" + bytes(signed.hash).hex()
        connection.execute(
            attempt.insert().values(
                hash=transaction_hash,
                intent_id=intent_id,
                raw=bytes(signed.raw_transaction),
                call=call.name,
            )
        )
        return transaction_hash

    def outstanding(self, connection: Connection) -> tuple[Outstanding, ...]:
        """Return the intents that are signed or mined but not final, by nonce."""
        rows = connection.execute(
            select(
                intent.c.id, intent.c.business_key, attempt.c.hash, attempt.c.raw, intent.c.state
            )
            .join(attempt, attempt.c.intent_id == intent.c.id)
            .where(intent.c.signer == self.address, intent.c.state.in_(("signed", "mined")))
            .order_by(intent.c.nonce)
        )
        return tuple(Outstanding(r[0], r[1], r[2], r[3], r[4] == "mined") for r in rows)

    def call_of(self, connection: Connection, transaction_hash: str) -> Call:
        """Return what the transaction ``transaction_hash`` was to do."""
        raw, name = connection.execute(
            select(attempt.c.raw, attempt.c.call).where(attempt.c.hash == transaction_hash)
        ).one()
        fields = rlp.decode(raw[1:])
        to, data, gas = fields[5], fields[7], int.from_bytes(fields[4], "big")
        return Call(to="0x" + to.hex() if to else None, data=data, name=name, gas=gas)

    def check_nonce(self, connection: Connection, gateway: ChainGateway) -> None:
        """
        Compare the chain's count of our transactions with what we signed.

        Raises
        ------
        ForeignNonceError
            If the chain has more than we signed.
        """
        on_chain = gateway.transaction_count(self.address)
        ours = self.next_nonce(connection)
        if on_chain > ours:
            raise ForeignNonceError(self.address, on_chain, ours)


def deliver(gateway: ChainGateway, outstanding: tuple[Outstanding, ...]) -> None:
    """Send every intent that has no receipt yet, in nonce order; the same bytes each time."""
    for one in outstanding:
        if not one.mined:
            gateway.send(one.raw)


def settle_intent(
    connection: Connection, one: Outstanding, receipt: Receipt, *, final: bool, error: str | None
) -> None:
    """Record what became of an intent: mined, final, or failed for ever with ``error``."""
    state = "mined" if not final else "final" if receipt.succeeded else "failed"
    connection.execute(
        update(intent)
        .where(intent.c.id == one.intent_id)
        .values(
            state=state, block_number=receipt.block_number, gas_used=receipt.gas_used, error=error
        )
    )


def created_address(sender: str, nonce: int) -> str:
    """Return the address that a creation by ``sender`` under ``nonce`` gets (yellow paper, §7)."""
    encoded = rlp.encode([bytes.fromhex(sender[2:]), nonce])
    return "0x" + keccak(encoded)[-_CREATED_LENGTH:].hex()
