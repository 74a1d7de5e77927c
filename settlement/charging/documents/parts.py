"""Cut a session where its price changes, as its charge detail record must be."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from ledger.units import UnixSeconds, WattHours
from settlement.charging.documents.facts import AgreedTariff, Stretch
from settlement.charging.documents.tariff_object import ocpi_of
from settlement.metering.local_time import LocalTime
from settlement.pricing.ocpi import Charging, Period, rate


def cut_at_prices(
    signed: Sequence[Stretch], tariff: AgreedTariff, local: LocalTime
) -> tuple[Stretch, ...]:
    """
    Return the signed parts of a session, cut again wherever another price began to hold.

    The rating engine that billed says where. Under a price per kWh and a flat fee, or if the parts
    do not follow each other in time, they stay as they are.

    Parameters
    ----------
    signed
        The parts that the meter signed, in order of time.
    tariff
        What was agreed.
    local
        What the clocks of the place show.
    """
    ocpi = ocpi_of(tariff)
    follow = all(one.end_s == after.begin_s for one, after in pairwise(signed))
    if ocpi is None or not signed or not follow:
        return tuple(signed)
    periods = tuple(
        Period(
            UnixSeconds(int(one.begin_s)),
            UnixSeconds(int(one.end_s)),
            WattHours(int(one.energy_wh)),
        )
        for one in signed
    )
    rated = rate(ocpi, Charging(periods[0].begin_s, periods, local.utc_offset_minutes, local.zone))
    return tuple(
        Stretch(
            Fraction(one.begin_s), Fraction(one.end_s), Fraction(one.energy_wh), parking=one.parking
        )
        for one in rated.segments
        if not one.reserved
    )
