"""
Sign each intended transaction once per nonce, and remember every attempt to send it.

Nonce, signed bytes and hash are stored in the database transaction of the business rows, before
anything is sent. A signed intent never gets another nonce: after a crash or a silence the same
bytes are sent again, and the chain takes a nonce once. What pays too little gets another attempt
under the same nonce, stored before it is sent; a receipt of any attempt settles the intent.

::

    signed -> broadcast -> mined -> final
                 ^           |   -> failed      it was reverted
                 +- reorg ---+   -> superseded  a cancelling attempt was mined in its place

``delivery`` moves intents along; here they are written.
"""

from dataclasses import dataclass
from typing import Final

import rlp  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import Connection, bindparam, func, select, update

from contracts.typed_data import keccak
from ledger.errors import Integrity, NotFound, WrongState
from settlement.chain.gateway import ChainGateway, FeeQuote, Header
from settlement.chain.sending.fees import FeePolicy, Fees
from settlement.chain.sending.intents import (
    Attempt,
    Outstanding,
    waiting_intents,
    write_intent,
)
from settlement.chain.sending.signing import Signer
from settlement.chain.sending.steps import NO_STEPS, Steps
from settlement.tables import attempt, intent

_CREATED_LENGTH: Final = 20
_TRANSFER_GAS: Final = 21_000
_FREE: Final = FeeQuote(0, 0)
_POLICY: Final = FeePolicy()
_LAST: Final = select(func.max(intent.c.nonce)).where(intent.c.signer == bindparam("our"))
_PLANNED: Final = select(intent.c.hash).where(intent.c.business_key == bindparam("wanted"))
_PLAN: Final = intent.insert().returning(intent.c.id)
_SIGN: Final = attempt.insert()


class ForeignNonceError(Integrity):
    """The chain holds more transactions of our key than we ever signed."""

    def __init__(self, signer: str, on_chain: int, ours: int) -> None:
        super().__init__(
            "foreign_nonce",
            f"{signer} has {on_chain} transactions on the chain, the outbox signed only {ours}",
        )


class UnknownIntentError(NotFound):
    """No transaction was ever planned for the business key."""

    def __init__(self, business_key: str) -> None:
        super().__init__("unknown_intent", f"nothing was planned for {business_key}")


class IntentMinedError(WrongState):
    """The transaction is on the chain already and cannot be cancelled."""

    def __init__(self, business_key: str, state: str) -> None:
        super().__init__("intent_mined", f"{business_key} is {state} and cannot be cancelled")


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


class Outbox:
    """The transactions of one signing key."""

    def __init__(
        self,
        private_key: bytes,
        chain_id: int,
        *,
        policy: FeePolicy = _POLICY,
        steps: Steps = NO_STEPS,
    ) -> None:
        """
        Sign with ``private_key`` for the chain ``chain_id``.

        Parameters
        ----------
        policy
            What to offer for gas.
        steps
            Told how far each transaction is.
        """
        self._signer: Final = Signer(private_key, chain_id)
        self.policy: Final = policy
        """What is offered for gas."""
        self.steps: Final = steps
        """Told how far each transaction is."""
        self.quote: FeeQuote | None = None
        """What the node asked for gas when it was last heard of; None before the first time."""
        self._quoted_at = -1

    @property
    def address(self) -> str:
        """Address of the signing key, lower case."""
        return self._signer.address

    def next_nonce(self, connection: Connection) -> int:
        """Return the nonce that the next intent will get."""
        last = connection.execute(_LAST, {"our": self.address}).scalar()
        return 0 if last is None else int(last) + 1

    def plan(self, connection: Connection, *, business_key: str, trace_id: str, call: Call) -> str:
        """
        Sign ``call`` under the next nonce and store it; return the transaction hash.

        Idempotent by ``business_key``. The caller's transaction carries it, so it exists exactly if
        the business rows do. Nothing is sent here.
        """
        known = connection.execute(_PLANNED, {"wanted": business_key}).scalar()
        if known is not None:
            return str(known)
        nonce = self.next_nonce(connection)
        made = self._sign(nonce, call, self.policy.first(self.quote or _FREE))
        intent_id = connection.execute(
            _PLAN,
            {
                "business_key": business_key,
                "trace_id": trace_id,
                "signer": self.address,
                "nonce": nonce,
                "state": "signed",
                "hash": made.hash,
            },
        ).scalar_one()
        self._keep(connection, intent_id, made, call.name)
        self.steps.reach("planned")
        return made.hash

    def note_head(self, gateway: ChainGateway, head: Header) -> None:
        """
        Ask what gas costs, once at the start, and at each new block where it costs something.

        Where it is free, the block itself says that it still is.
        """
        if self.quote is not None:
            is_free = self.quote == _FREE and not head.base_fee_wei
            if is_free or head.number == self._quoted_at:
                return
        self.quote, self._quoted_at = gateway.fees(), head.number

    def bump(self, connection: Connection, one: Outstanding) -> bool:
        """
        Sign the newest attempt of ``one`` again for a higher fee; say whether the cap allows it.

        The new attempt is sent by the next delivery, after this transaction has been committed. At
        the cap the intent says so and waits for prices to fall.
        """
        fees = self.policy.bumped(one.newest.fees, self.quote or _FREE)
        if fees.max_fee_wei > self.policy.max_fee_cap_wei:
            said = (
                f"a higher fee would be {fees.max_fee_wei} wei per gas, "
                f"the cap is {self.policy.max_fee_cap_wei}"
            )
            write_intent(connection, one.intent_id, error=said)
            return False
        self._sign_again(connection, one, self.call_of(connection, one.newest.hash), fees)
        return True

    def cancel(self, connection: Connection, business_key: str) -> str:
        """
        Put a transfer of nothing to ourselves in the place of an intent; return its hash.

        Whichever is mined settles the intent: as ``superseded`` if it is the transfer. Idempotent
        until then. An intent that was never sent is cancelled for the fee that is asked now; where
        it may have been sent, the transfer pays more.

        Raises
        ------
        UnknownIntentError
            If nothing was planned for ``business_key``.
        IntentMinedError
            If it is mined.
        """
        waiting = {one.business_key: one for one in self.outstanding(connection)}
        one = waiting.get(business_key)
        if one is None or one.mined:
            raise self._not_cancellable(connection, business_key)
        if one.newest.cancels:
            return one.newest.hash
        quote = self.quote or _FREE
        fees = self.policy.first(quote)
        if one.state != "signed" and quote != _FREE:
            fees = self.policy.bumped(one.newest.fees, quote)
        call = Call(to=self.address, data=b"", name="cancel", gas=_TRANSFER_GAS)
        return self._sign_again(connection, one, call, fees, cancels=True)

    def outstanding(self, connection: Connection) -> tuple[Outstanding, ...]:
        """Return the intents that have not come to their end, by nonce, with all attempts."""
        return waiting_intents(connection, self.address)

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
        self.check_count(connection, gateway.transaction_count(self.address))

    def check_count(self, connection: Connection, on_chain: int) -> None:
        """
        Compare ``on_chain``, the chain's count of our transactions, with what we signed.

        Raises
        ------
        ForeignNonceError
            If the chain has more than we signed.
        """
        ours = self.next_nonce(connection)
        if on_chain > ours:
            raise ForeignNonceError(self.address, on_chain, ours)

    def created_by(self, one: Outstanding) -> str | None:
        """Return the contract that ``one`` creates, or None if it creates none."""
        fields = rlp.decode(one.newest.raw[1:])
        return None if fields[5] else created_address(self.address, one.nonce)

    def unmine(self, connection: Connection, above: int) -> None:
        """Take note that the blocks above height ``above`` are gone: what they held waits again."""
        connection.execute(
            update(intent)
            .where(
                intent.c.signer == self.address,
                intent.c.state == "mined",
                intent.c.block_number > above,
            )
            .values(
                state="broadcast",
                waits_since=above,
                block_number=None,
                block_hash=None,
                gas_used=None,
                error=None,
            )
        )

    def _not_cancellable(
        self, connection: Connection, business_key: str
    ) -> UnknownIntentError | IntentMinedError:
        state = connection.execute(
            select(intent.c.state).where(intent.c.business_key == business_key)
        ).scalar()
        if state is None:
            return UnknownIntentError(business_key)
        return IntentMinedError(business_key, str(state))

    def _sign_again(
        self,
        connection: Connection,
        one: Outstanding,
        call: Call,
        fees: Fees,
        *,
        cancels: bool = False,
    ) -> str:
        number = one.newest.number + 1
        cancels = cancels or one.newest.cancels
        made = self._sign(one.nonce, call, fees, number=number, cancels=cancels)
        self._keep(connection, one.intent_id, made, call.name)
        write_intent(connection, one.intent_id, hash=made.hash, waits_since=None, error=None)
        self.steps.reach("planned")
        return made.hash

    def _sign(
        self, nonce: int, call: Call, fees: Fees, *, number: int = 0, cancels: bool = False
    ) -> Attempt:
        raw = self._signer.sign(nonce, fees, to=call.to, data=call.data, gas=call.gas)
        return Attempt(
            number=number,
            hash="0x" + keccak(raw).hex(),
            raw=raw,
            fees=fees,
            cancels=cancels,
        )

    def _keep(self, connection: Connection, intent_id: int, made: Attempt, name: str) -> None:
        connection.execute(
            _SIGN,
            {
                "hash": made.hash,
                "intent_id": intent_id,
                "number": made.number,
                "raw": made.raw,
                "call": name,
                "max_fee_wei": made.fees.max_fee_wei,
                "tip_wei": made.fees.tip_wei,
                "cancels": int(made.cancels),
            },
        )


def created_address(sender: str, nonce: int) -> str:
    """Return the address that a creation by ``sender`` under ``nonce`` gets (yellow paper, §7)."""
    encoded = rlp.encode([bytes.fromhex(sender[2:]), nonce])
    return "0x" + keccak(encoded)[-_CREATED_LENGTH:].hex()
