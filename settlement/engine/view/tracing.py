"""Follow one trace id through everything that carries it, from message to log entry."""

import json
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from ledger.errors import NotFound
from ledger.store import LedgerStore
from settlement.engine.market.late import known_readings
from settlement.engine.market.runs.sending import taken_with
from settlement.metering.homes.flags import Flag
from settlement.tables import attempt, event, inbox, intent, line, observed, run, session
from settlement.tables import slice_ as slices

Step = dict[str, Any]
_LIMITS: Final = ("mandate", "order", "order-cancel", "delegation")
"""Kinds of messages that begin their business key and go on with the member's wallet."""


class UnknownTraceError(NotFound):
    """Nothing carries this trace id."""

    def __init__(self, trace_id: str) -> None:
        super().__init__("unknown_trace", f"nothing carries the trace id {trace_id!r}")


def trace(connection: Connection, book: LedgerStore, trace_id: str) -> dict[str, Any]:
    """
    Return every step of a session or an interval, from the first message to the log entry.

    Raises
    ------
    UnknownTraceError
        If nothing carries the trace id.
    """
    steps = [
        *_messages(connection, trace_id),
        *_readings(connection, trace_id),
        *_slices(connection, trace_id),
        *_lines(connection, trace_id),
        *_transfers(connection, book, trace_id),
        *_transactions(connection, trace_id),
        *_events(connection, trace_id),
    ]
    if not steps:
        raise UnknownTraceError(trace_id)
    return {"trace_id": trace_id, "kind": _kind(trace_id), "steps": steps}


def _kind(trace_id: str) -> str:
    """Return what a trace id names: a session, an interval, a member or the log."""
    if trace_id.startswith("0x"):
        return "session"
    parts = trace_id.split("/")
    return "interval" if parts[-1].isdigit() else parts[1] if len(parts) > 1 else parts[0]


def _messages(connection: Connection, trace_id: str) -> list[Step]:
    """Return what a session or a member sent: request, start, stop; membership, limits, orders."""
    if "/member/" in trace_id:
        wallet = trace_id.rpartition("/")[2]
        wanted = or_(
            inbox.c.key == f"member/{wallet}",
            *(inbox.c.key.startswith(f"{kind}/{wallet}/", autoescape=True) for kind in _LIMITS),
        )
    else:
        found = connection.execute(
            select(session.c.station_id, session.c.id_tag, session.c.station_transaction).where(
                session.c.session_id == trace_id
            )
        ).first()
        if found is None:
            return []
        wanted = (
            (inbox.c.key == f"session/{trace_id}")
            | inbox.c.key.startswith(f"{found.station_id}/start/{found.id_tag}/", autoescape=True)
            | inbox.c.key.startswith(
                f"{found.station_id}/event/{found.station_transaction}/", autoescape=True
            )
            | (inbox.c.key == f"{found.station_id}/stop/{found.station_transaction}")
        )
    rows = connection.execute(select(inbox).where(wanted).order_by(inbox.c.at_s)).mappings()
    return [
        {
            "step": "message",
            "at_s": row["at_s"],
            "title": row["key"],
            "detail": {"from": row["source"], "content": row["content_hash"].hex()},
        }
        for row in rows
    ]


def _interval_of(connection: Connection, trace_id: str) -> tuple[int, int] | None:
    """Return run and interval that the trace id names, if the run exists."""
    parts = trace_id.rsplit("/", 2)
    if len(parts) != 3 or not (parts[1].isdigit() and parts[2].isdigit()):  # noqa: PLR2004
        return None
    found = connection.execute(
        select(run.c.run, run.c.interval).where(
            run.c.run == int(parts[2]), run.c.interval == int(parts[1])
        )
    ).first()
    return None if found is None else (found.run, found.interval)


def _readings(connection: Connection, trace_id: str) -> list[Step]:
    """Return what the run knew of the interval's ends."""
    found = _interval_of(connection, trace_id)
    if found is None:
        return []
    noted = connection.execute(select(run.c.inputs).where(run.c.run == found[0])).scalar_one()
    ends = json.loads(noted)
    known = known_readings(connection, found[0], ends["end_s"])
    rows = connection.execute(
        select(known)
        .where(known.c.at_s.in_((ends["begin_s"], ends["end_s"])))
        .order_by(known.c.meter_id, known.c.register, known.c.at_s)
    ).mappings()
    odd = {party: ", ".join(words) for party, words in ends.get("flags", {}).items()}
    said: Step = {
        "step": "reading",
        "at_s": ends["end_s"],
        "title": "what is to be known of the values",
        "detail": odd,
    }
    return [said] * bool(odd) + [
        {
            "step": "reading",
            "at_s": row["at_s"],
            "title": f"register {row['register']} of {row['meter_id'][:10]}…",
            "detail": {
                "energy_wh": row["energy_wh"],
                "quality": ", ".join(Flag(row["flags"]).words) or "measured",
                "digest": "0x" + row["digest"].hex(),
                "signature": "0x" + row["signature"].hex(),
            },
        }
        for row in rows
    ]


def _slices(connection: Connection, trace_id: str) -> list[Step]:
    interval = _interval_of(connection, trace_id)
    wanted = slices.c.interval == interval[1] if interval else slices.c.session_id == trace_id
    rows = connection.execute(select(slices).where(wanted).order_by(slices.c.end_s)).mappings()
    return [
        {
            "step": "reading",
            "at_s": row["end_s"],
            "title": f"fiscal record F{row['page']}, interval {row['interval']}",
            "detail": {
                "energy_wh": row["energy_wh"],
                "session": row["session_id"],
                "record": row["record"],
            },
        }
        for row in rows
    ]


def _lines(connection: Connection, trace_id: str) -> list[Step]:
    found = _interval_of(connection, trace_id)
    if found is None:
        return []
    rows = connection.execute(
        select(line, run.c.at_s)
        .join(run, run.c.run == line.c.run)
        .where(line.c.run == found[0])
        .order_by(line.c.position)
    ).mappings()
    return [
        {
            "step": "line",
            "at_s": row["at_s"],
            "title": f"{row['kind']}: {row['payer']} to {row['payee']}",
            "detail": {
                "energy_wh": row["energy_wh"],
                "price_micros_per_kwh": row["price_micros_per_kwh"],
                "amount_micros": str(row["amount_micros"]),
                "rail": row["rail"],
            },
        }
        for row in rows
    ]


def _transfers(connection: Connection, book: LedgerStore, trace_id: str) -> list[Step]:
    return [
        {
            "step": "transfer",
            "at_s": stored.at_s,
            "title": f"{stored.transfer.kind} {stored.transfer.code}",
            "detail": {
                "id": stored.transfer.id,
                "debit": stored.transfer.debit,
                "credit": stored.transfer.credit,
                "amount": str(stored.transfer.amount),
                "log_entry": stored.seq,
            },
        }
        for stored in book.transfers_of(connection, trace_id)
    ]


def _transactions(connection: Connection, trace_id: str) -> list[Step]:
    settling = _settling(connection, trace_id)
    rows = connection.execute(
        select(intent, attempt.c.call)
        .join(attempt, attempt.c.hash == intent.c.hash)
        .where(or_(intent.c.trace_id == trace_id, intent.c.business_key == settling))
        .order_by(intent.c.nonce)
    ).mappings()
    steps: list[Step] = []
    for row in rows:
        steps.append(
            {
                "step": "transaction",
                "at_s": None,
                "title": row["call"],
                "detail": {
                    "hash": row["hash"],
                    "nonce": row["nonce"],
                    "state": row["state"],
                    "block": row["block_number"],
                    "gas_used": row["gas_used"],
                },
            }
        )
        steps += _chain_events(connection, row["hash"])
    return steps


def _settling(connection: Connection, trace_id: str) -> str | None:
    """Return the key of the transaction that settles a run, which may settle others with it."""
    found = _interval_of(connection, trace_id)
    if found is None:
        return None
    number = taken_with(connection, found[0]).number
    return None if number is None else f"settle/{number}"


def _chain_events(connection: Connection, transaction_hash: str) -> list[Step]:
    rows = connection.execute(
        select(observed)
        .where(observed.c.transaction_hash == transaction_hash)
        .order_by(observed.c.log_index)
    ).mappings()
    return [
        {
            "step": "event",
            "at_s": None,
            "title": f"{row['contract']}.{row['name']}",
            "detail": json.loads(row["body"]) | {"final": bool(row["final"])},
        }
        for row in rows
    ]


def _events(connection: Connection, trace_id: str) -> list[Step]:
    rows = connection.execute(
        select(event).where(event.c.trace_id == trace_id).order_by(event.c.seq)
    ).mappings()
    return [
        {
            "step": "log",
            "at_s": row["at_s"],
            "title": row["name"],
            "detail": json.loads(row["body"]),
        }
        for row in rows
    ]
