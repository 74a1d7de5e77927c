"""Say how many intervals the chain settles at once: one, an hour's or a day's (decision 0013)."""

from enum import StrEnum
from typing import Final, NewType

PeriodIndex = NewType("PeriodIndex", int)
"""Number of a settlement period: its start in Unix seconds divided by its length."""

HOUR_S: Final = 3_600
DAY_S: Final = 86_400


class SettlementPeriod(StrEnum):
    """What one transaction on the chain settles; days are those of UTC."""

    INTERVAL = "interval"
    HOUR = "hour"
    DAY = "day"

    def length_s(self, interval_s: int) -> int:
        """Return the length in seconds, where intervals have ``interval_s``."""
        return {
            SettlementPeriod.INTERVAL: interval_s,
            SettlementPeriod.HOUR: HOUR_S,
            SettlementPeriod.DAY: DAY_S,
        }[self]
