"""Measure how soon drivers have their money back."""

from typing import Final

READY: Final = "ready"
"""What the process of the stations says when every one of them is connected."""
