"""
Make bad messages out of good ones, one for every way in which the outside world goes wrong.

Each is wrong in one respect only and right in all others, so that whoever receives it can be
watched finding exactly that. The service must refuse each, record it, and settle the week.

A duplicate is the same message sent twice, and the record of another session is ``Station.stop``
with another session's idTag: neither needs a maker here.
"""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from contracts.typed_data import Domain
from devnet.field.dataset import DATA, HOUR_S
from devnet.field.events import FeederReading
from devnet.field.gateways import SignedReading, sign_feeder, sign_reading
from devnet.field.keys import Curve, MeterKey, Role, derive, meter_key
from ledger.units import UnixSeconds, WattHours, Watts

MALFORMED_FRAMES: Final = (
    "not JSON at all",
    "{}",
    "[]",
    '[2,"m1"]',
    '[9,"m2","Heartbeat",{}]',
    '[2,"m3","StartTransaction",{"connectorId":"one"}]',
    '[2,"m4","Levitate",{}]',
    '[2,"m5",{},{}]',
)
"""Text frames that are no OCPP 1.6 request: no JSON, no message, not a known or a fitting one."""

_STRANGER: Final = "stranger"
_STRANGER_W: Final = Watts(10_000)
_ID_TAG_CHARACTERS: Final = 20


def stranger(seed: int) -> MeterKey:
    """Return a gateway that nobody enrolled."""
    return meter_key(seed, Role.GATEWAY, _STRANGER, Curve.SECP256K1, _STRANGER_W)


def wrongly_signed(good: SignedReading, seed: int, domain: Domain) -> SignedReading:
    """Return the same reading, signed by a key that is not its meter's."""
    return sign_reading(good.reading, stranger(seed), domain)


def with_other_content(good: SignedReading, key: MeterKey, domain: Domain) -> SignedReading:
    """Return another value for the same register and instant, properly signed."""
    other_wh = WattHours(good.reading.energy_wh + 1)
    return sign_reading(replace(good.reading, energy_wh=other_wh), key, domain)


def running_backwards(
    good: SignedReading, key: MeterKey, domain: Domain, *, by_wh: WattHours
) -> SignedReading:
    """Return the reading of an hour later, properly signed, with ``by_wh`` less in the register."""
    reading = good.reading
    later = replace(
        reading,
        at_s=UnixSeconds(reading.at_s + HOUR_S),
        sequence=reading.sequence + 1,
        energy_wh=WattHours(reading.energy_wh - by_wh),
    )
    return sign_reading(later, key, domain)


def of_unknown_meter(good: SignedReading, seed: int, domain: Domain) -> SignedReading:
    """Return the same reading as a meter that nobody enrolled would send it, properly signed."""
    key = stranger(seed)
    return sign_reading(replace(good.reading, meter_id=key.meter_id), key, domain)


def disagreeing_feeder(
    good: FeederReading, key: MeterKey, domain: Domain, *, by_wh: WattHours
) -> tuple[SignedReading, ...]:
    """Return the feeder head's readings with ``by_wh`` more taken from the grid than was."""
    more_wh = WattHours(good.import_wh + by_wh)
    return sign_feeder(replace(good, import_wh=more_wh), key, domain)


def tag_nobody_opened(seed: int) -> str:
    """Return an idTag of the right form, behind which there is no deposit."""
    return derive(seed, Role.PASSWORD, _STRANGER).hex()[:_ID_TAG_CHARACTERS].upper()


def data_without_column(folder: Path, file: str, column: str) -> Path:
    """Copy the data to ``folder``, leave ``column`` out of ``file``, and return ``folder``."""
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    with (DATA / file).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    left_out = rows[0].index(column)
    with (folder / file).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(row[:left_out] + row[left_out + 1 :] for row in rows)
    return folder
