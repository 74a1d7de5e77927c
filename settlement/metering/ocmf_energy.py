"""Work out the energy that an OCMF record proves: one register, subtracted exactly."""

from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import WattHours
from settlement.metering.ocmf import OcmfReading, OcmfRecord

_BEGIN: Final = frozenset({"B"})
_END: Final = frozenset({"E", "L", "R", "A"})
_GOOD: Final = "G"
_ENERGY_UNUSABLE: Final = "E"
_FINEST: Final = 12
"""Registers are compared in 10^-12 Wh: the format's finest decimals, without any rounding."""
_EXPONENTS: Final = {"kWh": 3, "Wh": 0}


class IncompleteRecordError(UnverifiedReading):
    """A record without a begin or an end."""

    def __init__(self, missing: str) -> None:
        super().__init__("incomplete_record", f"the record has no {missing} reading")
        self.missing: Final = missing


class UnusableEnergyError(UnverifiedReading):
    """The meter itself says that the energy must not be billed."""

    def __init__(self, detail: str) -> None:
        super().__init__("unusable_energy", detail)


class RecordBackwardsError(UnverifiedReading):
    """The end register is below the begin register."""

    def __init__(self, begin: OcmfReading, end: OcmfReading) -> None:
        super().__init__("record_backwards", f"the register went from {begin} to {end}")
        self.begin: Final = begin
        self.end: Final = end


class SeveralRegistersError(UnverifiedReading):
    """A record that begins or ends on more than one register, which the contract cannot bill."""

    def __init__(self, obis: str, other: OcmfReading) -> None:
        super().__init__(
            "several_registers", f"the record reads register {other.obis!r} beside {obis!r}"
        )
        self.obis: Final = obis


def energy_wh(record: OcmfRecord) -> WattHours:
    """
    Return the energy of a record: its end less its begin, floored to Wh once.

    Raises
    ------
    IncompleteRecordError
        If the begin or the end is missing.
    UnusableEnergyError
        If the meter flags one of them as not to be billed.
    RecordBackwardsError
        If the end lies below the begin.
    """
    return energy_between(*register_pair(record))


def register_pair(record: OcmfRecord) -> tuple[OcmfReading, OcmfReading]:
    """
    Return the first begin reading and the last end reading of the same register after it.

    A record may read further registers, power or time for one, which inherit the reason of the
    reading before them (OCMF 1.4.1, table 7); they are not of this energy.

    Raises
    ------
    IncompleteRecordError
        If one is missing.
    UnusableEnergyError
        If the meter flags one as not to be billed.
    """
    # One walk over the readings: what is left after the begin is where an end may stand.
    readings = (one for one in record.readings if one.unit in _EXPONENTS)
    begin = next((one for one in readings if one.reason in _BEGIN), None)
    if begin is None:
        raise IncompleteRecordError("begin")
    ends = [one for one in readings if one.reason in _END and one.obis == begin.obis]
    if not ends:
        raise IncompleteRecordError("end")
    check_usable(begin)
    check_usable(ends[-1])
    return begin, ends[-1]


def check_usable(reading: OcmfReading) -> None:
    """
    Check that the meter stands by the energy of a reading (OCMF 1.4.1, ``ST`` and ``EF``).

    Raises
    ------
    UnusableEnergyError
        If it does not.
    """
    if reading.status != _GOOD:
        raise UnusableEnergyError(f"meter status is {reading.status!r}")
    if _ENERGY_UNUSABLE in reading.error_flags:
        raise UnusableEnergyError("the meter flags its energy as wrong")


def check_one_register(record: OcmfRecord) -> None:
    """
    Check that every begin and end is of one energy register.

    ``ChargeVault`` takes the first begin and the last end without looking at the register; a
    record of several would be billed there for something else than here.

    Raises
    ------
    SeveralRegistersError
        If a begin or an end is of another register than the first, or of no energy.
    """
    marks = [one for one in record.readings if one.reason in _BEGIN | _END]
    for one in marks:
        if one.obis != marks[0].obis or one.unit not in _EXPONENTS:
            raise SeveralRegistersError(marks[0].obis, one)


def energy_between(begin: OcmfReading, end: OcmfReading) -> WattHours:
    """
    Return the energy from ``begin`` to ``end``: subtracted exactly, floored to Wh once.

    Raises
    ------
    RecordBackwardsError
        If the end lies below the begin.
    """
    difference = _scaled(end) - _scaled(begin)
    if difference < 0:
        raise RecordBackwardsError(begin, end)
    return WattHours(difference // 10**_FINEST)


def register_wh(reading: OcmfReading) -> WattHours:
    """Return what a register shows, floored to Wh; for comparing registers, never for a bill."""
    return WattHours(_scaled(reading) // 10**_FINEST)


def _scaled(reading: OcmfReading) -> int:
    exponent = _FINEST - reading.decimals + _EXPONENTS[reading.unit]
    return reading.digits * int(10**exponent)
