"""
Show the operator what was refused, and judge it again after a fix.

What is refused is kept byte for byte with its code; it claims no key, so judging it again is the
same as if it came again. A station's report and a meter's reading can be judged again here: whoever
sent anything else is still there to send it again.
"""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from ledger.errors import NotFound, UnverifiedReading, WrongState
from ledger.store.bulk import upsert
from ledger.units import UnixSeconds, WattHours
from settlement.charging.reports import TransactionReport
from settlement.engine.charging import kept, transactions
from settlement.engine.market.readings import SignedReading, record_readings
from settlement.engine.service import Service
from settlement.metering.readings import Quality, Reading, Register
from settlement.tables import kept_report, refusal, rejudged


class UnknownRefusalError(NotFound):
    """Nothing of that number is in quarantine."""

    def __init__(self, seq: int) -> None:
        super().__init__("unknown_refusal", f"nothing in quarantine has the number {seq}")


class NotReplayableError(WrongState):
    """What was refused cannot be judged again here; whoever sent it has to send it again."""

    def __init__(self, seq: int, kind: str) -> None:
        super().__init__("not_replayable", f"{kind} {seq} cannot be judged again; send it again")


class StillRefusedError(UnverifiedReading):
    """A reading was judged again and refused again."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__("still_refused", f"{code}: {detail}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which refusals somebody wants to see."""

    limit: int
    """How many at most."""
    before_seq: int | None = None
    """Only those with a lower number."""
    source: str | None = None
    """Only of this station or other sender."""
    code: str | None = None
    """Only with this code."""


def refusals(service: Service, wanted: Wanted) -> list[dict[str, Any]]:
    """Return refusals, the newest first, each with its body and what came of it since."""
    query = (
        select(
            refusal,
            rejudged.c.outcome,
            kept_report.c.content_hash.label("kept"),
        )
        .outerjoin(rejudged, rejudged.c.refusal_seq == refusal.c.seq)
        .outerjoin(kept_report, kept_report.c.content_hash == refusal.c.content_hash)
        .order_by(refusal.c.seq.desc())
        .limit(wanted.limit)
    )
    if wanted.before_seq is not None:
        query = query.where(refusal.c.seq < wanted.before_seq)
    if wanted.source is not None:
        query = query.where(refusal.c.source == wanted.source)
    if wanted.code is not None:
        query = query.where(refusal.c.code == wanted.code)
    with service.reading() as connection:
        return [_shown(row) for row in connection.execute(query).mappings()]


def replay(service: Service, seq: int, *, elapsed_ns: Callable[[], int]) -> Mapping[str, Any]:
    """
    Judge again what was refused, and return what came of it.

    Idempotent: once it is accepted, the answer is the same ever after. What is refused again raises
    its reason and may be judged again later.

    Raises
    ------
    UnknownRefusalError
        If nothing of that number was refused.
    NotReplayableError
        If it is nothing that can be judged again.
    StillRefusedError
        If a reading is refused again.
    """
    with service.reading() as connection:
        found = _refused(connection, seq)
        prior = connection.execute(
            select(rejudged.c.outcome).where(rejudged.c.refusal_seq == seq)
        ).scalar()
        told = kept.kept(connection, found["content_hash"])
    if prior is not None:
        return dict(json.loads(prior))
    outcome = _judged(service, found, told, elapsed_ns)
    with service.writing() as connection:
        connection.execute(
            upsert(connection, rejudged)
            .values(
                refusal_seq=seq,
                outcome=json.dumps(outcome, sort_keys=True),
                at_s=service.clock.now_s(),
            )
            .on_conflict_do_nothing()
        )
    return outcome


def _judged(
    service: Service,
    found: RowMapping,
    told: TransactionReport | None,
    elapsed_ns: Callable[[], int],
) -> dict[str, Any]:
    if told is not None:
        answer = transactions.report(service, told, elapsed_ns=elapsed_ns)
        return {"status": "accepted"} | asdict(answer)
    if found["kind"] == "reading":
        judged = record_readings(service, (_reading(found["body"]),))[0]
        if judged.code is not None:
            raise StillRefusedError(judged.code, judged.detail or "")
        return {"status": judged.status}
    raise NotReplayableError(found["seq"], found["kind"])


def _refused(connection: Connection, seq: int) -> RowMapping:
    found = connection.execute(select(refusal).where(refusal.c.seq == seq)).mappings().first()
    if found is None:
        raise UnknownRefusalError(seq)
    return found


def _reading(body: bytes) -> SignedReading:
    """Return the reading that was kept as evidence."""
    one = json.loads(body)
    return SignedReading(
        reading=Reading(
            meter_id=one["meter_id"],
            register=Register[one["register"].upper()],
            at_s=UnixSeconds(one["at_s"]),
            sequence=one["sequence"],
            energy_wh=WattHours(one["energy_wh"]),
            quality=Quality[one["quality"].upper()],
        ),
        signature=bytes.fromhex(one["signature"].removeprefix("0x")),
        body=body,
    )


def _shown(row: RowMapping) -> dict[str, Any]:
    try:
        body, encoding = row["body"].decode(), "text"
    except UnicodeDecodeError:
        body, encoding = base64.b64encode(row["body"]).decode(), "base64"
    outcome = row["outcome"]
    return {
        "seq": row["seq"],
        "kind": row["kind"],
        "source": row["source"],
        "code": row["code"],
        "detail": row["detail"],
        "body": body,
        "encoding": encoding,
        "trace_id": row["trace_id"],
        "at_s": row["at_s"],
        "replayable": row["kept"] is not None or row["kind"] == "reading",
        "replayed": None if outcome is None else json.loads(outcome),
    }
