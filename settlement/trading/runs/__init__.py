"""Runs after the first: what a correction adds to what was posted before it."""

from settlement.trading.runs.differences import Difference, Posted, differences, payable
from settlement.trading.runs.roots import corrected_leaves

__all__ = ["Difference", "Posted", "corrected_leaves", "differences", "payable"]
