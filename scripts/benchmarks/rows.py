"""Say what was measured: a figure, the baseline measured beside it, and what their ratio means."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

from ledger.errors import Integrity

_RATE: Final = "/s"
_DIGITS: Final = 3
_HUNDRED: Final = 100
_JSON_DECIMALS: Final = 6


class BenchmarkInvalidError(Integrity):
    """What was to be measured did not do what it should, so its time means nothing."""

    def __init__(self, why: str) -> None:
        super().__init__("benchmark_invalid", f"nothing was measured: {why}")


class Sense(StrEnum):
    """What a ratio says."""

    FASTER = "times as fast"
    """How many times better than a rival; below 1 the rival is better."""
    SHARE = "of the ceiling"
    """How much of what the machine can do at most; 1 is all of it."""
    COST = "times the baseline"
    """How many baselines it costs; less is better."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a figure is held against, measured in the same run."""

    value: Decimal
    """Its figure, in the unit of the row."""
    what: str
    """What was measured."""
    sense: Sense
    """What the ratio to it says."""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure."""

    name: str
    """Stable name; the unit is its last part."""
    value: Decimal
    """The figure, a median where it is a time or a rate."""
    unit: str
    """Unit of the figure and of its baseline; one that ends in ``/s`` is a rate."""
    baseline: Baseline
    """What it is held against."""
    command: str
    """What prints it again."""

    def __post_init__(self) -> None:
        """Refuse a figure that no ratio can be made of."""
        if self.value <= 0 or self.baseline.value <= 0:
            raise BenchmarkInvalidError(f"{self.name} is {self.value} to {self.baseline.value}")

    @property
    def ratio(self) -> Decimal:
        """Figure and baseline in one number; ``Baseline.sense`` says how to read it."""
        grows = self.baseline.sense is Sense.COST or self.unit.endswith(_RATE)
        if grows:
            return self.value / self.baseline.value
        return self.baseline.value / self.value

    @property
    def ratio_text(self) -> str:
        """The ratio for people."""
        if self.baseline.sense is Sense.SHARE:
            return f"{plain(self.ratio * _HUNDRED)} % {self.baseline.sense}"
        return f"{plain(self.ratio)} {self.baseline.sense}"

    def document(self) -> Mapping[str, str | int | float]:
        """Return the row as JSON values."""
        return {
            "name": self.name,
            "value": _number(self.value),
            "unit": self.unit,
            "baseline": _number(self.baseline.value),
            "baseline_is": self.baseline.what,
            "ratio": _number(self.ratio),
            "ratio_is": str(self.baseline.sense),
            "command": self.command,
        }


def plain(value: Decimal) -> str:
    """Return a number for people: whole numbers exactly, others to three digits."""
    if value == value.to_integral_value():
        return f"{int(value):,}"
    decimals = max(0, _DIGITS - 1 - value.adjusted())
    return f"{round(value, decimals):,f}"


def _number(value: Decimal) -> int | float:
    whole = value == value.to_integral_value()
    return int(value) if whole else float(round(value, _JSON_DECIMALS))
