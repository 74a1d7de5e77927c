"""Take signed register readings of homes and of the feeder head."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Final

from sqlalchemy import Connection, select

from ledger.errors import Integrity, UnverifiedReading, VoisinError
from ledger.units import UnixSeconds, WattHours
from settlement.engine.intake import Message, MessageDiffersError, content_hash, keep, refuse
from settlement.engine.market import feeder
from settlement.engine.roll import meter_key
from settlement.engine.service import Service
from settlement.metering.readings import Quality, Reading, Register
from settlement.metering.signatures import MeterKey, MeterKind, verify_reading
from settlement.metering.validation import check_continuity
from settlement.tables import inbox, reading, run


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
    with service.writing() as connection:
        batch = _Batch(service, connection, readings)
        answers = tuple(batch.take(one) for one in readings)
        batch.finish()
    return answers


class _Batch:
    """Readings that came together: what they have in common is looked up once, written once."""

    def __init__(
        self, service: Service, connection: Connection, readings: Sequence[SignedReading]
    ) -> None:
        self._service: Final = service
        self._readings: Final = readings
        self._connection: Final = connection
        self._now_s: Final = service.clock.now_s()
        self._seen: Final = _known(connection, [_key(one.reading) for one in readings])
        self._settled: Final = _settled(service, connection, readings)
        self._keys: Final = cache(partial(meter_key, connection))
        self._accepted: Final[list[bytes]] = []
        self._waiting: Final[list[_Accepted]] = []
        self._unwritten: Final[set[tuple[str, Register]]] = set()

    def take(self, signed: SignedReading) -> Answer:
        """Judge one reading, or give it the answer that it had."""
        message = _message(signed)
        content = content_hash(message)
        prior = self._seen.get(message.key)
        if prior == content:
            return Answer("replayed")
        try:
            if prior is not None:
                raise MessageDiffersError(message.key)
            digest = self._judge(signed)
        except Integrity:
            raise
        except VoisinError as fault:
            refuse(self._connection, self._service.book, message, fault, at_s=self._now_s)
            return Answer("refused", fault.code, str(fault))
        self._seen[message.key] = content
        self._accepted.append(digest)
        self._waiting.append(_Accepted(signed, message, digest))
        self._unwritten.add((signed.reading.meter_id, signed.reading.register))
        return Answer("accepted")

    def finish(self) -> None:
        """Write what was accepted, and commit to it in the log."""
        self._write()
        if self._accepted:
            self._service.book.append_record(
                self._connection,
                name="readings_accepted",
                trace_id="",
                body=hashlib.sha256(b"".join(self._accepted)).digest(),
                at_s=self._now_s,
            )

    def _judge(self, signed: SignedReading) -> bytes:
        """Return the digest of a reading that proves what it says."""
        one = signed.reading
        if one.at_s > self._now_s:
            raise FutureReadingError(one.at_s, self._now_s)
        if _interval_before(self._service, one) in self._settled:
            raise LateReadingError(one.at_s)
        key = self._keys(one.meter_id, one.at_s)
        digest = verify_reading(self._service.domain, one, signed.signature, key)
        before = self._before(one)
        if before is not None:
            check_continuity(before, one, key.rated_power_w)
            if key.kind is MeterKind.FEEDER_HEAD:
                self._write()
                beside = self._beside(one, key)
                feeder.check(self._service, self._connection, before, one, beside)
        return digest

    def _beside(self, one: Reading, key: MeterKey) -> Reading | None:
        """Return the meter's other register at the same instant, if it came along and is signed."""
        for other in self._readings:
            given = other.reading
            if (given.meter_id, given.at_s) == (one.meter_id, one.at_s) and (
                given.register is not one.register
            ):
                try:
                    verify_reading(self._service.domain, given, other.signature, key)
                except UnverifiedReading:
                    continue
                return given
        return None

    def _before(self, one: Reading) -> Reading | None:
        """Return the register's newest reading up to ``one``, of this batch or an earlier one."""
        if (one.meter_id, one.register) in self._unwritten:
            self._write()
        return last_reading(self._connection, one.meter_id, one.register, one.at_s)

    def _write(self) -> None:
        if self._waiting:
            self._connection.execute(reading.insert(), [one.row() for one in self._waiting])
            keep(
                self._connection,
                [(one.message, {"digest": one.digest.hex()}) for one in self._waiting],
                at_s=self._now_s,
            )
            self._waiting.clear()
            self._unwritten.clear()


@dataclass(frozen=True, slots=True)
class _Accepted:
    """A reading that was found good and is not yet written."""

    signed: SignedReading
    message: Message
    digest: bytes

    def row(self) -> dict[str, object]:
        """Return its row."""
        one = self.signed.reading
        return {
            "meter_id": one.meter_id,
            "register": int(one.register),
            "at_s": one.at_s,
            "sequence": one.sequence,
            "energy_wh": one.energy_wh,
            "quality": int(one.quality),
            "digest": self.digest,
            "signature": self.signed.signature,
        }


def _key(one: Reading) -> str:
    return f"reading/{one.meter_id}/{int(one.register)}/{one.at_s}"


def _message(signed: SignedReading) -> Message:
    return Message(
        key=_key(signed.reading),
        kind="reading",
        source=signed.reading.meter_id,
        body=signed.body,
        trace_id="",
    )


def _known(connection: Connection, keys: Sequence[str]) -> dict[str, bytes]:
    """Return the content hash of every message that was accepted before, by key."""
    rows = connection.execute(
        select(inbox.c.key, inbox.c.content_hash).where(inbox.c.key.in_(keys))
    )
    return {row.key: row.content_hash for row in rows}


def _settled(
    service: Service, connection: Connection, readings: Sequence[SignedReading]
) -> frozenset[int]:
    """Return which of the intervals that the readings end are settled."""
    ended = {_interval_before(service, one.reading) for one in readings}
    return frozenset(
        connection.execute(select(run.c.interval).where(run.c.interval.in_(ended))).scalars()
    )


def _interval_before(service: Service, one: Reading) -> int:
    return service.rules.interval_of(one.at_s) - 1


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
