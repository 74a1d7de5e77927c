"""
Work out the energy that an OCMF record proves: one register, subtracted exactly.

``Ocmf.read`` of the contracts does the same; a property compares the two on random texts.
"""

import re
from typing import Final

from ledger.errors import UnverifiedReading
from ledger.units import WattHours
from settlement.metering.ocmf import OcmfReading, OcmfRecord
from settlement.metering.ocmf_json import MalformedRecordError

_BEGIN: Final = frozenset({"B"})
_END: Final = frozenset({"E", "L", "R", "A"})
_GOOD: Final = "G"
_ENERGY_UNUSABLE: Final = "E"
_FINEST: Final = 12
"""Registers are compared in 10^-12 Wh: the format's finest decimals, without any rounding."""
_EXPONENTS: Final = {"kWh": 3, "Wh": 0}
_BILLED: Final = re.compile(
    r"([^:]*:)?"  # medium and channel, as they may be
    r"(0?1|[Bb][0-3])"  # active power, import; or a register that OCMF reserves for imports
    r"\.0?8"  # time integral from the first start to now: the standing of a meter
    r"([.*].*)?",  # tariff, storage
    re.DOTALL,
)
_OBIS_BYTES_MAX: Final = 30


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
    readings = (one for one in record.readings if is_energy(one))
    begin = next((one for one in readings if one.reason in _BEGIN), None)
    if begin is None:
        raise IncompleteRecordError("begin")
    ends = [one for one in readings if one.reason in _END and one.obis == begin.obis]
    if not ends:
        raise IncompleteRecordError("end")
    check_usable(begin)
    check_usable(ends[-1])
    return begin, ends[-1]


def is_energy(reading: OcmfReading) -> bool:
    """Return whether a reading is of a register that energy is billed by."""
    return reading.unit in _EXPONENTS and is_billed(reading.obis)


def is_billed(obis: str) -> bool:
    """
    Return whether an OBIS code is of a register of imported active energy, or empty.

    ``1.8`` is one, whatever comes before the colon and behind, and so are ``B0.8`` to ``B3.8``,
    which OCMF reserves. ``2.8`` and ``C0.8`` to ``C3.8`` are exports. ``1.9``, which some meters
    write beside ``1.8`` and leave at zero, is not the standing of a register but the energy since
    the last billing period began (IEC 62056-61, value group D). A reading without a code is of the
    meter's only register.
    """
    if not obis:
        return True
    return len(obis.encode()) <= _OBIS_BYTES_MAX and _BILLED.fullmatch(obis) is not None


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


def energy_between(begin: OcmfReading, end: OcmfReading) -> WattHours:
    """
    Return the energy from ``begin`` to ``end``: subtracted exactly, floored to Wh once.

    Raises
    ------
    RecordBackwardsError
        If the end lies below the begin.
    MalformedRecordError
        If one of them shows no plain decimal number.
    """
    difference = _scaled(end) - _scaled(begin)
    if difference < 0:
        raise RecordBackwardsError(begin, end)
    return WattHours(difference // 10**_FINEST)


def cable_loss_wh(record: OcmfRecord) -> WattHours | None:
    """
    Return the energy lost in the cable over a record, floored to Wh; None if it tells of none.

    A meter that compensates has taken it off ``RV`` already (OCMF 1.4.1, table 7, ``CL``), so it is
    shown and never billed, nor taken off a second time.

    Raises
    ------
    IncompleteRecordError
        If the begin or the end is missing.
    UnusableEnergyError
        If the meter flags one of them as not to be billed.
    """
    begin, end = register_pair(record)
    if end.loss_digits is None:
        return None
    lost = [
        (one.loss_digits or 0) * int(10 ** (_FINEST - one.loss_decimals + _EXPONENTS[one.unit]))
        for one in (begin, end)
    ]
    return WattHours(max(lost[1] - lost[0], 0) // 10**_FINEST)


def register_wh(reading: OcmfReading) -> WattHours:
    """
    Return what a register shows, floored to Wh; for comparing registers, never for a bill.

    Raises
    ------
    MalformedRecordError
        If it shows no plain decimal number.
    """
    return WattHours(_scaled(reading) // 10**_FINEST)


def _scaled(reading: OcmfReading) -> int:
    if reading.digits is None:
        raise MalformedRecordError(f"a {reading.reason} reading shows no plain decimal number")
    exponent = _FINEST - reading.decimals + _EXPONENTS[reading.unit]
    return reading.digits * int(10**exponent)
