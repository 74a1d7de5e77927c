"""Take signed register readings of homes and of the feeder head."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import Connection, select

from ledger.errors import UnverifiedReading, VoisinError
from ledger.units import UnixSeconds, WattHours
from settlement.engine.intake import Message, Outcome, take
from settlement.engine.market import feeder
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.metering.readings import Quality, Reading, Register, reading_digest
from settlement.metering.signatures import MeterKind, verify_reading
from settlement.metering.validation import check_continuity
from settlement.tables import reading, run


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading as it came, with its signature."""

    reading: Reading
    """What the meter says."""
    signature: bytes
    """r, s, v: 65 bytes."""
    body: bytes
    """What was sent, byte for byte."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one reading."""

    status: str
    """``accepted``, ``replayed`` or ``refused``."""
    code: str | None = None
    """Why it was refused."""
    detail: str | None = None
    """Why, for people."""


class FutureReadingError(UnverifiedReading):
    """A reading of an instant that has not come yet."""

    def __init__(self, at_s: int, now_s: int) -> None:
        super().__init__("future_reading", f"the reading is of {at_s}, the clock says {now_s}")


class LateReadingError(UnverifiedReading):
    """A reading of an instant whose interval is settled; the register's next reading covers it."""

    def __init__(self, at_s: int) -> None:
        super().__init__("late_reading", f"the interval that ends at {at_s} is settled already")


def record_readings(service: Service, readings: Sequence[SignedReading]) -> tuple[Answer, ...]:
    """
    Judge readings one by one, in one transaction; a bad one never stops the others.

    Idempotent by meter, register and instant.
    """
    answers = []
    accepted = []
    now_s = service.clock.now_s()
    with service.writing() as connection:
        for signed in readings:
            taken = take(
                connection,
                service.book,
                _message(signed),
                at_s=now_s,
                judge=partial(_judge, service, connection, signed, now_s),
            )
            if isinstance(taken, VoisinError):
                answers.append(Answer("refused", taken.code, str(taken)))
            else:
                answers.append(Answer("replayed" if taken.replayed else "accepted"))
                if not taken.replayed:
                    accepted.append(bytes.fromhex(taken.outcome["digest"]))
        if accepted:
            service.book.append_record(
                connection,
                name="readings_accepted",
                trace_id="",
                body=hashlib.sha256(b"".join(accepted)).digest(),
                at_s=now_s,
            )
    return tuple(answers)


def _message(signed: SignedReading) -> Message:
    one = signed.reading
    return Message(
        key=f"reading/{one.meter_id}/{int(one.register)}/{one.at_s}",
        kind="reading",
        source=one.meter_id,
        body=signed.body,
        trace_id="",
    )


def _judge(
    service: Service, connection: Connection, signed: SignedReading, now_s: UnixSeconds
) -> Outcome:
    one = signed.reading
    if one.at_s > now_s:
        raise FutureReadingError(one.at_s, now_s)
    interval = one.at_s // service.rules.interval_s - 1
    if connection.execute(select(run.c.run).where(run.c.interval == interval)).first():
        raise LateReadingError(one.at_s)
    key = meter_key(connection, one.meter_id, one.at_s)
    verify_reading(service.domain, one, signed.signature, key)
    before = last_reading(connection, one.meter_id, one.register, UnixSeconds(one.at_s))
    if before is not None:
        check_continuity(before, one, key.rated_power_w)
    if key.kind is MeterKind.FEEDER_HEAD and before is not None:
        feeder.check(service, connection, before, one)
    digest = reading_digest(service.domain, one)
    connection.execute(
        reading.insert().values(
            meter_id=one.meter_id,
            register=int(one.register),
            at_s=one.at_s,
            sequence=one.sequence,
            energy_wh=one.energy_wh,
            quality=int(one.quality),
            digest=digest,
            signature=signed.signature,
        )
    )
    return {"digest": digest.hex()}


def last_reading(
    connection: Connection, meter_id: str, register: Register, until_s: UnixSeconds
) -> Reading | None:
    """Return the newest reading of a register up to and including ``until_s``, if there is one."""
    found = (
        connection.execute(
            select(reading)
            .where(
                reading.c.meter_id == meter_id,
                reading.c.register == int(register),
                reading.c.at_s <= until_s,
            )
            .order_by(reading.c.at_s.desc())
            .limit(1)
        )
        .mappings()
        .first()
    )
    if found is None:
        return None
    return Reading(
        meter_id=found["meter_id"],
        register=Register(found["register"]),
        at_s=UnixSeconds(found["at_s"]),
        sequence=found["sequence"],
        energy_wh=WattHours(found["energy_wh"]),
        quality=Quality(found["quality"]),
    )
