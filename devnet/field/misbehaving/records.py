"""
Make bad signed records out of a meter that could make good ones.

All but the forged ones are properly signed: it is the meter that errs, or lies. Each is wrong in
one respect only.
"""

from dataclasses import replace
from typing import Final

from devnet.field.events import FiscalSlice
from devnet.field.misbehaving.readings import stranger
from devnet.field.ocmf import OcmfMeter, Shown
from ledger.units import UnixSeconds, WattHours

_DIGITS: Final = "0123456789ABCDEF"


def transaction(meter: OcmfMeter, id_tag: str, page: int, begin: Shown, end: Shown) -> str:
    """Return the properly signed transaction record of whatever the meter showed."""
    return meter.record(f"T{page}", id_tag, (begin, end))


def shown(whole: FiscalSlice) -> tuple[Shown, Shown]:
    """Return what a good meter shows at begin and end of a session."""
    begin = Shown(whole.begin_s, "B", whole.begin_wh)
    return begin, Shown(whole.end_s, "E", whole.end_wh)


def with_forged_signature(record: str) -> str:
    """Return the same record with one digit of its signature changed."""
    position = record.rindex('"') - 2
    other = _DIGITS[(_DIGITS.index(record[position]) + 1) % len(_DIGITS)]
    return record[:position] + other + record[position + 1 :]


def with_other_energy(record: str, good: WattHours, told: WattHours) -> str:
    """Return the same record with another end register, its signature untouched."""
    return f"{_kwh(told)}".join(record.rsplit(_kwh(good), 1))


def by_stranger(whole: FiscalSlice, station: str, id_tag: str, seed: int) -> str:
    """Return the record of a session as a meter that nobody enrolled signs it."""
    return OcmfMeter(stranger(seed), station).whole_record(whole, id_tag)


def with_placeholder_begin(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record that begins at 0 and ends at the lifetime register."""
    return meter.whole_record(replace(whole, begin_wh=WattHours(0)), id_tag)


def running_down(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record whose register ends below its begin."""
    return meter.whole_record(replace(whole, begin_wh=whole.end_wh, end_wh=whole.begin_wh), id_tag)


def rolled_over(meter: OcmfMeter, whole: FiscalSlice, id_tag: str, modulus_wh: WattHours) -> str:
    """Return a record whose register began just below ``modulus_wh`` and went on from 0."""
    drawn_wh = whole.end_wh - whole.begin_wh
    begin_wh = WattHours(modulus_wh - drawn_wh // 2)
    end_wh = WattHours((begin_wh + drawn_wh) % modulus_wh)
    return meter.whole_record(replace(whole, begin_wh=begin_wh, end_wh=end_wh), id_tag)


def with_negative_register(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record of a register below nothing."""
    drawn_wh = whole.end_wh - whole.begin_wh
    below = replace(whole, begin_wh=WattHours(-drawn_wh - 1), end_wh=WattHours(-1))
    return meter.whole_record(below, id_tag)


def with_unset_clock(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record of a clock that was never set: it counts from 1970 and says so."""
    begin, end = shown(whole)
    long_s = whole.end_s - whole.begin_s
    return transaction(
        meter,
        id_tag,
        whole.page,
        replace(begin, at_s=UnixSeconds(0), clock="U"),
        replace(end, at_s=UnixSeconds(long_s), clock="U"),
    )


def with_flagged_energy(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record whose meter says that its energy must not be billed."""
    begin, end = shown(whole)
    return transaction(meter, id_tag, whole.page, begin, replace(end, flags="E"))


def of_exchanged_meter(meter: OcmfMeter, whole: FiscalSlice, id_tag: str) -> str:
    """Return a record whose meter says that it was exchanged (``ST`` ``X``)."""
    begin, end = shown(whole)
    return transaction(meter, id_tag, whole.page, begin, replace(end, state="X"))


def _kwh(register_wh: WattHours) -> str:
    whole, rest = divmod(register_wh, 1_000)
    return f"{whole}.{rest:03d}"
