"""Walk the readings of a batch from interval to interval, and say what each member measured."""

from array import array
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final

from contracts.typed_data import Domain
from ledger.units import UnixSeconds, WattHours
from settlement.engine.batch.model import REGISTERS, Batch, BatchMeter, Series
from settlement.metering.readings import Reading, Register, reading_digest
from settlement.metering.signatures import verify_reading

_NOTHING: Final = WattHours(0)
_SILENT: Final = -1
"""Place before the first reading."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A reading with what proves it."""

    reading: Reading
    """What was said."""
    digest: bytes
    """What a gateway signs of it, 32 bytes."""
    signature: bytes
    """Signature, or empty."""


@dataclass(slots=True)
class Measured:
    """What one member measured in one interval."""

    import_wh: WattHours = _NOTHING
    """Taken, in Wh."""
    export_wh: WattHours = _NOTHING
    """Given, in Wh."""
    digests: list[bytes] = field(default_factory=list)
    """Digests of the readings used, by meter, register and instant."""
    estimated: bool = False
    """Whether a reading is missing or was estimated."""


@dataclass(slots=True)
class _Cursor:
    """How far one register was read."""

    meter: BatchMeter
    register: Register
    series: Series
    place: int = _SILENT
    newest: Evidence | None = None

    def move_to(self, at_s: UnixSeconds, domain: Domain) -> Evidence | None:
        """Read on up to an instant; return its reading, or None if there is none of it."""
        instants, place = self.series.at_s, self.place
        while place + 1 < len(instants) and instants[place + 1] <= at_s:
            place += 1
        if place != self.place:
            self.place = place
            self.newest = self._evidence(domain)
        return self.newest if self.newest and self.newest.reading.at_s == at_s else None

    def _evidence(self, domain: Domain) -> Evidence:
        reading = self.series.reading(self.meter.meter_id, self.register, self.place)
        if self.meter.key is None:
            return Evidence(reading, reading_digest(domain, reading), b"")
        signature = self.series.signatures[self.place]
        return Evidence(
            reading, verify_reading(domain, reading, signature, self.meter.key), signature
        )


class Walk:
    """The readings of all meters, taken in the order of time."""

    def __init__(self, batch: Batch) -> None:
        self._domain: Final = batch.community.domain
        silent = Series(array("q"), array("q"), array("q"))
        self._cursors: Final = [
            _Cursor(meter, register, meter.series.get(register, silent))
            for meter in sorted(batch.meters, key=lambda one: one.serial)
            for register in REGISTERS[meter.kind]
        ]

    def interval(
        self, begin_s: UnixSeconds, end_s: UnixSeconds
    ) -> tuple[dict[str, Measured], list[Evidence]]:
        """
        Return what each member measured in ``[begin_s, end_s)``, and the readings read for it.

        Intervals come in the order of time. What a silent register counted is in the interval in
        which it speaks again, as long as it spoke before.

        Raises
        ------
        UnverifiedReading
            If a meter with a key did not sign a reading.
        """
        found: dict[str, Measured] = defaultdict(Measured)
        fresh: list[Evidence] = []
        for cursor in self._cursors:
            known = cursor.place
            at_begin = cursor.move_to(begin_s, self._domain)
            before, read = cursor.newest, cursor.place
            at_end = cursor.move_to(end_s, self._domain)
            if before is not None and read != known:
                fresh.append(before)
            if cursor.newest is not None and cursor.place != read:
                fresh.append(cursor.newest)
            _add(found[cursor.meter.member], cursor, before, at_end)
            if at_begin is not None and at_end is not None:
                found[cursor.meter.member].digests += (at_begin.digest, at_end.digest)
            elif at_end is not None and before is not None:
                found[cursor.meter.member].digests.append(at_end.digest)
        return found, fresh


def _add(
    measured: Measured, cursor: _Cursor, before: Evidence | None, at_end: Evidence | None
) -> None:
    """Add what one register counted, or say that nobody knows."""
    if at_end is None or before is None:
        measured.estimated = True
        return
    energy = at_end.reading.energy_wh - before.reading.energy_wh
    if cursor.register is Register.IMPORT:
        measured.import_wh = WattHours(measured.import_wh + energy)
    else:
        measured.export_wh = WattHours(measured.export_wh + energy)
    measured.estimated |= cursor.place in cursor.series.estimated
