"""Take signed register readings of homes and of the feeder head."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from ledger.errors import Integrity, UnverifiedReading, VoisinError
from settlement.engine.intake import Message, MessageDiffersError, refuse
from settlement.engine.market import feeder
from settlement.engine.market.late import keep_late
from settlement.engine.market.registers import Registers, SignedReading
from settlement.engine.market.runs.finality import closing_through
from settlement.engine.roll import key_at, meter_keys
from settlement.engine.service import Service
from settlement.metering.homes.flags import Flag, flags_of
from settlement.metering.readings import Reading
from settlement.metering.signatures import MeterKey, MeterKind, verify_reading
from settlement.metering.validation import check_continuity, check_register
from settlement.tables import run

__all__ = ["Answer", "SignedReading", "record_readings", "take_readings"]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one reading."""

    status: str
    """``accepted``, ``replayed`` or ``refused``."""
    code: str | None = None
    """Why it was refused."""
    detail: str | None = None
    """Why, for people."""


_ACCEPTED: Final = Answer("accepted")
_REPLAYED: Final = Answer("replayed")


class FutureReadingError(UnverifiedReading):
    """A reading of an instant that has not come yet."""

    def __init__(self, at_s: int, now_s: int) -> None:
        super().__init__("future_reading", f"the reading is of {at_s}, the clock says {now_s}")


class ReadingAfterFinalRunError(UnverifiedReading):
    """A reading of an instant whose interval is final; the register's next reading covers it."""

    def __init__(self, at_s: int) -> None:
        super().__init__(
            "reading_after_final_run", f"the interval that ends at {at_s} is final already"
        )


def record_readings(service: Service, readings: Sequence[SignedReading]) -> tuple[Answer, ...]:
    """
    Judge readings one by one, in one transaction; a bad one never stops the others.

    Idempotent by meter, register and instant.
    """
    with service.writing() as connection:
        return take_readings(service, connection, readings)


def take_readings(
    service: Service, connection: Connection, readings: Sequence[SignedReading]
) -> tuple[Answer, ...]:
    """Do the same in the caller's transaction."""
    batch = _Batch(service, connection, readings)
    answers = tuple([batch.take(one) for one in readings])
    batch.finish()
    return answers


class _Batch:
    """Readings that came together: what they have in common is looked up once, written once."""

    def __init__(
        self, service: Service, connection: Connection, readings: Sequence[SignedReading]
    ) -> None:
        self._service: Final = service
        self._domain: Final = service.domain
        self._readings: Final = readings
        self._connection: Final = connection
        self._now_s: Final = service.clock.now_s()
        self._registers: Final = Registers(connection, readings)
        self._settled: Final = _settled_through(connection)
        self._closing: Final = closing_through(service, connection)
        self._keys: Final = meter_keys(connection, {one.reading.meter_id for one in readings})
        self._accepted: Final[list[bytes]] = []
        self._late: Final[list[Reading]] = []

    def take(self, signed: SignedReading) -> Answer:
        """Judge one reading, or give it the answer that it had."""
        prior = self._registers.body_of(signed.reading)
        if prior == signed.body:
            return _REPLAYED
        try:
            if prior is not None:
                raise MessageDiffersError(_message(signed).key)
            digest, flags = self._judge(signed)
        except Integrity:
            raise
        except VoisinError as fault:
            message = _message(signed)
            refuse(self._connection, self._service.book, message, fault, at_s=self._now_s)
            return Answer("refused", fault.code, str(fault))
        self._registers.add(signed, digest, flags)
        self._accepted.append(digest)
        if self._is_within(signed.reading, self._settled):
            self._late.append(signed.reading)
        return _ACCEPTED

    def finish(self) -> None:
        """Write what was accepted, and commit to it in the log."""
        self._registers.write()
        keep_late(self._service, self._connection, self._late)
        if self._accepted:
            self._service.book.append_record(
                self._connection,
                name="readings_accepted",
                trace_id="",
                body=hashlib.sha256(b"".join(self._accepted)).digest(),
                at_s=self._now_s,
            )

    def _judge(self, signed: SignedReading) -> tuple[bytes, Flag]:
        """Return the digest of a reading that proves what it says, and how sure its value is."""
        one = signed.reading
        if one.at_s > self._now_s:
            raise FutureReadingError(one.at_s, self._now_s)
        if self._is_within(one, self._closing):
            raise ReadingAfterFinalRunError(one.at_s)
        key = key_at(self._keys, one.meter_id, one.at_s)
        digest = verify_reading(self._domain, one, signed.signature, key)
        check_register(one.energy_wh, key.register_modulus_wh)
        before, after = self._registers.before(one), self._registers.after(one)
        if after is not None:
            check_continuity(one, after, key.rated_power_w, key.register_modulus_wh)
        if before is not None:
            check_continuity(before, one, key.rated_power_w, key.register_modulus_wh)
            if key.kind is MeterKind.FEEDER_HEAD:
                self._registers.write()
                beside = self._beside(one, key)
                feeder.check(self._service, self._connection, before, one, beside)
        interval_s = self._service.rules.interval_s
        return digest, flags_of(before, one, key.rated_power_w, interval_s)

    def _is_within(self, one: Reading, through: int | None) -> bool:
        """
        Say whether a reading's instant ends an interval up to ``through``, or lies in the next.

        A meter's first instant ends none that counts, yet lies in the first that does.
        """
        return through is not None and self._service.rules.interval_of(one.at_s) - 1 <= through

    def _beside(self, one: Reading, key: MeterKey) -> Reading | None:
        """Return the meter's other register at the same instant, if it came along and is signed."""
        for other in self._readings:
            given = other.reading
            if (given.meter_id, given.at_s) == (one.meter_id, one.at_s) and (
                given.register is not one.register
            ):
                try:
                    verify_reading(self._domain, given, other.signature, key)
                except UnverifiedReading:
                    continue
                return given
        return None


def _message(signed: SignedReading) -> Message:
    """Return a reading as a message, which is how it is refused."""
    one = signed.reading
    return Message(
        key=f"reading/{one.meter_id}/{int(one.register)}/{one.at_s}",
        kind="reading",
        source=one.meter_id,
        body=signed.body,
        trace_id="",
    )


def _settled_through(connection: Connection) -> int | None:
    """Return the newest interval that is settled, or None; intervals are settled in order."""
    return connection.execute(select(func.max(run.c.interval))).scalar()
