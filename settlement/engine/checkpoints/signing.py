"""
Close each local day with a signed checkpoint of the log, and anchor it on the chain.

From then on whoever keeps the checkpoint, the chain included, sees if an entry before it changes.
"""

from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import VoisinError
from ledger.proofs import (
    Checkpoint,
    Frontier,
    Note,
    open_checkpoint,
    parse_note,
    parse_signatures,
    sign_checkpoint,
)
from ledger.tables import checkpoint as kept
from ledger.tables import cosignature
from ledger.units import UnixSeconds
from settlement.chain.outbox import Call
from settlement.engine.checkpoints.cosigning import gather_cosignatures
from settlement.engine.checkpoints.published import LEAF_HASH, SEQ
from settlement.engine.finality import advance
from settlement.engine.service import Service

_ANCHOR_GAS: Final = 300_000
_HALF: Final = 32


def close_day(service: Service) -> Checkpoint | None:
    """
    Sign and anchor a checkpoint if a local day has begun since the last one; return it.

    Idempotent: a log that did not grow, or a day that has its checkpoint, gets no second one. Each
    call asks the witnesses that have not cosigned the newest checkpoint yet.

    Raises
    ------
    SplitViewError
        If a witness holds a tree that the log does not grow out of.
    """
    made = _sign_day(service)
    if made is not None:
        advance(service)
    gather_cosignatures(service)
    return made


def _sign_day(service: Service) -> Checkpoint | None:
    """Sign a checkpoint and plan its anchor, if one is due."""
    now_s = service.clock.now_s()
    with service.writing() as connection:
        size, root = service.book.root(connection)
        newest = connection.execute(
            select(kept.c.size, kept.c.at_s).order_by(kept.c.size.desc()).limit(1)
        ).first()
        if size == 0 or (newest and _same_day(service, UnixSeconds(newest.at_s), now_s)):
            return None
        if newest is not None and newest.size == size:
            return None
        made = Checkpoint(origin_of(service), size, root, now_s)
        note = sign_checkpoint(made, made.origin, service.log_key)
        connection.execute(kept.insert().values(size=size, root=root, at_s=now_s, note=note))
        _plan_anchor(service, connection, made)
    return made


def _plan_anchor(service: Service, connection: Connection, made: Checkpoint) -> None:
    """Anchor size and root; instant and signature go along, so that the chain holds the note."""
    trade = service.contracts.trade
    signature = service.log_key.sign(made.text().encode())
    halves = (signature[:_HALF], signature[_HALF:])
    service.outbox.plan(
        connection,
        business_key=f"checkpoint/{made.size}",
        trace_id=f"{service.rules.community_id}/log",
        call=Call(
            trade.address,
            trade.encode("anchorCheckpoint", made.size, made.root, made.at_s, halves),
            "TradeLedger.anchorCheckpoint",
            _ANCHOR_GAS,
        ),
    )


def origin_of(service: Service) -> str:
    """Return the name under which the community's log is known."""
    return f"voisin/{service.rules.community_id}"


def first_inconsistent(service: Service, connection: Connection) -> str | None:
    """L7: return the first kept checkpoint that the log as it stands does not grow out of."""
    origin, key = origin_of(service), service.log_key.public_key()
    frontier = Frontier()
    for row in connection.execute(select(kept).order_by(kept.c.size)).all():
        leaves = select(LEAF_HASH).where(frontier.size <= SEQ, row.size > SEQ).order_by(SEQ)
        frontier.extend(connection.execute(leaves).scalars())
        if frontier.size != row.size:
            return f"the log ends before the checkpoint of {row.size} entries"
        signed = open_checkpoint(row.note, origin, key)
        if (signed.size, signed.root) != (frontier.size, frontier.root()):
            return f"the checkpoint of {row.size} entries says {signed.root.hex()}"
        forged = _first_forged(service, connection, row.size, row.note)
        if forged is not None:
            return f"the cosignature of {forged} under {row.size} entries does not hold"
    return None


def _first_forged(service: Service, connection: Connection, size: int, note: str) -> str | None:
    """Return the first witness whose kept cosignature does not hold; a stranger's is only read."""
    text = parse_note(note.encode()).text
    keys = {one.key.name: one.key for one in service.witnesses}
    rows = select(cosignature).where(cosignature.c.size == size).order_by(cosignature.c.name)
    for row in connection.execute(rows).all():
        try:
            [signature] = parse_signatures(row.line)
            if row.name in keys:
                Note(text, (signature,)).signed_by((keys[row.name],))
        except (VoisinError, ValueError):
            return str(row.name)
        if (signature.name, signature.time_s) != (row.name, row.at_s):
            return str(row.name)
    return None


def _same_day(service: Service, one_s: UnixSeconds, other_s: UnixSeconds) -> bool:
    local = service.rules.local
    return local.day_of(one_s) == local.day_of(other_s)
