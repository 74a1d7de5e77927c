"""Say how sure a value is: what a reading came with, and what an interval had to do without."""

from enum import IntFlag

from ledger.units import UnixSeconds, Watts
from settlement.metering.readings import Quality, Reading

_SECONDS_PER_HOUR = 3_600


class Flag(IntFlag):
    """What is to be known of a value beside the value; several may hold."""

    NONE = 0
    """Measured, at the instants that count."""
    GATEWAY_ESTIMATE = 1
    """The gateway estimated it and says so."""
    SUBSTITUTED = 2
    """The meter's operator put it in the place of a faulty one and says so."""
    GAP = 4
    """The register had missed an end of an interval: its energy is of several."""
    OFF_BOUNDARY = 8
    """It is of an instant inside an interval, which no interval is settled by."""
    SPIKE = 16
    """More than the rated power, though within what is taken for plausible."""
    WRAPPED = 32
    """The register began again at 0, as its maker says it does."""
    MISSING = 64
    """The register said nothing at the interval's end, or never before."""
    PROFILE = 128
    """The service estimated the energy from the same meter's earlier days."""
    STUCK = 256
    """Neither register has moved for a day: a warning."""

    @property
    def words(self) -> tuple[str, ...]:
        """The flags by name, lower case, in the order above."""
        return tuple(one.name.lower() for one in Flag if one in self and one.name)


def flags_of(before: Reading | None, now: Reading, rated_power_w: Watts, interval_s: int) -> Flag:
    """
    Return the flags of a reading that was found plausible, beside the register's previous one.

    Parameters
    ----------
    before
        The register's reading before, or None if this is its first.
    now
        The reading.
    rated_power_w
        Most power that the meter is made for, in W.
    interval_s
        Length of the community's intervals, in seconds.
    """
    found = _said(now)
    if now.at_s % interval_s:
        found |= Flag.OFF_BOUNDARY
    if before is None:
        return found
    if missed_between(before.at_s, now.at_s, interval_s):
        found |= Flag.GAP
    if now.energy_wh < before.energy_wh:
        return found | Flag.WRAPPED
    energy_wh, elapsed_s = now.energy_wh - before.energy_wh, now.at_s - before.at_s
    if energy_wh * _SECONDS_PER_HOUR > rated_power_w * elapsed_s:
        found |= Flag.SPIKE
    return found


def missed_between(before_s: UnixSeconds, now_s: UnixSeconds, interval_s: int) -> int:
    """Return how many ends of intervals lie strictly between two instants."""
    return (now_s - 1) // interval_s - before_s // interval_s


def _said(one: Reading) -> Flag:
    """Return the flag of what the signer says of the value."""
    match one.quality:
        case Quality.MEASURED:
            return Flag.NONE
        case Quality.ESTIMATED:
            return Flag.GATEWAY_ESTIMATE
        case Quality.SUBSTITUTED:
            return Flag.SUBSTITUTED
