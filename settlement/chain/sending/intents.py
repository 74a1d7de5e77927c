"""The rows of intents and attempts: what is signed under a nonce, and how far it has come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, text, update

from settlement.chain.gateway import Receipt
from settlement.chain.sending.fees import Fees
from settlement.tables import attempt, intent
from settlement.tables.onchain import IS_WAITING

_OUTSTANDING: Final = (
    select(
        intent.c.id,
        intent.c.business_key,
        intent.c.nonce,
        intent.c.state,
        intent.c.waits_since,
        intent.c.block_number,
        intent.c.error,
        intent.c.hash.label("counts"),
        attempt.c.number,
        attempt.c.hash,
        attempt.c.raw,
        attempt.c.max_fee_wei,
        attempt.c.tip_wei,
        attempt.c.cancels,
    )
    .join(attempt, attempt.c.intent_id == intent.c.id)
    .where(intent.c.signer == bindparam("our"), text(f"intent.{IS_WAITING}"))
)
_WRITE: Final = update(intent).where(intent.c.id == bindparam("row"))


@dataclass(frozen=True, slots=True)
class Attempt:
    """Signed bytes of an intent."""

    number: int
    """0 for the first, which the business rows came with."""
    hash: str
    """Transaction hash, 0x-prefixed."""
    raw: bytes
    """Signed bytes."""
    fees: Fees
    """What they offer for gas."""
    cancels: bool
    """Whether they do nothing, in place of what was intended."""


@dataclass(frozen=True, slots=True)
class Outstanding:
    """An intent that has not come to its end."""

    intent_id: int
    """Row of the intent."""
    business_key: str
    """What it was signed for; unique."""
    nonce: int
    """Its nonce, for good."""
    state: str
    """``signed``, ``broadcast`` or ``mined``."""
    waits_since: int | None
    """Newest block when the last attempt had been sent and was not mined; None before."""
    block_number: int | None
    """Height of the block that it is mined in, if it is."""
    hash: str
    """Hash of the attempt that counts: the one that is mined, or else the newest."""
    error: str | None
    """Why it was reverted, or why its fee is not raised any more."""
    attempts: tuple[Attempt, ...]
    """All signed bytes under its nonce, oldest first."""

    @property
    def mined(self) -> bool:
        """Say whether a receipt in a block that we have read was seen."""
        return self.state == "mined"

    @property
    def newest(self) -> Attempt:
        """Return the attempt that is to be sent."""
        return self.attempts[-1]


def waiting_intents(connection: Connection, signer: str) -> tuple[Outstanding, ...]:
    """Return the intents of ``signer`` that have not come to their end, by nonce."""
    rows = connection.execute(_OUTSTANDING, {"our": signer})
    found: dict[int, list[Any]] = {}
    # Sorted here: to have them in order the database would read all intents that ever were.
    for row in sorted(rows, key=lambda row: (row.nonce, row.number)):
        found.setdefault(row.id, []).append(row)
    return tuple(
        Outstanding(
            intent_id=rows[0].id,
            business_key=rows[0].business_key,
            nonce=rows[0].nonce,
            state=rows[0].state,
            waits_since=rows[0].waits_since,
            block_number=rows[0].block_number,
            hash=rows[0].counts,
            error=rows[0].error,
            attempts=tuple(
                Attempt(
                    number=row.number,
                    hash=row.hash,
                    raw=row.raw,
                    fees=Fees(row.max_fee_wei, row.tip_wei),
                    cancels=bool(row.cancels),
                )
                for row in rows
            ),
        )
        for rows in found.values()
    )


def note_waiting(connection: Connection, waiting: Sequence[Outstanding], head: int) -> None:
    """Take note that these intents were sent and are not mined at block ``head``."""
    for one in waiting:
        if one.state != "broadcast" or one.waits_since is None:
            write_intent(connection, one.intent_id, state="broadcast", waits_since=head)


def settle_intents(
    connection: Connection, mined: Mapping[int, Receipt], errors: Mapping[int, str]
) -> None:
    """Record, by row, the block that each intent is mined in, by whichever attempt, and why not."""
    _write_all(
        connection,
        [
            {
                "row": row,
                "state": "mined",
                "hash": receipt.transaction_hash,
                "block_number": receipt.block_number,
                "block_hash": receipt.block_hash,
                "gas_used": receipt.gas_used,
                "error": errors.get(row),
            }
            for row, receipt in mined.items()
        ],
    )


def end_intents(connection: Connection, ended: Sequence[Outstanding], state: str) -> None:
    """Record that mined intents have come to their end."""
    _write_all(connection, [{"row": one.intent_id, "state": state} for one in ended])


def write_intent(connection: Connection, intent_id: int, **values: object) -> None:
    """Set columns of an intent."""
    connection.execute(_WRITE, {"row": intent_id, **values})


def _write_all(connection: Connection, rows: Sequence[Mapping[str, object]]) -> None:
    """Set the same columns of many intents."""
    if rows:
        connection.execute(_WRITE, rows)
