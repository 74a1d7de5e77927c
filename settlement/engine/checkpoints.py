"""
Close each local day with a signed checkpoint of the log, and anchor it on the chain.

From then on whoever keeps the checkpoint, the chain included, sees if an entry before it changes.
"""

from typing import Final

from sqlalchemy import Connection, select

from ledger.proofs import Checkpoint, Frontier, open_checkpoint, sign_checkpoint
from ledger.tables import checkpoint as kept
from ledger.tables import entry
from ledger.units import UnixSeconds
from settlement.chain.outbox import Call
from settlement.engine.finality import advance
from settlement.engine.service import Service

_ANCHOR_GAS: Final = 300_000
_DAY_S: Final = 86_400
_HALF: Final = 32


def close_day(service: Service) -> Checkpoint | None:
    """
    Sign and anchor a checkpoint if a local day has begun since the last one; return it.

    Idempotent: a log that did not grow, or a day that has its checkpoint, gets no second one.
    """
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
    advance(service)
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
    wanted = {row.size: row for row in connection.execute(select(kept)).all()}
    origin, key = origin_of(service), service.log_key.public_key()
    frontier = Frontier()
    leaves = connection.execute(select(entry.c.hash).order_by(entry.c.seq)).scalars()
    for leaf in leaves:
        frontier.append(leaf)
        row = wanted.pop(frontier.size, None)
        if row is None:
            continue
        signed = open_checkpoint(row.note, origin, key)
        if (signed.size, signed.root) != (frontier.size, frontier.root()):
            return f"the checkpoint of {row.size} entries says {signed.root.hex()}"
    return f"the log ends before the checkpoint of {min(wanted)} entries" if wanted else None


def _same_day(service: Service, one_s: UnixSeconds, other_s: UnixSeconds) -> bool:
    offset_s = service.rules.utc_offset_minutes * 60
    return (one_s + offset_s) // _DAY_S == (other_s + offset_s) // _DAY_S
